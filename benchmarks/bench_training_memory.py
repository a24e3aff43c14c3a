"""How much memory training takes above the clips themselves.

    python benchmarks/bench_training_memory.py

Each net is trained in a process of its own on 1 GB of frames; counted is the largest memory of the
process above that with the clips in place.
"""

from __future__ import annotations

from _tools import run_python, write_table

CODE = """
import resource, sys
import numpy as np
from sersk.neural_network import CNNClassifier, CRNNClassifier, RNNClassifier

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

shape = (8000, 64, 500) if sys.argv[2] == "frames" else (8000, 1, 64, 500)
rng = np.random.default_rng(0)
y = np.arange(8000) % 4
kind = {"CNN": CNNClassifier, "CRNN": CRNNClassifier, "RNN": RNNClassifier}[sys.argv[1]]
options = {"RNN": {"hidden_sizes": (8,)}}.get(sys.argv[1], {"filters": (4,), "pool_sizes": 4})
if sys.argv[1] == "CRNN":
    options["hidden_sizes"] = (8,)
net = kind(max_epochs=1, random_state=0, **options)
net.fit(rng.normal(size=(64, *shape[1:])).astype(np.float32), y[:64])
X = np.empty(shape, np.float32)
for row in X:
    row[...] = rng.normal(size=row.shape)
before = peak()
net.fit(X, y)
print(before, peak() - before, X.nbytes / 2**20)
"""


def main() -> None:
    rows: list[list[object]] = []
    for net, kind in (("CRNN", "images"), ("CNN", "images"), ("RNN", "frames")):
        before, above, size = map(float, run_python(CODE, net, kind).split())
        cells = [f"{size:.0f}", f"{before:.0f}", f"{above:.0f}", f"{above / size:.2f}"]
        rows.append([net, kind, *cells])
    write_table(
        "training_memory",
        "Memory of training",
        ["net", "input", "clips, MiB", "process before, MiB", "above, MiB", "above / clips"],
        rows,
        "float32 clips without padding, one epoch, batches of 64. Before: after a first fit on 64 "
        "clips, with the clips in place.",
    )


if __name__ == "__main__":
    main()
