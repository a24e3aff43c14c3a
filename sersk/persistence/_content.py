"""What a file may say of arrays, trees and support vectors before they are handed on.

Compiled code reads these without looking: an index beyond the end would read the memory behind it,
and a circle in a tree would be walked for ever. So they are looked at here.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_HEADER = 2**16
_LIBSVM = ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM")
# Options of a net that say how often something is repeated, each time with weights of its own.
_REPEATS = ("convs_per_block", "n_blocks")


def check_array(content: bytes, name: str) -> None:
    """See that an array is as large as it says, before memory is taken for it.

    Parameters
    ----------
    content : bytes
        A file of NumPy's format.
    name : str
        Its name.

    Raises
    ------
    ValueError
        If it is not.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"array {name!r} has version {version} of NumPy's format")
    shape, _, dtype = read_header(file, max_header_size=_LARGEST_HEADER)
    if dtype.hasobject:
        raise ValueError(f"array {name!r} holds objects")
    if min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"array {name!r} is not of the size that it gives, {shape}")


def check_object(name: str, attributes: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Look at what compiled code will read without looking.

    Parameters
    ----------
    name : str
        Module and class of the object.
    attributes : mapping of str to node
        Its attributes, as the file gives them.
    members : mapping of str to bytes
        The arrays.

    Raises
    ------
    ValueError
        If an index points beyond what is there.
    """
    if name.endswith(".predictor.TreePredictor"):
        nodes = _value(attributes["nodes"], members)
        _check_children(nodes, nodes["left"], nodes["right"], leaf=nodes["is_leaf"] != 0)
        if nodes["is_categorical"].any():
            raise ValueError("a tree splits by categories, which features of sound are not")
    elif name.startswith("sklearn.ensemble._hist_gradient_boosting.gradient_boosting."):
        _check_boosting(attributes, members)
    elif name.startswith("sklearn.svm._classes.") and name.rpartition(".")[2] in _LIBSVM:
        _check_support_vectors(attributes, members)
    elif name.startswith("sersk.neural_network.") and "_weights" in attributes:
        _check_net(name.rpartition(".")[2], attributes, members)


def check_tree(state: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Look at a tree of scikit-learn, of a forest for one.

    Parameters
    ----------
    state : mapping of str to object
        The node of the tree.
    members : mapping of str to bytes
        The arrays.

    Raises
    ------
    ValueError
        If an index points beyond what is there.
    """
    n_features, n_classes, n_outputs = (
        _value(argument, members) for argument in state["__reduce__"]["args"]["content"]
    )
    attributes = state["content"]["content"]
    nodes = _value(attributes["nodes"], members)
    values = _value(attributes["values"], members)
    leaf = nodes["left_child"] == -1
    _check_children(nodes, nodes["left_child"], nodes["right_child"], leaf=leaf)
    feature = nodes["feature"][~leaf]
    if feature.size and not 0 <= feature.min() <= feature.max() < n_features:
        raise ValueError("a tree asks for a feature that there is not")
    expected = (len(nodes), int(n_outputs), int(np.max(n_classes)))
    if values.shape != expected or _value(attributes["node_count"], members) != len(nodes):
        raise ValueError(f"a tree has values of shape {values.shape}, not {expected}")


def _value(node: Mapping[str, Any], members: Mapping[str, bytes]) -> Any:
    """Read a plain value or an array; nothing else is constructed."""
    if node["__loader__"] == "JsonNode":
        return json.loads(node["content"])
    if node["__loader__"] == "NdArrayNode" and node["type"] == "numpy":
        array = np.load(io.BytesIO(members[node["file"]]), allow_pickle=False)
        return array.item() if not array.ndim else array
    raise ValueError(f"a number or an array is expected, not a {node['__loader__']}")


def _check_children(
    nodes: NDArray[Any], left: NDArray[Any], right: NDArray[Any], *, leaf: NDArray[np.bool_]
) -> None:
    """See that children stand behind their parents: so none is its own ancestor."""
    if nodes.ndim != 1 or not len(nodes):
        raise ValueError("a tree has no nodes")
    number = np.arange(len(nodes))[~leaf]
    for children in (left[~leaf].astype(np.int64), right[~leaf].astype(np.int64)):
        if (children <= number).any() or (children >= len(nodes)).any():
            raise ValueError("a tree has a child that is not there, or that is its own ancestor")


def _check_boosting(attributes: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    if "_predictors" not in attributes:
        return  # not fitted
    n_features = _value(attributes["n_features_in_"], members)
    for trees in attributes["_predictors"]["content"]:
        for tree in trees["content"]:
            nodes = _value(tree["content"]["content"]["nodes"], members)
            asked = nodes["feature_idx"][nodes["is_leaf"] == 0]
            if asked.size and not 0 <= asked.min() <= asked.max() < n_features:
                raise ValueError("a tree asks for a feature that there is not")


def _check_support_vectors(attributes: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    if "support_vectors_" not in attributes:
        return
    names = ("support_", "support_vectors_", "_n_support", "_dual_coef_", "_intercept_")
    support, vectors, counts, weights, intercept = (
        _value(attributes[name], members) for name in names
    )
    probabilities = [_value(attributes[name], members) for name in ("_probA", "_probB")]
    n_classes = len(counts) if "classes_" in attributes else 2
    n_pairs = n_classes * (n_classes - 1) // 2
    n_vectors = len(vectors)
    consistent = (
        vectors.ndim == 2
        and vectors.shape[1] == _value(attributes["n_features_in_"], members)
        and support.shape == (n_vectors,)
        and (counts >= 0).all()
        and (counts.sum() == n_vectors or "classes_" not in attributes)
        and weights.shape == (n_classes - 1, n_vectors)
        and intercept.shape == (n_pairs,)
        and all(each.size in (0, n_pairs) for each in probabilities)
        and _value(attributes["kernel"], members) != "precomputed"
    )
    if not consistent:
        raise ValueError("the support vectors of an SVM, their weights and numbers do not agree")


def _check_net(name: str, attributes: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """See that a net has the sizes of its weights, before memory is taken for it."""
    import torch

    from .. import neural_network

    options = _plain(attributes["_options"], members)
    weights = {key: _value(w, members) for key, w in attributes["_weights"]["content"].items()}
    for option in _REPEATS:
        if options.get(option, 0) > len(weights):
            raise ValueError(f"a net has {option}={options[option]} and {len(weights)} weights")
    # On this device weights have a shape and no content.
    with torch.device("meta"):
        module = getattr(neural_network, name)._module_class(**options)
    expected = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    found = {key: np.shape(array) for key, array in weights.items()}
    if expected != found:
        raise ValueError("a net and its weights are not of the same shape")


def _plain(node: Mapping[str, Any], members: Mapping[str, bytes]) -> Any:
    """Read plain values, and lists, tuples and dictionaries of them."""
    loader = node["__loader__"]
    if loader == "DictNode":
        return {key: _plain(child, members) for key, child in node["content"].items()}
    if loader in ("ListNode", "TupleNode"):
        values = [_plain(child, members) for child in node["content"]]
        return values if loader == "ListNode" else tuple(values)
    return _value(node, members)
