"""Warnings of work that is done in many parts, said once."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from ..exceptions import UnreadableAudioWarning

Said = tuple[type[Warning], str]


@contextmanager
def warnings_recorded(*, wanted: bool = True) -> Iterator[list[Said]]:
    """Hold warnings back.

    Parameters
    ----------
    wanted : bool, default=True
        False lets them pass.

    Yields
    ------
    said : list of (type, str)
        Category and message of each; complete when the block has ended. Empty outside the main
        thread, where they pass: recording them is not safe there.
    """
    said: list[Said] = []
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield said
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield said
        finally:
            said += [(warning.category, str(warning.message)) for warning in caught]


def repeat_warnings(
    said: Iterable[Said], failed: Mapping[str, str], *, where: str, stacklevel: int
) -> None:
    """Say once a kind what the parts had to say.

    Parameters
    ----------
    said : iterable of (type, str)
        Warnings of all parts.
    failed : mapping of str to str
        Files that could not be read, and why: one warning sums them up.
    where : str
        Where the caller finds all of them.
    stacklevel : int
        Whose line the warnings name: 1 is that of the caller.
    """
    by_kind: dict[type[Warning], list[str]] = {}
    for category, message in said:
        by_kind.setdefault(category, []).append(message)
    for category, messages in by_kind.items():
        # What the parts could not read may overlap, and is summed up below where it is known.
        if not (failed and issubclass(category, UnreadableAudioWarning)):
            more = f" (And {len(messages) - 1} more of this kind.)" if len(messages) > 1 else ""
            try:
                warnings.warn(messages[0] + more, category, stacklevel=stacklevel + 1)
            except TypeError:  # one that is made of something else than a message
                named = f"{category.__name__}: {messages[0]}{more}"
                warnings.warn(named, UserWarning, stacklevel=stacklevel + 1)
    if failed:
        path, reason = next(iter(failed.items()))
        warnings.warn(
            f"{len(failed)} file(s) could not be read, such as {path!r}: {reason}. All of them "
            f"stand in {where}.",
            UnreadableAudioWarning,
            stacklevel=stacklevel + 1,
        )
