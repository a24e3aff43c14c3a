"""The description of a model in its file: made public at saving, looked through at loading.

skops describes a model as a tree of nodes. Each kind of node calls something when the model is
built, and skops' own audit looks at names alone. Here, kind, name and form of every node are
checked against what a model of sersk can be, before skops sees any of it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from ._content import check_array, check_object, check_tree
from ._trusted import public_module, trusted_names

Node: TypeAlias = dict[str, Any]

_MAX_DEPTH = 200

# Parameters that say where and how fast, not what: they hold folders and machines of whoever
# trained, and callbacks of a training that is over.
_NOTHING = ("callbacks", "checkpoint_dir", "memory", "n_jobs", "tensorboard_dir", "verbose")
# Dictionaries of such parameters: FineTunedClassifier's.
_OF_PARAMETERS = "changes"
_NETS = "sersk.neural_network."
# Samplers do nothing when a model predicts, and learn anew when it is fitted: what they keep of the
# training data is not for others. Of this they keep what check_is_fitted looks for.
_SAMPLERS, _PIPELINE = "imblearn.", "imblearn.pipeline."
_OF_SAMPLERS = ("feature_names_in_", "n_features_in_", "sampling_strategy_")


class ForeignTypesError(ValueError):
    """Types stand in a model that are not trusted.

    Parameters
    ----------
    names : iterable of str
        Their names.
    """

    def __init__(self, names: set[str]) -> None:
        super().__init__(names)
        self.names = sorted(names)


def settle(state: Node, arrays: Mapping[str, bytes]) -> tuple[Node, dict[str, bytes]]:
    """Take machine and chance out of what skops wrote, and use public names.

    Parameters
    ----------
    state : node
        The root, changed in place.
    arrays : mapping of str to bytes
        The arrays that belong to it.

    Returns
    -------
    state : node
        The root.
    arrays : dict of str to bytes
        Those that are still named, each once, and by number.
    """
    numbers: dict[int | str, int] = {}
    kept: dict[str, bytes] = {}
    named: dict[bytes, str] = {}

    def visit(node: Node) -> None:
        # Numbers in order in place of addresses: the same model is the same file.
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
        node["__module__"] = public_module(node["__module__"], node["__class__"])
        if node["__loader__"] == "ObjectNode" and isinstance(node.get("content"), dict):
            _forget(node["content"], f"{node['__module__']}.{node['__class__']}")
        if "file" in node:
            content = arrays[node["file"]]
            digest = hashlib.sha256(content).digest()
            node["file"] = named.setdefault(digest, f"{len(named)}.npy")
            kept[node["file"]] = content
        for child in children_of(node):
            visit(child)

    visit(state)
    return state, kept


def _forget(attributes: Node, owner: str) -> None:
    """Reset parameters of the machine, in the attributes of an object."""
    content = attributes.get("content")
    if attributes.get("__loader__") != "DictNode" or not isinstance(content, dict):
        return
    if owner.startswith(_SAMPLERS) and not owner.startswith(_PIPELINE):
        _drop(attributes, [key for key in content if key.endswith("_") and key not in _OF_SAMPLERS])
    for key, node in content.items():
        name = key.rpartition("__")[2]
        if key == _OF_PARAMETERS:
            _forget(node, owner)
        elif name in _NOTHING:
            content[key] = _plain(_default_of(name, node))
        elif name == "device" and not (_is_json(node, '"cpu"') or _is_json(node, "null")):
            content[key] = _plain('"auto"' if owner.startswith(_NETS) else '"cpu"')
        elif name == "failed_" and node["__loader__"] == "DictNode":
            node["content"] = {}
            node["key_types"]["content"] = []
        elif name == "folder" and owner == "sersk.augmentation.BackgroundNoise":
            content[key] = _plain(json.dumps(_last_part(node)))


def _default_of(name: str, node: Node) -> str:
    """Give what skops would write of a parameter that is not set."""
    if name != "verbose":
        return "null"
    # A flag for some, a number for others, and each refuses the other's.
    return "false" if node.get("content") in ("true", "false") else "0"


def _drop(attributes: Node, names: list[str]) -> None:
    """Take attributes out; the types of the names stand beside them in the same order."""
    kept = [key not in names for key in attributes["content"]]
    types = attributes["key_types"]
    # Where others of the same types stand, they are one object no more.
    attributes["key_types"] = {
        **types,
        "__id__": f"key types of {attributes['__id__']}",
        "content": [node for node, keep in zip(types["content"], kept, strict=True) if keep],
    }
    for name in names:
        del attributes["content"][name]


def _is_json(node: Node, content: str) -> bool:
    return bool(node["__loader__"] == "JsonNode" and node["content"] == content)


def _plain(content: str) -> Node:
    # An identity of its own: that of the old value may be shared with one that stays.
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": content,
        "is_json": True,
        "__id__": content,
    }


def _last_part(node: Node) -> str:
    """Give the name of a folder without where it lies."""
    while node["__loader__"] != "JsonNode":
        parts = list(children_of(node))
        if not parts:
            return "noise"
        node = parts[-1]
    return os.path.basename(os.path.normpath(str(json.loads(node["content"])))) or "noise"


def children_of(node: Node) -> Iterator[Node]:
    """Give the nodes below one.

    Parameters
    ----------
    node : node
        Of any kind that skops writes.

    Yields
    ------
    child : node
        In the order of the file.
    """
    loader, content = node["__loader__"], node.get("content")
    if loader == "DictNode":
        yield node["key_types"]
        yield from content.values()  # type: ignore[union-attr]
    elif loader in ("ListNode", "SetNode", "TupleNode"):
        yield from content  # type: ignore[misc]
    elif loader == "NdArrayNode":
        if node["type"] == "json":
            yield from content  # type: ignore[misc]
            yield node["shape"]
    elif loader == "RandomGeneratorNode":
        yield content["bit_generator"]  # type: ignore[index]
        yield content["seed_seq"]  # type: ignore[index]
    elif loader in ("LossNode", "TreeNode"):
        yield content  # type: ignore[misc]
        yield node["__reduce__"]["args"]
    elif loader not in ("JsonNode", "FunctionNode", "TypeNode", "SliceNode") and content:
        # Kinds that are refused, too: what is in them is named as well.
        yield from _nodes_in(content)


def _nodes_in(content: Any) -> Iterator[Node]:
    if isinstance(content, dict):
        if isinstance(content.get("__loader__"), str):
            yield content
        else:
            for value in content.values():
                yield from _nodes_in(value)
    elif isinstance(content, list):
        for value in content:
            yield from _nodes_in(value)


def audit(state: Node, arrays: Mapping[str, bytes]) -> list[str]:
    """Look through the description of a model.

    Parameters
    ----------
    state : node
        The root.
    arrays : mapping of str to bytes
        The arrays that belong to it.

    Returns
    -------
    names : list of str
        All types that occur: nothing else need be trusted.

    Raises
    ------
    ForeignTypesError
        If there are types that are not trusted.
    Exception
        Of many kinds, if it is no description of a model.
    """
    for name, content in arrays.items():
        check_array(content, name)
    auditor = _Auditor(arrays)
    auditor.visit(state, 0)
    if auditor.foreign:
        raise ForeignTypesError(auditor.foreign)
    if state["__loader__"] != "ObjectNode":
        raise ValueError(f"it holds no model but a {state['__loader__']}")
    return sorted(auditor.names)


class _Auditor:
    def __init__(self, arrays: Mapping[str, bytes]) -> None:
        self.arrays = arrays
        self.names: set[str] = set()
        self.foreign: set[str] = set()
        self._first: dict[int, Node] = {}

    def visit(self, node: Any, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
        if not isinstance(node, dict):
            raise TypeError(f"a node is expected where {type(node).__name__} stands")
        loader = node["__loader__"]
        name = f"{node['__module__']}.{node['__class__']}"
        if not all(isinstance(node[part], str) for part in ("__module__", "__class__")):
            raise TypeError("a type has no name")
        if name not in trusted_names(loader):
            self.foreign.add(name if loader == "ObjectNode" else f"{name} ({loader})")
        self.names.add(name)
        self._look_at_identity(node)
        for child in children_of(node):
            self.visit(child, depth + 1)
        if not self.foreign:
            self._look_at_content(node, loader, name)

    def _look_at_identity(self, node: Node) -> None:
        """See that nodes that are to be one object look the same.

        skops builds the first and takes it for the others: without this law, a short file could
        describe an endless or a vast model, and hide one type behind another.
        """
        number = node["__id__"]
        if not isinstance(number, int) or isinstance(number, bool):
            raise TypeError(f"a node has the identity {number!r}")
        first = self._first.setdefault(number, node)
        if first is not node and not _look_alike(first, node):
            raise ValueError("two nodes of one identity differ")

    def _look_at_content(self, node: Node, loader: str, name: str) -> None:
        if loader == "ObjectNode" and "content" in node:
            attributes = node["content"]
            if _is_json(attributes, "null"):
                return  # an object without attributes
            if attributes["__loader__"] != "DictNode":
                raise TypeError(f"{name} has a {attributes['__loader__']} for attributes")
            _refuse_folders(attributes["content"], name)
            check_object(name, attributes["content"], self.arrays)
        elif loader == "TreeNode":
            check_tree(node, self.arrays)
        elif loader == "NdArrayNode" and node["type"] == "numpy":
            self.arrays[node["file"]]


def _look_alike(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        ignored: tuple[str, ...] = ()
        if isinstance(one.get("__loader__"), str):
            # A net gives its weights anew each time that it is asked.
            ignored = ("__id__", "file")
        return one.keys() == other.keys() and all(
            _look_alike(one[key], other[key]) for key in one if key not in ignored
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_look_alike, one, other))
    return type(one) is type(other) and bool(one == other)


def _refuse_folders(attributes: Mapping[str, Any], owner: str) -> None:
    """A file must not choose where a model writes, nor what runs beside it."""
    for key, node in attributes.items():
        name = key.rpartition("__")[2]
        if key == _OF_PARAMETERS and node["__loader__"] == "DictNode":
            _refuse_folders(node["content"], owner)
        elif name in _NOTHING and not _is_json(node, _default_of(name, node)):
            raise ValueError(f"{owner} has {name} set, which sersk.save does not write")
