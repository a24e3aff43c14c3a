"""Classical systems: statistics of features, and a classifier for vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline as Chain
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..feature_extraction import MFCC, ClipStore, Functionals, PerClip
from ..feature_extraction._functionals import DEFAULT_STATISTICS
from ..preprocessing import AudioReader, DropUnreadable


def svm_functionals(
    *,
    sample_rate: int = 16000,
    duration: float | None = None,
    n_mfcc: int = 40,
    statistics: Sequence[str] = DEFAULT_STATISTICS,
    C: float = 10.0,
    on_error: Literal["raise", "nan"] = "nan",
    memory: str | os.PathLike[str] | ClipStore | None = None,
    n_jobs: int | None = None,
    random_state: int | None = 0,
) -> Pipeline:
    """Support vector machine on statistics of MFCC over time.

    The plain baseline that every other system has to beat: emotions are balanced by repeating clips
    of the training part, clips are read, described by the statistics of their MFCC, scaled, and
    classified by an SVM with a Gaussian kernel. Nothing in it was tuned on any corpus.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate at which clips are read, in Hz.

    duration : float, default=None
        Longest part of a clip that is kept, in seconds; by default the length of the longest
        training clip.

    n_mfcc : int, default=40
        Number of coefficients.

    statistics : sequence of str, default=DEFAULT_STATISTICS
        See :class:`sersk.feature_extraction.Functionals`.

    C : float, default=10.0
        Weight of the errors of the SVM against its margin, > 0.

    on_error : {"raise", "nan"}, default="nan"
        What becomes of an unreadable file. With ``"nan"`` it is named in a warning, left out of
        training, and predicted from the training part's mean features.

    memory : str, path-like or ClipStore, default=None
        Folder in which the statistics of each clip are kept, for other folds, trials and runs. See
        :class:`sersk.feature_extraction.PerClip`.

    n_jobs : int, default=None
        Threads that read and that compute features.

    random_state : int, default=0
        Seed of the oversampling.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted, from a clip table or padded waveforms to emotions. To predict, paths and lists of
        arrays will do as well; in fitting the oversampler wants rows. Steps: ``oversample``,
        ``features``, ``drop``, ``impute``, ``scale``, ``svm``; the features are a
        :class:`~sersk.feature_extraction.PerClip` of ``read``, ``mfcc``, ``functionals``, whose
        parameters are called ``features__transformer__mfcc__n_mfcc`` and so on.

    See Also
    --------
    sersk.model_selection.evaluate_protocol : Tell what it is worth on strangers.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> pipeline = svm_functionals().fit(corpus.data, corpus.target)
    >>> pipeline.predict(corpus.data[:2]).shape
    (2,)
    """
    reader = AudioReader(
        sample_rate=sample_rate, duration=duration, on_error=on_error, n_jobs=n_jobs
    )
    chain = Chain(
        [
            ("read", reader),
            ("mfcc", MFCC(sample_rate=sample_rate, n_mfcc=n_mfcc, n_jobs=n_jobs)),
            ("functionals", Functionals(statistics=statistics, n_jobs=n_jobs)),
        ]
    )
    return Pipeline(
        [
            # On the clip table, before anything is read: a repeated clip is computed once.
            ("oversample", RandomOverSampler(random_state=random_state)),
            ("features", PerClip(chain, memory=memory)),
            ("drop", DropUnreadable()),
            # While predicting, the row of an unreadable clip is still there, all NaN.
            ("impute", SimpleImputer()),
            ("scale", StandardScaler()),
            ("svm", SVC(C=C)),
        ]
    )
