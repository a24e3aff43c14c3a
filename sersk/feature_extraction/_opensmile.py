"""The standard sets of acoustic parameters, from openSMILE."""

from __future__ import annotations

import warnings
from functools import lru_cache
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from .._utils._extras import import_extra
from ._vectors import VectorTransformer

# The package multiplies samples by 2**15 and casts them to 16 bits: a full scale of exactly 1 would
# come out as -1.
_FULL_SCALE = 1 - 2.0**-15


class OpenSMILE(VectorTransformer):
    """Standard sets of acoustic parameters: eGeMAPS, ComParE and more, by openSMILE.

    The sets by which speech emotion recognition is measured in the literature: hand-picked
    descriptors of voice and prosody, or thousands of them, and their functionals over the clip.

    openSMILE [1]_ is an optional extra, ``pip install "sersk[opensmile]"``. **It is not free
    software: audEERING's research licence allows non-commercial use only, and that covers features
    and models made with it.** Read the licence of the package before you use it.

    Parameters
    ----------
    feature_set : {"eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase"}, default="eGeMAPSv02"
        The set. ``"eGeMAPSv02"`` (88 features) is the extended Geneva minimalistic set [2]_,
        ``"GeMAPSv01b"`` (62) the one it extends, ``"ComParE_2016"`` (6373) that of the
        computational paralinguistics challenges [3]_, ``"emobase"`` (988) an older one.

    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz. The sets were made for 16000.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    TimeDomainStats : Prosody in 33 numbers, many times faster and free.
    VoiceQuality : Jitter, shimmer, harmonicity and formants by Praat.

    Notes
    -----
    The features and their names are those of the package's ``Functionals`` level. openSMILE works
    on samples of 16 bits: they are cut off at full scale, -1 and 1, and what is quieter than -96 dB
    is lost. A clip too short for the set's longest frame (about 60 ms, at most 1000 samples at
    16 kHz) has no features: its row is NaN throughout, as is that of a row of nothing but NaN. If
    there may be such clips, an imputer belongs behind this step.

    References
    ----------
    .. [1] F. Eyben, M. Wöllmer and B. Schuller, "openSMILE: the Munich versatile and fast
       open-source audio feature extractor", ACM Multimedia, 2010.
    .. [2] F. Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS) for voice
       research and affective computing", IEEE Transactions on Affective Computing 7(2), 2016.
    .. [3] B. Schuller et al., "The INTERSPEECH 2016 computational paralinguistics challenge:
       deception, sincerity and native language", Interspeech, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import OpenSMILE
    >>> waveforms = np.random.default_rng(0).normal(scale=0.1, size=(2, 16000))
    >>> smile = OpenSMILE(feature_set="eGeMAPSv02")
    >>> smile.fit_transform(waveforms).shape
    (2, 88)
    >>> smile.get_feature_names_out()[0]
    'F0semitoneFrom27.5Hz_sma3nz_amean'
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "feature_set": [StrOptions({"eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase"})],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        feature_set: Literal["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase"] = "eGeMAPSv02",
        sample_rate: int = 16000,
    ) -> None:
        self.feature_set = feature_set
        self.sample_rate = sample_rate

    def _check_parameters(self) -> None:
        import_extra("opensmile", extra="opensmile")

    def _feature_names(self) -> list[str]:
        import_extra("opensmile", extra="opensmile")
        return list(_extractor(self.feature_set).feature_names)

    def _extract(self, samples: NDArray[np.float64]) -> NDArray[np.floating]:
        samples = np.clip(samples, -1.0, _FULL_SCALE)
        with warnings.catch_warnings():
            # The row of NaN that such a clip gets is documented.
            warnings.filterwarnings("ignore", "Segment too short", UserWarning)
            features = _extractor(self.feature_set)(samples, self.sample_rate)
        vector: NDArray[np.floating] = features[0, :, 0]
        return vector


@lru_cache(maxsize=4)
def _extractor(feature_set: str) -> Any:
    """Make the extractor once: reading its configuration takes as long as several clips do."""
    opensmile = import_extra("opensmile", extra="opensmile")
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet[feature_set],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
