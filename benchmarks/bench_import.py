"""How long it takes until sersk answers, against the libraries it stands on."""

from __future__ import annotations

import statistics
import time

from _tools import run_python, write_table

ROUNDS = 7

CASES = {
    "python alone": "",
    "import sersk": "import sersk",
    "sersk --help": "import sys; sys.argv[1:] = ['--help']\nfrom sersk.cli import main\nmain()",
    "import pandas": "import pandas",
    "import sklearn": "import sklearn.base",
    "import librosa, first use": "import librosa; librosa.feature.mfcc",
}


def main() -> None:
    seconds = {name: [] for name in CASES}
    for _ in range(ROUNDS):  # in turn, so that a busy moment hits all of them
        for name, code in CASES.items():
            started = time.perf_counter()
            run_python(code)
            seconds[name].append(time.perf_counter() - started)
    alone = statistics.median(seconds["python alone"])
    ours = statistics.median(seconds["import sersk"]) - alone
    rows = []
    for name, times in seconds.items():
        above = statistics.median(times) - alone
        rows.append(
            [name, f"{above:.3f}", f"{above / ours:.1f}" if name != "python alone" else "-"]
        )
    write_table(
        "import",
        "Time to import",
        ["what", "seconds above python alone", "times import sersk"],
        rows,
        f"Median of {ROUNDS} fresh interpreters each, taken in turn.",
    )


if __name__ == "__main__":
    main()
