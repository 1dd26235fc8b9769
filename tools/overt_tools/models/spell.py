"""Spelling PReLU in operations that exist for integers: x + relu((slope - 1) x), exact for slopes up to 1.

XNNPACK has PReLU for floats only; with integers it would fall to code that is many times slower. A channel with a slope
above 1 is turned round first: prelu(x, s) = -prelu(-s x, 1 / s) for s > 0, with -s put into the convolution before and
-1 into the one after.
"""

from dataclasses import replace

import numpy as np

from .errors import CannotConvert
from .fold import Doubles
from .onnx_graph import Graph, Node


def spell_prelu(graph: Graph) -> Graph:
    """Replace every PRelu by a scaling with activation (a node "Scale", our own) and an addition.

    Args:
        graph: from `fold.fold`.

    Raises:
        CannotConvert: a slope above 1 that is not between two convolutions.
    """
    for node in [node for node in graph.nodes if node.op == "PRelu"]:
        graph = _spelt(_turned(graph, node), node)
    return graph


def _slopes(graph: Graph, node: Node) -> Doubles:
    return graph.constants[node.inputs[1]].astype(float).reshape(-1)


def _spelt(graph: Graph, node: Node) -> Graph:
    name = f"{node.output}/below"
    constants = {**graph.constants, f"{name}/slopes": _slopes(graph, node) - 1}
    scale = Node("Scale", (node.inputs[0], f"{name}/slopes"), name, {"relu": True})
    add = Node("Add", (node.inputs[0], name), node.output)
    nodes: list[Node] = []
    for other in graph.nodes:
        nodes += [scale, add] if other is node else [other]
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _turned(graph: Graph, node: Node) -> Graph:
    """Turn round the channels of a PRelu whose slope is above 1."""
    slopes = _slopes(graph, node)
    steep = slopes > 1
    if not steep.any():
        return graph
    before = next((other for other in graph.nodes if other.output == node.inputs[0]), None)
    users = graph.users(node.output)
    if (
        before is None
        or not users
        or {before.op, *(user.op for user in users)} != {"Conv"}
        or len(graph.users(before.output)) > 1
    ):
        raise CannotConvert(f"expected {node.op} {node.output} between convolutions, to turn round slopes above 1")
    constants = dict(graph.constants)
    for name in before.inputs[1:3]:
        constants[name] = constants[name] * _along(np.where(steep, -slopes, 1.0), constants[name].ndim, 0)
    for user in users:
        weights, own = constants[user.inputs[1]], int(user.attributes.get("group", 1)) == len(slopes)
        constants[user.inputs[1]] = weights * _along(np.where(steep, -1.0, 1.0), weights.ndim, 0 if own else 1)
    constants[node.inputs[1]] = np.where(steep, 1 / np.where(steep, slopes, 1.0), slopes)
    return replace(graph, constants=constants)


def _along(values: Doubles, axes: int, axis: int) -> Doubles:
    return values.reshape([-1 if i == axis else 1 for i in range(axes)])
