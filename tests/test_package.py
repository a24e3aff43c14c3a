"""The package as a whole: what it loads, what it shows, which way imports run."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sersk

PACKAGE = Path(sersk.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the top floor to the ground: a room imports from the rooms below it only.
FLOORS = (
    {"__main__"},
    {"cli"},
    {"persistence"},
    {"recipes"},
    {"model_selection"},
    {"inspection"},
    {"neural_network"},
    {"augmentation"},
    {"feature_extraction"},
    {"preprocessing"},
    {"datasets"},
    {"metrics"},
    {"_utils"},
    {"exceptions"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

HEAVY = ("numpy", "scipy", "pandas", "sklearn", "imblearn", "librosa", "torch", "matplotlib")


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> set[str]:
    """Rooms of sersk that a module imports, at the top or inside a function."""
    package = ("sersk", *module.relative_to(PACKAGE).parts[:-1])
    names = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = list(package[: len(package) - node.level + 1]) if node.level else []
            source = above + (node.module.split(".") if node.module else [])
            names += [[*source, alias.name] for alias in node.names]
    return {name[1] for name in names if name[0] == "sersk" and len(name) > 1} - {"__version__"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downwards(module):
    room = room_of(module)
    if room == "__init__":
        assert not imported_rooms(module)
        return
    for other in imported_rooms(module) - {room}:
        assert FLOOR_OF[other] > FLOOR_OF[room], f"{room} must not import {other}"


def test_every_room_has_a_floor():
    assert {room_of(module) for module in MODULES} - {"__init__"} <= FLOOR_OF.keys()


def test_the_floors_would_show_an_upward_import(tmp_path, monkeypatch):
    module = tmp_path / "metrics.py"
    module.write_text("def f():\n    from .model_selection import ProtocolSplit\n")
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert imported_rooms(module) == {"model_selection"}
    assert FLOOR_OF["model_selection"] < FLOOR_OF[room_of(module)]


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.strip()


def test_import_loads_nothing_heavy():
    loaded = run_python(
        "import sys, sersk, sersk.datasets, sersk.preprocessing, sersk.feature_extraction, "
        "sersk.augmentation, sersk.model_selection, sersk.inspection, sersk.metrics, "
        "sersk.persistence, sersk.recipes\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded == ""


def test_help_loads_nothing_heavy():
    loaded = run_python(
        "import sys\nfrom sersk.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.splitlines()[-1] == "LOADED"


def rooms() -> list[str]:
    public = [name for name in sersk.__all__ if not name.startswith("_")]
    return [name for name in public if inspect.ismodule(getattr(sersk, name))]


@pytest.mark.parametrize("room", rooms())
def test_every_public_name_is_there(room):
    module = importlib.import_module(f"sersk.{room}")
    assert module.__all__
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name).__doc__


def test_the_rooms_are_those_with_public_names():
    assert set(rooms()) == {room_of(module) for module in MODULES} - {
        "__init__", "__main__", "_utils", "cli",
    }  # fmt: skip


def test_type_hints_are_announced():
    assert (PACKAGE / "py.typed").exists()
