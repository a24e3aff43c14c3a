"""What is searched: distributions by name, whole steps among them, and what follows from a draw."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.base import clone

from .._utils._fingerprint import fingerprint
from .._utils._sample_rates import check_sample_rates, sample_rates

# The one knob for the sample rates of all steps.
SAMPLE_RATE = "sample_rate"
# In the place of a step of a pipeline: there is none.
NO_STEP = "passthrough"
# What a storage can write down.
_PLAIN = (type(None), bool, int, float, str)


class Choice:
    """One of several values, which may be whole steps with parameters of their own.

    For what a categorical distribution of Optuna cannot hold: estimators and tuples have no place
    in a storage, so a trial notes the label of an option. It stands in a search space where a
    distribution would.

    Parameters
    ----------
    options : mapping of str to object
        Values by their labels, at least one. ``"passthrough"`` as a value leaves a step of a
        pipeline out.

    spaces : mapping of str to mapping, default=None
        For some labels, the search space of the option itself: distributions by the names of the
        option's own parameters. They are drawn only where the option is.

    See Also
    --------
    default_search_space : Makes them for steps that it knows.

    Examples
    --------
    >>> from optuna.distributions import FloatDistribution
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.svm import SVC
    >>> from sersk.model_selection import Choice
    >>> Choice(
    ...     {"svm": SVC(), "linear": LogisticRegression()},
    ...     spaces={"svm": {"gamma": FloatDistribution(1e-4, 1.0, log=True)}},
    ... )
    Choice('svm', 'linear')
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        spaces: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        if not isinstance(options, Mapping) or not options:
            raise ValueError(
                f"Choice needs a mapping of labels to values, with one at least. Got {options!r}."
            )
        for label in options:
            if not isinstance(label, str):
                raise ValueError(f"The labels of a Choice are text. Got {label!r}.")
        unknown = [label for label in spaces or {} if label not in options]
        if unknown:
            raise ValueError(
                f"spaces names {unknown[0]!r}, which is no option; there are "
                f"{', '.join(map(repr, options))}."
            )
        self.options = dict(options)
        self.spaces = {label: dict(space) for label, space in (spaces or {}).items()}

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"


Space = dict[str, Any]  # of distributions and choices


# ------------------------------------------------------------------------------ checking a space


def check_space(space: Any, estimator: Any) -> Space:
    """Refuse a space that does not fit an estimator, before anything is computed.

    Parameters
    ----------
    space : mapping of str to distribution or Choice
        By the names of ``estimator.get_params()``.
    estimator : estimator
        What is tuned.

    Returns
    -------
    space : dict
        The same.

    Raises
    ------
    ValueError
        If it is empty, a name is not there (near names are suggested), a value is no distribution,
        or a sample rate is to be moved without the others.
    """
    from optuna.distributions import BaseDistribution, CategoricalDistribution

    if not space:
        raise ValueError(
            "The search space is empty: name one parameter at least, or leave space='auto'."
        )
    names = list(estimator.get_params(deep=True))
    swapped = {name: what for name, what in space.items() if isinstance(what, Choice)}
    for name, what in space.items():
        if isinstance(what, CategoricalDistribution):
            odd = [each for each in what.choices if not isinstance(each, _PLAIN)]
            if odd:
                raise ValueError(
                    f"{name!r} may be {odd[0]!r}, which no storage can hold. Name it with "
                    f"Choice({{'a label': {odd[0]!r}, ...}})."
                )
        elif not isinstance(what, BaseDistribution | Choice):
            raise ValueError(
                f"{name!r} should be a distribution of optuna.distributions, or a Choice. Got "
                f"{what!r}."
            )
        if name == SAMPLE_RATE and name not in names and sample_rates(estimator):
            continue
        _check_sample_rate(name, estimator)
        if isinstance(what, Choice):
            _check_options(name, what)
        step = _swapped_step(name, swapped)
        if step is not None:
            _check_with_choice(name, step, swapped[step])
        elif name not in names:
            raise ValueError(
                f"The space names {name!r}, and {type(estimator).__name__} has no such "
                f"parameter.{_suggestion(name, names)}"
            )
    return dict(space)


def _suggestion(name: str, names: Sequence[str]) -> str:
    tail = name.rpartition("__")[2]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    near += [other for other in names if other.rpartition("__")[2] == tail and other not in near]
    if not near:
        near = difflib.get_close_matches(tail, names, n=3, cutoff=0.4)
    return f" Did you mean {' or '.join(near[:4])}?" if near else ""


def _check_sample_rate(name: str, estimator: Any) -> None:
    rates = sample_rates(estimator)
    if name.rpartition("__")[2] == SAMPLE_RATE and name in rates and len(rates) > 1:
        raise ValueError(
            f"{name!r} would be another sample rate than that of other steps: "
            f"{', '.join(rates)}. Name it {SAMPLE_RATE!r}, without a step: one knob for all of "
            "them."
        )


def _check_options(name: str, choice: Choice) -> None:
    for label, inner in choice.spaces.items():
        option = choice.options[label]
        if not hasattr(option, "get_params"):
            raise ValueError(
                f"{name!r} has a space for its option {label!r}, which is {option!r} and has no "
                "parameters."
            )
        try:
            check_space(inner, option)
        except ValueError as error:
            raise ValueError(f"In the space of {name}={label!r}: {error}") from error


def _swapped_step(name: str, swapped: Mapping[str, Choice]) -> str | None:
    """Find the step in the space that a parameter belongs to."""
    held = [step for step in swapped if name.startswith(f"{step}__")]
    return max(held, key=len, default=None)


def _check_with_choice(name: str, step: str, choice: Choice) -> None:
    """Refuse a parameter that only some options of its step have: it has no value for others."""
    inner = name.removeprefix(f"{step}__")
    for label, option in choice.options.items():
        known = option.get_params(deep=True) if hasattr(option, "get_params") else {}
        if inner not in known:
            raise ValueError(
                f"The space names {name!r}, and the option {label!r} of {step!r} has no such "
                f"parameter.{_suggestion(inner, list(known))} Put it into "
                f"Choice(..., spaces={{label: {{{inner!r}: ...}}}}) of the options that have it."
            )


def describe_space(space: Mapping[str, Any]) -> str:
    """Sum up a space, the same in every process.

    Parameters
    ----------
    space : mapping of str to distribution or Choice
        As `check_space` gives it.

    Returns
    -------
    description : str
        Equal for equal spaces.
    """
    from optuna.distributions import distribution_to_json

    parts = []
    for name, what in sorted(space.items()):
        if isinstance(what, Choice):
            options = {label: fingerprint(value) for label, value in what.options.items()}
            inner = {label: describe_space(each) for label, each in sorted(what.spaces.items())}
            parts.append(f"{name}: {options} {inner}")
        else:
            parts.append(f"{name}: {distribution_to_json(what)}")
    return "; ".join(parts)


# -------------------------------------------------------------------------------- drawing from it


def suggest(trial: Any, space: Mapping[str, Any], inside: str = "") -> dict[str, Any]:
    """Draw parameters, those of chosen options after the choice.

    Parameters
    ----------
    trial : optuna.trial.Trial
        Where they are noted.
    space : mapping of str to distribution or Choice
        As `check_space` gives it.
    inside : str, default=""
        Stands before the names: whose option's space this is.

    Returns
    -------
    drawn : dict of str to object
        Labels and numbers, by the names in the study. Those of an option stand behind its label in
        brackets, as in ``clf[svm]__C``, so that two options may have a parameter of one name.
    """
    drawn: dict[str, Any] = {}
    for name, what in space.items():
        known_as = inside + name
        if not isinstance(what, Choice):
            drawn[known_as] = _suggest_one(trial, known_as, what)
            continue
        label = trial.suggest_categorical(known_as, list(what.options))
        drawn[known_as] = label
        drawn |= suggest(trial, what.spaces.get(label, {}), f"{known_as}[{label}]__")
    return drawn


def _suggest_one(trial: Any, name: str, distribution: Any) -> Any:
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    draw = trial.suggest_float
    if isinstance(distribution, IntDistribution):
        draw = trial.suggest_int
    return draw(
        name, distribution.low, distribution.high, step=distribution.step, log=distribution.log
    )


def as_parameters(
    drawn: Mapping[str, Any], space: Mapping[str, Any], inside: str = "", outside: str = ""
) -> dict[str, Any]:
    """Turn what was drawn into what `set_params` takes.

    Parameters
    ----------
    drawn : mapping of str to object
        Labels and numbers, by the names in the study.
    space : mapping of str to distribution or Choice
        From which they were drawn.
    inside, outside : str, default=""
        Stand before the names, in the study and for `set_params`.

    Returns
    -------
    parameters : dict of str to object
        Values; estimators are unfitted copies.
    """
    parameters: dict[str, Any] = {}
    for name, what in space.items():
        known_as = inside + name
        if known_as not in drawn:
            continue
        value = drawn[known_as]
        if isinstance(what, Choice):
            label, value = value, clone(what.options[value], safe=False)
            parameters[outside + name] = value
            parameters |= as_parameters(
                drawn, what.spaces.get(label, {}), f"{known_as}[{label}]__", f"{outside}{name}__"
            )
        else:
            parameters[outside + name] = value
    return parameters


def apply_parameters(estimator: Any, parameters: Mapping[str, Any]) -> Any:
    """Copy an estimator, and give the copy parameters.

    Parameters
    ----------
    estimator : estimator
        Stays as it is.
    parameters : mapping of str to object
        As `as_parameters` gives them.

    Returns
    -------
    estimator : estimator
        Unfitted.
    """
    # Copies again: parameters of an option are set on it.
    values = {name: clone(value, safe=False) for name, value in parameters.items()}
    made = clone(estimator)
    moves_all = SAMPLE_RATE in values and SAMPLE_RATE not in made.get_params(deep=False)
    rate = values.pop(SAMPLE_RATE) if moves_all else None
    made.set_params(**values)
    if moves_all:
        # Of the steps that are there now.
        made.set_params(**dict.fromkeys(sample_rates(made), rate))
    check_sample_rates(made)
    return made
