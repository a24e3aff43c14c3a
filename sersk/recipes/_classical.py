"""Classical systems: statistics of features, and a classifier for vectors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline as Chain
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..feature_extraction import (
    MFCC,
    ClipStore,
    FrameFeatures,
    Functionals,
    PerClip,
    SpeakerNormalizer,
)
from ..feature_extraction._functionals import DEFAULT_STATISTICS
from ..preprocessing import DropUnreadable
from ._blocks import reader_step

# Spectral envelope, harmony, shape, voicing, loudness and pitch.
_WIDE_STACK = (
    "log_mel",
    "mfcc",
    "mfcc_delta",
    "chroma",
    "centroid",
    "bandwidth",
    "rolloff",
    "flatness",
    "zcr",
    "rms",
    "yin",
)


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

    statistics : sequence of str, default=("mean", "std", ..., "slope")
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
    chain = Chain(
        [
            reader_step(sample_rate, duration, on_error, n_jobs),
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


def gradient_boosting_functionals(
    *,
    sample_rate: int = 16000,
    duration: float | None = None,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 64,
    n_mfcc: int = 20,
    statistics: Sequence[str] = DEFAULT_STATISTICS,
    learning_rate: float = 0.1,
    max_iter: int = 100,
    max_leaf_nodes: int = 8,
    on_error: Literal["raise", "nan"] = "nan",
    memory: str | os.PathLike[str] | ClipStore | None = None,
    n_jobs: int | None = None,
    random_state: int | None = 0,
) -> Pipeline:
    """Gradient boosting on statistics of a wide stack of features over time.

    Trees choose among many features by themselves, and need no scaling: emotions are balanced by
    repeating clips of the training part, clips are read, described by statistics of log-mel, MFCC
    with their derivatives, chroma, spectral shape, zero crossings, loudness and pitch, and
    classified by boosted trees over histograms. Nothing in it was tuned on any corpus.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate at which clips are read, in Hz.

    duration : float, default=None
        Longest part of a clip that is kept, in seconds; by default the length of the longest
        training clip.

    n_fft : int, default=1024
        Length of the frames, in samples.

    hop_length : int, default=256
        Distance of two frames, in samples.

    n_mels : int, default=64
        Number of mel bands.

    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`.

    statistics : sequence of str, default=("mean", "std", ..., "slope")
        See :class:`sersk.feature_extraction.Functionals`.

    learning_rate : float, default=0.1
        Share of what a tree says that is added, > 0.

    max_iter : int, default=100
        Number of trees for each emotion, >= 1. There is no early stopping: it would look at clips
        of speakers, and repeated clips, that are trained on.

    max_leaf_nodes : int, default=8
        Number of leaves of a tree, >= 2.

    on_error : {"raise", "nan"}, default="nan"
        What becomes of an unreadable file. With ``"nan"`` it is named in a warning, left out of
        training, and predicted all the same: its features are missing, and in each node of a tree
        a missing value goes the way that most training clips go.

    memory : str, path-like or ClipStore, default=None
        Folder in which the statistics of each clip are kept, for other folds, trials and runs. See
        :class:`sersk.feature_extraction.PerClip`.

    n_jobs : int, default=None
        Threads that read and that compute features.

    random_state : int, default=0
        Seed of the oversampling and of the trees.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted, from a clip table or padded waveforms to emotions. Steps: ``oversample``,
        ``features``, ``drop``, ``boost``; the features are a
        :class:`~sersk.feature_extraction.PerClip` of ``read``, ``frames``, ``functionals``.

    See Also
    --------
    svm_functionals : A smaller stack, and an SVM.
    sersk.model_selection.evaluate_protocol : Tell what it is worth on strangers.

    Examples
    --------
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import gradient_boosting_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> pipeline = gradient_boosting_functionals(max_iter=2).fit(corpus.data, corpus.target)
    >>> pipeline.predict_proba(corpus.data[:2]).shape
    (2, 6)
    """
    chain = wide_chain(
        sample_rate=sample_rate,
        duration=duration,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        statistics=statistics,
        on_error=on_error,
        n_jobs=n_jobs,
    )
    boost = HistGradientBoostingClassifier(
        learning_rate=learning_rate,
        max_iter=max_iter,
        max_leaf_nodes=max_leaf_nodes,
        # A thousand clips fill no more, and most of the time goes into looking through them.
        max_bins=63,
        # By itself it would hold out single clips, once there are ten thousand.
        early_stopping=False,
        random_state=random_state,
    )
    return Pipeline(
        [
            ("oversample", RandomOverSampler(random_state=random_state)),
            ("features", PerClip(chain, memory=memory)),
            ("drop", DropUnreadable()),
            ("boost", boost),
        ]
    )


def svm_functionals_by_speaker(
    *,
    sample_rate: int = 16000,
    duration: float | None = None,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 64,
    n_mfcc: int = 20,
    statistics: Sequence[str] = DEFAULT_STATISTICS,
    C: float = 10.0,
    prior_clips: float = 5.0,
    on_error: Literal["raise", "nan"] = "nan",
    memory: str | os.PathLike[str] | ClipStore | None = None,
    n_jobs: int | None = None,
    random_state: int | None = 0,
) -> Pipeline:
    """Support vector machine on statistics of features in units of each speaker's own range.

    **This is another condition than a single clip from a stranger: to be reported apart, and never
    mixed with it.** It needs several clips of each speaker, also of those who are tested, and a
    clip table that says who speaks; no labels of theirs. Statistics of a wide stack of features
    over time are z-scored by the mean and deviation of the speaker's own clips, and classified by
    an SVM with a Gaussian kernel. Emotions are balanced by repeating clips of the training part,
    which changes nobody's mean. Nothing in it was tuned on any corpus.

    Parameters
    ----------
    sample_rate : int, default=16000
        Sample rate at which clips are read, in Hz.

    duration : float, default=None
        Longest part of a clip that is kept, in seconds; by default the length of the longest
        training clip.

    n_fft : int, default=1024
        Length of the frames, in samples.

    hop_length : int, default=256
        Distance of two frames, in samples.

    n_mels : int, default=64
        Number of mel bands.

    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`.

    statistics : sequence of str, default=("mean", "std", ..., "slope")
        See :class:`sersk.feature_extraction.Functionals`.

    C : float, default=10.0
        Weight of the errors of the SVM against its margin, > 0.

    prior_clips : float, default=5.0
        As many clips, >= 0, with the mean and deviation of the training clips are counted with
        those of each speaker. See :class:`sersk.feature_extraction.SpeakerNormalizer`.

    on_error : {"raise", "nan"}, default="nan"
        What becomes of an unreadable file. With ``"nan"`` it is named in a warning, left out of
        training and of its speaker's mean, and predicted from the training part's mean features.

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
        Unfitted, from a clip table with the column ``speaker`` to emotions; to be given all clips
        of a speaker in one call. Steps: ``oversample``, ``features``, ``drop``, ``impute``,
        ``scale``, ``svm``; the features are a :class:`~sersk.feature_extraction.SpeakerNormalizer`
        around a :class:`~sersk.feature_extraction.PerClip` of ``read``, ``frames``,
        ``functionals``.

    See Also
    --------
    svm_functionals : For a single clip from a stranger.

    Notes
    -----
    UAR on speakers never heard, all of whose clips are at hand, one seed: 67.0 on CREMA-D, 64.9 on
    RAVDESS, 62.5 on SAVEE, 56.1 on TESS. There each speaker plays every emotion about equally
    often; what is left where not, see :class:`sersk.feature_extraction.SpeakerNormalizer`.

    Examples
    --------
    >>> import tempfile
    >>> from sersk.datasets import make_emotional_speech, write_corpus
    >>> from sersk.recipes import svm_functionals_by_speaker
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> corpus = write_corpus(corpus, tempfile.mkdtemp())
    >>> pipeline = svm_functionals_by_speaker().fit(corpus.data, corpus.target)
    >>> pipeline.predict(corpus.data).shape
    (24,)
    """
    chain = wide_chain(
        sample_rate=sample_rate,
        duration=duration,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        statistics=statistics,
        on_error=on_error,
        n_jobs=n_jobs,
    )
    features = SpeakerNormalizer(PerClip(chain, memory=memory), prior_clips=prior_clips)
    return Pipeline(
        [
            ("oversample", RandomOverSampler(random_state=random_state)),
            ("features", features),
            ("drop", DropUnreadable()),
            ("impute", SimpleImputer()),
            # For speakers with few clips, whose features are not in units of their own.
            ("scale", StandardScaler()),
            ("svm", SVC(C=C)),
        ]
    )


def wide_chain(
    *,
    sample_rate: int,
    on_error: Literal["raise", "nan"],
    n_jobs: int | None,
    duration: float | None = None,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 64,
    n_mfcc: int = 20,
    statistics: Sequence[str] = DEFAULT_STATISTICS,
) -> Chain:
    """From clips to statistics of the wide stack: the same for all, so that a store is shared.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    on_error : {"raise", "nan"}
        What becomes of an unreadable file.
    n_jobs : int or None
        Threads.
    duration : float, default=None
        Longest part of a clip that is kept, in seconds.
    n_fft, hop_length, n_mels, n_mfcc : int
        See :class:`sersk.feature_extraction.FrameFeatures`.
    statistics : sequence of str, default=("mean", "std", ..., "slope")
        See :class:`sersk.feature_extraction.Functionals`.

    Returns
    -------
    chain : sklearn.pipeline.Pipeline
        With the steps ``read``, ``frames`` and ``functionals``.
    """
    reader = reader_step(sample_rate, duration, on_error, n_jobs)
    frames = FrameFeatures(
        features=_WIDE_STACK,
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        n_jobs=n_jobs,
    )
    functionals = Functionals(statistics=statistics, n_jobs=n_jobs)
    return Chain([reader, ("frames", frames), ("functionals", functionals)])
