"""One sample rate for all steps: a wrong one shifts all frequencies, and nothing else tells."""

from __future__ import annotations

from typing import Any


def check_sample_rates(estimator: Any) -> None:
    """Refuse an estimator whose steps name different sample rates.

    Parameters
    ----------
    estimator : object
        Pipeline, meta-estimator, search, or any nesting of these. What has no parameters is let
        through.

    Raises
    ------
    ValueError
        If two parameters called ``sample_rate``, however deep, differ. Those that are None name
        no rate.
    """
    rates = sample_rates(estimator)
    if not rates:
        return
    expected = next(iter(rates.values()))
    others = [name for name, rate in rates.items() if rate != expected]
    if not others:
        return
    named = ", ".join(f"{name}={rate}" for name, rate in rates.items())
    cure = ", ".join(f"{name}={expected}" for name in others)
    raise ValueError(
        f"The steps name different sample rates: {named}. A waveform has no rate of its own, so "
        "all steps must name the one at which the clips are read: "
        f"set_params({cure}), or change the others."
    )


def sample_rates(estimator: Any, prefix: str = "") -> dict[str, Any]:
    """Collect the sample rates that an estimator names.

    Parameters
    ----------
    estimator : object
        As in `check_sample_rates`.
    prefix : str, default=""
        Stands before all names.

    Returns
    -------
    rates : dict of str to int
        By the names under which `set_params` knows them, in the order of steps.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        return {}
    parameters = estimator.get_params(deep=True)
    rates = {}
    for name, value in parameters.items():
        if name.rpartition("__")[2] == "sample_rate":
            if value is not None:
                rates[prefix + name] = value
        # Some hide the parameters of what they hold, as FrozenEstimator does.
        elif not any(other.startswith(f"{name}__") for other in parameters):
            rates.update(sample_rates(value, f"{prefix}{name}__"))
    return rates
