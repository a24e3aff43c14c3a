"""Names that are not known: what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest names near one that is not known.

    Parameters
    ----------
    name : str
        What was given.
    known : iterable of str
        What there is.

    Returns
    -------
    hint : str
        A sentence with a space before it, or nothing where no name is near.
    """
    known = list(known)
    near = [other for other in known if name and name in other]
    near = near or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(near[:3])}?" if near else ""
