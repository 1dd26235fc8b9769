"""What a network costs by its own file: multiply-adds, bytes of weights, bytes of what lies between its layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import BenchError

# Bytes of a number, by TensorType of the LiteRT schema; types that no network here uses count as four.
_BYTES = {"FLOAT32": 4.0, "FLOAT16": 2.0, "INT32": 4.0, "UINT8": 1.0, "INT8": 1.0, "INT16": 2.0, "INT64": 8.0,
          "BOOL": 1.0, "INT4": 0.5}  # fmt: skip
_KINDS = {"INT8": "int8", "UINT8": "int8", "INT4": "int4", "FLOAT16": "float16", "FLOAT32": "float32"}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run costs.

    Attributes:
        multiply_adds: Of all convolutions and products. Additions, activations and resizing are not counted.
        weight_bytes: Of all constants in the file.
        activation_bytes: Of all tensors that layers read and write, each time it is read or written: what would move
            if nothing stayed in a cache.
        kind: The number format of most weights: float32, float16, int8 or int4.
        operations: How often each operation occurs.
    """

    multiply_adds: int
    weight_bytes: int
    activation_bytes: int
    kind: str
    operations: dict[str, int]


def cost_of(content: bytes) -> Cost:
    """Read a LiteRT file's graph and count.

    Args:
        content: The file.

    Raises:
        BenchError: Not a LiteRT file.
    """
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - heavy

    if content[4:8] != b"TFL3":
        raise BenchError("expected a LiteRT file, found something else: build the models again (make models)")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    types = {number: name for name, number in vars(schema.TensorType).items() if isinstance(number, int)}
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    total, moved = 0, 0.0
    operations: dict[str, int] = {}
    for graph in model.subgraphs:
        sizes = [_size(tensor) * _BYTES.get(types[tensor.type], 4.0) for tensor in graph.tensors]
        constant = [_length(model.buffers[tensor.buffer]) > 0 for tensor in graph.tensors]
        for operator in graph.operators:
            name = codes[operator.opcodeIndex]
            operations[name] = operations.get(name, 0) + 1
            total += _multiply_adds(name, graph.tensors, operator)
            touched = [index for index in (*operator.inputs, *operator.outputs) if index >= 0 and not constant[index]]
            moved += sum(sizes[index] for index in touched)
    weights, kind = _weights(model, types)
    return Cost(total, weights, int(moved), kind, dict(sorted(operations.items())))


def _weights(model: Any, types: dict[int, str]) -> tuple[int, str]:  # noqa: ANN401 - the generated schema is untyped
    """The bytes of all constants, and the number format of most of them."""
    by_kind: dict[str, int] = {}
    seen: set[int] = set()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            size = _length(model.buffers[tensor.buffer])
            if size and tensor.buffer not in seen:
                seen.add(tensor.buffer)
                name = types[tensor.type]
                by_kind[name] = by_kind.get(name, 0) + size
    most = max(by_kind, key=lambda name: by_kind[name], default="FLOAT32")
    return sum(by_kind.values()), _KINDS.get(most, most.lower())


def _multiply_adds(name: str, tensors: Any, operator: Any) -> int:  # noqa: ANN401 - the generated schema is untyped
    """Of one operation: each number of the output is a sum of so many products."""
    out = _size(tensors[operator.outputs[0]])
    match name:
        case "CONV_2D" | "DEPTHWISE_CONV_2D":
            filters = _shape(tensors[operator.inputs[1]])  # (out, h, w, in of the group) or (1, h, w, channels)
            return out * filters[1] * filters[2] * (filters[3] if name == "CONV_2D" else 1)
        case "TRANSPOSE_CONV":
            filters = _shape(tensors[operator.inputs[1]])  # (out, h, w, in); inputs: output's shape, filters, picture
            return _size(tensors[operator.inputs[2]]) * filters[0] * filters[1] * filters[2]
        case "FULLY_CONNECTED":
            return out * _shape(tensors[operator.inputs[1]])[-1]
        case "BATCH_MATMUL":
            left = _shape(tensors[operator.inputs[0]])
            return out * left[-2 if operator.builtinOptions and operator.builtinOptions.adjX else -1]
        case _:
            return 0


def _shape(tensor: Any) -> list[int]:  # noqa: ANN401 - the generated schema is untyped
    return [] if tensor.shape is None else [int(side) for side in tensor.shape]


def _size(tensor: Any) -> int:  # noqa: ANN401 - the generated schema is untyped
    return int(np.prod(_shape(tensor), dtype=np.int64))


def _length(buffer: Any) -> int:  # noqa: ANN401 - the generated schema is untyped
    return 0 if buffer.data is None else len(buffer.data)
