"""What frames depend on: the parameters of all features, and the tables that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._utils._librosa import import_librosa

# Frames that a derivative over time looks at.
DELTA_WIDTH = 9

# Lengths of the Fourier transform that the compiled kernels cover.
FFT_LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)

# Lowest edge of the octave bands of the spectral contrast, in Hz; one more band lies below it.
_CONTRAST_FMIN = 200.0
# Where the highest filter of seven octaves from C1 ends, whatever the tuning, in Hz.
_HIGHEST_FILTER = 4400.0


#: `numpy.float32` or `numpy.float64`: what arithmetic is done in.
Precision: TypeAlias = Any


@dataclass(frozen=True)
class FrameSettings:
    """Parameters of all frame features, under the names of the public transformers."""

    sample_rate: int = 16000
    n_fft: int = 2048
    hop_length: int = 512
    win_length: int | None = None
    window: str = "hann"
    # mel bands and their logarithm
    power: float = 2.0
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float | None = None
    htk: bool = False
    norm: str | None = "slaney"
    ref: float | str = 1.0
    amin: float = 1e-10
    top_db: float | None = 80.0
    # cepstrum
    n_mfcc: int = 40
    lifter: float = 0
    # chroma
    n_chroma: int = 12
    tuning: float | None = None
    chroma_norm: float | None = np.inf
    tonnetz_chroma: str = "stft"
    # waveform
    threshold: float = 1e-10
    # shape of the spectrum
    roll_percent: float = 0.85
    n_bands: int = 6
    quantile: float = 0.02
    # pitch
    pitch_fmin: float = 65.0
    pitch_fmax: float = 500.0
    trough_threshold: float = 0.1

    @property
    def n_bins(self) -> int:
        return 1 + self.n_fft // 2

    def n_frames(self, n_samples: int) -> int:
        """Count the frames of a clip: they are centred on multiples of the hop."""
        # An odd frame reaches one sample less far on one side.
        return 1 + (n_samples - self.n_fft % 2) // self.hop_length


def check_spectrum(settings: FrameSettings) -> None:
    """Refuse a window that is none, or longer than the transform."""
    from scipy.signal import get_window

    if settings.win_length is not None and settings.win_length > settings.n_fft:
        raise ValueError(
            f"win_length={settings.win_length} must not exceed n_fft={settings.n_fft}."
        )
    get_window(settings.window, 2)  # raises for a name that is none


def check_mel_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None, htk: bool = False
) -> None:
    """Refuse bands above half the sample rate, and so many that some hold no spectral bin."""
    nyquist = sample_rate / 2
    if fmax is not None and fmax > nyquist:
        raise ValueError(
            f"fmax={fmax:g} Hz lies above half the sample rate ({nyquist:g} Hz): nothing is there."
        )
    top = nyquist if fmax is None else fmax
    if fmin >= top:
        raise ValueError(f"fmin={fmin:g} Hz must lie below the upper edge, {top:g} Hz.")
    n_empty = _count_empty_bands(sample_rate, n_fft, n_mels, fmin, top, htk)
    if n_empty:
        raise ValueError(
            f"n_mels={n_mels} bands are too many for n_fft={n_fft} at {sample_rate} Hz: "
            f"{n_empty} of them hold no bin of the spectrum and would stay silent. "
            "Lower n_mels or raise n_fft."
        )


@lru_cache(maxsize=64)
def _count_empty_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, top: float, htk: bool
) -> int:
    librosa = import_librosa()

    # Edges in bins: a band holds nothing where no whole number lies between its two edges. A band
    # that begins at 0 Hz is allowed to, as librosa does.
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=top, htk=htk)
    edges = edges * n_fft / sample_rate
    empty = (np.floor(edges[:-2]) + 1 >= edges[2:]) & (edges[:-2] > 0)
    return int(empty.sum())


def check_mfcc(n_mfcc: int, n_mels: int) -> None:
    """Refuse more coefficients than bands."""
    if n_mfcc > n_mels:
        raise ValueError(
            f"n_mfcc={n_mfcc} coefficients cannot come from n_mels={n_mels} bands: "
            "n_mfcc <= n_mels is needed."
        )


def check_constant_q(sample_rate: int, hop_length: int) -> None:
    """Refuse what the constant-Q transform of seven octaves cannot do."""
    if sample_rate <= 2 * _HIGHEST_FILTER:
        raise ValueError(
            f"The constant-Q transform reaches up to {_HIGHEST_FILTER:g} Hz: sample_rate="
            f"{sample_rate} is too low. Take chroma='stft'."
        )
    if hop_length % 64:
        raise ValueError(
            f"hop_length={hop_length} must be a multiple of 64 for the constant-Q transform, whose "
            "seven octaves are computed at halved rates. Take chroma='stft' for any other."
        )


def check_pitch_range(sample_rate: int, fmin: float, fmax: float, prefix: str = "") -> None:
    """Refuse an empty range of pitch, and one above half the sample rate."""
    if fmax > sample_rate / 2:
        raise ValueError(
            f"{prefix}fmax={fmax:g} Hz lies above half the sample rate ({sample_rate / 2:g} Hz): "
            "nothing is there."
        )
    if fmin >= fmax:
        raise ValueError(f"{prefix}fmin={fmin:g} Hz must lie below {prefix}fmax={fmax:g} Hz.")


def check_pitch(settings: FrameSettings, prefix: str = "", frame: str = "frame_length") -> None:
    """Refuse a range of pitch that a frame cannot hold."""
    s = settings
    check_pitch_range(s.sample_rate, s.pitch_fmin, s.pitch_fmax, prefix)
    # Where librosa only warns, of every clip.
    period = s.sample_rate / s.pitch_fmin
    if period >= s.n_fft // 2:
        raise ValueError(
            f"A period of {prefix}fmin={s.pitch_fmin:g} Hz lasts {period:.0f} samples: a frame of "
            f"{s.n_fft} does not hold two of them. Raise {prefix}fmin or {frame}."
        )


def check_contrast(sample_rate: int, n_fft: int, n_bands: int, quantile: float) -> None:
    """Refuse octave bands above half the sample rate, and those that hold no spectral bin."""
    top = _CONTRAST_FMIN * 2.0 ** min(n_bands - 1, 100)  # 2 ** 100 Hz is above any rate
    if top >= sample_rate / 2:
        raise ValueError(
            f"n_bands={n_bands} octaves above {_CONTRAST_FMIN:g} Hz begin at up to {top:g} Hz, not "
            f"below half the sample rate ({sample_rate / 2:g} Hz). Lower n_bands."
        )
    starts, stops, _ = contrast_bands(sample_rate, n_fft, n_bands, quantile)
    if (stops <= starts).any():
        raise ValueError(
            f"The bands of the spectral contrast are narrower than a bin of n_fft={n_fft} at "
            f"{sample_rate} Hz. Raise n_fft."
        )


@lru_cache(maxsize=16)
def window_table(window: str, win_length: int | None, n_fft: int) -> NDArray[np.float64]:
    """Make the window, padded on both sides to the length of the transform."""
    librosa = import_librosa()

    table = librosa.filters.get_window(window, win_length or n_fft, fftbins=True)
    return _frozen(librosa.util.pad_center(table, size=n_fft).astype(np.float64))


@lru_cache(maxsize=16)
def mel_bank(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float | None,
    htk: bool,
    norm: Any,
) -> NDArray[np.float64]:
    """Make the filter bank, (n_mels, bins); in single precision first, as librosa keeps it."""
    librosa = import_librosa()

    bank = librosa.filters.mel(
        sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
    )
    return _frozen(bank.astype(np.float64))


# The tuning is estimated on a grid of a hundredth: as many banks as that are ever needed.
@lru_cache(maxsize=101)
def chroma_bank(
    sample_rate: int, n_fft: int, n_chroma: int, tuning: float, dtype: Precision
) -> NDArray[np.floating]:
    """Make the filter bank, (bins, n_chroma); in single precision first, as librosa keeps it."""
    librosa = import_librosa()

    bank = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
    return _frozen(np.ascontiguousarray(bank.T, dtype=dtype))


@lru_cache(maxsize=16)
def contrast_bands(
    sample_rate: int, n_fft: int, n_bands: int, quantile: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Give first bin, last bin + 1 and size of the quantile of each octave band.

    Bands are librosa's: the lowest from 0 Hz, each with the bin below its edge, the highest with
    all that is left above, and each but the highest without its last bin.
    """
    frequencies = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    edges = np.concatenate([[0.0], _CONTRAST_FMIN * 2.0 ** np.arange(n_bands + 1)])
    starts, stops, counts = [], [], []
    for band, (low, high) in enumerate(pairwise(edges)):
        inside = np.flatnonzero((frequencies >= low) & (frequencies <= high))
        # Where a band holds nothing, its neighbours' edges say so: start and stop are equal.
        start = int(inside[0]) if inside.size else int(np.searchsorted(frequencies, low))
        stop = int(inside[-1]) + 1 if inside.size else start
        start -= band > 0
        if band == n_bands:
            stop = len(frequencies)
        counts.append(max(int(np.rint(quantile * (stop - start))), 1))
        starts.append(start)
        stops.append(stop if band == n_bands else stop - 1)
    first, last, size = (_frozen(np.array(x, dtype=np.intp)) for x in (starts, stops, counts))
    return first, last, size


@lru_cache(maxsize=16)
def delta_filter(order: int, width: int) -> NDArray[np.float64]:
    """Make the Savitzky-Golay filter whose polynomial's degree is the derivative's order.

    That derivative of that polynomial is constant: it holds for every place of the window.
    """
    from scipy.signal import savgol_coeffs

    return _frozen(savgol_coeffs(width, order, deriv=order, use="dot"))


@lru_cache(maxsize=16)
def cosine_table(n_mels: int, n_mfcc: int, lifter: float) -> NDArray[np.float64]:
    """Make the discrete cosine transform (type 2, orthonormal), liftered: (n_mfcc, n_mels)."""
    import scipy.fft

    table = scipy.fft.dct(np.eye(n_mels), axis=0, norm="ortho")[:n_mfcc]
    if lifter:
        steps = np.arange(1, 1 + n_mfcc)[:, np.newaxis]
        table = table * (1 + lifter / 2 * np.sin(np.pi * steps / lifter))
    return _frozen(np.ascontiguousarray(table))


def _frozen(table: NDArray[Any]) -> NDArray[Any]:
    """Forbid writing: the table is shared by all that ask for it."""
    table.flags.writeable = False
    return table
