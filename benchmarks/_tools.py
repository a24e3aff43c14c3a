"""What the benchmarks share."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def write_table(
    name: str, title: str, header: list[str], rows: list[list[object]], notes: str
) -> None:
    """Print a Markdown table and write it to ``results/<name>.md``."""
    lines = [f"# {title}", "", f"`python benchmarks/bench_{name}.py` on {machine()}.", ""]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    text = "\n".join([*lines, "", notes.strip(), ""])
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
