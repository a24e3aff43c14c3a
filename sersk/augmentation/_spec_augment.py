"""Masks over time and frequency, for what is trained on frames and images."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from .._utils._lengths import valid_lengths
from ._base import RandomState, chance_of
from ._base_augmenter import BaseAugmenter, names_of_arrays, refuse_parameters

# First step of a mask, and the first one behind it.
_Span = tuple[int, int]


class SpecAugment(BaseAugmenter):
    r"""Add copies of frames or images with stretches of time and frequency masked, while fitting.

    A sampler: in a pipeline of imbalanced-learn it acts in ``fit`` alone, on the training part of
    each fold. What is trained on such copies learns not to lean on one syllable or one band.

    Parameters
    ----------
    n_time_masks : int, default=2
        Stretches of time that are masked in a copy, >= 0.

    max_time_fraction : float, default=0.2
        The longest that one of them gets, as a part of the clip without its padding, from 0 to 1.

    n_freq_masks : int, default=2
        Ranges of frequency (features of frames) that are masked in a copy, >= 0.

    max_freq_fraction : float, default=0.2
        The widest that one of them gets, as a part of all frequencies, from 0 to 1.

    fill : {"mean", "min", "zero"}, default="mean"
        What stands in a mask: the mean of the clip, its lowest value, which in decibels is silence,
        or 0. In images each channel has its own. Where the features have different units, take
        ``"zero"`` behind a scaler.

    copies : int, default=1
        Copies of each clip, >= 1, with masks of their own.

    keep_original : bool, default=True
        Whether the clips themselves stay, before their copies.

    random_state : int, RandomState instance or None, default=None
        Seed of the masks. With a number, a clip gets the same masks in each fold, trial and run.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_clips_out,)
        Which row each row of the output was made of.

    n_features_in_ : int
        Length of the second axis seen in `fit_resample`: features, or channels of images.

    sampling_strategy_ : str
        imbalanced-learn's word for what is balanced; without a meaning here.

    See Also
    --------
    WaveformAugmenter : Changes the sound itself, before features are computed.

    Notes
    -----
    After Park et al. [1]_, without their warping of time, which they find to matter least. In a
    clip of :math:`\tau` frames and :math:`\nu` frequencies, the width of each mask is drawn evenly
    from the whole numbers 0 to :math:`\lfloor p \tau \rfloor` or :math:`\lfloor p \nu \rfloor`,
    with :math:`p` the largest fraction, and then its place, from all where it lies within the clip.
    Masks may overlap. Their policies for telephone speech have two masks of each kind, at
    most 0.2 of the time and 15 or 27 of 80 frequencies wide. All channels of an image have the same
    masks.

    NaN after the end of a clip stays; a clip that could not be read stays all NaN. A 2-D array is
    taken for one series of values a clip, and masked over time alone.

    Masks are drawn from `random_state` and what the clip holds, so they do not depend on other
    clips, their order or the fold. Copies are held in memory, with the type of `X`.

    References
    ----------
    .. [1] D. S. Park, W. Chan, Y. Zhang, C.-C. Chiu, B. Zoph, E. D. Cubuk, Q. V. Le. SpecAugment: A
       simple data augmentation method for automatic speech recognition. Interspeech 2019,
       2613-2617.

    Examples
    --------
    >>> import numpy as np
    >>> from sersk.augmentation import SpecAugment
    >>> frames = np.arange(1.0, 9.0).reshape(2, 2, 2)
    >>> masks = SpecAugment(n_time_masks=0, max_freq_fraction=0.5, fill="zero", random_state=0)
    >>> resampled, emotions = masks.fit_resample(frames, ["anger", "fear"])
    >>> resampled.shape, emotions
    ((4, 2, 2), ['anger', 'fear', 'anger', 'fear'])
    """

    _parameter_constraints: dict[str, Any] = {
        **BaseAugmenter._parameter_constraints,
        "n_time_masks": [Interval(Integral, 0, None, closed="left")],
        "max_time_fraction": [Interval(Real, 0, 1, closed="both")],
        "n_freq_masks": [Interval(Integral, 0, None, closed="left")],
        "max_freq_fraction": [Interval(Real, 0, 1, closed="both")],
        "fill": [StrOptions({"mean", "min", "zero"})],
    }

    def __init__(
        self,
        *,
        n_time_masks: int = 2,
        max_time_fraction: float = 0.2,
        n_freq_masks: int = 2,
        max_freq_fraction: float = 0.2,
        fill: Literal["mean", "min", "zero"] = "mean",
        copies: int = 1,
        keep_original: bool = True,
        random_state: RandomState = None,
    ) -> None:
        self.n_time_masks = n_time_masks
        self.max_time_fraction = max_time_fraction
        self.n_freq_masks = n_freq_masks
        self.max_freq_fraction = max_freq_fraction
        self.fill = fill
        self.copies = copies
        self.keep_original = keep_original
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_resample(self, X: Any, y: ArrayLike, **params: Any) -> tuple[Any, Any]:
        """Add the copies.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features, n_frames)
            Frames; or images of shape (n_clips, n_channels, n_mels, n_frames).

        y : array-like of shape (n_clips,)
            Their emotions.

        **params : dict
            Must be empty: ``sample_weight`` cannot be handed through a sampler, an error says so.

        Returns
        -------
        X_resampled : array of shape (n_clips_out, ...)
            The clips and their copies, of the type and length of `X`.

        y_resampled : array of shape (n_clips_out,)
            Their emotions.

        Raises
        ------
        ValueError
            If there is a ``sample_weight``, `X` has more than four axes, holds infinity or has NaN
            before the end of a clip, or `X` and `y` differ in length.
        """
        refuse_parameters(params)
        return super().fit_resample(X, y)  # type: ignore[no-any-return]

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        if X.ndim > 4:
            raise ValueError(
                "SpecAugment takes frames (n_clips, n_features, n_frames) or images (n_clips, "
                f"n_channels, n_mels, n_frames). Got an array of shape {X.shape}."
            )
        lengths = valid_lengths(X)
        plan = self._plan(names_of_arrays(X, lengths))
        resampled = X[self.sample_indices_]
        for clip, (row, how) in zip(resampled, plan, strict=True):
            if how is not None and lengths[row]:
                sound = clip[..., : lengths[row]]
                mask(sound, *self._draw_masks(sound, how[1]), self.fill)
        return resampled, y[self.sample_indices_]

    def _draw_masks(self, sound: NDArray[Any], seed: int) -> tuple[list[_Span], list[_Span]]:
        rng = chance_of(seed)
        times = _draw_spans(rng, self.n_time_masks, self.max_time_fraction, sound.shape[-1])
        if sound.ndim == 1:
            return times, []
        bands = _draw_spans(rng, self.n_freq_masks, self.max_freq_fraction, sound.shape[-2])
        return times, bands


def _draw_spans(
    rng: np.random.RandomState, n_spans: int, max_fraction: float, n_steps: int
) -> list[_Span]:
    spans = []
    for _ in range(n_spans):
        width = rng.randint(int(max_fraction * n_steps) + 1)
        start = rng.randint(n_steps - width + 1)
        spans.append((start, start + width))
    return spans


def mask(sound: NDArray[Any], times: list[_Span], bands: list[_Span], fill: str) -> None:
    """Mask a clip, in place.

    Parameters
    ----------
    sound : ndarray of shape (n_frames,), (n_features, n_frames) or (n_channels, n_mels, n_frames)
        The clip, without padding.
    times, bands : list of (int, int)
        First step of each mask, and the first one behind it.
    fill : {"mean", "min", "zero"}
        What stands in the masks.
    """
    axes = (-1,) if sound.ndim == 1 else (-2, -1)
    if fill == "zero":
        value = np.zeros((1,) * sound.ndim)
    elif fill == "min":
        value = sound.min(axis=axes, keepdims=True)
    else:
        value = sound.mean(axis=axes, keepdims=True, dtype=np.float64)
    for start, stop in times:
        sound[..., start:stop] = value
    for start, stop in bands:
        sound[..., start:stop, :] = value
