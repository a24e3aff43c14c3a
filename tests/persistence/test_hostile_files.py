"""Files that are damaged, forged, or no models at all: no code of theirs is ever run."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import sersk
from sersk.exceptions import ModelFileError
from sersk.neural_network import CNNClassifier
from sersk.persistence._container import read_members, write_container
from sersk.persistence._schema import children_of

MUTANTS = Path(__file__).with_name("mutants.py")
N_MUTANTS = 200


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small model as a file: of an SVM in a pipeline."""
    path = tmp_path_factory.mktemp("models") / "model.skops"
    sersk.save(SVC(kernel="linear").fit(np.eye(6), ["anger", "fear", "neutral"] * 2), path)
    return path


def parts_of(path):
    members, manifest = read_members(path.read_bytes(), path)
    return json.loads(members.pop("schema.json")), members, manifest


def forge(source, target, edit):
    """Edit the description or the arrays, and sign them anew: as somebody would who knows how."""
    schema, members, manifest = parts_of(source)
    edit(schema, members)
    facts = {"card": manifest["card"]}
    write_container(target, {"schema.json": json.dumps(schema).encode(), **members}, facts)


def repack(source, target, members, compression=zipfile.ZIP_DEFLATED):
    """Write a file with other members beside those of a model, unchecked."""
    with zipfile.ZipFile(source) as archive:
        kept = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(target, "w", compression) as archive:
        for name, content in {**kept, **members}.items():
            if content is not None:
                archive.writestr(name, content)


def named(node, name):
    return node["content"]["content"][name]


# --------------------------------------------------------------------------------- no model at all


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (pickle.dumps(Bomb()), "looks like a pickle"),
        (pickle.dumps(Bomb(), protocol=0), "is no model file|looks like a pickle"),
        (b"#!/bin/sh\nmkdir exploded\n", "is no model file"),
        (b"PK\x03\x04 and nothing else", "damaged"),
    ],
    ids=["empty", "pickle", "old pickle", "script", "half a zip"],
)
def test_no_model_files(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("model.skops").write_bytes(content)
    for read in (sersk.load, sersk.read_card):
        with pytest.raises(ModelFileError, match=message):
            read("model.skops")
    assert os.listdir() == ["model.skops"]


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        sersk.load(tmp_path / "gone.skops")
    with pytest.raises(IsADirectoryError):
        sersk.load(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelFileError, match="pipe"):
        sersk.load(tmp_path / "pipe")


def test_a_file_of_skops_own(tmp_path):
    skops.io.dump(SVC().fit(np.eye(4), [0, 1, 0, 1]), tmp_path / "model.skops")
    with pytest.raises(ModelFileError, match=r"no sersk\.json.*skops\.io\.load"):
        sersk.load(tmp_path / "model.skops")


# ----------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"../../evil.npy": b"x"}, "none that sersk.save writes"),
        ({"/etc/evil.npy": b"x"}, "none that sersk.save writes"),
        ({"evil.py": b"x"}, "none that sersk.save writes"),
        ({"0.npy": None}, "'0.npy' is missing"),
        ({"schema.json": None}, r"no schema\.json"),
        ({"sersk.json": None}, r"no sersk\.json"),
        ({"sersk.json": b"{"}, "damaged"),
        ({"sersk.json": b"[]"}, "not what sersk.save writes"),
        ({"sersk.json": b'{"format": 99, "sha256": {}}'}, "install a newer"),
        ({"sersk.json": b'{"format": true, "sha256": {}}'}, "gives the format True"),
        ({"sersk.json": b'{"format": 1, "sha256": {}}'}, "is missing, or not in"),
        ({"0.npy": b"other weights"}, "its checksum is another"),
        ({"77.npy": b"more weights"}, "'77.npy' is missing, or not in"),
        ({"0.npy": bytes(2**26)}, "would unpack to"),
    ],
)
def test_archives_that_sersk_did_not_write(members, message, small, tmp_path):
    repack(small, tmp_path / "model.skops", members)
    with pytest.raises(ModelFileError, match=message):
        sersk.load(tmp_path / "model.skops")


def test_an_archive_that_lies_about_its_size(small, tmp_path):
    """A bomb that says it is small is not unpacked beyond what it says."""
    repack(small, tmp_path / "model.skops", {"0.npy": bytes(2**26)})
    content = bytearray((tmp_path / "model.skops").read_bytes())
    place = content.index(b"PK\x01\x02")
    while content[place + 46 : place + 51] != b"0.npy":
        place = content.index(b"PK\x01\x02", place + 1)
    content[place + 24 : place + 28] = struct.pack("<I", 100)
    (tmp_path / "model.skops").write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged"):
        sersk.load(tmp_path / "model.skops")


def test_links_and_doubles(small, tmp_path):
    link = zipfile.ZipInfo("9.npy")
    link.external_attr = 0o120777 << 16
    target = tmp_path / "model.skops"
    target.write_bytes(small.read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ModelFileError, match="none that sersk"):
        sersk.load(target)
    target.write_bytes(small.read_bytes())
    with zipfile.ZipFile(target, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("0.npy", b"another")
    with pytest.raises(ModelFileError, match="same name"):
        sersk.load(target)


def test_checksum_of_the_file(small, tmp_path):
    checksum = sersk.save(SVC().fit(np.eye(4), [0, 1, 0, 1]), tmp_path / "other.skops")
    assert sersk.load(tmp_path / "other.skops", sha256=checksum)
    with pytest.raises(ModelFileError, match=f"not {checksum}"):
        sersk.load(small, sha256=checksum)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        sersk.load(small, sha256="abc")


# ------------------------------------------------------------------------------------- descriptions

PLAIN = {"__module__": "builtins", "__class__": "str", "__loader__": "JsonNode", "is_json": True}
NOTHING = {**PLAIN, "content": "null", "__id__": 10**6}
COMMAND = {**PLAIN, "content": '"mkdir exploded"', "__id__": 10**6 + 1}
TEXT = {"__module__": "builtins", "__class__": "tuple", "__loader__": "TupleNode",
        "content": [COMMAND], "__id__": 10**6 + 2}  # fmt: skip

FOREIGN = {
    "function": {"__module__": "os", "__class__": "system", "__loader__": "FunctionNode"},
    "type": {"__module__": "subprocess", "__class__": "Popen", "__loader__": "TypeNode"},
    "object": {"__module__": "pathlib", "__class__": "Path", "__loader__": "ObjectNode"},
    "call": {"__module__": "os", "__class__": "system",
             "__loader__": "ConstructorFromReduceNode", "content": TEXT},
    "trusted class, called": {"__module__": "sersk.preprocessing", "__class__": "AudioReader",
                              "__loader__": "ConstructorFromReduceNode", "content": TEXT},
    "container": {"__module__": "subprocess", "__class__": "getoutput", "__loader__": "ListNode",
                  "content": [COMMAND]},
    "scalar": {"__module__": "numpy", "__class__": "load", "__loader__": "NdArrayNode",
               "type": "numpy", "file": "0.npy"},
    "loader of numpy": {"__module__": "numpy", "__class__": "load", "__loader__": "FunctionNode"},
    "method": {"__module__": "sersk.preprocessing", "__class__": "AudioReader",
               "__loader__": "MethodNode", "content": {"func": "fit", "obj": NOTHING}},
    "partial": {"__module__": "functools", "__class__": "partial", "__loader__": "PartialNode",
                "content": {"func": {"__module__": "os", "__class__": "system",
                                     "__loader__": "FunctionNode", "__id__": 10**6 + 3},
                            "args": TEXT, "kwds": NOTHING, "namespace": NOTHING}},
    "unknown kind": {"__module__": "os", "__class__": "system", "__loader__": "EvilNode"},
    "reader of files": {"__module__": "sklearn.feature_extraction.text",
                        "__class__": "CountVectorizer", "__loader__": "ObjectNode"},
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_types_are_named_and_never_made(kind, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    node = {"__id__": 10**6 + 9, **FOREIGN[kind]}

    def edit(schema, members):
        schema["content"]["content"]["C"] = node

    forge(small, "model.skops", edit)
    with pytest.raises(ModelFileError, match=f"does not trust.*{node['__class__']}"):
        sersk.load("model.skops")
    assert os.listdir() == ["model.skops"]


def test_two_nodes_of_one_identity(small, tmp_path):
    """skops takes the first for the second: one type may not hide behind another."""

    def edit(schema, members):
        named(schema, "C")["__id__"] = named(schema, "kernel")["__id__"]

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError, match="two nodes of one identity differ"):
        sersk.load(tmp_path / "model.skops")


def test_a_model_in_itself_ends(small, tmp_path):
    def edit(schema, members):
        inner = copy.deepcopy(schema)
        inner["content"] = {**NOTHING}
        schema["content"]["content"]["C"] = inner

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError):
        sersk.load(tmp_path / "model.skops")


def test_a_description_without_end(small, tmp_path):
    def edit(schema, members):
        node = NOTHING
        for number in range(400):
            node = {"__module__": "builtins", "__class__": "list", "__loader__": "ListNode",
                    "content": [node], "__id__": 10**7 + number}  # fmt: skip
        schema["content"]["content"]["C"] = node

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError, match="nested more than"):
        sersk.load(tmp_path / "model.skops")


def test_no_model_but_a_list(small, tmp_path):
    def edit(schema, members):
        root = {"__module__": "builtins", "__class__": "list", "__loader__": "ListNode"}
        schema.update({**root, "content": []})
        members.clear()

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError, match="no model but a ListNode"):
        sersk.load(tmp_path / "model.skops")


def test_a_file_may_not_choose_where_a_model_writes(boosted, tmp_path):
    path = tmp_path / "model.skops"
    sersk.save(boosted, path)

    def edit(schema, members):
        for node in every_node(schema):
            if node["__class__"] == "PerClip":
                node["content"]["content"]["memory"] = {**COMMAND, "content": '"/elsewhere"'}

    forge(path, path, edit)
    with pytest.raises(ModelFileError, match="PerClip has memory set"):
        sersk.load(path)


def every_node(node):
    yield node
    for child in children_of(node):
        yield from every_node(child)


# ------------------------------------------------------------- what compiled code would not look at


def rewrite_array(members, name, change):
    array = np.load(io.BytesIO(members[name]))
    file = io.BytesIO()
    np.save(file, change(array))
    members[name] = file.getvalue()


def test_support_vectors_that_are_not_there(small, tmp_path):
    def edit(schema, members):
        file = named(schema, "_n_support")["file"]
        rewrite_array(members, file, lambda counts: np.full_like(counts, 10**6))

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError, match="do not agree"):
        sersk.load(tmp_path / "model.skops")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("left_child", 10**6, "not there, or that is its own ancestor"),
        ("left_child", 0, "not there, or that is its own ancestor"),
        ("feature", 10**6, "feature that there is not"),
    ],
)
def test_trees_that_lead_nowhere(field, value, message, tmp_path, rng):
    path = tmp_path / "model.skops"
    X, y = rng.normal(size=(30, 4)), np.arange(30) % 3
    sersk.save(RandomForestClassifier(n_estimators=1, random_state=0).fit(X, y), path)

    def edit(schema, members):
        (tree,) = [node for node in every_node(schema) if node["__loader__"] == "TreeNode"]

        def change(nodes):
            nodes[field][0] = value
            return nodes

        rewrite_array(members, named(tree, "nodes")["file"], change)

    forge(path, path, edit)
    with pytest.raises(ModelFileError, match=message):
        sersk.load(path)


def test_boosted_trees_that_lead_nowhere(boosted, tmp_path):
    path = tmp_path / "model.skops"
    sersk.save(boosted, path)

    def edit(schema, members):
        tree = next(node for node in every_node(schema) if node["__class__"] == "TreePredictor")

        def change(nodes):
            nodes["left"][0] = 10**6
            return nodes

        rewrite_array(members, named(tree, "nodes")["file"], change)

    forge(path, path, edit)
    with pytest.raises(ModelFileError, match="a child that is not there"):
        sersk.load(path)


def test_a_net_that_is_larger_than_its_weights(tmp_path, rng):
    """No memory is taken for a net that a file only claims to hold."""
    path = tmp_path / "model.skops"
    X, y = rng.normal(size=(12, 1, 8, 9)).astype(np.float32), np.arange(12) % 3
    sersk.save(CNNClassifier(filters=(4,), max_epochs=1, random_state=0).fit(X, y), path)
    for option, value in {"filters": 10**9, "convs_per_block": 10**9}.items():

        def edit(schema, members, option=option, value=value):
            node = named(schema, "_options")["content"][option]
            if option == "filters":
                node["content"], node["__id__"] = [dict(node["content"][0])], 10**6
                (node,) = node["content"]
            node["content"], node["__id__"] = str(value), 10**6 + 1

        forge(path, tmp_path / "forged.skops", edit)
        with pytest.raises(ModelFileError, match="weights"):
            sersk.load(tmp_path / "forged.skops")


def test_an_array_that_is_larger_than_its_file(small, tmp_path):
    def edit(schema, members):
        name = named(schema, "support_vectors_")["file"]
        members[name] = members[name].replace(b"(6, 6)", b"(9, 9)")

    forge(small, tmp_path / "model.skops", edit)
    with pytest.raises(ModelFileError, match="not of the size that it gives"):
        sersk.load(tmp_path / "model.skops")


# ---------------------------------------------------------------------------------------- mutants


def test_mutants(boosted, tmp_path):
    """Damage is noticed or changes nothing; forgeries fail or load as what they say; none runs."""
    sersk.save(boosted, tmp_path / "model.skops")
    done = subprocess.run(
        [sys.executable, str(MUTANTS), str(tmp_path / "model.skops"), str(N_MUTANTS)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert sum(counts.values()) == N_MUTANTS
    # The mutants reach into the model, and not all of them far.
    assert counts["refused"] > N_MUTANTS // 2
    assert counts["loaded"] > 0
    assert sorted(os.listdir(tmp_path)) == ["model.skops", "mutant.skops"]
