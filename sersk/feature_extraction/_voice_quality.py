"""Pitch, jitter, shimmer, harmonicity and formants as Praat measures them."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from .._utils._extras import import_extra
from ._settings import check_pitch_range
from ._vectors import VectorTransformer

Array = NDArray[np.float64]

# Seconds from frame to frame, in both the analysis of pitch and that of formants.
_TIME_STEP = 0.01
# Poles that Praat looks for below `max_formant`; its standard, whatever number is reported.
_FORMANTS_SOUGHT = 5
# Praat's pitch window, in periods of the lowest pitch: shorter clips have none.
_PERIODS_A_WINDOW = 3
# Praat's standards: shortest and longest period (s), largest ratio of neighbouring periods and of
# neighbouring amplitudes.
_PERIODS = (0.0001, 0.02, 1.3)
_LARGEST_AMPLITUDE_RATIO = 1.6

_JITTER = {"jitter_local": "local", "jitter_rap": "rap", "jitter_ppq5": "ppq5"}
_SHIMMER = {
    "shimmer_local": "local",
    "shimmer_apq3": "apq3",
    "shimmer_apq5": "apq5",
    "shimmer_apq11": "apq11",
}
_NAMES = (
    "voiced_share",
    "f0_mean",
    "f0_std",
    "f0_range",
    "f0_slope",
    *_JITTER,
    *_SHIMMER,
    "hnr_mean",
    "hnr_std",
)


class VoiceQuality(VectorTransformer):
    r"""Pitch, jitter, shimmer, harmonicity and formants, measured by Praat.

    How high, how rough, how breathy a voice is and where the tongue stands, in the measures of
    phonetics. The values are Praat's own [1]_, through the package parselmouth. That is an optional
    extra under the GNU General Public License, version 3 or later:
    ``pip install "sersk[voice]"``.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate of the waveforms, in Hz.

    fmin : float, default=75.0
        Lowest pitch, in Hz. A clip shorter than three of its periods (40 ms) is not analysed.

    fmax : float, default=600.0
        Highest pitch, in Hz, above `fmin` and at most a quarter of `sample_rate`.

    n_formants : int, default=4
        Number of formants to report, 0 to 4, from the lowest; Praat looks for five in any case.

    max_formant : float, default=5500.0
        Upper edge of the range in which the five formants are sought, in Hz, at most half of
        `sample_rate`. Praat advises 5500 for female and 5000 for male voices.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    TimeDomainStats : Pitch and more, many times faster and without another package.
    OpenSMILE : The standard sets of acoustic parameters.

    Notes
    -----
    The features, in order:

    ================================ ======= ====================================================
    name                             unit    meaning
    ================================ ======= ====================================================
    ``voiced_share``                 0 to 1  frames that are voiced
    ``f0_mean``, ``f0_std``          Hz      fundamental frequency of voiced frames
    ``f0_range``                     Hz      highest less lowest
    ``f0_slope``                     Hz/s    of the least-squares line through voiced frames
    ``jitter_local``                 ratio   mean change from period to period over the mean period
    ``jitter_rap``, ``jitter_ppq5``  ratio   the same against the mean of 3 and 5 neighbours
    ``shimmer_local``                ratio   mean change of amplitude from period to period over
                                             the mean amplitude
    ``shimmer_apq3``, ``..apq5``,    ratio   the same against the mean of 3, 5 and 11 neighbours
    ``..apq11``
    ``hnr_mean``, ``hnr_std``        dB      harmonics-to-noise ratio of voiced frames
    ``f1_mean``, ``f1_std``          Hz      frequency of the first formant in voiced frames
    ``f1_bandwidth_mean``, ``_std``  Hz      its bandwidth; likewise of the others
    ================================ ======= ====================================================

    With the durations :math:`T_i` of :math:`n` periods, and :math:`r` the strength of the pitch
    in a frame (the height of the peak of its normalised autocorrelation [2]_),

    .. math::

        \text{jitter}_\text{local} = \frac{\frac{1}{n - 1} \sum_{i=2}^n |T_i - T_{i-1}|}
        {\frac{1}{n} \sum_{i=1}^n T_i}, \qquad
        \text{HNR} = 10 \log_{10} \frac{r}{1 - r};

    shimmer is the same of the peak amplitudes in place of the durations. Pitch is Praat's *To Pitch
    (ac)*, the periods come from *To PointProcess (cc)*, formants from *To Formant (burg)* every
    10 ms; jitter and shimmer take Praat's standard limits, and the mean harmonics-to-noise ratio is
    that of its voice report. Deviations are not corrected for the sample's size.

    **What Praat calls undefined is NaN, in that column only**: everything about the voice of a clip
    without a voiced frame, jitter and shimmer where too few periods follow each other, formants not
    found. Zero would be a measurement: of a perfect voice in the case of jitter. In a clip shorter
    than three periods of `fmin` everything is NaN. So an imputer belongs behind this step, such as
    ``SimpleImputer(keep_empty_features=True)`` of scikit-learn.

    References
    ----------
    .. [1] P. Boersma and D. Weenink, "Praat: doing phonetics by computer", https://www.praat.org;
       its manual, "Voice" and "Sound: To Formant (burg)...".
    .. [2] P. Boersma, "Accurate short-term analysis of the fundamental frequency and the
       harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.feature_extraction import VoiceQuality
    >>> time = np.arange(16000) / 16000
    >>> waveforms = np.sin(2 * np.pi * np.array([[110.0], [220.0]]) * time)
    >>> voice = VoiceQuality()
    >>> vectors = voice.fit_transform(waveforms)
    >>> vectors[:, voice.get_feature_names_out() == "f0_mean"].round(1)
    array([[110.],
           [220.]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="neither")],
        "fmax": [Interval(Real, 0, None, closed="neither")],
        "n_formants": [Interval(Integral, 0, 4, closed="both")],
        "max_formant": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        sample_rate: int = 16000,
        fmin: float = 75.0,
        fmax: float = 600.0,
        n_formants: int = 4,
        max_formant: float = 5500.0,
    ) -> None:
        self.sample_rate = sample_rate
        self.fmin = fmin
        self.fmax = fmax
        self.n_formants = n_formants
        self.max_formant = max_formant

    def _check_parameters(self) -> None:
        check_pitch_range(self.sample_rate, self.fmin, self.fmax)
        # With periods of less than three samples Praat's search for them never ends.
        if self.fmax > self.sample_rate / 4:
            raise ValueError(
                f"fmax={self.fmax:g} Hz lies above a quarter of the sample rate "
                f"({self.sample_rate / 4:g} Hz): Praat cannot tell such periods apart."
            )
        if self.n_formants and self.max_formant > self.sample_rate / 2:
            raise ValueError(
                f"max_formant={self.max_formant:g} Hz lies above half the sample rate "
                f"({self.sample_rate / 2:g} Hz): nothing is there."
            )
        import_extra("parselmouth", extra="voice")

    def _feature_names(self) -> list[str]:
        formants = [f"f{number}" for number in range(1, self.n_formants + 1)]
        parts = ("mean", "std", "bandwidth_mean", "bandwidth_std")
        return [*_NAMES, *(f"{formant}_{part}" for formant in formants for part in parts)]

    def _extract(self, samples: Array) -> Array:
        names = self._feature_names()
        features = _voice_quality(
            samples,
            sample_rate=self.sample_rate,
            fmin=self.fmin,
            fmax=self.fmax,
            n_formants=self.n_formants,
            max_formant=self.max_formant,
        )
        return np.array([features.get(name, np.nan) for name in names])


def _voice_quality(
    samples: Array,
    *,
    sample_rate: int,
    fmin: float,
    fmax: float,
    n_formants: int,
    max_formant: float,
) -> dict[str, float]:
    """Measure one clip; what is not in the answer is undefined."""
    parselmouth = import_extra("parselmouth", extra="voice")
    if len(samples) * fmin < _PERIODS_A_WINDOW * sample_rate:
        return {}
    sound = parselmouth.Sound(samples, sample_rate)
    try:
        pitch = sound.to_pitch_ac(time_step=_TIME_STEP, pitch_floor=fmin, pitch_ceiling=fmax)
    except parselmouth.PraatError:
        return {}
    frequency = pitch.selected_array["frequency"]
    voiced = frequency > 0
    features = {"voiced_share": float(voiced.mean())}
    if not voiced.any():
        return features
    times = pitch.xs()[voiced]
    features |= _pitch_statistics(times, frequency[voiced])
    # Praat's own limits, for a strength of exactly 1.
    strength = np.clip(pitch.selected_array["strength"][voiced], 1e-15, 1 - 1e-15)
    harmonicity = 10 * np.log10(strength / (1 - strength))
    features |= {"hnr_mean": harmonicity.mean(), "hnr_std": harmonicity.std()}
    features |= _perturbations(sound, pitch, parselmouth)
    # Praat's linear prediction, at twice the upper edge, takes more samples than coefficients. With
    # one or two it brings down the whole process, so shorter clips must not come that far.
    n_resampled = len(samples) * 2 * max_formant / sample_rate
    if n_formants and n_resampled > 2 * _FORMANTS_SOUGHT + 1:
        features |= _formants(sound, times, n_formants, max_formant, parselmouth)
    return features


def _pitch_statistics(times: Array, frequency: Array) -> dict[str, float]:
    features = {
        "f0_mean": frequency.mean(),
        "f0_std": frequency.std(),
        "f0_range": np.ptp(frequency),
        "f0_slope": 0.0,
    }
    if len(times) > 1:
        centred = times - times.mean()
        deviations = frequency - frequency.mean()
        features["f0_slope"] = centred @ deviations / (centred @ centred)
    return features


def _perturbations(sound: Any, pitch: Any, parselmouth: Any) -> dict[str, float]:
    """Measure jitter and shimmer over the whole clip (from 0 to 0, in Praat's words)."""
    call = parselmouth.praat.call
    features = {}
    try:
        pulses = call([sound, pitch], "To PointProcess (cc)")
        for name, kind in _JITTER.items():
            features[name] = call(pulses, f"Get jitter ({kind})", 0, 0, *_PERIODS)
        for name, kind in _SHIMMER.items():
            limits = (*_PERIODS, _LARGEST_AMPLITUDE_RATIO)
            features[name] = call([sound, pulses], f"Get shimmer ({kind})", 0, 0, *limits)
    except parselmouth.PraatError:
        # What was measured before stays.
        pass
    return features


def _formants(
    sound: Any, times: Array, n_formants: int, max_formant: float, parselmouth: Any
) -> dict[str, float]:
    """Measure the formants at the given times."""
    try:
        formants = sound.to_formant_burg(
            time_step=_TIME_STEP,
            max_number_of_formants=_FORMANTS_SOUGHT,
            maximum_formant=max_formant,
        )
    except parselmouth.PraatError:
        return {}
    features = {}
    for number in range(1, n_formants + 1):
        for part, measure in (
            ("", formants.get_value_at_time),
            ("bandwidth_", formants.get_bandwidth_at_time),
        ):
            values = np.array([measure(number, time) for time in times])
            values = values[np.isfinite(values)]
            if len(values):
                features[f"f{number}_{part}mean"] = values.mean()
                features[f"f{number}_{part}std"] = values.std()
    return features
