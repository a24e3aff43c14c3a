"""The step that cuts silence off."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval

from ._base import WaveformTransformer

# Amplitude below which librosa tells no levels apart.
_AMIN = 1e-5


def sounding_intervals(
    samples: NDArray[np.float64], *, top_db: float, frame_length: int, hop_length: int
) -> NDArray[np.intp]:
    """Find what is not silent, as :func:`librosa.effects.split` does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    top_db : float
        Distance below the loudest frame from which on a frame is silent, in dB.
    frame_length : int
        Length of a frame, in samples.
    hop_length : int
        Distance of two frames, in samples.

    Returns
    -------
    intervals : ndarray of shape (n_intervals, 2)
        First sample of each interval, and the first after it.
    """
    # Squares of what lies above full scale could overflow; all else is left to the last digit.
    scale = max(np.abs(samples).max(), 1.0)
    squares = np.pad(np.square(samples / scale), frame_length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(squares, frame_length)[::hop_length]
    level = 10 * np.log10(np.maximum(frames.mean(axis=1), (_AMIN / scale) ** 2))
    sounding = level - level.max() > -top_db
    # Where sound begins and where it ends, in turn.
    changes = np.flatnonzero(np.diff(sounding, prepend=False, append=False))
    intervals: NDArray[np.intp] = np.minimum(changes * hop_length, len(samples)).reshape(-1, 2)
    return intervals


def trim_silence(
    samples: NDArray[np.float64],
    *,
    top_db: float,
    frame_length: int,
    hop_length: int,
    interior: bool,
) -> NDArray[np.float64]:
    """Cut silence off both ends of a clip, and out of it if wanted.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,)
        One clip, of at least one sample.
    top_db : float
        Distance below the loudest frame from which on a frame is silent, in dB.
    frame_length : int
        Length of a frame, in samples.
    hop_length : int
        Distance of two frames, in samples.
    interior : bool
        Whether pauses are cut out, too.

    Returns
    -------
    trimmed : ndarray of shape (n_kept,)
        What is left, the clip itself if that would be nothing.
    """
    intervals = sounding_intervals(
        samples, top_db=top_db, frame_length=frame_length, hop_length=hop_length
    )
    if interior:
        kept = np.concatenate([samples[start:stop] for start, stop in intervals])
    else:
        kept = samples[intervals[0, 0] : intervals[-1, 1]]
    # The loudest frame may begin where the clip ends. A clip without a sample would be taken for
    # a file that could not be read.
    return kept if len(kept) else samples


class SilenceTrimmer(WaveformTransformer):
    """Cut silence off the beginning and the end of each clip.

    Silent is what lies `top_db` or more below the loudest frame of the clip. The edges are those of
    :func:`librosa.effects.trim`; with `interior` also the pauses go, and what is left are the
    intervals of :func:`librosa.effects.split`, one after the other.

    Parameters
    ----------
    top_db : float, default=60.0
        Distance below the level of the loudest frame from which on a frame is silent, in dB, > 0.
        The noise of the recording has to lie below it: 60 suits a studio, 20 to 40 a living room.

    frame_length : int, default=2048
        Length of the frames whose level is measured, in samples, >= 1.

    hop_length : int, default=512
        Distance of two frames, in samples, >= 1. Edges are multiples of it.

    interior : bool, default=False
        Whether pauses within the clip are cut out, too.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples a row seen in `fit`.

    See Also
    --------
    LevelNormalizer : Brings quiet clips above librosa's floor of -100 dB.
    PadOrTrim : One length for all clips afterwards.
    sersk.feature_extraction.TimeDomainStats : Measures pauses, which are gone afterwards.

    Notes
    -----
    The level of a frame is the mean of its squared samples, with zeros around the clip, in dB. The
    width of the array stays: a clip that got shorter has NaN after its new end.

    **Silence.** A clip that is silent from beginning to end is left as it is: no frame is quieter
    than the loudest one. As in librosa, levels below -100 dB (an amplitude of 1e-5) count as
    -100 dB. So nothing is cut off a clip whose loudest frame does not reach ``top_db - 100`` dB,
    even if it has digital silence around it.

    **What is lost.** Pauses tell of emotion: of sadness many and long ones, of anger few.
    `interior` takes them away and leaves clicks where two intervals meet. Silence around a sentence
    depends on who cut the recording, and is better lost.

    Never is a clip emptied: where librosa keeps nothing, which takes a loudest frame that begins at
    the end of the clip, the clip is left as it is.

    References
    ----------
    .. [1] B. McFee et al., "librosa: Audio and music signal analysis in Python", Proceedings of the
       14th Python in Science Conference, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.preprocessing import SilenceTrimmer
    >>> waveforms = np.array([[0.0, 0.0, 0.5, -0.5, 0.0, 0.0, 0.5, 0.0]])
    >>> SilenceTrimmer(frame_length=1, hop_length=1).fit_transform(waveforms)
    array([[ 0.5, -0.5,  0. ,  0. ,  0.5,  nan,  nan,  nan]])
    >>> SilenceTrimmer(frame_length=1, hop_length=1, interior=True).fit_transform(waveforms)
    array([[ 0.5, -0.5,  0.5,  nan,  nan,  nan,  nan,  nan]])
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "top_db": [Interval(Real, 0, None, closed="neither")],
        "frame_length": [Interval(Integral, 1, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "interior": ["boolean"],
    }

    def __init__(
        self,
        *,
        top_db: float = 60.0,
        frame_length: int = 2048,
        hop_length: int = 512,
        interior: bool = False,
    ) -> None:
        self.top_db = top_db
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.interior = interior

    def _clean(self, samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
        return trim_silence(
            samples,
            top_db=self.top_db,
            frame_length=self.frame_length,
            hop_length=self.hop_length,
            interior=self.interior,
        )
