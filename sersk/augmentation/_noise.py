"""Noise made by the computer, added at a signal-to-noise ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from ._base import Draw, Range, Transform, new_seed, number_or_pair

# Below it there is no pink noise, in Hz: nothing is heard there, and the power would be without
# bounds.
_LOWEST_PINK = 20.0
# Seconds of pink noise that are made at least, so that the lowest frequencies fit in.
_SHORTEST_PINK = 0.1


def white_noise(n_samples: int, seed: int) -> NDArray[np.float32]:
    """Make Gaussian noise of equal power at all frequencies.

    Parameters
    ----------
    n_samples : int
        How much.
    seed : int
        The same seed makes the same noise.

    Returns
    -------
    noise : ndarray of shape (n_samples,), float32
        Of mean square 1, but for chance.
    """
    return np.random.default_rng(seed).standard_normal(n_samples, dtype=np.float32)


def pink_noise(n_samples: int, sample_rate: float, seed: int) -> NDArray[np.float32]:
    """Make Gaussian noise whose power falls by 3 dB an octave.

    Parameters
    ----------
    n_samples : int
        How much.
    sample_rate : float
        Samples a second.
    seed : int
        The same seed, length and rate make the same noise.

    Returns
    -------
    noise : ndarray of shape (n_samples,), float32
        Of any level.
    """
    from scipy.fft import irfft, next_fast_len

    length = next_fast_len(max(n_samples, math.ceil(_SHORTEST_PINK * sample_rate)), real=True)
    n_bins = length // 2 + 1
    # The spectrum of white noise is white noise.
    spectrum = white_noise(2 * n_bins, seed).view(np.complex64)
    lowest = min(math.ceil(_LOWEST_PINK * length / sample_rate), n_bins - 1)
    spectrum[:lowest] = 0
    spectrum[lowest:] /= np.sqrt(np.arange(lowest, n_bins, dtype=np.float32))
    noise: NDArray[np.float32] = irfft(spectrum, length, overwrite_x=True)[:n_samples]
    return noise


def mix(samples: NDArray[Any], noise: NDArray[Any], snr_db: float) -> NDArray[Any]:
    """Add noise to a clip at a signal-to-noise ratio.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        The clip.
    noise : ndarray of shape (n_samples,)
        The noise, at any level.
    snr_db : float
        Mean power of the clip over that of the noise added, in dB.

    Returns
    -------
    mixed : ndarray of shape (n_samples,)
        A new array of the type of `samples`: a copy where one of the two is silent.
    """
    signal, loudness = _rms(samples), _rms(noise)
    gain = signal / loudness * 10 ** (-snr_db / 20) if loudness else 0.0
    mixed: NDArray[Any] = np.multiply(noise, samples.dtype.type(gain), dtype=samples.dtype)
    mixed += samples
    return mixed


def _rms(samples: NDArray[Any]) -> float:
    # Not by BLAS, whose sums depend on the number of its threads.
    return math.sqrt(np.square(samples, dtype=np.float64).mean())


@dataclass(frozen=True, repr=False)
class AddNoiseDraw(Draw):
    """One noise."""

    snr_db: float
    color: str
    seed: int

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        if self.color == "pink":
            noise = pink_noise(len(samples), sample_rate, self.seed)
        else:
            noise = white_noise(len(samples), self.seed)
        return mix(samples, noise, self.snr_db)


class AddNoise(Transform):
    r"""Add Gaussian noise, white or pink.

    Parameters
    ----------
    snr_db : float or pair of float, default=(5, 20)
        Signal-to-noise ratio in dB, from -60 to 120: a number, or a pair (low, high) between which
        it is drawn evenly. At 20 dB a listener notices the noise, at 5 dB it is in the way and the
        emotion is still heard.

    color : {"white", "pink"}, default="white"
        ``"white"`` has the same power at all frequencies: it hisses, and hides the high ones most.
        ``"pink"`` has the same power in every octave, as wind, traffic and rooms rather have.

    See Also
    --------
    BackgroundNoise : Noise from recordings.

    Notes
    -----
    With the clip :math:`x_n` and the noise :math:`w_n`, the result is

    .. math::

        y_n = x_n + g w_n, \qquad
        g = \sqrt{\frac{\sum_n x_n^2}{\sum_n w_n^2}} \; 10^{-\mathrm{SNR} / 20}

    so the ratio of their powers over the whole clip, pauses included, is exactly the one drawn. The
    definition is the usual one, as in [1]_. A clip of silence has no level that noise could be
    measured by: it stays silent. The sum is not clipped at 1.

    Pink noise is white noise whose spectrum is multiplied by :math:`1 / \sqrt{f}` from 20 Hz on,
    and by 0 below [2]_.

    References
    ----------
    .. [1] D. Snyder, G. Chen and D. Povey, "MUSAN: A music, speech, and noise corpus",
       arXiv:1510.08484, 2015.
    .. [2] J. Timmer and M. Koenig, "On generating power law noise", Astronomy and Astrophysics 300,
       1995.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import AddNoise
    >>> draw = AddNoise(snr_db=(5, 20), color="pink").draw(random_state=0)
    >>> draw
    AddNoise(snr_db=13.23, color='pink', seed=924231285)
    >>> tone = np.sin(2 * np.pi * 440 / 16000 * np.arange(16000))
    >>> noisy = draw(tone, 16000)
    >>> print(f"{10 * np.log10(np.sum(tone**2) / np.sum((noisy - tone)**2)):.2f} dB")
    13.23 dB
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "snr_db": number_or_pair(-60, 120),
        "color": [StrOptions({"white", "pink"})],
    }
    _ranges = ("snr_db",)

    def __init__(
        self, *, snr_db: Range = (5, 20), color: Literal["white", "pink"] = "white"
    ) -> None:
        self.snr_db = snr_db
        self.color = color

    def _draw(self, rng: np.random.RandomState) -> Draw:
        return AddNoiseDraw(self._uniform(rng, "snr_db"), self.color, new_seed(rng))
