"""Recipes and corpora that cost nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from sersk.datasets import load_csv, make_emotional_speech, write_corpus
from sersk.recipes import _registry

TOY = Path(__file__).with_name("toy_recipes.py")


@pytest.fixture(scope="session")
def toy_module():
    spec = importlib.util.spec_from_file_location("toy_recipes", TOY)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_recipes"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toys(toy_module, monkeypatch, tmp_path):
    """Register the toy recipes; give the file in which their fits are counted."""
    for name, info in toy_module.INFOS.items():
        monkeypatch.setitem(_registry._RECIPES, name, info)
    monkeypatch.setenv(toy_module.LOG, str(tmp_path / "fits.txt"))
    return tmp_path / "fits.txt"


@pytest.fixture(scope="session")
def two_folders(tmp_path_factory):
    """Two small corpora as files, of nine speakers each: enough for intervals."""
    root = tmp_path_factory.mktemp("corpora")
    for seed, name in enumerate(["studio", "street"]):
        made = make_emotional_speech(
            n_speakers=9,
            n_sentences=2,
            repetitions=1,
            emotions=("anger", "neutral", "sadness"),
            random_state=seed,
        )
        written = write_corpus(made, root / name)
        table = written.frame.drop(columns="corpus")
        table["speaker"] = table["speaker"].str.replace("synthetic", f"voice{seed}")
        table["path"] = [Path(path).name for path in table["path"]]
        table.to_csv(root / name / "corpus.csv", index=False)
    return root


@pytest.fixture(scope="session")
def studio(two_folders):
    return load_csv(two_folders / "studio" / "corpus.csv", name="studio")


@pytest.fixture(scope="session")
def street(two_folders):
    return load_csv(two_folders / "street" / "corpus.csv", name="street")
