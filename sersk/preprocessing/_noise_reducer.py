"""The step that takes steady noise out of clips."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions

from .._utils._overlap_add import overlap_add
from ._base import WaveformTransformer

# Frames this far below the loudest one are digital silence, not the noise of a room: power ratio.
_DIGITAL_SILENCE = 1e-10
# Weight of the frame before in the decision-directed estimate, if frames overlap by half.
_MEMORY = 0.92
# Power below which noise is rounding, where the largest sample is 1.
_AMIN = 1e-20


def reduce_noise(
    samples: NDArray[np.float64],
    *,
    method: str,
    n_fft: int,
    hop_length: int,
    noise_fraction: float,
    threshold: float,
    reduction_db: float,
) -> NDArray[np.float64]:
    """Attenuate what sounds like the quietest frames of a clip.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    method : {"wiener", "spectral_gating"}
        How the gain of a band in a frame follows from its power and that of the noise.
    n_fft : int
        Length of frames and Fourier transform, in samples.
    hop_length : int
        Distance of two frames, at most half of `n_fft`.
    noise_fraction : float
        Share of the frames that is taken for noise.
    threshold : float
        Deviations above the mean of the noise from which on a band is kept; of spectral gating.
    reduction_db : float
        Largest attenuation, in dB.

    Returns
    -------
    cleaned : ndarray of shape (n_samples,)
        The clip with less noise; the clip itself if it is silent or has too few frames.
    """
    peak = np.abs(samples).max()
    if peak == 0:
        return samples
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft))
    # Relative to the peak, no power overflows or vanishes.
    spectrum = _analyse(samples / peak, window, hop_length)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    noise = power[quietest_frames(power, noise_fraction)]
    if not len(noise):
        return samples
    floor = 10 ** (-reduction_db / 20)
    if method == "wiener":
        gain = wiener_gain(power, noise, memory=_MEMORY ** (2 * hop_length / n_fft))
        np.maximum(gain, floor, out=gain)
    else:
        gain = floor + (1 - floor) * gating_mask(power, noise, threshold)
    spectrum *= gain
    cleaned = _synthesise(spectrum, window, hop_length, len(samples))
    cleaned *= peak
    return cleaned


def quietest_frames(power: NDArray[np.float64], fraction: float) -> NDArray[np.intp]:
    """Find the frames in which nobody speaks.

    Parameters
    ----------
    power : ndarray of shape (n_frames, n_bins)
        Power spectrum.
    fraction : float
        Share of the frames that is taken, rounded down; those of digital silence do not count.

    Returns
    -------
    frames : ndarray of shape (n_found,)
        Indices of the quietest frames.
    """
    level = power.sum(axis=1)
    heard = np.flatnonzero(level > _DIGITAL_SILENCE * level.max())
    return heard[np.argsort(level[heard], kind="stable")[: int(fraction * len(heard))]]


def gating_mask(
    power: NDArray[np.float64], noise: NDArray[np.float64], threshold: float
) -> NDArray[np.float64]:
    """Tell what stands out of the noise.

    Parameters
    ----------
    power : ndarray of shape (n_frames, n_bins)
        Power spectrum.
    noise : ndarray of shape (n_noise_frames, n_bins)
        Power spectrum of frames that hold noise alone.
    threshold : float
        Deviations above the mean level of the noise in a band, both in dB, that it takes.

    Returns
    -------
    mask : ndarray of shape (n_frames, n_bins)
        From 0, noise, to 1, smooth over time and frequency.
    """
    level = 10 * np.log10(np.maximum(noise, _AMIN))
    limit = 10 ** ((level.mean(axis=0) + threshold * level.std(axis=0)) / 10)
    # A tone that never changes must not stand out of itself by rounding.
    mask = (power > limit * (1 + 1e-9)).astype(np.float64)
    return _smooth(_smooth(mask).T).T


def wiener_gain(
    power: NDArray[np.float64], noise: NDArray[np.float64], memory: float
) -> NDArray[np.float64]:
    """Compute the Wiener filter, with a signal-to-noise ratio that remembers the frame before.

    Parameters
    ----------
    power : ndarray of shape (n_frames, n_bins)
        Power spectrum.
    noise : ndarray of shape (n_noise_frames, n_bins)
        Power spectrum of frames that hold noise alone.
    memory : float
        Weight of the frame before, from 0 to 1.

    Returns
    -------
    gain : ndarray of shape (n_frames, n_bins)
        From 0, noise, to 1.
    """
    posterior = power / np.maximum(noise.mean(axis=0), _AMIN)
    innovation = (1 - memory) * np.maximum(posterior - 1, 0)
    gain = np.empty_like(power)
    # Nothing comes before the first frame: it stands in for that.
    cleaned = np.maximum(posterior[0] - 1, 0)
    for frame, ratio in enumerate(posterior):
        prior = memory * cleaned + innovation[frame]
        np.divide(prior, 1 + prior, out=gain[frame])
        cleaned = np.square(gain[frame]) * ratio
    return gain


def _smooth(mask: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over five neighbours along the first axis, with weights 1, 2, 3, 2, 1."""
    padded = np.pad(mask, ((2, 2), (0, 0)), mode="edge")
    box = padded[:-2] + padded[1:-1]
    box += padded[2:]
    smooth = box[:-2] + box[1:-1]
    smooth += box[2:]
    smooth /= 9
    return smooth


def _analyse(
    samples: NDArray[np.float64], window: NDArray[np.float64], hop_length: int
) -> NDArray[np.complex128]:
    """Compute the spectrum of frames centred on multiples of the hop: (n_frames, n_bins)."""
    from scipy.fft import rfft

    n_fft = len(window)
    steps = -(-(len(samples) - 1) // hop_length)
    before = n_fft // 2
    after = steps * hop_length + n_fft - before - len(samples)
    # Mirrored at its ends: frames half of zeros would be the quietest, and pass for noise.
    padded = np.pad(samples, (before, after), mode="symmetric")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop_length]
    spectrum: NDArray[np.complex128] = rfft(frames * window, axis=1, overwrite_x=True)
    return spectrum


def _synthesise(
    spectrum: NDArray[np.complex128],
    window: NDArray[np.float64],
    hop_length: int,
    n_samples: int,
) -> NDArray[np.float64]:
    """Put frames together again, by least squares: [1] of the class."""
    from scipy.fft import irfft

    n_fft = len(window)
    frames = irfft(spectrum, n_fft, axis=1, overwrite_x=True)
    frames *= window
    weights = np.broadcast_to(np.square(window), frames.shape)
    inside = slice(n_fft // 2, n_fft // 2 + n_samples)
    total, weight = overlap_add(frames, hop_length), overlap_add(weights, hop_length)
    samples: NDArray[np.float64] = total[inside] / weight[inside]
    return samples


class NoiseReducer(WaveformTransformer):
    r"""Take steady noise out of each clip.

    The quietest frames of a clip, the pauses, are taken to hold nothing but noise. What sounds like
    them is attenuated elsewhere, too: band by band, by a Wiener filter or spectral gating.

    Parameters
    ----------
    method : {"wiener", "spectral_gating"}, default="wiener"
        ``"wiener"`` gives each band a gain that follows its signal-to-noise ratio.
        ``"spectral_gating"`` keeps a band where it stands out of the noise and attenuates it
        elsewhere, smoothed over time and frequency. Against steady noise the former takes away more
        of it and leaves more of the speech.

    n_fft : int, default=512
        Length of frames and Fourier transform, in samples, >= 2: 32 ms at 16,000 Hz. Longer frames
        part harmonics from the noise between them, shorter ones smear sudden sounds less.

    hop_length : int, default=256
        Distance of two frames, in samples, at most half of `n_fft`. A quarter costs twice the time
        and is a little better.

    noise_fraction : float, default=0.1
        Share of the frames, the quietest ones, that is taken for noise; above 0, up to 1. Not more
        than the pauses take: else speech passes for noise.

    threshold : float, default=1.5
        By how many standard deviations a band has to lie above the mean level of its noise, both in
        dB, to be kept; from 0 to 10. Higher values take away more noise and more quiet speech. Of
        ``"spectral_gating"`` alone.

    reduction_db : float, default=15.0
        Largest attenuation, in dB, from 0 (nothing changes) to 120. What stays of the noise covers
        the stray tones that both methods leave.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    SilenceTrimmer : After this step, which makes pauses quieter; it needs them itself.
    LevelNormalizer : After this step, so that noise does not count as level.

    Notes
    -----
    :math:`P_{tf}` is the power in frame :math:`t` and band :math:`f`, by a root of a Hann window,
    and :math:`Q` the set of the quietest frames. The gain :math:`G_{tf}` is at least
    :math:`G_0 = 10^{-R/20}` for :math:`R` dB of reduction; the phase stays. Frames are put together
    by least squares [1]_, which gives the clip back where the gain is 1.

    *Wiener filter* [2]_, its a priori ratio :math:`\xi` by the decision-directed approach [3]_:

    .. math::

        \gamma_{tf} &= P_{tf} \,/\, \overline{P_{qf}}, \quad q \in Q \\
        \xi_{tf} &= \alpha \, G_{t-1,f}^2 \, \gamma_{t-1,f}
            + (1 - \alpha) \max(\gamma_{tf} - 1, 0) \\
        G_{tf} &= \xi_{tf} \,/\, (1 + \xi_{tf})

    with :math:`\alpha = 0.92` where frames overlap by half, and its root where they do by three
    quarters, so that the memory lasts as long.

    *Spectral gating*, in the manner of [4]_: a mask is 1 where :math:`10 \log_{10} P_{tf}` exceeds
    the mean of the noise by `threshold` standard deviations and 0 elsewhere, averaged with weights
    1, 2, 3, 2, 1 over neighbouring frames and over neighbouring bands. With the mask :math:`M` the
    gain is :math:`G_0 + (1 - G_0) M_{tf}`.

    **Silence.** A clip of zeros is left as it is. So is one with too few frames for a single quiet
    one, by default fewer than ten, 0.13 s at 16,000 Hz. Frames 100 dB below the loudest one are
    digital silence and say nothing of the noise.

    **What is lost.** A hum, a fan, the hiss of a microphone go; voices, music, slamming doors and
    echoes stay. What never pauses, as a held tone, is taken for noise. Breath, whisper and weak
    consonants sound like noise and go with it, and they carry emotion: on clean recordings it is
    better to leave this step out. Features hear its traces; training and test need the same step.

    References
    ----------
    .. [1] D. Griffin and J. Lim, "Signal estimation from modified short-time Fourier transform",
       IEEE Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984.
    .. [2] P. Scalart and J. Filho, "Speech enhancement based on a priori signal to noise
       estimation", Proceedings of ICASSP, 1996.
    .. [3] Y. Ephraim and D. Malah, "Speech enhancement using a minimum mean-square error short-time
       spectral amplitude estimator", IEEE Transactions on Acoustics, Speech, and Signal Processing
       32(6), 1984.
    .. [4] T. Sainburg, M. Thielk and T. Gentner, "Finding, visualizing, and quantifying latent
       structure across diverse animal vocal repertoires", PLOS Computational Biology 16(10), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import NoiseReducer
    >>> rng = np.random.default_rng(0)
    >>> waveforms = rng.normal(scale=0.01, size=(1, 16000))
    >>> waveforms[:, 4000:12000] += 0.3 * np.sin(2 * np.pi * 440 / 16000 * np.arange(8000))
    >>> cleaned = NoiseReducer().fit_transform(waveforms)
    >>> pause = slice(0, 3500)
    >>> print(f"{20 * np.log10(cleaned[:, pause].std() / waveforms[:, pause].std()):.0f} dB")
    -11 dB
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "method": [StrOptions({"wiener", "spectral_gating"})],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "noise_fraction": [Interval(Real, 0, 1, closed="right")],
        "threshold": [Interval(Real, 0, 10, closed="both")],
        "reduction_db": [Interval(Real, 0, 120, closed="both")],
    }

    def __init__(
        self,
        *,
        method: Literal["wiener", "spectral_gating"] = "wiener",
        n_fft: int = 512,
        hop_length: int = 256,
        noise_fraction: float = 0.1,
        threshold: float = 1.5,
        reduction_db: float = 15.0,
    ) -> None:
        self.method = method
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.noise_fraction = noise_fraction
        self.threshold = threshold
        self.reduction_db = reduction_db

    def _check_parameters(self) -> None:
        if self.hop_length > self.n_fft // 2:
            raise ValueError(
                f"hop_length={self.hop_length} leaves gaps between frames of n_fft={self.n_fft} "
                f"samples: at most {self.n_fft // 2} is possible. Lower hop_length or raise n_fft."
            )

    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return reduce_noise(
            samples,
            method=self.method,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            noise_fraction=self.noise_fraction,
            threshold=self.threshold,
            reduction_db=self.reduction_db,
        )
