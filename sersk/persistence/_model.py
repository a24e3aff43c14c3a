"""Save, load, and look at models: files that run no code when they are loaded."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params
from sklearn.utils.validation import check_is_fitted

from ..exceptions import ModelFileError, ModelVersionWarning
from ..recipes._provenance import versions as versions_now
from ._card import ModelCard, card_from_plain, card_to_plain, make_card
from ._container import SCHEMA, read_container, read_manifest, read_members, write_container
from ._profile import RecordingProfile
from ._schema import ForeignTypesError, audit, settle

_BY_SPEAKER = {
    "sersk.feature_extraction.SpeakerNormalizer",
    "sersk.model_selection.SpeakerPriorClassifier",
}
# Packages whose objects stand in the file, or whose numbers a model was trained on: with another
# version, predictions may be others.
_COMPUTE = ("sersk", "scikit-learn", "imbalanced-learn", "librosa")
_NAMES_SHOWN = 5


@validate_params(
    {
        "model": [BaseEstimator],
        "path": [str, os.PathLike],
        "corpus": [Bunch, None],
        "protocol_scores": "no_validation",
        "recipe": [str, None],
        "profile": [RecordingProfile, None],
    },
    prefer_skip_nested_validation=True,
)
def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    corpus: Bunch | None = None,
    protocol_scores: Any = None,
    recipe: str | None = None,
    profile: RecordingProfile | None = None,
) -> str:
    """Write a fitted model to a file that runs no code when it is loaded.

    The file says what the model was trained on: see :class:`~sersk.persistence.ModelCard`.

    Parameters
    ----------
    model : estimator
        Fitted: a pipeline, a net, an ensemble, or any step of them.

    path : path-like
        The file, by custom with the suffix ``.skops``. It is written whole or not at all, and takes
        the place of one that is there.

    corpus : Bunch, default=None
        What the model was trained on, as the loaders return it: its corpora, licences and numbers
        go to the card. No recording does, and no path.

    protocol_scores : Bunch, sequence of Bunch or mapping, default=None
        How the same system scored in an evaluation: what
        :func:`~sersk.model_selection.evaluate_protocol` returned, one or several; what ``sersk
        evaluate`` wrote to ``results.json``; or numbers in [0, 1], as in ``{"speaker":
        {"balanced_accuracy": 0.6}}``.

    recipe : str, default=None
        Name of the recipe that made the model, for the card.

    profile : RecordingProfile, default=None
        How the training recordings were made, so that ``sersk predict`` can warn of others.

    Returns
    -------
    sha256 : str
        Checksum of the file, 64 hexadecimal digits. Given to `load`, it tells whether the file is
        still this one.

    Raises
    ------
    ModelFileError
        If the model holds what is not trusted in a file, such as a function of your own. It is
        named.
    NotFittedError
        If the model is not fitted.
    OSError
        If the file cannot be written: full disk, no permission.
    ValueError
        If `protocol_scores` are no scores, or `corpus` is none.

    See Also
    --------
    load : Read it again.
    read_card : Read what it says of the model, and nothing else.

    Notes
    -----
    Predictions of the loaded model are those of this one. What belongs to the machine is not
    written, and comes back as its default: ``memory``, ``n_jobs``, ``device``, ``verbose``,
    ``checkpoint_dir``, ``tensorboard_dir`` and ``callbacks`` of all steps, the files that a reader
    could not read, and of the folder of :class:`~sersk.augmentation.BackgroundNoise` all but its
    name. Nor is what samplers of imbalanced-learn keep of the training data. Parameters other than
    these are written as they are.

    The format is that of skops, with the arrays of the model as NumPy files and a manifest
    ``sersk.json`` that has the card and the SHA-256 of each member.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import sersk
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> model = svm_functionals().fit(corpus.data, corpus.target)
    >>> path = Path(tempfile.mkdtemp()) / "model.skops"
    >>> checksum = sersk.save(model, path, corpus=corpus, recipe="svm_functionals")
    >>> loaded = sersk.load(path, sha256=checksum)
    >>> bool((loaded.predict(corpus.data) == model.predict(corpus.data)).all())
    True
    """
    path = Path(path)
    check_is_fitted(model)
    state, arrays = _describe(model, path)
    try:
        names = audit(state, arrays)
    except ForeignTypesError as error:
        raise ModelFileError(path, _refusal(error.names)) from error
    # What the checks of `load` would refuse is not written.
    except Exception as error:
        raise ModelFileError(path, f"the model cannot be written: {error}.") from error
    card = make_card(
        model,
        corpus=corpus,
        protocol_scores=protocol_scores,
        recipe=recipe,
        profile=profile,
        by_speaker=not _BY_SPEAKER.isdisjoint(names),
        versions=versions_now(),
    )
    members = {SCHEMA: json.dumps(state).encode(), **arrays}
    return write_container(path, members, {"card": card_to_plain(card)})


def _describe(model: Any, path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Let skops describe a model, and take out what belongs to the machine."""
    import skops.io

    try:
        described = skops.io.dumps(model)
    # skops, and each object that it asks for its state, raise what they like.
    except Exception as error:
        raise ModelFileError(
            path,
            f"the model cannot be written ({type(error).__name__}: {error}). Models of sersk, "
            "scikit-learn and imbalanced-learn can; take out what is none of these, such as a "
            "function or callback of your own.",
        ) from error
    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return settle(json.loads(members.pop(SCHEMA)), members)


def _refusal(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return (
        f"it holds what sersk does not trust in a model file: {', '.join(names[:_NAMES_SHOWN])}"
        f"{more}. Trusted are the estimators of sersk, scikit-learn and imbalanced-learn, arrays "
        "and plain functions of NumPy. Instead of a function or class of your own use one of "
        "these; of a search, save its best_estimator_; give nearest neighbours algorithm='brute'."
    )


@validate_params(
    {"path": [str, os.PathLike], "sha256": [str, None]}, prefer_skip_nested_validation=True
)
def load(path: str | os.PathLike[str], *, sha256: str | None = None) -> Any:
    """Read a model that :func:`save` wrote.

    Nothing in the file is run. All types in it are named, and compared with a list of those that a
    model can be made of, before any of them is made.

    Parameters
    ----------
    path : path-like
        The file.

    sha256 : str, default=None
        Checksum that the file has to have, 64 hexadecimal digits, from a source that you trust.
        Without it, damage is noticed, but not a file that somebody wrote to deceive.

    Returns
    -------
    model : estimator
        Fitted, as it was saved; see there what is not.

    Raises
    ------
    ModelFileError
        If the file is damaged, is no model file, holds types that are not trusted, was written by a
        newer sersk that writes another format, or has another checksum.
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If `sha256` is no checksum.

    Warns
    -----
    ModelVersionWarning
        If it was saved with another version of sersk, scikit-learn, imbalanced-learn or librosa:
        predictions may differ.

    See Also
    --------
    save : Write one.
    read_card : Look at it first.

    Examples
    --------
    >>> import sersk
    >>> model = sersk.load("model.skops")  # doctest: +SKIP
    """
    import skops.io

    path = Path(path)
    content = read_container(path, sha256)
    members, manifest = read_members(content, path)
    card = _card_of(manifest, path)
    other = _other_versions(card.versions)
    try:
        state = json.loads(members.pop(SCHEMA))
        trusted = audit(state, members)
        with warnings.catch_warnings():
            # Said below, once, and of all packages.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            model = skops.io.loads(content, trusted=trusted)
    except ForeignTypesError as error:
        raise ModelFileError(path, _refusal(error.names) + _hint(other)) from error
    # A description that makes no sense raises whatever it likes.
    except Exception as error:
        raise ModelFileError(
            path, f"it describes no model ({type(error).__name__}: {error}).{_hint(other)}"
        ) from error
    if other:
        warnings.warn(
            f"model file {str(path)!r} was saved with {other}. Predictions may differ: score it "
            "again, or train again.",
            ModelVersionWarning,
            stacklevel=3,
        )
    return model


def _hint(other: str) -> str:
    return f" It was saved with {other}: use these, or train again." if other else ""


def _other_versions(then: Mapping[str, str]) -> str:
    now = versions_now()
    return ", ".join(
        f"{name} {then[name]} (here {now[name]})"
        for name in _COMPUTE
        if name in then and then[name] != now[name]
    )


def _card_of(manifest: Mapping[str, Any], path: Path) -> ModelCard:
    try:
        return card_from_plain(manifest.get("card"))
    # Plain values of any kind may stand there.
    except Exception as error:
        raise ModelFileError(path, f"its model card cannot be read: {error}.") from error


@validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
def read_card(path: str | os.PathLike[str]) -> ModelCard:
    """Read what a file says of its model, without making the model.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    card : ModelCard
        Training corpora, licences, labels, scores and versions.

    Raises
    ------
    ModelFileError
        If the file is damaged, or is no model file.
    OSError
        If there is no such file, or it cannot be read.

    See Also
    --------
    load : Read the model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import sersk
    >>> from sklearn.svm import SVC
    >>> path = Path(tempfile.mkdtemp()) / "model.skops"
    >>> model = SVC().fit(np.eye(4), ["anger", "neutral"] * 2)
    >>> checksum = sersk.save(model, path)
    >>> sersk.read_card(path).labels
    ['anger', 'neutral']
    """
    path = Path(path)
    return _card_of(read_manifest(read_container(path), path), path)
