"""Another tempo, another pitch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._base import Draw, Range, Transform, number_or_pair
from ._vocoder import pitch_shift, time_stretch


@dataclass(frozen=True, repr=False)
class TimeStretchDraw(Draw):
    """One tempo."""

    changes_length: ClassVar[bool] = True

    rate: float

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        return time_stretch(samples, self.rate)


class TimeStretch(Transform):
    r"""Make a clip faster or slower at the same pitch: it changes its length.

    Parameters
    ----------
    rate : float or pair of float, default=(0.9, 1.1)
        How many times as fast, from 0.1 to 10: a number, or a pair (low, high) between which it is
        drawn evenly. Above 1 the clip becomes shorter. Tempo carries emotion, so it is changed
        little: by a tenth, as speakers differ among themselves.

    Attributes
    ----------
    changes_length : bool
        True: a clip of :math:`n` samples has ``round(n / rate)`` afterwards, and at least one.

    See Also
    --------
    PitchShift : The pitch, at the same length.

    Notes
    -----
    It is the phase vocoder of [1]_, with frames of 2048 samples, 512 apart, whatever the sample
    rate, as `librosa.effects.time_stretch` has it by default. Frame :math:`t` of the result lies at
    :math:`\tau = \rho t` frames of the clip, for a rate of :math:`\rho`, between the frames
    :math:`i` and :math:`i + 1` with the spectra :math:`X_i` and :math:`X_{i+1}`. Levels are
    interpolated; the phase :math:`\varphi_t` of each band goes on as it did there:

    .. math::

        |Y_t| &= (1 - \alpha) |X_i| + \alpha |X_{i+1}|, \quad i + \alpha = \tau \\
        e^{i \varphi_{t+1}} &= e^{i \varphi_t} \frac{X_{i+1} \overline{X_i}}{|X_{i+1} X_i|}

    librosa adds up angles instead, in the precision of the clip: in single precision its result is
    about 56 dB away from its own in double precision, this one about 90 dB. Where the compiled
    kernels cannot be used, NumPy computes the same but for rounding. Frames are put together by
    least squares [2]_. Attacks become softer, as with any phase vocoder.

    References
    ----------
    .. [1] D. P. W. Ellis, "A phase vocoder in Matlab", Columbia University, 2002.
    .. [2] D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform",
       IEEE Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import TimeStretch
    >>> draw = TimeStretch(rate=(0.9, 1.1)).draw(random_state=0)
    >>> draw
    TimeStretch(rate=1.01)
    >>> tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> len(draw(tone, 16000))
    15845
    """

    changes_length = True

    _parameter_constraints: dict[str, list[Any]] = {"rate": number_or_pair(0.1, 10)}
    _ranges = ("rate",)

    def __init__(self, *, rate: Range = (0.9, 1.1)) -> None:
        self.rate = rate

    def _draw(self, rng: np.random.RandomState) -> Draw:
        return TimeStretchDraw(self._uniform(rng, "rate"))


@dataclass(frozen=True, repr=False)
class PitchShiftDraw(Draw):
    """One interval."""

    semitones: float

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        return pitch_shift(samples, sample_rate, self.semitones)


class PitchShift(Transform):
    r"""Make a clip higher or lower at the same length.

    Parameters
    ----------
    semitones : float or pair of float, default=(-2, 2)
        By how much, in twelfths of an octave, up where positive, from -24 to 24: a number, or a
        pair (low, high) between which it is drawn evenly. By default up to 12 % of the
        fundamental frequency either way, which still sounds like a natural voice.

    See Also
    --------
    TimeStretch : The tempo, at the same pitch.

    Notes
    -----
    The clip is stretched by the rate :math:`\rho = 2^{-s / 12}` for :math:`s` semitones, as
    `TimeStretch` does, and resampled to its old length by soxr in high quality, which multiplies
    all frequencies by :math:`1 / \rho`. `librosa.effects.pitch_shift` does the same [1]_.

    The formants move along with the pitch, as if the throat were smaller or larger: large shifts
    make another kind of speaker, not the same one in another mood.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", Proceedings of the
       14th Python in Science Conference, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import PitchShift
    >>> draw = PitchShift(semitones=(-2, 2)).draw(random_state=0)
    >>> draw
    PitchShift(semitones=0.1953)
    >>> tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> np.abs(np.fft.rfft(draw(tone, 16000))).argmax().item(), round(440 * 2 ** (0.1953 / 12))
    (445, 445)
    """

    _parameter_constraints: dict[str, list[Any]] = {"semitones": number_or_pair(-24, 24)}
    _ranges = ("semitones",)

    def __init__(self, *, semitones: Range = (-2, 2)) -> None:
        self.semitones = semitones

    def _draw(self, rng: np.random.RandomState) -> Draw:
        return PitchShiftDraw(self._uniform(rng, "semitones"))
