"""A script: load a model file after seeded mutations of it, and count what comes of them.

Anything but a model of the types that it had, or a `ModelFileError`, ends it: another exception,
code that is run, a file that is written, or a load that takes long.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import warnings
from pathlib import Path

from sklearn.base import BaseEstimator

import sersk
from sersk.exceptions import ModelFileError
from sersk.persistence._container import read_members, write_container

_SECONDS = 20
_FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.")
_VALUES = (
    None, True, -1, 0, 2**31, 10**12, 1e308, "", "null", "NaN", "[]", "os", "system", "numpy",
    "load", "builtins", "eval", "ObjectNode", "FunctionNode", "TypeNode", "../0.npy", "0.npy",
    [], {}, [[]], {"__id__": 1},
)  # fmt: skip


class Violation(BaseException):
    """What no `except Exception` can hide."""


def damage(content: bytes, chance: random.Random) -> bytes:
    """Change bytes, as a disk or a wire does."""
    kind = chance.choice(("flip", "cut", "drop", "swap"))
    place = chance.randrange(len(content))
    if kind == "flip":
        return (
            content[:place]
            + bytes([content[place] ^ 1 << chance.randrange(8)])
            + content[place + 1 :]
        )
    if kind == "cut":
        return content[:place]
    other = min(len(content), place + chance.randrange(1, 100))
    if kind == "drop":
        return content[:place] + content[other:]
    return content[:place] + content[place:other][::-1] + content[other:]


def forge(path: Path, chance: random.Random, target: Path) -> None:
    """Change the description or arrays, and sign what comes of it, as a forger would."""
    members, manifest = read_members(path.read_bytes(), path)
    schema = json.loads(members["schema.json"])
    kind = chance.choice(("array", "arrays", "value", "value", "anything", "anything"))
    names = [name for name in members if name.endswith(".npy")]
    one, other = chance.sample(names, 2)
    if kind == "array":
        members[one] = damage(members[one], chance)
    elif kind == "arrays":
        members[one], members[other] = members[other], members[one]
    elif kind == "value":
        # Another value in a node that stays whole, and is shared with no other.
        found = [owner[key] for owner, key in places(schema) if is_value(owner[key])]
        content = json.dumps(chance.choice(_VALUES))
        chance.choice(found).update({"content": content, "__id__": 10**9})
    else:
        for _ in range(chance.choice((1, 1, 1, 3))):
            owner, key = chance.choice(list(places(schema)))
            if chance.random() < 0.2:
                del owner[key]
            elif chance.random() < 0.4:
                source, name = chance.choice(list(places(schema)))
                owner[key] = json.loads(json.dumps(source[name]))
            else:
                owner[key] = chance.choice(_VALUES)
    members["schema.json"] = json.dumps(schema).encode()
    write_container(target, members, {"card": manifest["card"]})


def is_value(node):
    return isinstance(node, dict) and node.get("__loader__") == "JsonNode"


def places(value):
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(items):
        yield value, key
        if isinstance(child, (dict, list)):
            yield from places(child)


def types_in(value, depth=0):
    """Give the types of estimators in a model, however deep."""
    if depth > 12:
        return
    if isinstance(value, BaseEstimator):
        yield type(value)
        value = value.__dict__
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for child in value:
            yield from types_in(child, depth + 1)


def main(path: Path, number: int) -> dict[str, int]:
    warnings.simplefilter("ignore")
    target = path.with_name("mutant.skops")
    expected = set(types_in(sersk.load(path)))
    watching = False

    def watch(event, arguments):
        if not watching:
            return
        writes = (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        )
        if writes or event.startswith(_FORBIDDEN):
            raise Violation(f"{event}{arguments}")

    def ring(*_):
        raise Violation(f"no answer for {_SECONDS} s")

    sys.addaudithook(watch)
    signal.signal(signal.SIGALRM, ring)
    counts = {"refused": 0, "loaded": 0}
    for seed in range(number):
        chance = random.Random(seed)
        damaged = seed % 2 == 0
        if damaged:
            target.write_bytes(damage(path.read_bytes(), chance))
        else:
            forge(path, chance, target)
        signal.alarm(_SECONDS)
        watching = True
        try:
            model = sersk.load(target)
        except ModelFileError:
            counts["refused"] += 1
        else:
            counts["loaded"] += 1
            found = set(types_in(model))
            if found != expected if damaged else not found <= expected:
                raise Violation(f"mutant {seed} has {found}")
        finally:
            watching = False
            signal.alarm(0)
    return counts


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
