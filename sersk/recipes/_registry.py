"""Recipes by name, for the command line and for loops over systems."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from imblearn.pipeline import Pipeline

from .._utils._sample_rates import check_sample_rates
from ._classical import svm_functionals

_RECIPES: dict[str, Callable[..., Pipeline]] = {
    recipe.__name__: recipe for recipe in (svm_functionals,)
}


def list_recipes() -> list[str]:
    """Name the recipes.

    Returns
    -------
    names : list of str
        Names that `make_recipe` knows; each is also a function of this module.

    Examples
    --------
    >>> from sersk.recipes import list_recipes
    >>> "svm_functionals" in list_recipes()
    True
    """
    return list(_RECIPES)


def make_recipe(name: str, **parameters: Any) -> Pipeline:
    """Make the pipeline of a recipe from its name.

    Parameters
    ----------
    name : str
        One of `list_recipes`.

    **parameters : object
        Handed to the recipe.

    Returns
    -------
    pipeline : imblearn.pipeline.Pipeline
        Unfitted.

    Raises
    ------
    ValueError
        If there is no such recipe; near names are suggested. If the parameters make steps that name
        different sample rates.

    Examples
    --------
    >>> from sersk.recipes import make_recipe
    >>> make_recipe("svm_functionals", C=1.0)["svm"]
    SVC()
    """
    if name not in _RECIPES:
        near = difflib.get_close_matches(name, _RECIPES, n=3, cutoff=0.3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"There is no recipe {name!r}.{hint} Known: {', '.join(_RECIPES)}.")
    pipeline = _RECIPES[name](**parameters)
    check_sample_rates(pipeline)
    return pipeline
