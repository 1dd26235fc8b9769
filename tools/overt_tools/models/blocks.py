"""Finding the blocks of networks with attention in their ONNX spelling, and saying each in one operation of our own.

Exporters write a layer norm in nine operations and an attention in twenty-three. LiteRT has faster words for most of
them, and what is linear in one goes into the weights beside it. A block is found by its shape and its constants; what
does not fit exactly is left as it is, and the converter will refuse it later.

The blocks: "LayerNorm" (Ba, Kiros, Hinton: Layer normalization, 2016); "Gelu" (Hendrycks, Gimpel: Gaussian error linear
units, 2016, the exact form); "Attention" between channels (El-Nouby and others: XCiT, 2021); "Dense", y = W x + b along
the last axis.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from .fold import Doubles, fsum_product
from .onnx_graph import Array, Graph, Node

_ROOT_OF_TWO = float(np.float32(np.sqrt(2)))

Found: TypeAlias = tuple[list[Node], Node, dict[str, Array]]  # what goes, what comes, and its new constants


def find_blocks(graph: Graph) -> Graph:
    """Replace every block by one node, and move into dense layers what is linear beside them.

    Args:
        graph: from `onnx_graph.read`. A network without such blocks is given back as it is.
    """
    for find in (_layer_norm, _gelu, _attention, _dense):
        graph = _everywhere(graph, find)
    return _everywhere(_norms_into_dense(graph), _dense_into_dense)


def _everywhere(graph: Graph, find: Callable[[Graph, Node], Found | None]) -> Graph:
    for start in graph.nodes:
        if start not in graph.nodes:
            continue
        found = find(graph, start)
        if found is not None:
            gone, node, constants = found
            graph = _replaced(graph, gone, node, constants)
    return graph


def _replaced(graph: Graph, gone: list[Node], node: Node, constants: dict[str, Array]) -> Graph:
    """Put one node in the place of the last of several."""
    nodes = [node if other is gone[-1] else other for other in graph.nodes if other is gone[-1] or other not in gone]
    return replace(graph, nodes=tuple(nodes), constants={**graph.constants, **constants})


def _next(graph: Graph, node: Node, *ops: str) -> Node | None:
    """The only user of a node, if it is one of some operations."""
    users = graph.users(node.output)
    alone = len(users) == 1 and node.output not in graph.outputs
    return users[0] if alone and users[0].op in ops else None


def _chain(graph: Graph, node: Node | None, *ops: str) -> list[Node] | None:
    """The nodes that follow one another, each the only user of the one before."""
    chain: list[Node] = []
    for op in ops:
        node = None if node is None else _next(graph, node, op)
        if node is None:
            return None
        chain.append(node)
    return chain


def _constant(graph: Graph, node: Node) -> Array | None:
    """The one constant among a node's inputs."""
    constants = [graph.constants[name] for name in node.inputs if name in graph.constants]
    return constants[0] if len(constants) == 1 else None


def _number(graph: Graph, node: Node) -> float | None:
    constant = _constant(graph, node)
    return float(constant.reshape(())) if constant is not None and constant.size == 1 else None


def _last_axis(node: Node) -> bool:
    return list(node.attributes.get("axes", ())) == [-1] and node.attributes.get("keepdims", 1) == 1


def _layer_norm(graph: Graph, mean: Node) -> Found | None:
    users = graph.users(mean.inputs[0])
    middle = _next(graph, mean, "Sub") if mean.op == "ReduceMean" and _last_axis(mean) else None
    if middle is None or middle not in users or middle.inputs != (mean.inputs[0], mean.output):
        return None
    square = next((n for n in graph.users(middle.output) if n.op == "Pow" and _number(graph, n) == 2.0), None)  # noqa: PLR2004
    spread = None if square is None else _chain(graph, square, "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add")
    if square is None or spread is None or not _last_axis(spread[0]) or spread[3].inputs[0] != middle.output:
        return None
    epsilon, gain, shift = _number(graph, spread[1]), _constant(graph, spread[4]), _constant(graph, spread[5])
    if epsilon is None or gain is None or shift is None or gain.ndim != 1 or shift.shape != gain.shape:
        return None
    name = spread[5].output
    constants: dict[str, Array] = {f"{name}/gain": gain.astype(float), f"{name}/shift": shift.astype(float)}
    node = Node("LayerNorm", (mean.inputs[0], *constants), name, {"epsilon": epsilon})
    return [mean, middle, square, *spread], node, constants


def _gelu(graph: Graph, divide: Node) -> Found | None:
    if divide.op != "Div" or _number(graph, divide) != _ROOT_OF_TWO:
        return None
    rest = _chain(graph, divide, "Erf", "Add", "Mul", "Mul")
    if rest is None or _number(graph, rest[1]) != 1.0 or divide.inputs[0] not in rest[2].inputs:
        return None
    if _number(graph, rest[3]) != 0.5:  # noqa: PLR2004 - gelu(x) = x / 2 * (1 + erf(x / root of 2))
        return None
    return [divide, *rest], Node("Gelu", (divide.inputs[0],), rest[3].output), {}


def _attention(graph: Graph, start: Node) -> Found | None:
    """From the reshaping into query, key and value of each head to the reshaping back."""
    sides = _three_sides(graph, start)
    if sides is None:
        return None
    *_, query, key, value = sides
    lengths = [_unit_length(graph, side) for side in (query, key)]
    if lengths[0] is None or lengths[1] is None:
        return None
    turned = _next(graph, lengths[1][-1], "Transpose")
    product = _next(graph, lengths[0][-1], "MatMul")
    if turned is None or product is None or product.inputs[1] != turned.output:
        return None
    rest = _chain(graph, product, "Mul", "Softmax", "MatMul", "Transpose", "Reshape")
    if rest is None or rest[2].inputs[1] != value.output or list(rest[3].attributes["perm"]) != [0, 3, 1, 2]:
        return None
    temperature, shape = _constant(graph, rest[0]), graph.constants[start.inputs[1]]
    heads = int(shape[3])
    if temperature is None or temperature.size != heads or shape[2] != 3:  # noqa: PLR2004 - query, key, value
        return None
    gone = [start, *sides, *lengths[0], *lengths[1], turned, product, *rest]
    name = f"{rest[-1].output}/temperature"
    node = Node("Attention", (start.inputs[0], name), rest[-1].output, {"heads": heads})
    return gone, node, {name: temperature.astype(float).reshape(-1)}


def _three_sides(graph: Graph, start: Node) -> list[Node] | None:
    """What makes query, key and value of each head; these are the last three."""
    turn = _next(graph, start, "Transpose") if start.op == "Reshape" else None
    if turn is None or list(turn.attributes["perm"]) != [2, 0, 3, 4, 1]:
        return None
    parts = graph.users(turn.output)
    whole = [dict(part.attributes) for part in parts if part.op == "Part"]
    sides = [side for part in parts if (side := _next(graph, part, "Squeeze")) is not None]
    if whole != [{"axis": 0, "first": first, "count": 1} for first in range(3)] or len(sides) != len(parts):
        return None
    return [turn, *parts, *sides]


def _unit_length(graph: Graph, side: Node) -> list[Node] | None:
    """X / max(|x|, tiny) along the last axis."""
    users = graph.users(side.output)
    length = next((n for n in users if n.op == "ReduceL2" and _last_axis(n)), None)
    rest = None if length is None else _chain(graph, length, "Clip", "Expand", "Div")
    if length is None or rest is None or len(users) != 2 or rest[2].inputs[0] != side.output:  # noqa: PLR2004
        return None
    return [length, *rest]


def _dense(graph: Graph, node: Node) -> Found | None:
    """A product with a constant matrix (input channels first), and the sums and scalings per channel after it."""
    if node.op == "Gemm":
        return _dense_gemm(graph, node)
    if node.op != "MatMul" or node.inputs[1] not in graph.constants or graph.constants[node.inputs[1]].ndim != 2:  # noqa: PLR2004
        return None
    weights = graph.constants[node.inputs[1]].astype(float).T
    bias: Doubles = np.zeros(weights.shape[0])
    gone = [node]
    while (after := _next(graph, gone[-1], "Add", "Mul")) is not None:
        factor = _constant(graph, after)
        if factor is None or factor.shape != bias.shape:
            break
        if after.op == "Add":
            bias = bias + factor.astype(float)
        else:
            weights, bias = weights * factor.astype(float)[:, None], bias * factor.astype(float)
        gone.append(after)
    return gone, *_dense_node(node.inputs[0], gone[-1].output, weights, bias)


def _dense_gemm(graph: Graph, node: Node) -> Found | None:
    """The same written as a Gemm (output channels first, with a bias), after a dense layer."""
    before = next((other for other in graph.nodes if other.output == node.inputs[0]), None)
    form = tuple(node.attributes.get(name, default) for name, default in (("alpha", 1), ("beta", 1), ("transB", 0)))
    if before is None or before.op != "Dense" or form != (1, 1, 1) or len(node.inputs) != 3:  # noqa: PLR2004
        return None
    weights, bias = (graph.constants[name].astype(float) for name in node.inputs[1:])
    return [node], *_dense_node(node.inputs[0], node.output, weights, bias)


def _dense_node(source: str, output: str, weights: Doubles, bias: Doubles) -> tuple[Node, dict[str, Array]]:
    constants: dict[str, Array] = {f"{output}/weights": weights, f"{output}/bias": bias}
    return Node("Dense", (source, *constants), output), constants


def _norms_into_dense(graph: Graph) -> Graph:
    """Put gain and shift of each layer norm into the one dense layer or the convolution without padding after it."""
    for norm in [node for node in graph.nodes if node.op == "LayerNorm"]:
        after, gain, shift = _user_through(graph, norm), *(graph.constants[name] for name in norm.inputs[1:])
        if after is None:
            continue
        weights, bias = (graph.constants[name].astype(float) for name in after.inputs[1:3])
        rest = [1] * (weights.ndim - 2)
        moved = fsum_product(weights.reshape(len(weights), -1), np.repeat(shift, int(np.prod(weights.shape[2:]))))
        names = [f"{after.output}/weights/after-norm", f"{after.output}/bias/after-norm"]
        changed = {names[0]: weights * gain.reshape(1, -1, *rest), names[1]: bias + moved}
        bare = replace(norm, inputs=norm.inputs[:1])
        new = {id(norm): bare, id(after): replace(after, inputs=(after.inputs[0], *names))}
        nodes = tuple(new.get(id(node), node) for node in graph.nodes)
        graph = replace(graph, nodes=nodes, constants={**graph.constants, **changed})
    return graph


def _user_through(graph: Graph, norm: Node) -> Node | None:
    """The only user of a norm, through a change of layout, when it takes anything affine into its weights."""
    after = _next(graph, norm, "Transpose", "Dense")
    while after is not None and after.op in ("Transpose", "Flatten"):
        after = _next(graph, after, "Flatten", "Conv", "Dense")
    if after is None or after.op == "Dense":
        return after
    plain = not any(after.attributes.get("pads", ())) and int(after.attributes.get("group", 1)) == 1
    return after if plain and len(after.inputs) == 3 else None  # noqa: PLR2004 - with a bias


def _dense_into_dense(graph: Graph, first: Node) -> Found | None:
    """Two dense layers after each other, where one takes fewer multiplications."""
    after = _next(graph, first, "Dense") if first.op == "Dense" else None
    if after is None:
        return None
    (one, one_bias), (two, two_bias) = ([graph.constants[name] for name in node.inputs[1:3]] for node in (first, after))
    if two.shape[0] * one.shape[1] > one.size + two.size:
        return None
    weights = np.stack([fsum_product(two, column) for column in one.T], axis=1)
    bias = fsum_product(two, one_bias) + two_bias
    return [first, after], *_dense_node(first.inputs[0], after.output, weights, bias)
