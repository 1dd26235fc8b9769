"""How the blocks of networks with attention are said in LiteRT: see `blocks`, and `rules` for what a rule is."""

from collections.abc import Callable, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .onnx_graph import Array, Node
from .program import Program, Result, Shape, require

Op = schema.BuiltinOperator
_TINY = 1e-24  # below it a length counts as this, squared: what exporters write as clipping at 1e-12


def _dense(program: Program, node: Node) -> Result:
    source, shape = program.value(node, spatial=False)
    weights, bias = program.const(node, 1), program.const(node, 2)
    require(node, weights.shape[1] == shape[-1], f"{shape[-1]} numbers along the last axis")
    return _product(program, source, node.output, weights, bias), False


def _product(program: Program, source: int, name: str, weights: Array, bias: Array) -> int:
    shape = (*program.tensors[source].shape[:-1], weights.shape[0])
    inputs = (source, program.constant(f"{name}/weights", weights), program.constant(f"{name}/bias", bias))
    options = schema.FullyConnectedOptionsT(keepNumDims=True)
    return program.emit(Op.FULLY_CONNECTED, inputs, name, shape, options)


def _gelu(program: Program, node: Node) -> Result:
    source, shape = program.value(node, spatial=False)
    return program.emit(Op.GELU, (source,), node.output, shape, schema.GeluOptionsT(approximate=False)), False


def _layer_norm(program: Program, node: Node) -> Result:
    source, shape = program.value(node, spatial=False)
    name, axis = node.output, len(shape) - 1
    middle = _reduced(program, Op.MEAN, source, f"{name}/mean", axis)
    apart = program.emit(Op.SUB, (source, middle), f"{name}/apart", shape, schema.SubOptionsT())
    square = program.emit(Op.SQUARE, (apart,), f"{name}/square", shape, schema.SquareOptionsT())
    spread = _reduced(program, Op.MEAN, square, f"{name}/variance", axis)
    over = _inverse_root(program, spread, f"{name}/deviation", float(node.attributes["epsilon"]))
    scaled = program.emit(Op.MUL, (apart, over), f"{name}/scaled", shape, schema.MulOptionsT())
    if len(node.inputs) == 1:
        return scaled, False
    gain, shift = (program.constant(node.inputs[index], program.const(node, index)) for index in (1, 2))
    gained = program.emit(Op.MUL, (scaled, gain), f"{name}/gained", shape, schema.MulOptionsT())
    return program.emit(Op.ADD, (gained, shift), name, shape, schema.AddOptionsT()), False


def _reduced(program: Program, code: int, source: int, name: str, axis: int | tuple[int, ...]) -> int:
    axes = (axis,) if isinstance(axis, int) else axis
    shape = tuple(1 if index in axes else size for index, size in enumerate(program.tensors[source].shape))
    inputs = (source, program.constant(f"{name}/axes", np.array(axes), np.int32))
    return program.emit(code, inputs, name, shape, schema.ReducerOptionsT(keepDims=True))


def _inverse_root(program: Program, source: int, name: str, added: float) -> int:
    """1 / sqrt(x + a little)."""
    shape = program.tensors[source].shape
    little = program.constant(f"{name}/epsilon", np.array([added]))
    above = program.emit(Op.ADD, (source, little), f"{name}/above", shape, schema.AddOptionsT())
    return program.emit(Op.RSQRT, (above,), name, shape)


def _attention(program: Program, node: Node) -> Result:
    """Softmax over channels of (query^T key) / (|query| |key|) * temperature, for each head; then times the value."""
    source, (batch, places, triple) = program.value(node, spatial=False)
    heads, name = int(node.attributes["heads"]), node.output
    channels = triple // 3
    wide = channels // heads
    query, key, value = (_heads(program, source, f"{name}/{n}", i * channels, heads) for i, n in enumerate("qkv"))
    square, column, line = (batch, heads, wide, wide), (batch, heads, wide, 1), (batch, heads, 1, wide)
    product = _matrices(program, (query, key), f"{name}/product", square, adj_x=True)
    rows = _over_length(program, query, f"{name}/rows", column)
    columns = _over_length(program, key, f"{name}/columns", line)
    warmth = program.constant(node.inputs[1], program.const(node, 1).reshape(1, heads, 1, 1))
    for number, factor in enumerate((rows, columns, warmth)):
        product = program.emit(Op.MUL, (product, factor), f"{name}/scaled{number}", square, schema.MulOptionsT())
    share = program.emit(Op.SOFTMAX, (product,), f"{name}/share", square, schema.SoftmaxOptionsT(beta=1.0))
    shared = _matrices(program, (value, share), f"{name}/shared", (batch, heads, places, wide), adj_y=True)
    together = _turned(program, shared, f"{name}/together", (0, 2, 1, 3))
    return program.reshaped(together, name, (batch, places, channels)), False


def _heads(program: Program, source: int, name: str, first: int, heads: int) -> int:
    """A third of the channels as (batch, heads, places, channels of a head)."""
    batch, places, triple = program.tensors[source].shape
    taken = program.part(source, f"{name}/part", 2, first, triple // 3)
    apart = program.reshaped(taken, f"{name}/apart", (batch, places, heads, triple // 3 // heads))
    return _turned(program, apart, name, (0, 2, 1, 3))


def _turned(program: Program, source: int, name: str, order: Shape) -> int:
    shape = tuple(program.tensors[source].shape[axis] for axis in order)
    inputs = (source, program.constant(f"{name}/order", np.array(order), np.int32))
    return program.emit(Op.TRANSPOSE, inputs, name, shape, schema.TransposeOptionsT())


def _matrices(
    program: Program, pair: tuple[int, int], name: str, shape: Shape, *, adj_x: bool = False, adj_y: bool = False
) -> int:
    return program.emit(Op.BATCH_MATMUL, pair, name, shape, schema.BatchMatMulOptionsT(adjX=adj_x, adjY=adj_y))


def _over_length(program: Program, source: int, name: str, shape: Shape) -> int:
    """1 / length along the places of (batch, heads, places, channels), in another shape."""
    whole = program.tensors[source].shape
    square = program.emit(Op.SQUARE, (source,), f"{name}/square", whole, schema.SquareOptionsT())
    length = _reduced(program, Op.SUM, square, f"{name}/length", 2)
    return program.reshaped(_inverse_root(program, length, f"{name}/over", _TINY), name, shape)


def _pool(program: Program, node: Node) -> Result:
    source, _ = program.value(node)
    return _reduced(program, Op.MEAN, source, node.output, (1, 2)), True


def _concat(program: Program, node: Node) -> Result:
    parts = [program.value(node, index) for index in range(len(node.inputs))]
    require(node, node.attributes.get("axis") == 1, "channels joined")
    shape = (*parts[0][1][:-1], sum(part[1][-1] for part in parts))
    options = schema.ConcatenationOptionsT(axis=len(shape) - 1)
    return program.emit(Op.CONCATENATION, tuple(part[0] for part in parts), node.output, shape, options), True


def _slice(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    start, end, axis = (int(program.const(node, index).reshape(())) for index in (1, 2, 3))
    plain = len(node.inputs) == 4 or int(program.const(node, 4).reshape(())) == 1  # noqa: PLR2004 - the fifth is the step
    require(node, axis == 1 and 0 <= start < end and plain, "some channels, one after the other")
    return program.part(source, node.output, len(shape) - 1, start, min(end, shape[-1]) - start), True


BLOCK_RULES: Mapping[str, Callable[[Program, Node], Result]] = {
    "Attention": _attention,
    "Concat": _concat,
    "Dense": _dense,
    "Gelu": _gelu,
    "GlobalAveragePool": _pool,
    "LayerNorm": _layer_norm,
    "Slice": _slice,
}
