"""A thousand mutations of each of three model files: none may run code, hang, or fail unclearly.

    python benchmarks/fuzz_models.py

The mutations are those of ``tests/persistence/mutants.py``: half of them damage bytes, half change
the description or the arrays and are signed again, as a forger would. What is not allowed ends the
script with an error.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _tools import RESULTS, machine

N_MUTATIONS = 1_000
SCRIPT = Path(__file__).parents[1] / "tests" / "persistence" / "mutants.py"

PREPARE = """
import sys, warnings
import sersk
from sersk.datasets import make_emotional_speech, write_corpus
from sersk.recipes import (
    conv1d_time_domain, crnn_svm_ensemble, svm_functionals
)
from sersk.recipes._prepare import with_calibration
warnings.simplefilter("ignore")
folder = sys.argv[1]
corpus = make_emotional_speech(n_speakers=4, n_sentences=1, repetitions=1, random_state=0)
corpus = write_corpus(corpus, folder + "/corpus")
models = {
    "a classical one, calibrated": with_calibration(svm_functionals(n_mfcc=5), 0),
    "a net": conv1d_time_domain(max_epochs=1),
    "an ensemble": crnn_svm_ensemble(
        n_nets=2, max_epochs=1, filters=(4, 4, 4, 4), hidden_sizes=(4,)
    ),
}
for name, model in models.items():
    model.fit(corpus.data, corpus.target)
    sersk.save(model, f"{folder}/{name}.skops", corpus=corpus)
"""


def main() -> None:
    lines = [
        "# Mutations of model files",
        "",
        f"`python benchmarks/fuzz_models.py` on {machine()}.",
        "",
        "| file | size | mutations | refused with ModelFileError | loaded to the same types | "
        "time each |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", PREPARE, folder], check=True)
        for path in sorted(Path(folder).glob("*.skops")):
            started = time.perf_counter()
            done = subprocess.run(
                [sys.executable, str(SCRIPT), str(path), str(N_MUTATIONS)],
                capture_output=True, text=True, cwd=folder,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{path.stem}: {done.stderr}")
            counts = json.loads(done.stdout)
            each = (time.perf_counter() - started) / N_MUTATIONS
            lines.append(
                f"| {path.stem} | {path.stat().st_size / 1024:.0f} KiB | {sum(counts.values())} | "
                f"{counts['refused']} | {counts['loaded']} | {1000 * each:.0f} ms |"
            )
            path.with_name("mutant.skops").unlink()
    lines += [
        "",
        "None ran code, started a process, wrote a file or took longer than 20 s: an audit hook of",
        "Python and an alarm watched. Half of the mutations damage bytes, half change description",
        "or arrays and sign them again.",
        "",
    ]
    (RESULTS / "fuzz_models.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
