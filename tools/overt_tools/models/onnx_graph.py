"""Reading an ONNX model into a small graph of our own, with everything that is constant already computed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import CannotConvert

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes:
        op: its ONNX name.
        inputs: names of values or constants; "" stands for an optional input that is absent.
        output: name of the one value that it makes.
        attributes: as ONNX defines them.
    """

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """A model with one input, in an order in which it can be computed.

    Attributes:
        input: the input's name.
        channels: the input's second dimension (NCHW).
        outputs: names, in the model's order.
        nodes: the operations.
        constants: values by name.
    """

    input: str
    channels: int
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]

    def users(self, name: str) -> list[Node]:
        """The nodes that take a value."""
        return [node for node in self.nodes if name in node.inputs]


def read(model: bytes) -> Graph:
    """Read an ONNX model.

    Inputs that are constants too, or that nothing uses (habits of old exporters), are dropped, as are dropouts; weights
    that are stored as integers are made float32.

    Raises:
        CannotConvert: not ONNX, more than one input, or a constant that cannot be computed.
    """
    import onnx  # noqa: PLC0415 - takes a third of a second to load and only a real build needs it
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # noqa: PLC0415 - comes with onnx

    try:
        graph = onnx.load_model_from_string(model).graph
        constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    except (DecodeError, ValueError, TypeError) as error:
        raise CannotConvert(f"expected an ONNX model, could not read it: {error}") from error
    used = {name for node in graph.node for name in node.input} - set(constants)
    inputs = [value for value in graph.input if value.name in used]
    if len(inputs) != 1:
        raise CannotConvert(f"expected one input, found {[value.name for value in inputs]}")
    dimensions = inputs[0].type.tensor_type.shape.dim
    if len(dimensions) != len("NCHW") or dimensions[1].dim_value < 1:
        raise CannotConvert(f"expected an NCHW input with fixed channels, found {len(dimensions)} dimensions")
    read_node = partial(_nodes, value_of=onnx.helper.get_attribute_value, to_array=onnx.numpy_helper.to_array)
    nodes = tuple(one for node in graph.node for one in read_node(node))
    whole = Graph(inputs[0].name, dimensions[1].dim_value, tuple(o.name for o in graph.output), nodes, constants)
    return compute_constants(whole)


def _nodes(node: Any, value_of: Callable[[Any], Any], to_array: Callable[[Any], Array]) -> list[Node]:  # noqa: ANN401 - protobuf
    """One node for each output: a Split becomes as many nodes "Part" (our own) of attributes axis, first and count."""
    if node.op_type == "Split":
        attributes = {a.name: value_of(a) for a in node.attribute}
        counts = [int(count) for count in attributes.get("split", ())]
        if len(counts) != len(node.output):
            raise CannotConvert(f"expected the sizes of the parts of Split {node.output[0]}, found {counts}")
        axis, starts = int(attributes.get("axis", 0)), [sum(counts[:index]) for index in range(len(counts))]
        ends = zip(node.output, starts, counts, strict=True)
        return [Node("Part", (node.input[0],), o, {"axis": axis, "first": f, "count": c}) for o, f, c in ends]
    if len([name for name in node.output if name]) != 1:
        raise CannotConvert(f"expected one output of {node.op_type} {node.name}, found {list(node.output)}")
    attributes = {a.name: value_of(a) for a in node.attribute}
    if node.op_type == "Constant":
        if "value" not in attributes:
            raise CannotConvert(f"expected a tensor in constant {node.output[0]}, found {sorted(attributes)}")
        attributes = {"value": to_array(attributes["value"])}
    return [Node(node.op_type, tuple(node.input), node.output[0], attributes)]


def compute_constants(graph: Graph) -> Graph:
    """Replace every operation whose inputs are all constant by its result, and every dropout by its input.

    Raises:
        CannotConvert: such an operation is not one of the few that are known.
    """
    constants = dict(graph.constants)
    renamed: dict[str, str] = {}
    left: list[Node] = []
    waiting = list(graph.nodes)
    while waiting:
        later: list[Node] = []
        for node in waiting:
            inputs = tuple(renamed.get(name, name) for name in node.inputs)
            if node.op == "Dropout":  # does nothing when not training
                renamed[node.output] = inputs[0]
            elif all(name in constants for name in inputs):
                constants[node.output] = _compute(replace(node, inputs=inputs), constants)
            else:
                later.append(replace(node, inputs=inputs))
        if len(later) == len(waiting):
            left = later
            break
        waiting = later
    outputs = tuple(renamed.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(left), constants=constants, outputs=outputs)


def _compute(node: Node, constants: Mapping[str, Array]) -> Array:
    inputs = [constants[name] for name in node.inputs]
    match node.op:
        case "Constant":
            return np.asarray(node.attributes["value"])
        case "Reshape":
            return inputs[0].reshape([int(n) for n in inputs[1]])
        case "DequantizeLinear":
            return dequantise(inputs, int(node.attributes.get("axis", 1)), int(node.attributes.get("block_size", 0)))
        case _:
            raise CannotConvert(f"expected constants made by Reshape or DequantizeLinear, found {node.op}")


def dequantise(inputs: list[Array], axis: int, block_size: int) -> NDArray[np.float32]:
    """Compute ONNX's DequantizeLinear: (q - zero point) * scale, in float32 as the operator defines.

    Args:
        inputs: integers, scales and, if there are any, zero points.
        axis: the axis along which scales differ.
        block_size: consecutive elements that share a scale along that axis; 0: one scale per index, or one in all.

    Raises:
        CannotConvert: shapes do not fit together.
    """
    values, scales = inputs[0], inputs[1].astype(np.float32)
    zeros = inputs[2] if len(inputs) > 2 else np.zeros(scales.shape, values.dtype)  # noqa: PLR2004 - the third is optional
    if block_size:
        # The last block may be shorter.
        scales, zeros = (np.repeat(a, block_size, axis).take(range(values.shape[axis]), axis) for a in (scales, zeros))
        fits = scales.shape == values.shape
    elif scales.ndim == 1:
        fits = scales.shape[0] == values.shape[axis]
        shape = [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]
        scales, zeros = scales.reshape(shape), zeros.reshape(shape)
    else:
        fits = scales.ndim == 0
    if not fits:
        raise CannotConvert(f"expected scales that fit {values.shape}, found {inputs[1].shape}, blocks of {block_size}")
    difference = values.astype(np.int32) - zeros.astype(np.int32)
    return (difference.astype(np.float32) * scales).astype(np.float32)
