"""Search spaces for the steps that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from ._search_space import NO_STEP, Choice, Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

# Whose classes mean by a name what is known of it here.
_KNOWN_PACKAGES = ("imblearn", "sersk", "sklearn")


def default_search_space(pipeline: Any) -> Space:
    """Make a search space of the steps of a pipeline that are known.

    Parameters
    ----------
    pipeline : estimator
        Pipeline, or any nesting of pipelines, `PerClip`, `ValidationHoldout` and the like.

    Returns
    -------
    space : dict of str to distribution or Choice
        By the names of ``pipeline.get_params()``: to be changed and added to as any dict. Steps
        that are not known, and parameters without a range that suits most, are left as they are;
        so are sample rates.

    Notes
    -----
    ======================================  ====================================================
    step                                    what is searched
    ======================================  ====================================================
    samplers of imbalanced-learn,           whether the step is there
    ``WaveformAugmenter``
    ``MFCC``, ``FrameFeatures``             ``n_mfcc``, ``n_mels``
    mel and log-mel spectrograms            ``n_mels``
    ``Functionals``                         ``statistics``, one of three sets
    ``SilenceTrimmer``                      ``top_db``
    ``SVC``                                 ``C``; ``gamma``, unless its kernel is linear
    ``LinearSVC``, ``LogisticRegression``   ``C``
    ``KNeighborsClassifier``                ``n_neighbors``, ``weights``
    random forests, extra trees             ``max_features``, ``min_samples_leaf``
    ``HistGradientBoostingClassifier``      ``learning_rate``, ``max_iter``, ``max_leaf_nodes``,
                                            ``l2_regularization``
    ``MLPClassifier``                       ``alpha``, ``learning_rate_init``
    nets of :mod:`sersk.neural_network`     ``lr``, ``weight_decay``, ``dropout``,
                                            ``batch_size``, and the widths of their layers:
                                            half, as they are, double
    ======================================  ====================================================

    Examples
    --------
    >>> from sersk.model_selection import default_search_space
    >>> from sersk.recipes import svm_functionals
    >>> for name in default_search_space(svm_functionals()):
    ...     print(name)
    oversample
    svm__C
    svm__gamma
    features__transformer__mfcc__n_mfcc
    features__transformer__mfcc__n_mels
    features__transformer__functionals__statistics
    """
    space: Space = {}
    for prefix, step in _steps(pipeline):
        for kind in type(step).__mro__:
            if kind.__module__.partition(".")[0] not in _KNOWN_PACKAGES:
                continue
            make = _KNOWN.get(kind.__name__)
            if make is not None:
                space.update({prefix + name: what for name, what in make(step).items()})
                break
        else:
            name = prefix.removesuffix("__")
            if hasattr(step, "fit_resample") and _is_step(pipeline, name):
                space[name] = _on_or_off(step)
    return space


def _is_step(estimator: Any, name: str) -> bool:
    """Tell whether a parameter is a step of a pipeline, so that there may be none in its place."""
    holder, _, step = name.rpartition("__")
    owner = estimator.get_params(deep=True).get(holder) if holder else estimator
    return isinstance(owner, Pipeline) and step in owner.named_steps


def _steps(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Give an estimator and all that it holds, with the prefix of each one's parameters."""
    yield "", estimator
    for name, value in estimator.get_params(deep=True).items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield f"{name}__", value


def _on_or_off(step: Any) -> Choice:
    return Choice({"on": step, "off": NO_STEP})


def _log(low: float, high: float) -> BaseDistribution:
    from optuna.distributions import FloatDistribution

    return FloatDistribution(low, high, log=True)


def _between(low: float, high: float) -> BaseDistribution:
    from optuna.distributions import FloatDistribution

    return FloatDistribution(low, high)


def _whole(low: int, high: int) -> BaseDistribution:
    from optuna.distributions import IntDistribution

    return IntDistribution(low, high, log=True)


def _one_of(*values: Any) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(values)


def _mel_bands(step: Any) -> BaseDistribution:
    # Short frames cannot tell many bands apart: some would be empty.
    return _one_of(40, 64, 128) if step.n_fft >= 2048 else _one_of(40, 64)


def _cepstrum(step: Any) -> Space:
    features = getattr(step, "features", ("mfcc",))
    if not any(name.startswith("mfcc") for name in features):
        has_bands = any("mel" in name for name in features)
        return {"n_mels": _mel_bands(step)} if has_bands else {}
    return {"n_mfcc": _one_of(13, 20, 40), "n_mels": _mel_bands(step)}


def _statistics(step: Any) -> Space:
    percentiles = ("percentile_25", "percentile_50", "percentile_75")
    sets = {
        "mean_std": ("mean", "std"),
        "quartiles": ("mean", "std", "min", *percentiles, "max"),
        "all": ("mean", "std", "min", *percentiles, "max", "skew", "kurtosis", "slope"),
    }
    return {"statistics": Choice(sets)}


def _svm(step: Any) -> Space:
    space: Space = {"C": _log(1e-2, 1e3)}
    return space if step.kernel == "linear" else space | {"gamma": _log(1e-5, 1.0)}


def _linear(step: Any) -> Space:
    return {"C": _log(1e-4, 1e2)}


def _forest(step: Any) -> Space:
    return {"max_features": _log(0.02, 1.0), "min_samples_leaf": _whole(1, 10)}


def _boosting(step: Any) -> Space:
    return {
        "learning_rate": _log(0.01, 0.3),
        "max_iter": _whole(50, 400),
        "max_leaf_nodes": _whole(4, 64),
        "l2_regularization": _log(1e-6, 10.0),
    }


def _net(step: Any) -> Space:
    space: Space = {
        "lr": _log(1e-4, 1e-2),
        "weight_decay": _log(1e-5, 1e-1),
        "dropout": _between(0.0, 0.6),
        "batch_size": _one_of(16, 32, 64),
    }
    parameters = step.get_params(deep=False)
    for name in ("filters", "hidden_sizes"):
        sizes = parameters.get(name)
        if isinstance(sizes, Sequence) and sizes:
            # As many layers as there are: other parameters count them.
            space[name] = Choice(
                {
                    "half": tuple(max(1, size // 2) for size in sizes),
                    "as_is": tuple(sizes),
                    "double": tuple(2 * size for size in sizes),
                }
            )
    return space


_KNOWN: dict[str, Callable[[Any], Space]] = {
    "BaseNetClassifier": _net,
    "ExtraTreesClassifier": _forest,
    "FrameFeatures": _cepstrum,
    "Functionals": _statistics,
    "HistGradientBoostingClassifier": _boosting,
    "KNeighborsClassifier": lambda _: {
        "n_neighbors": _whole(1, 50),
        "weights": _one_of("uniform", "distance"),
    },
    "LinearSVC": _linear,
    "LogMelSpectrogram": lambda step: {"n_mels": _mel_bands(step)},
    "LogisticRegression": _linear,
    "MFCC": _cepstrum,
    "MLPClassifier": lambda _: {
        "alpha": _log(1e-6, 1e-1),
        "learning_rate_init": _log(1e-4, 1e-2),
    },
    "MelSpectrogram": lambda step: {"n_mels": _mel_bands(step)},
    "RandomForestClassifier": _forest,
    "SVC": _svm,
    "SilenceTrimmer": lambda _: {"top_db": _between(20.0, 60.0)},
    # Belongs to the data: it drops what could not be read.
    "DropUnreadable": lambda _: {},
    # Masks of a net are a parameter of it, and no step.
    "SpecAugment": lambda _: {},
}
