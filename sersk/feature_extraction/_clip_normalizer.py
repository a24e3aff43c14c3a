"""Each clip in units of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._same_shape import SameShapeTransformer


class ClipNormalizer(SameShapeTransformer):
    """Subtract from each feature its mean over the clip.

    What does not change within a clip, the spectrum of a voice, of a microphone, of a room, and the
    level of the recording, says who spoke and where, and little of how. On log-mel bands this is
    cepstral mean subtraction; with `with_std`, cepstral mean and variance normalisation (CMVN).

    Parameters
    ----------
    with_std : bool, default=False
        Whether each feature is divided by its standard deviation over the clip, too.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis seen in `fit`: samples of a waveform, features of frames, channels
        of an image.

    See Also
    --------
    SpeakerNormalizer : Units of each speaker, where several clips of one are at hand.
    sersk.preprocessing.LevelNormalizer : Sets the level of waveforms.

    Notes
    -----
    Only frames of the clip count; NaN after its end stays. A feature that is constant within a clip
    becomes zero, and is not divided.

    On logarithmic features the mean is a filter that the whole clip went through [1]_, on others a
    mere offset. **What is lost:** everything that a clip's average tells. A voice raised in anger
    is louder and sharper than the same voice at rest, and a single clip does not say what rest is.

    References
    ----------
    .. [1] B. S. Atal, "Effectiveness of linear prediction characteristics of the speech wave for
       automatic speaker identification and verification", J. Acoust. Soc. Am. 55(6), 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import ClipNormalizer
    >>> frames = np.array([[[1.0, 3.0, 5.0]], [[4.0, 6.0, np.nan]]])
    >>> ClipNormalizer().fit_transform(frames)
    array([[[-2.,  0.,  2.]],
    <BLANKLINE>
           [[-1.,  1., nan]]])
    """

    _parameter_constraints: dict[str, list[Any]] = {"with_std": ["boolean"]}

    def __init__(self, *, with_std: bool = False) -> None:
        self.with_std = with_std

    def _change(self, clips: NDArray[np.floating], lengths: NDArray[np.intp]) -> None:
        for clip, length in zip(clips, lengths, strict=True):
            if not length:
                continue
            sound = clip[..., :length]
            mean = sound.mean(axis=-1, keepdims=True, dtype=np.float64)
            centred = sound - mean
            if self.with_std:
                deviation = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True))
                # What rounding leaves of a constant is no deviation.
                least = 10 * np.finfo(clip.dtype).eps * np.abs(mean)
                centred /= np.where(deviation > least, deviation, 1.0)
            sound[...] = centred
