"""The sampler that makes new training clips out of old ones."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from .._utils._clip_table import as_clip_table, paths_as_table
from .._utils._draws import apply_draw
from .._utils._full_scale import full_scale
from .._utils._lengths import valid_lengths
from ._base import RandomState, chance_of
from ._base_augmenter import BaseAugmenter, names_of_arrays, refuse_parameters
from ._clip_names import name_of_clip
from ._combine import ComposeDraw
from ._foreign import check_transform, draw_from


class WaveformAugmenter(BaseAugmenter):
    """Add changed copies of the clips, while fitting.

    A sampler: in a pipeline of imbalanced-learn it acts in ``fit`` alone, on the training part of
    each fold. On a clip table nothing is decoded or computed here. Each copy is a row of its own,
    and its ``augment`` cell holds what is done to the clip, drawn once and for all;
    :class:`~sersk.preprocessing.AudioReader` applies it after reading. So copies take no memory
    until their turn comes, and are computed in parallel and kept on disk like any other clip.

    Parameters
    ----------
    transforms : transform or list of transforms
        What the copies are made with. Of several, each makes copies of its own; for one after the
        other take `Compose`, for either of them `OneOf`. Functions ``f(samples, sample_rate)`` and
        transforms of audiomentations may stand there as well.

    copies : int, default=1
        Copies of each clip that each transform makes, >= 1, with draws of their own.

    keep_original : bool, default=True
        Whether the clips themselves stay, before their copies.

    sample_rate : int, default=16000
        Sample rate of waveforms given as an array, in Hz. A clip table is read at the rate of its
        reader, which must be no other than the one named here.

    random_state : int, RandomState instance or None, default=None
        Seed of the draws. With a number, a clip gets the same draws in each fold, trial and run,
        so that their results are found on disk again.

    Attributes
    ----------
    sample_indices_ : ndarray of shape (n_clips_out,)
        Which row each row of the output was made of.

    n_features_in_ : int
        Number of columns seen in `fit_resample`.

    sampling_strategy_ : str
        imbalanced-learn's word for what is balanced; without a meaning here.

    See Also
    --------
    imblearn.over_sampling.RandomOverSampler : Before this step, to balance the emotions. Rows that
        it repeats are read once and augmented differently.
    sersk.feature_extraction.PerClip : Computes and keeps what becomes of the copies.

    Notes
    -----
    A draw depends on `random_state`, on the clip (the name of its file, its size and pieces from
    its beginning, middle and end, ``start``, ``stop`` and ``augment``; or the samples of an array),
    on how many rows of the same clip stand above it, and on the place of the transform in the list.
    Other clips, their order, the fold and the folder do not matter; more copies, or another
    transform at the end of the list, leave the draws before them as they are.

    A row that has an ``augment`` cell already gets the new one on top of it. What stands in the
    cell counts by its numbers, to the last digit; a function by its module and name, but one
    without a name of its own (a lambda, or what stands inside another function) by its code, which
    another version of Python may compile differently; other objects by their pickle or, if they
    cannot be pickled, as they are printed.

    Waveforms in an array are changed at once. The array keeps its width: what becomes longer is
    cut, what becomes shorter is followed by NaN. Integers of 16 and 32 bit are scaled to [-1, 1].
    The one emotion that imbalanced-learn refuses in an array may stand alone in a clip table.

    Before a split, copies leak: a copy of a test clip in the training part gives the answer away.
    That is why this is a sampler, which no test clip passes.

    Examples
    --------
    >>> import pandas as pd
    >>> from sersk.augmentation import AddNoise, PitchShift, WaveformAugmenter
    >>> clips = pd.DataFrame({"path": ["a.wav", "b.wav"]})
    >>> augmenter = WaveformAugmenter([AddNoise(), PitchShift()], random_state=0)
    >>> table, emotions = augmenter.fit_resample(clips, ["anger", "fear"])
    >>> table["path"].tolist()
    ['a.wav', 'b.wav', 'a.wav', 'b.wav', 'a.wav', 'b.wav']
    >>> print(table["augment"][4])
    PitchShift(semitones=-0.5772)
    """

    _parameter_constraints: dict[str, Any] = {
        **BaseAugmenter._parameter_constraints,
        "transforms": [list, tuple, HasMethods(["draw"]), callable],
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        transforms: Any,
        *,
        copies: int = 1,
        keep_original: bool = True,
        sample_rate: int = 16000,
        random_state: RandomState = None,
    ) -> None:
        self.transforms = transforms
        self.copies = copies
        self.keep_original = keep_original
        self.sample_rate = sample_rate
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_resample(self, X: Any, y: ArrayLike, **params: Any) -> tuple[Any, Any]:
        """Add the copies.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, n_samples)
            The clips: a DataFrame with ``path``, an array of paths, or waveforms.

        y : array-like of shape (n_clips,)
            Their emotions.

        **params : dict
            Must be empty: ``sample_weight`` cannot be handed through a sampler, an error says so.

        Returns
        -------
        X_resampled : DataFrame or array of shape (n_clips_out, ...)
            The clips and their copies. A clip table is a DataFrame with the columns of `X` and
            ``augment``.

        y_resampled : array of shape (n_clips_out,)
            Their emotions.

        Raises
        ------
        ValueError
            If there is a ``sample_weight``, or `X` and `y` differ in length.
        AugmentationError
            If a transform fails on a waveform given as an array.
        """
        refuse_parameters(params)
        table = as_clip_table(X)
        if table is None:
            scale = full_scale(X)
            # Before imbalanced-learn notes the types of a table, to which it returns.
            X = X if scale is None else X / scale
            return super().fit_resample(X, y)  # type: ignore[no-any-return]
        clips, _, _ = self._check_X_y(X, y)
        self.sampling_strategy_: Any = self.sampling_strategy
        names = [name_of_clip(table, row) for row in range(len(table))]
        drawn = self._draw(names)
        augments = [_on_top_of(table.augments[row], draw) for row, draw in drawn]
        resampled = clips.iloc[self.sample_indices_].reset_index(drop=True)
        resampled["augment"] = pd.Series(augments, index=resampled.index, dtype=object)
        y_resampled = _safe_indexing(y, self.sample_indices_)
        if isinstance(y_resampled, pd.Series | pd.DataFrame):
            y_resampled = y_resampled.reset_index(drop=True)
        return resampled, y_resampled

    def _draw(self, names: list[bytes]) -> list[tuple[int, Any]]:
        """Tell of each row of the output which one it is made of, and how; None for not at all."""
        transforms = self.transforms
        if not isinstance(transforms, list | tuple):
            transforms = [transforms]
        if not transforms:
            raise ValueError(
                "The 'transforms' parameter of WaveformAugmenter must hold at least one transform. "
                "Got none."
            )
        for transform in transforms:
            check_transform(transform, "the 'transforms' parameter of WaveformAugmenter")
        return [
            (row, None if how is None else draw_from(transforms[how[0]], chance_of(how[1])))
            for row, how in self._plan(names, len(transforms))
        ]

    def _check_X_y(self, X: Any, y: Any) -> tuple[Any, Any, bool]:
        table = as_clip_table(X)
        if table is None:
            return super()._check_X_y(X, y)
        check_classification_targets(y)
        check_consistent_length(table.paths, y)
        X = paths_as_table(X)
        # What one array taught does not bind clips of another kind.
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.n_features_in_ = X.shape[1]
        return X, y, False

    def _fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        if X.ndim != 2:
            raise ValueError(
                f"WaveformAugmenter takes a clip table or waveforms of shape (n_clips, n_samples). "
                f"Got an array of shape {X.shape}; for frames and images there is SpecAugment."
            )
        lengths = valid_lengths(X)
        drawn = self._draw(names_of_arrays(X, lengths))
        resampled = X[self.sample_indices_]
        for out, (row, draw) in zip(resampled, drawn, strict=True):
            if draw is None:
                continue
            samples = out[: lengths[row]]
            changed = apply_draw(draw, samples, self.sample_rate, name=f"row {row}")[: len(out)]
            out[: len(changed)] = changed
            out[len(changed) :] = np.nan
        return resampled, y[self.sample_indices_]


def _on_top_of(former: Any, draw: Any) -> Any:
    if former is None or draw is None:
        return draw if former is None else former
    return ComposeDraw((former, draw))
