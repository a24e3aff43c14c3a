"""All that evaluations found, on one page that needs nothing else."""

from __future__ import annotations

import base64
import json
import math
import os
import re
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.utils import Bunch

from .._utils._files import atomic_path
from .._utils._json import to_plain
from ._report_figures import draw_corpus, draw_group, to_percent
from ._report_groups import gather_groups, to_document

if TYPE_CHECKING:
    import jinja2

_TITLE = "Speech emotion recognition: an evaluation"
_TEMPLATE = "report.html.j2"
_SUFFIXES = (".html", ".htm")

# Files that could not be read, on the page; all of them are in the JSON file.
_FILES_SHOWN = 200
# What pictures are called, by which those of an earlier page are known.
_OF_A_REPORT = re.compile(
    r"\d{2,}-.+-(confusion|learning|reliability|speakers)\.png|corpus-\d{2,}-.*\.png"
)
# Longest part of a picture's name that comes from names of others.
_LONGEST_SLUG = 80

AS_PUBLISHED = "as-published"
# What each protocol keeps apart, in words.
PROTOCOL_NOTES = {
    "speaker": "No speaker of the test is trained on: the figure that counts for people never "
    "heard.",
    "speaker+text": "Neither a speaker nor a sentence of the test is trained on; clips that share "
    "one of the two are in neither part of that fold.",
    "corpus": "Trained on all corpora but one and tested on that one, with the emotions that both "
    "have.",
    "text": "No sentence of the test is trained on, but its speakers are: the figure flatters.",
    "random": "Clips are dealt out at random, so speakers stand on both sides: the figure says how "
    "well voices are remembered, and flatters.",
    AS_PUBLISHED: "Split as the authors of the system did, by clip: speakers stand on both sides.",
}
# In which speakers of the test are trained on.
_SHARED_SPEAKERS = frozenset({"text", "random", AS_PUBLISHED})

# A field of a description, with the lines that go on below it.
_FIELD = re.compile(r"^:(Licence|Source):[ \t]*(.+(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_LINK = re.compile(r"https?://\S+")


def write_report(
    path: str | os.PathLike[str],
    runs: Sequence[Mapping[str, Any]],
    *,
    corpora: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Path:
    """Write what evaluations found on one HTML page.

    The page holds its pictures and its style, runs no script and asks no network for anything: it
    can be sent by mail and opened anywhere. Beside it stand its numbers, ``<stem>.json``, and its
    pictures, ``<stem>_files/*.png``. Each file is written whole or not at all, and only once all of
    them are made.

    Runs that differ in their seed alone are put together: their predictions are pooled, and the
    intervals resample the speakers, each with all its clips and seeds.

    Parameters
    ----------
    path : path-like
        Where to write the page; ends in ".html" or ".htm".

    runs : sequence of Bunch
        What :func:`sersk.model_selection.evaluate_protocol` returns, at least one. What else is
        known of a run may be added, and is not shown where it is missing:

        ``recipe``, ``corpus`` : str
            Names of the system and of the corpus, the latter a key of `corpora`.
        ``seed`` : int
            Of all that is random.
        ``condition`` : str
            What the system is told, such as "a stranger's single clip" or "several clips of a
            speaker at hand". Conditions are reported apart, never in one table.
        ``published`` : dict of str to float
            What the source of the system reports, by metric, in [0, 1].
        ``command`` : str, ``versions`` : dict, ``options`` : dict, ``minutes`` : float
            How the run was made, with which packages and parameters, and how long it took. Runs
            with other options are other systems.

    corpora : mapping of str to Bunch, default=None
        The corpora by name, as the loaders return them: of their ``frame``, the sex, age and
        ethnicity of the speakers are used; of their ``DESCR``, licence and source.

    title : str, default=None
        Title of the page.

    Returns
    -------
    path : Path
        The page.

    Raises
    ------
    OSError
        If a file cannot be written; none is left half written.
    TypeError
        If a run or a corpus is none.
    ValueError
        If there is no run, one lacks something or is there twice, or `path` has another ending.

    See Also
    --------
    sersk.model_selection.evaluate_protocol : Makes a run.
    sersk.metrics.classification_summary : The figures of one set of predictions.

    Notes
    -----
    The page shows predictions, names of speakers and of files as they are: look through it before
    you hand it on.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sersk.datasets import make_emotional_speech
    >>> from sersk.inspection import write_report
    >>> from sersk.model_selection import evaluate_protocol
    >>> from sersk.recipes import svm_functionals
    >>> corpus = make_emotional_speech(n_speakers=2, n_sentences=1, random_state=0)
    >>> run = evaluate_protocol(
    ...     svm_functionals(), corpus.data, corpus.target, groups=corpus.frame, protocol="speaker"
    ... )
    >>> run.update(recipe="svm_functionals", corpus="synthetic", seed=0)
    >>> with TemporaryDirectory() as folder:
    ...     page = write_report(Path(folder, "report.html"), [run], corpora={"synthetic": corpus})
    ...     print(*sorted(file.name for file in Path(folder).iterdir()))
    report.html report.json report_files
    """
    page = Path(path)
    corpora = {} if corpora is None else corpora
    title = _TITLE if title is None else title
    _check_arguments(page, runs, corpora)
    groups = gather_groups(runs, corpora)
    files: dict[Path, bytes] = {}
    folder = page.with_name(f"{page.stem}_files")
    for number, group in enumerate(groups, start=1):
        group.anchor = f"run-{number}"
        group.heading = _name_group(group)
        group.figures, group.notes = draw_group(group)
        for kind, picture in group.figures.items():
            picture.file = f"{number:02d}-{_slug(group.heading)}-{kind}.png"
            files[folder / picture.file] = picture.png
    described = []
    for number, (name, corpus) in enumerate(corpora.items(), start=1):
        picture = draw_corpus(corpus)
        picture.file = f"corpus-{number:02d}-{_slug(name)}.png"
        files[folder / picture.file] = picture.png
        described.append(_describe_corpus(name, corpus, picture))
    making = _describe_making(runs)
    document = {
        "title": title,
        "results": [
            {**to_document(group), "figures": [it.file for it in group.figures.values()]}
            for group in groups
        ],
        "corpora": [
            {name: value for name, value in corpus.items() if name not in ("picture", "link")}
            for corpus in described
        ],
        "runs": making.runs,
        "versions": making.versions,
    }
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    files[page.with_suffix(".json")] = text.encode()
    html = _render(title, groups, described, making, page.stem)
    # A name of a file need not be text; what is none is written as numbers.
    files[page] = html.encode("utf-8", "backslashreplace")
    _write(files, folder)
    _remove_other_pictures(folder, {file.name for file in files})
    return page


def _check_arguments(page: Path, runs: Any, corpora: Any) -> None:
    if page.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"path must end in .html, got {str(page)!r}.")
    if isinstance(runs, Mapping | str) or not isinstance(runs, Sequence):
        raise TypeError(
            "runs must be a list of what evaluate_protocol of sersk.model_selection returns, got "
            f"{type(runs).__name__}. A single run: write_report(path, [run])."
        )
    if not runs:
        raise ValueError("There is nothing to report: runs is empty.")
    if not isinstance(corpora, Mapping) or "frame" in corpora:
        raise TypeError(
            "corpora must be corpora by name, as in {'ravdess': corpus}, got "
            f"{'a single corpus' if isinstance(corpora, Mapping) else type(corpora).__name__}."
        )
    for name, corpus in corpora.items():
        if not isinstance(corpus, Mapping) or "frame" not in corpus:
            raise TypeError(
                f"Corpus {name!r} is a {type(corpus).__name__}: give what the loaders of "
                "sersk.datasets return."
            )


def _name_group(group: Bunch) -> str:
    """Say in one line which runs these are."""
    parts = [part for part in (group.recipe, group.corpus) if part is not None]
    name = " on ".join(map(str, parts))
    return ", ".join(filter(None, (name, f"{group.protocol} split", _pairs(group.options))))


def _pairs(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())


def _slug(name: str) -> str:
    """Make a name of a file of any name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:_LONGEST_SLUG].strip("-")


def _describe_corpus(name: str, corpus: Mapping[str, Any], picture: Bunch) -> dict[str, Any]:
    text = str(corpus.get("DESCR") or "")
    facts = [(field, " ".join(value.split())) for field, value in _FIELD.findall(text)]
    frame = corpus["frame"]
    return {
        "name": str(name),
        "n_clips": len(frame),
        "n_speakers": frame["speaker"].nunique() if "speaker" in frame else None,
        "facts": facts,
        "description": text,
        "figure": picture.file,
        "picture": picture,
    }


def _describe_making(runs: Sequence[Mapping[str, Any]]) -> Bunch:
    """Collect how the runs were made: commands and versions once, the rest run by run."""
    versions: dict[str, list[str]] = {}
    for run in runs:
        for package, version in (run.get("versions") or {}).items():
            known = versions.setdefault(str(package), [])
            if str(version) not in known:
                known.append(str(version))
    columns = ("recipe", "corpus", "protocol", "condition", "seed", "minutes", "options", "command")
    return Bunch(
        runs=[{name: to_plain(run.get(name)) for name in columns} for run in runs],
        commands=list(dict.fromkeys(str(run["command"]) for run in runs if run.get("command"))),
        versions=versions,
    )


def _render(
    title: str,
    groups: list[Bunch],
    corpora: list[dict[str, Any]],
    making: Bunch,
    stem: str,
) -> str:
    conditions: dict[Any, list[Bunch]] = {}
    for group in groups:
        conditions.setdefault(group.condition, []).append(group)
    protocols = list(dict.fromkeys(group.protocol for group in groups))
    return _environment().get_template(_TEMPLATE).render(
        title=title,
        stem=stem,
        conditions=conditions,
        notes=[(name, PROTOCOL_NOTES[name]) for name in PROTOCOL_NOTES if name in protocols],
        as_published=AS_PUBLISHED in protocols,
        shared_speakers=_SHARED_SPEAKERS,
        corpora=corpora,
        making=making,
        files_shown=_FILES_SHOWN,
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,  # names of emotions, files and corpora are text, whatever they look like
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=_percent,
        interval=_interval,
        span=_span,
        metric_name=_metric_name,
        pairs=_pairs,
        to_percent=to_percent,
        base64=lambda png: base64.b64encode(png).decode("ascii"),
        is_link=lambda text: _LINK.fullmatch(text) is not None,
    )
    return environment


def _is_number(value: Any) -> bool:
    return value is not None and not math.isnan(value)


def _percent(share: Any) -> str:
    return f"{100 * share:.1f}" if _is_number(share) else "–"


def _interval(scores: Any) -> str:
    """Write the interval of a row of scores."""
    if not _is_number(scores["low"]):
        return "–"
    return f"{_percent(scores['low'])} to {_percent(scores['high'])}"


def _span(numbers: Sequence[int]) -> str:
    """Write a count that may differ from seed to seed."""
    if not numbers:
        return "–"
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _metric_name(metric: str) -> str:
    names = {"balanced_accuracy": "UAR", "f1_macro": "macro F1"}
    return names.get(metric, metric)


def _write(files: Mapping[Path, bytes], folder: Path) -> None:
    """Write the pictures, the numbers and, last, the page that shows them."""
    for file, content in files.items():
        try:
            with atomic_path(file) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            with suppress(OSError):
                folder.rmdir()  # where it holds nothing
            # Of the errno, Python makes PermissionError and the like.
            raise OSError(
                error.errno,
                f"the report cannot be written ({error.strerror}); nothing is left half written. "
                "Make room, or choose another folder",
                str(file),
            ) from error


def _remove_other_pictures(folder: Path, names: Set[str]) -> None:
    """Remove the pictures of an earlier page of that name: nothing would tell which is which."""
    for file in folder.glob("*.png"):
        if _OF_A_REPORT.fullmatch(file.name) and file.name not in names:
            with suppress(OSError):
                file.unlink()
