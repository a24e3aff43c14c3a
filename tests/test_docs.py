"""Every example runs, every public docstring is whole."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sersk

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.rst"))]
PAGES = [
    page
    for page in PAGES
    if not {"_build", "generated", "auto_examples", "_templates"} & set(page.parts)
]

MARKDOWN_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RST_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:[ \t]+.*\n|\n)+)", re.MULTILINE)

# Commands that make environments: .ci/run runs README's two, taken from its text.
SET_UP = ("python3 -m venv ", "pip install ")

# numpydoc's checks that do not fit: a summary stands on the line of the quotes (GL01), what is
# returned has a name, as in scikit-learn (RT02), and not all needs an extended summary, cross
# references or an example (ES01, SA01, EX01; examples have a test of their own).
NOT_CHECKED = {"GL01", "RT02", "ES01", "SA01", "EX01"}
# Public functions and classes with parameters have examples; errors and warnings need none.
NEEDS_NO_EXAMPLE = {"exceptions"}


def blocks(page: Path) -> list[tuple[str, str]]:
    pattern = MARKDOWN_BLOCK if page.suffix == ".md" else RST_BLOCK
    text = page.read_text(encoding="utf-8")
    return [(language, textwrap.dedent(code)) for language, code in pattern.findall(text)]


def public_names() -> list[str]:
    names = []
    for room in (name for name in sersk.__all__ if not name.startswith("_")):
        if not inspect.ismodule(getattr(sersk, room)):
            names.append(f"sersk.{room}")
            continue
        module = importlib.import_module(f"sersk.{room}")
        names += [f"sersk.{room}.{name}" for name in module.__all__]
    return names


def resolve(name: str):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def public_methods() -> list[str]:
    return [
        f"{name}.{method}"
        for name in public_names()
        if inspect.isclass(resolve(name))
        for method, function in inspect.getmembers(resolve(name), inspect.isfunction)
        if not method.startswith("_") and function.__module__.startswith("sersk.")
    ]


@pytest.fixture
def newcomers_folder(tmp_path, monkeypatch, ravdess_tree):
    """A folder as the examples assume it: a CSV with recordings, and RAVDESS."""
    from sersk.datasets import make_emotional_speech, write_corpus

    ravdess_tree(folder="RAVDESS")
    corpus = make_emotional_speech(
        n_speakers=8, n_sentences=2, repetitions=1, emotions=("anger", "neutral"), random_state=0
    )
    written = write_corpus(corpus, tmp_path / "recordings")
    written.frame.to_csv(tmp_path / "my_recordings.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_there_are_blocks_to_run():
    languages = [language for page in PAGES for language, _ in blocks(page)]
    assert set(languages) == {"bash", "python"}
    assert languages.count("python") >= 8


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.filterwarnings("ignore::sersk.exceptions.CorpusWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_run(page, newcomers_folder):
    namespace: dict[str, object] = {}
    for language, code in blocks(page):
        if language == "python":
            exec(compile(code, str(page), "exec"), namespace)
            continue
        for command in filter(None, code.splitlines()):
            if command.startswith(SET_UP):
                continue
            program, *arguments = shlex.split(command)
            assert program == "sersk", f"no test knows how to run {command!r}"
            done = subprocess.run(
                [sys.executable, "-m", "sersk", *arguments],
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore::sersk.exceptions.ClipCutWarning")
@pytest.mark.parametrize("name", [*public_names(), *public_methods()])
def test_docstring_examples_run(name, need_packages_of):
    need_packages_of(name)
    thing = resolve(name) if name in public_names() else None
    if thing is None:
        owner, _, method = name.rpartition(".")
        thing = getattr(resolve(owner), method)
    finder = doctest.DocTestFinder(recurse=False)
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(optionflags=options, verbose=False)
    reports: list[str] = []
    for test in finder.find(thing, name):
        runner.run(test, out=reports.append)
    assert not runner.summarize(verbose=False).failed, "".join(reports)


@pytest.mark.parametrize("name", [*public_names(), *public_methods()])
def test_docstrings_are_numpydoc(name):
    problems = [
        f"{code}: {message}"
        for code, message in validate(name)["errors"]
        if code not in NOT_CHECKED
    ]
    assert not problems, problems


@pytest.mark.parametrize("name", public_names())
def test_public_names_have_examples(name):
    if name.split(".")[1] in NEEDS_NO_EXAMPLE:
        return
    assert ">>> " in resolve(name).__doc__


def test_every_public_name_is_in_the_api_page():
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"^    (\w+(?:\.\w+)?)$", page, re.MULTILINE))
    assert listed == {name.removeprefix("sersk.") for name in public_names()}


def test_set_up_commands_are_those_that_ci_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line for line in text.splitlines() if line.startswith("python3 -m venv")]
    assert [command.rpartition("&& ")[2] for command in commands] == ["sersk demo", "pytest"]


# ------------------------------------------------------------------------------------------ links

MARKDOWN_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
NAMED_FILE = re.compile(
    r"\b(?:benchmarks|docs|examples|sersk|tests)/[\w./-]*\w\.(?:json|md|png|py|rst|toml)"
)
LINKING = [*PAGES, *sorted(ROOT.glob("benchmarks/**/*.md")), *sorted(ROOT.glob("examples/**/*.py"))]


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_are_there(page):
    """Links within the repository; what Sphinx resolves by itself is an error of its build."""
    text = page.read_text(encoding="utf-8")
    linked = {page.parent / name for name in MARKDOWN_LINK.findall(text) if page.suffix == ".md"}
    named = {ROOT / name for name in NAMED_FILE.findall(text)}
    assert [str(path) for path in sorted(linked | named) if not path.exists()] == []
