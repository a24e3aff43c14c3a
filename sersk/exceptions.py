"""Errors and warnings of sersk's own, so that a caller can tell them from anyone else's."""

from __future__ import annotations

import os

__all__ = [
    "AudioReadError",
    "AugmentationError",
    "ClipCutWarning",
    "CorpusError",
    "CorpusWarning",
    "LeakageWarning",
    "MissingExtraError",
    "ModelFileError",
    "ModelVersionWarning",
    "OutOfDepthWarning",
    "SerskError",
    "SerskWarning",
    "SpeakerWarning",
    "StoreWarning",
    "TrainingError",
    "TrainingInterruptedWarning",
    "TuningError",
    "TuningInterruptedWarning",
    "UnreadableAudioWarning",
    "ValidationWarning",
]


class SerskError(Exception):
    """Base of all errors that sersk raises on its own account."""


class AudioReadError(SerskError, ValueError):
    """A recording could not be read.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it and, where that helps, what to do.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        # Both go to ``args``: an error raised in a worker process is pickled on its way home.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot read {self.path!r}: {self.reason}"


class AugmentationError(SerskError, ValueError):
    """A transform could not be applied to a clip, or returned what is no clip.

    Parameters
    ----------
    draw : str
        The transform, as it was drawn.
    clip : str or None
        The clip, where its name is known.
    reason : str
        What went wrong.

    Attributes
    ----------
    draw : str
        The transform, as it was drawn.
    clip : str or None
        The clip, where its name is known.
    reason : str
        What went wrong.
    """

    def __init__(self, draw: str, clip: str | None, reason: str) -> None:
        # All go to ``args``: an error raised in a worker process is pickled on its way home.
        super().__init__(draw, clip, reason)
        self.draw = draw
        self.clip = clip
        self.reason = reason

    def __str__(self) -> str:
        clip = "a clip" if self.clip is None else repr(self.clip)
        return f"cannot apply {self.draw} to {clip}: {self.reason}"


class CorpusError(SerskError, ValueError):
    """A folder or CSV file does not hold the corpus that it should."""


class MissingExtraError(SerskError, ImportError):
    """A package is needed that is not installed with sersk itself.

    Parameters
    ----------
    module : str
        The package, as it is imported.
    extra : str
        The extra of sersk that installs it.

    Attributes
    ----------
    module : str
        The package, as it is imported.
    extra : str
        The extra of sersk that installs it.
    """

    def __init__(self, module: str, extra: str) -> None:
        # Both go to ``args``: an error raised in a worker process is pickled on its way home.
        super().__init__(module, extra)
        self.module = module
        self.extra = extra

    def __str__(self) -> str:
        return (
            f"the package {self.module!r} is not installed; it comes with the extra "
            f'{self.extra!r}: pip install "sersk[{self.extra}]"'
        )


class ModelFileError(SerskError, ValueError):
    """A model cannot be saved, or a file holds no model that can be trusted.

    Parameters
    ----------
    path : str or path-like
        The file.
    reason : str
        What is wrong and, where that helps, what to do.

    Attributes
    ----------
    path : str
        The file.
    reason : str
        What is wrong.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        # Both go to ``args``: an error raised in a worker process is pickled on its way home.
        super().__init__(os.fspath(path), reason)
        self.path = os.fspath(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"model file {self.path!r}: {self.reason}"


class TrainingError(SerskError, ValueError):
    """A net cannot be trained further: its loss is no number any more."""


class TuningError(SerskError, ValueError):
    """A search found nothing: every trial failed, or its storage cannot be used."""


class SerskWarning(UserWarning):
    """Base of all warnings that sersk gives on its own account."""


class UnreadableAudioWarning(SerskWarning):
    """Some recordings could not be read and stand as all-NaN rows."""


class ClipCutWarning(SerskWarning):
    """Some clips are longer than the length learned in ``fit`` and were cut."""


class CorpusWarning(SerskWarning):
    """A corpus is incomplete, or a part of it was left out."""


class LeakageWarning(SerskWarning):
    """The same speakers, or copies of the same clips, are trained on and tested."""


class SpeakerWarning(SerskWarning):
    """It is not known who speaks where that was to be made use of."""


class ModelVersionWarning(SerskWarning):
    """A model was saved with other versions of the packages that compute for it."""


class OutOfDepthWarning(SerskWarning):
    """Recordings differ in level, bandwidth, noise, length or pitch from those of the training."""


class StoreWarning(SerskWarning):
    """The store of clips' results is damaged, full or cannot be used; work goes on without it."""


class TrainingInterruptedWarning(SerskWarning):
    """The training of a net was interrupted; it keeps what it learned until then."""


class TuningInterruptedWarning(SerskWarning):
    """A search was interrupted; it keeps the best of the trials until then."""


class ValidationWarning(SerskWarning):
    """Clips held out for early stopping share speakers, or sentences, with the training part."""
