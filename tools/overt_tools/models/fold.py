"""Rewriting a graph into fewer operations that compute the same: what is linear goes into the next weights.

All arithmetic is float64, rounded to float32 once, when the file is written. Sums are exact (`math.fsum`), so the
result does not depend on the machine's vector units: the built files are pinned by digest.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import CannotConvert
from .onnx_graph import Graph, Node

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """y = scale * x + shift, per channel."""

    scale: Doubles
    shift: Doubles


def fold(graph: Graph) -> Graph:
    """Fold batch norms, scalings and activations into the convolutions and dense layers beside them.

    After this every Conv and Gemm has float64 weights and a bias, and Conv and Add may carry the attribute `relu`.

    Raises:
        CannotConvert: a batch norm or a multiplication that cannot be folded exactly.
    """
    graph = _with_biases(graph)
    for rewrite in (_affine_after, _affine_before, _relu_after):
        graph = _until_settled(graph, rewrite)
    left = [node.op for node in graph.nodes if node.op in ("BatchNormalization", "Mul")]
    if left:
        raise CannotConvert(f"expected every batch norm and multiplication to fold into a neighbour, left over: {left}")
    return graph


Rewrite: TypeAlias = Callable[[Graph, Node], Graph | None]


def _until_settled(graph: Graph, rewrite: Rewrite) -> Graph:
    """Apply a rewrite wherever it fits, until it fits nowhere."""
    settled = False
    while not settled:
        settled = True
        for node in graph.nodes:
            rewritten = rewrite(graph, node)
            if rewritten is not None:
                graph, settled = rewritten, False
                break
    return graph


def _with_biases(graph: Graph) -> Graph:
    """Give every Conv and Gemm float64 weights, output channels first, and a bias."""
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        if node.op not in ("Conv", "Gemm"):
            nodes.append(node)
            continue
        if node.op == "Gemm" and (node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)) != (1.0, 1.0):
            raise CannotConvert(f"expected a Gemm with alpha = beta = 1, found {dict(node.attributes)}")
        weights = _constant(graph, node, 1)
        if node.op == "Gemm" and not node.attributes.get("transB", 0):
            weights = weights.T
        bias = _constant(graph, node, 2) if len(node.inputs) > 2 else np.zeros(weights.shape[0])  # noqa: PLR2004 - optional
        names = (f"{node.output}/weights", f"{node.output}/bias")
        constants[names[0]], constants[names[1]] = weights, bias
        nodes.append(replace(node, inputs=(node.inputs[0], *names)))
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _constant(graph: Graph, node: Node, index: int) -> Doubles:
    try:
        return graph.constants[node.inputs[index]].astype(np.float64)
    except (KeyError, IndexError):
        raise CannotConvert(f"expected input {index} of {node.op} {node.output} to be constant, it is not") from None


def _as_affine(graph: Graph, node: Node, channels: int) -> Affine | None:
    """What a node does per channel, if that is all it does."""
    if node.op == "BatchNormalization":
        gamma, beta, mean, variance = (_constant(graph, node, index) for index in range(1, 5))
        scale = gamma / np.sqrt(variance + float(node.attributes.get("epsilon", 1e-5)))
        return Affine(scale, beta - mean * scale)
    if node.op == "Mul" and node.inputs[1] in graph.constants and graph.constants[node.inputs[1]].size == 1:
        factor = float(graph.constants[node.inputs[1]].reshape(()))
        return Affine(np.full(channels, factor), np.zeros(channels))
    return None


def _maker(graph: Graph, name: str) -> Node | None:
    return next((node for node in graph.nodes if node.output == name), None)


def _only_feeds(graph: Graph, name: str, user: Node) -> bool:
    return name not in graph.outputs and graph.users(name) == [user]


def _affine_after(graph: Graph, node: Node) -> Graph | None:
    """Conv or Gemm, then a batch norm or a scaling: into the weights and the bias before it."""
    before = _maker(graph, node.inputs[0])
    if before is None or before.op not in ("Conv", "Gemm") or not _only_feeds(graph, before.output, node):
        return None
    weights, bias = graph.constants[before.inputs[1]], graph.constants[before.inputs[2]]
    affine = _as_affine(graph, node, weights.shape[0])
    if affine is None:
        return None
    scaled = weights * affine.scale.reshape([-1] + [1] * (weights.ndim - 1))
    constants = {**graph.constants, before.inputs[1]: scaled, before.inputs[2]: bias * affine.scale + affine.shift}
    return _merge(replace(graph, constants=constants), before, node, before)


def _affine_before(graph: Graph, node: Node) -> Graph | None:
    """A scaling before a Conv, or anything affine before Flatten and Gemm: into the weights after it.

    A shift does not commute with zero padding, so before a Conv only a pure scaling is folded.
    """
    users = graph.users(node.output)
    if len(users) != 1 or node.output in graph.outputs:
        return None
    after = users[0]
    flatten = after if after.op == "Flatten" else None
    if flatten is not None and len(graph.users(flatten.output)) == 1:
        after = graph.users(flatten.output)[0]
    if after.op not in ("Conv", "Gemm") or (after.op == "Conv" and flatten is not None):
        return None
    weights, bias = graph.constants[after.inputs[1]], graph.constants[after.inputs[2]]
    groups = int(after.attributes.get("group", 1))
    channels = weights.shape[1] * groups
    affine = _as_affine(graph, node, channels)
    if affine is None or (after.op == "Conv" and (affine.shift.any() or groups != 1)):
        return None
    # Flatten of NCHW keeps a channel's pixels together.
    scale, shift = (np.repeat(a, weights.shape[1] // a.size) for a in (affine.scale, affine.shift))
    moved = fsum_product(weights.reshape(weights.shape[0], -1), shift) if shift.any() else 0.0
    scaled = weights * scale.reshape([1, -1] + [1] * (weights.ndim - 2))
    constants = {**graph.constants, after.inputs[1]: scaled, after.inputs[2]: bias + moved}
    return _remove(replace(graph, constants=constants), node)


def _relu_after(graph: Graph, node: Node) -> Graph | None:
    """Relu after Conv or Add: done by the same operation."""
    before = _maker(graph, node.inputs[0])
    if node.op != "Relu" or before is None or before.op not in ("Conv", "Add"):
        return None
    if before.attributes.get("relu") or not _only_feeds(graph, before.output, node):
        return None
    return _merge(graph, before, node, replace(before, attributes={**before.attributes, "relu": True}))


def fsum_product(matrix: Doubles, vector: Doubles) -> Doubles:
    """Return a matrix (rows, columns) times a vector (columns,), each sum rounded once: the same on every machine."""
    return np.array([math.fsum((row * vector).tolist()) for row in matrix])


def scale_input(graph: Graph, subtract: float, divide: float) -> Graph:
    """Let a network take colours as they are: (colour - subtract) / divide goes into its first convolution.

    Args:
        graph: from `fold`.
        subtract: what the network expects taken away.
        divide: what it expects the rest divided by.

    Raises:
        CannotConvert: it does not begin with a convolution without padding, where alone this is exact.
    """
    users = graph.users(graph.input)
    first = users[0] if len(users) == 1 else None
    if first is None or first.op != "Conv" or any(first.attributes.get("pads", ())):
        raise CannotConvert("expected the network to begin with a convolution without padding, to scale its input")
    weights, bias = (graph.constants[name] for name in first.inputs[1:3])
    scaled = weights / divide
    rows = scaled.reshape(scaled.shape[0], -1)
    moved = bias - fsum_product(rows, np.full(rows.shape[1], subtract))
    constants = {**graph.constants, first.inputs[1]: scaled, first.inputs[2]: moved}
    return replace(graph, constants=constants)


def _merge(graph: Graph, first: Node, second: Node, merged: Node) -> Graph:
    """Put one node in the place of two that follow each other."""
    merged = replace(merged, output=second.output)
    nodes = [merged if node == first else node for node in graph.nodes if node != second]
    return replace(graph, nodes=tuple(nodes))


def _remove(graph: Graph, gone: Node) -> Graph:
    """Take a node out; its input takes the place of its output."""
    nodes = [
        replace(node, inputs=tuple(gone.inputs[0] if name == gone.output else name for name in node.inputs))
        for node in graph.nodes
        if node is not gone
    ]
    return replace(graph, nodes=tuple(nodes))
