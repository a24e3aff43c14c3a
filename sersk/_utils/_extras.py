"""Packages that only some estimators need, and that are not installed with sersk."""

from __future__ import annotations

import importlib
from typing import Any

from ..exceptions import MissingExtraError


def import_extra(module: str, *, extra: str) -> Any:
    """Import a package that comes with an optional extra.

    Parameters
    ----------
    module : str
        What is imported, such as ``"parselmouth"``.
    extra : str
        Name of the extra of sersk that installs it, such as ``"voice"``.

    Returns
    -------
    module : module
        The package.

    Raises
    ------
    MissingExtraError
        If the package is not installed. One that is there but broken raises its own error.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingExtraError(module, extra) from error
