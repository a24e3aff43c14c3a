"""The two transforms that cost nothing: another level, another beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from ._base import Draw, Range, Transform, number_or_pair


@dataclass(frozen=True, repr=False)
class GainDraw(Draw):
    """One factor."""

    gain_db: float

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        louder: NDArray[Any] = samples * samples.dtype.type(10 ** (self.gain_db / 20))
        return louder


class Gain(Transform):
    r"""Make a clip louder or quieter.

    Parameters
    ----------
    gain_db : float or pair of float, default=(-6, 6)
        Gain in dB, from -120 to 120: a number, or a pair (low, high) between which it is drawn
        evenly. By default half to twice the amplitude, as between a speaker at arm's length and at
        half or double that.

    See Also
    --------
    sersk.preprocessing.LevelNormalizer : Undoes it.

    Notes
    -----
    .. math::

        y_n = 10^{G / 20} \, x_n

    Samples above 1 are not clipped. Before a step that sets the level, such as
    :class:`~sersk.preprocessing.LevelNormalizer`, the gain has no effect.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import Gain
    >>> draw = Gain(gain_db=(-6, 6)).draw(random_state=0)
    >>> draw
    Gain(gain_db=0.5858)
    >>> print(draw(np.array([0.1, -0.5]), 16000).round(4))
    [ 0.107  -0.5349]
    """

    _parameter_constraints: dict[str, list[Any]] = {"gain_db": number_or_pair(-120, 120)}
    _ranges = ("gain_db",)

    def __init__(self, *, gain_db: Range = (-6, 6)) -> None:
        self.gain_db = gain_db

    def _draw(self, rng: np.random.RandomState) -> Draw:
        return GainDraw(self._uniform(rng, "gain_db"))


@dataclass(frozen=True, repr=False)
class TimeShiftDraw(Draw):
    """One distance."""

    shift: float
    unit: str
    rollover: bool

    def _apply(self, samples: NDArray[Any], sample_rate: int) -> NDArray[Any]:
        n_samples = len(samples)
        distance = round(self.shift * (sample_rate if self.unit == "seconds" else n_samples))
        if self.rollover:
            return np.roll(samples, distance)
        shifted = np.zeros_like(samples)
        distance = min(max(distance, -n_samples), n_samples)
        kept = n_samples - abs(distance)
        shifted[max(distance, 0) :][:kept] = samples[max(-distance, 0) :][:kept]
        return shifted


class TimeShift(Transform):
    """Move the sound within its clip, forwards or backwards.

    Parameters
    ----------
    shift : float or pair of float, default=(-0.1, 0.1)
        By how much, in `unit`, later where positive, from -3600 to 3600: a number, or a pair (low,
        high) between which it is drawn evenly. By default up to a tenth of the clip, a third of a
        second for most acted speech.

    unit : {"fraction", "seconds"}, default="fraction"
        ``"fraction"`` of the clip's length, as audiomentations' ``Shift`` has it, or seconds.

    rollover : bool, default=True
        What leaves the clip at one end comes in at the other, as with :func:`numpy.roll`. False
        puts silence in its place, and what has left is lost.

    Notes
    -----
    The distance is rounded to whole samples. Statistics over time hardly notice the shift; nets
    that read images do.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import TimeShift
    >>> clip = np.array([0.1, 0.2, 0.3, 0.4])
    >>> print(TimeShift(shift=0.25).draw()(clip, 16000))
    [0.4 0.1 0.2 0.3]
    >>> print(TimeShift(shift=-0.25, rollover=False).draw()(clip, 16000))
    [0.2 0.3 0.4 0. ]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "shift": number_or_pair(-3600, 3600),
        "unit": [StrOptions({"fraction", "seconds"})],
        "rollover": ["boolean"],
    }
    _ranges = ("shift",)

    def __init__(
        self,
        *,
        shift: Range = (-0.1, 0.1),
        unit: Literal["fraction", "seconds"] = "fraction",
        rollover: bool = True,
    ) -> None:
        self.shift = shift
        self.unit = unit
        self.rollover = rollover

    def _draw(self, rng: np.random.RandomState) -> Draw:
        return TimeShiftDraw(self._uniform(rng, "shift"), self.unit, bool(self.rollover))
