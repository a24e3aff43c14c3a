"""Chains over clip tables that do not fit in memory, with results that are computed once."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from multiprocessing import TimeoutError as WorkersTimeoutError
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import Tags, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_is_fitted

from .._utils._failures import failures_collected
from .._utils._parallel import as_completed
from .._utils._progress import track
from .._utils._sample_rates import check_sample_rates
from .._utils._warnings import repeat_warnings, warnings_recorded
from ..exceptions import SerskError
from ._chain import check_rows_independent, fit_chain, makes_vectors, preserved_dtypes
from ._clip_rows import ClipRows
from ._clip_run import ClipRun, Outcome, Task, compute_clips
from ._clip_store import ClipStore

# Bounds of a chunk whose size is left open: enough clips to hide the cost of handing over, few
# enough that a kill costs little, and that hour-long recordings do not fill the memory.
_CLIPS_A_CHUNK = 64
_BYTES_A_CHUNK = 2**26
# Chunks for each worker, so that none waits long for the last one.
_CHUNKS_A_WORKER = 4


class PerClip(TransformerMixin, BaseEstimator):
    """Run a chain of transformers over clips, a few at a time, and keep what it gave for each.

    For all that is computed from one clip alone: reading, cleaning, frames, statistics. The chain
    sees some rows at a time, so that a corpus need not fit in memory; rows that are the same clip,
    as oversampling makes them, are computed once; and with `memory` the result of each clip is kept
    on disk, so that no fold of a cross-validation, trial of a search or later run computes it
    again.

    Parameters
    ----------
    transformer : transformer
        What is computed: a pipeline such as ``make_pipeline(AudioReader(), MFCC(),
        Functionals())``, a union of such, or one transformer. None of its steps may learn from
        rows, but for the length that an `AudioReader` at its beginning learns. Its parameters are
        reached as ``transformer__mfcc__n_mfcc``.

    memory : str, path-like or ClipStore, default=None
        Folder in which results are kept, 10 GiB of them at most; another bound with
        ``ClipStore(folder, max_bytes=...)``. ``None`` keeps nothing.

    n_jobs : int, default=None
        Number of chunks that are computed at once, by default in processes; see Notes. ``None``
        means 1 unless in a :func:`joblib.parallel_config` context, ``-1`` means all cores.

    chunk_size : int or "auto", default="auto"
        Number of clips that the chain is given at a time, >= 1. ``"auto"`` takes up to 64, fewer
        where they are few or long.

    timeout : float, default=3600
        Seconds to wait for workers of which none gives a result, > 0. Some backends wait without
        end for a worker that died.

    verbose : int, default=0
        Above 0, a progress bar is shown on the error stream.

    Attributes
    ----------
    transformer_ : transformer
        The fitted chain.

    failed_ : dict of str to str
        Files that the latest `fit` or `transform` could not read, and the reason of each.

    See Also
    --------
    ClipStore : The folder, and its bound.
    sersk.preprocessing.AudioReader : The usual first step.

    Notes
    -----
    **What the chain is given.** Of a DataFrame the columns ``path``, ``start``, ``stop`` and
    ``augment``, of other array-likes of paths a list; the paths are absolute.

    **What a result is kept under.** The file (its absolute path, size and times of change),
    ``start``, ``stop`` and ``augment`` of the row, the classes and parameters of the chain, the
    versions of sersk and of the packages that compute for it. A change of any of these is another
    result; `n_jobs`, `verbose` and the other columns of the table are not looked at. Of classes and
    functions of your own, their code counts, but not that of what they call, nor the constants of
    their module. Arrays are known by their content.

    A learned length (``AudioReader(duration=None)``) is fitted once, on all clips of `fit`, and
    holds for every chunk. Where all steps after the reader are sersk's own and none fills the
    padding, a result depends on it only where the clip was cut: other folds with other lengths
    share it, and short clips are computed in short arrays, however long the longest is.

    Files that cannot be read are tried again each time, and named each time.

    **Workers.** Processes suit slow features (pyin, Praat, openSMILE). For the fast ones the
    threads of the steps themselves are quicker to start: leave `n_jobs` alone here and set theirs.
    With joblib's dask backend, or another one, the chunks go to other machines: only paths travel,
    which must mean the same file there, and results come back; the store is used here alone. Folds
    that run at the same time share a store, and take the chunks in different orders, so that they
    seldom compute the same clip.

    **Large results.** With `memory`, an array above 256 MiB is a memory map of a file in that
    folder, which goes away together with the array.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.pipeline import make_pipeline
    >>> from sersk.datasets import make_emotional_speech, write_corpus
    >>> from sersk.feature_extraction import MFCC, Functionals, PerClip
    >>> from sersk.preprocessing import AudioReader
    >>> folder = tempfile.mkdtemp()
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> corpus = write_corpus(corpus, folder)
    >>> chain = make_pipeline(AudioReader(), MFCC(n_mfcc=13), Functionals())
    >>> features = PerClip(chain, memory=folder + "/store")
    >>> features.fit_transform(corpus.data).shape
    (24, 130)
    >>> features.set_params(transformer__mfcc__n_mfcc=20).fit_transform(corpus.data).shape
    (24, 200)
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "transformer": [HasMethods(["fit", "transform"])],
        "memory": [str, os.PathLike, ClipStore, None],
        "n_jobs": [Integral, None],
        "chunk_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "timeout": [Interval(Real, 0, None, closed="neither")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        transformer: Any,
        *,
        memory: str | os.PathLike[str] | ClipStore | None = None,
        n_jobs: int | None = None,
        chunk_size: int | Literal["auto"] = "auto",
        timeout: float = 3600.0,
        verbose: int = 0,
    ) -> None:
        self.transformer = transformer
        self.memory = memory
        self.n_jobs = n_jobs
        self.chunk_size = chunk_size
        self.timeout = timeout
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: ArrayLike | None = None) -> Self:
        """Let the chain see the clips: nothing is decoded, a reader looks at the headers.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        y : array-like of shape (n_clips,), default=None
            Ignored.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If a step has to be fitted on rows or changes their number, if steps name different
            sample rates, or what the steps themselves refuse.
        AudioReadError
            If the reader cannot open a file and is to raise then.
        """
        check_sample_rates(self.transformer)
        check_rows_independent(self.transformer)
        self.transformer_ = clone(self.transformer)
        with failures_collected() as failed:
            rows = ClipRows(X)
            row = fit_chain(self.transformer_, rows.all)
        self.failed_ = rows.as_given(failed)
        # What a clip becomes, where that can be told without decoding one.
        self._row_shape = None if row is None else np.shape(row)[1:]
        # scikit-learn looks here: frames and waveforms stay arrays, whatever is asked.
        vectors = makes_vectors(self.transformer_)
        self._sklearn_auto_wrap_output_keys: set[str] = {"transform"} if vectors else set()
        return self

    def transform(self, X: Any) -> NDArray[Any]:
        """Compute the clips that have not been computed.

        Parameters
        ----------
        X : clip table or array-like of shape (n_clips, ...)
            The clips.

        Returns
        -------
        results : ndarray of shape (n_clips, ...)
            What the chain gives, in the order of the rows.

        Raises
        ------
        AudioReadError
            If the reader cannot read a file and is to raise then.
        SerskError
            If no worker gave a result for `timeout` seconds.
        ValueError
            If the chain does not make one row a clip, all of one shape, or if with `memory` a
            parameter of it cannot be told from others because it cannot be pickled.

        Warns
        -----
        UnreadableAudioWarning
            If files could not be read.
        StoreWarning
            If the store is damaged, full or cannot be used.
        """
        check_is_fitted(self, "transformer_")
        rows = ClipRows(X)
        if not len(rows):
            return np.asarray(self.transformer_.transform(rows.all))
        folder = None if self.memory is None else _as_store(self.memory)
        with nullcontext() if folder is None else folder.open() as store:
            run = ClipRun(
                self.transformer_,
                rows,
                store,
                row_shape=self._row_shape,
                folder=None if folder is None else folder.location,
            )
            try:
                self._compute(run)
                return run.result()
            finally:
                run.close()

    def _compute(self, run: ClipRun) -> None:
        """Compute what is missing, and take it in as it comes."""
        workers = effective_n_jobs(self.n_jobs)
        if self.chunk_size == "auto":
            fair = -(-len(run) // (workers * _CHUNKS_A_WORKER))
            most = _CLIPS_A_CHUNK if workers == 1 else max(1, min(_CLIPS_A_CHUNK, fair))
            tasks = run.tasks(most, _BYTES_A_CHUNK // 4)
        else:
            tasks = run.tasks(int(self.chunk_size))
        # Some backends begin with the first chunks as soon as they are called.
        with warnings_recorded() as said:
            results = self._run_in_workers(tasks, workers)
            outcomes = track(
                results,
                total=len(run),
                description="clips",
                show=bool(self.verbose),
                position=lambda: run.n_done,
            )
            try:
                # Closed in any case: workers would compute the rest of the corpus for nobody.
                with closing(results), closing(outcomes):
                    for outcome in outcomes:
                        run.take_in(outcome)
            except WorkersTimeoutError as error:
                raise SerskError(
                    f"No worker gave a result for {self.timeout:g} s: it has died, or a chunk of "
                    "clips takes longer. Look at the workers' own output, or set a smaller "
                    "chunk_size or a larger timeout. What is done is kept, with memory."
                ) from error
            finally:
                self.failed_ = run.failed
        repeat_warnings(said + run.warnings, run.failed, where="failed_", stacklevel=4)

    def _run_in_workers(self, tasks: Iterator[Task], workers: int) -> Generator[Outcome]:
        calls = (delayed(compute_clips)(task) for task in tasks)
        # Without workers joblib cannot watch over the time, and says so.
        timeout = None if workers == 1 else self.timeout
        return as_completed(
            calls, self.n_jobs, a_worker=_CHUNKS_A_WORKER, batch_size=1, timeout=timeout
        )

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Name the features of the chain.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of an array.

        Returns
        -------
        names : ndarray of shape (n_features,), object
            As the last step of the chain names them.
        """
        check_is_fitted(self, "transformer_")
        names: NDArray[np.object_] = self.transformer_.get_feature_names_out(input_features)
        return names

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what holds the output.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container of vectors; frames and waveforms are arrays always. ``None`` leaves it as it
            is.

        Returns
        -------
        self : object
            The transformer itself.
        """
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of columns seen in `fit`; only defined for arrays."""
        return int(self.transformer_.n_features_in_)

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of the columns seen in `fit`; only defined for a table of numbers with names."""
        names: NDArray[np.object_] = self.transformer_.feature_names_in_
        return names

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.transformer)
        tags.input_tags = inner.input_tags
        tags.transformer_tags.preserves_dtype = preserved_dtypes(self.transformer)
        return tags


def _as_store(memory: str | os.PathLike[str] | ClipStore) -> ClipStore:
    return memory if isinstance(memory, ClipStore) else ClipStore(memory)
