"""How each ONNX operation is said in LiteRT.

A rule returns the tensor that holds a node's result, and whether that result has channels (see `Program.spatial`).
LiteRT's definitions: its builtin operators' reference kernels; every rule is compared with ONNX Runtime in the tests.
"""

from collections.abc import Callable, Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .onnx_graph import Node
from .program import Program, Result, Shape, require
from .rules_blocks import BLOCK_RULES

Op = schema.BuiltinOperator


def _activation(node: Node) -> int:
    kinds = schema.ActivationFunctionType
    return int(kinds.RELU if node.attributes.get("relu") else kinds.NONE)


def _conv(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    weights, bias = program.const(node, 1), program.const(node, 2)
    groups = int(node.attributes.get("group", 1))
    kernel, strides = weights.shape[2:], tuple(node.attributes.get("strides", (1, 1)))
    depthwise = groups == shape[3] and weights.shape[:2] == (groups, 1)
    require(node, len(kernel) == 2, "two spatial dimensions")  # noqa: PLR2004 - rows and columns
    require(node, depthwise or (groups == 1 and weights.shape[1] == shape[3]), "one group, or one per channel")
    require(node, set(node.attributes.get("dilations", (1,))) == {1}, "no dilation")
    require(node, node.attributes.get("auto_pad", b"NOTSET") == b"NOTSET", "explicit padding")
    source, padding, (rows, columns) = _padded(program, node, source, kernel, strides)
    if depthwise:
        code, options = Op.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(depthMultiplier=1)
        filters = weights.transpose(1, 2, 3, 0)
    else:
        code, options = Op.CONV_2D, schema.Conv2DOptionsT()
        filters = weights.transpose(0, 2, 3, 1)
    options.padding, options.fusedActivationFunction = padding, _activation(node)
    options.strideH, options.strideW = strides
    options.dilationHFactor = options.dilationWFactor = 1
    inputs = (source, program.constant(node.inputs[1], filters), program.constant(node.inputs[2], bias))
    return program.emit(code, inputs, node.output, (1, rows, columns, weights.shape[0]), options), True


def _padded(program: Program, node: Node, source: int, kernel: Shape, strides: Shape) -> tuple[int, int, Shape]:
    """Choose a padding that equals the node's, adding an operation where the file format has no word for it.

    Returns:
        The tensor to convolve, the padding to do it with, and the output's rows and columns.
    """
    _, height, width, channels = program.tensors[source].shape
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    axes = ((height, kernel[0], strides[0], (top, bottom)), (width, kernel[1], strides[1], (left, right)))
    size = tuple((pixels + sum(pads) - window) // stride + 1 for pixels, window, stride, pads in axes)
    require(node, min(size) > 0, f"a window no larger than the picture of {width}x{height}")
    if not any((top, left, bottom, right)):
        return source, schema.Padding.VALID, size
    if all(same_padding(pixels, window, stride) == pads for pixels, window, stride, pads in axes):
        return source, schema.Padding.SAME, size
    amounts = np.array([(0, 0), (top, bottom), (left, right), (0, 0)])
    inputs = (source, program.constant(f"{node.output}/padding", amounts, np.int32))
    grown = (1, height + top + bottom, width + left + right, channels)
    padded = program.emit(Op.PAD, inputs, f"{node.output}/padded", grown, schema.PadOptionsT())
    return padded, schema.Padding.VALID, size


def same_padding(pixels: int, window: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after of LiteRT's SAME: ceil(pixels / stride) outputs, the odd pixel after."""
    total = max((-(-pixels // stride) - 1) * stride + window - pixels, 0)
    return total // 2, total - total // 2


def _max_pool(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    kernel, strides = tuple(node.attributes["kernel_shape"]), tuple(node.attributes.get("strides", (1, 1)))
    require(node, not any(node.attributes.get("pads", ())), "no padding")
    require(node, not node.attributes.get("ceil_mode", 0), "rounding down")
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(shape[1:3], kernel, strides, strict=True))
    options = schema.Pool2DOptionsT(padding=schema.Padding.VALID)
    options.filterHeight, options.filterWidth = kernel
    options.strideH, options.strideW = strides
    return program.emit(Op.MAX_POOL_2D, (source,), node.output, (1, rows, columns, shape[3]), options), True


def _prelu(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    slope = program.const(node, 1)
    require(node, slope.size == slope.shape[0] == shape[3], "one slope per channel")
    inputs = (source, program.constant(node.inputs[1], slope.reshape(1, 1, -1)))
    return program.emit(Op.PRELU, inputs, node.output, shape), True


def _alike(code: int) -> Callable[[Program, Node], Result]:
    """A rule for an operation on each number by itself."""

    def rule(program: Program, node: Node) -> Result:
        spatial = node.inputs[0] in program.spatial
        source, shape = program.value(node, spatial=spatial)
        return program.emit(code, (source,), node.output, shape), spatial

    return rule


def _subtract(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    amount = program.const(node, 1)
    require(node, amount.size == 1, "one number to subtract")
    inputs = (source, program.constant(node.inputs[1], amount.reshape(1)))
    return program.emit(Op.SUB, inputs, node.output, shape, schema.SubOptionsT()), True


def _add(program: Program, node: Node) -> Result:
    constants = [index for index, name in enumerate(node.inputs) if name in program.graph.constants]
    index = 1 - constants[0] if constants else 0
    spatial = node.inputs[index] in program.spatial
    first, shape = program.value(node, index, spatial)
    if constants:
        amount = program.const(node, constants[0])
        require(node, not spatial and amount.shape == shape, f"a constant of shape {shape}")
        second = program.constant(node.inputs[constants[0]], amount)
    else:
        second, other = program.value(node, 1, spatial)
        require(node, shape == other, f"two values of one shape ({shape} and {other})")
    options = schema.AddOptionsT(fusedActivationFunction=_activation(node))
    return program.emit(Op.ADD, (first, second), node.output, shape, options), spatial


def _resize(program: Program, node: Node) -> Result:
    source, (_, rows, columns, channels) = program.value(node)
    how = tuple(node.attributes.get(name) for name in ("mode", "nearest_mode", "coordinate_transformation_mode"))
    require(node, program.const(node, 2).tolist() == [1, 1, 2, 2], "a factor of two both ways")
    require(node, how == (b"nearest", b"floor", b"asymmetric"), "every pixel to be doubled")
    # Joining and reshaping doubles every pixel, exactly; the format's own resizing is not done by XNNPACK.
    wide = _joined(program, source, f"{node.output}/wide", 3)
    lines = program.reshaped(wide, f"{node.output}/lines", (1, rows, 1, 2 * columns * channels))
    tall = _joined(program, lines, f"{node.output}/tall", 2)
    return program.reshaped(tall, node.output, (1, 2 * rows, 2 * columns, channels)), True


def _joined(program: Program, source: int, name: str, axis: int) -> int:
    """A tensor joined with itself along an axis."""
    grown = tuple(2 * n if i == axis else n for i, n in enumerate(program.tensors[source].shape))
    return program.emit(Op.CONCATENATION, (source, source), name, grown, schema.ConcatenationOptionsT(axis=axis))


def _channels(program: Program, node: Node) -> Result:
    source, _ = program.value(node)
    first, count = int(node.attributes["first"]), int(node.attributes["count"])
    return program.part(source, node.output, 3, first, count), True


def _transpose(program: Program, node: Node) -> Result:
    """Nothing to do where only the place of the channels changes: here they are last whatever the graph says."""
    spatial = node.inputs[0] in program.spatial
    source, shape = program.value(node, spatial=spatial)
    places = tuple(range(2, len(shape)))
    wanted = (0, *places, 1) if spatial else (0, len(shape) - 1, *range(1, len(shape) - 1))
    require(node, tuple(node.attributes.get("perm", ())) == wanted, f"channels made {'last' if spatial else 'second'}")
    return source, not spatial


def _reshape(program: Program, node: Node) -> Result:
    spatial = node.inputs[0] in program.spatial
    source, shape = program.value(node, spatial=spatial)
    wanted = [int(n) for n in program.const(node, 1)]
    left, over = divmod(int(np.prod(shape)), int(np.prod([n for n in wanted if n != -1])))
    whole = tuple(left if n == -1 else n for n in wanted)
    require(node, over == 0 and int(np.prod(whole)) == int(np.prod(shape)), f"a shape for {shape} other than {wanted}")
    if spatial:  # rows and columns joined into places, channels kept
        require(node, whole[:2] == (shape[0], shape[-1]), f"channels kept in {wanted}")
        whole = (whole[0], *whole[2:], whole[1])
    return program.reshaped(source, node.output, whole), spatial


def _flatten(program: Program, node: Node) -> Result:
    source, shape = program.value(node)
    users = program.graph.users(node.output)
    if int(np.prod(shape[1:-1])) == 1 and "Gemm" not in {user.op for user in users}:
        return program.reshaped(source, node.output, (1, shape[-1])), False
    only_gemm = node.output not in program.graph.outputs and {user.op for user in users} == {"Gemm"}
    require(node, only_gemm and node.attributes.get("axis", 1) == 1, "a Gemm after it")
    return program.reshaped(source, node.output, (1, int(np.prod(shape)))), False


def _gemm(program: Program, node: Node) -> Result:
    source, shape = program.value(node, spatial=False)
    weights, bias = program.const(node, 1), program.const(node, 2)
    require(node, weights.shape[1] == shape[1], f"{shape[1]} numbers per row")
    flatten = next((n for n in program.graph.nodes if n.output == node.inputs[0] and n.op == "Flatten"), None)
    if flatten is not None:  # the columns are in the order channel, row, column; here channels are last
        _, rows, columns, channels = program.value(flatten)[1]
        weights = weights.reshape(-1, channels, rows, columns).transpose(0, 2, 3, 1).reshape(weights.shape)
    inputs = (source, program.constant(node.inputs[1], weights), program.constant(node.inputs[2], bias))
    options = schema.FullyConnectedOptionsT()
    return program.emit(Op.FULLY_CONNECTED, inputs, node.output, (1, weights.shape[0]), options), False


RULES: Mapping[str, Callable[[Program, Node], Result]] = {
    "Add": _add,
    "Channels": _channels,
    "Conv": _conv,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "MaxPool": _max_pool,
    "PRelu": _prelu,
    "Relu": _alike(Op.RELU),
    "Reshape": _reshape,
    "Resize": _resize,
    "Sigmoid": _alike(Op.LOGISTIC),
    "Sub": _subtract,
    "Transpose": _transpose,
    **BLOCK_RULES,
}
