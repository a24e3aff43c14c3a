"""A room around the speaker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._base import Draw, Range, Transform, new_seed, number_or_pair
from ._noise import white_noise


def room_response(sample_rate: float, rt60: float, wet_db: float, seed: int) -> NDArray[np.float64]:
    """Make the impulse response of a room: the direct sound, then noise that decays.

    Parameters
    ----------
    sample_rate : float
        Samples a second.
    rt60 : float
        Seconds in which the reverberation falls by 60 dB, and after which there is none.
    wet_db : float
        Energy of the reverberation over that of the direct sound, in dB.
    seed : int
        The same seed makes the same room.

    Returns
    -------
    response : ndarray of shape (n_samples,), float64
        Of energy 1; the first sample is the direct sound.
    """
    n_samples = max(math.ceil(rt60 * sample_rate), 1)
    tail = white_noise(n_samples, seed).astype(np.float64)
    tail *= np.exp(-3 * math.log(10) / (rt60 * sample_rate) * np.arange(1, n_samples + 1))
    tail *= 10 ** (wet_db / 20) / math.sqrt(np.square(tail).sum())
    return np.concatenate([[1.0], tail]) / math.sqrt(1 + 10 ** (wet_db / 10))


@dataclass(frozen=True, repr=False)
class ReverbDraw(Draw):
    """One room."""

    rt60: float
    wet_db: float
    seed: int

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        from scipy.fft import irfft, next_fast_len, rfft

        n_samples = len(samples)
        # What is reflected after the clip's end is cut.
        response = room_response(sample_rate, self.rt60, self.wet_db, self.seed)[:n_samples]
        length = next_fast_len(n_samples + len(response) - 1, real=True)
        spectrum = rfft(samples, length)
        spectrum *= rfft(response.astype(samples.dtype), length)
        echoing: NDArray[Any] = irfft(spectrum, length)[:n_samples]
        return echoing


class Reverb(Transform):
    r"""Put a small synthetic room around the speaker.

    Parameters
    ----------
    rt60 : float or pair of float, default=(0.2, 0.8)
        Reverberation time in seconds, from 0.01 to 10: a number, or a pair (low, high) between
        which it is drawn evenly. 0.2 s is a furnished bedroom, 0.8 s a classroom.

    wet_db : float or pair of float, default=(-15, 0)
        Energy of the reverberation over that of the direct sound, in dB, from -60 to 30, likewise.
        -15 dB is a mouth close to the microphone, 0 dB one a metre or two away.

    See Also
    --------
    BackgroundNoise : What else is heard in a room.

    Notes
    -----
    The clip is convolved with the response

    .. math::

        h_0 = \frac{1}{\sqrt{1 + g^2}}, \qquad
        h_n = \frac{g}{\sqrt{1 + g^2}} \, \frac{w_n 10^{-3 n / (f_s T)}}{c}, \quad
        g = 10^{W / 20}

    for :math:`1 \leq n \leq f_s T`, with white noise :math:`w_n`, the reverberation time :math:`T`
    in which sound falls by 60 dB, the sample rate :math:`f_s`, `wet_db` :math:`W`, and :math:`c`
    such that the reverberation has energy :math:`g^2 / (1 + g^2)`. Decaying noise stands for a
    room's late reflections [1]_; early ones are not modelled. The response has energy 1, so the
    level stays about what it was; the length stays, too: what echoes after the end is cut.

    References
    ----------
    .. [1] J. A. Moorer, "About this reverberation business", Computer Music Journal 3(2), 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import Reverb
    >>> draw = Reverb().draw(random_state=0)
    >>> draw
    Reverb(rt60=0.5293, wet_db=-4.272, seed=441365315)
    >>> click = np.zeros(16000)
    >>> click[0] = 1.0
    >>> echo = draw(click, 16000)
    >>> print(f"{10 * np.log10(np.sum(echo[1:] ** 2) / echo[0] ** 2):.3f} dB")
    -4.272 dB
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "rt60": number_or_pair(0.01, 10),
        "wet_db": number_or_pair(-60, 30),
    }
    _ranges = ("rt60", "wet_db")

    def __init__(self, *, rt60: Range = (0.2, 0.8), wet_db: Range = (-15, 0)) -> None:
        self.rt60 = rt60
        self.wet_db = wet_db

    def _draw(self, rng: np.random.RandomState) -> Draw:
        rt60 = self._uniform(rng, "rt60")
        return ReverbDraw(rt60, self._uniform(rng, "wet_db"), new_seed(rng))
