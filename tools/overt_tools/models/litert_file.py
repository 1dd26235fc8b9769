"""Writing a LiteRT (TensorFlow Lite) file: tensors and operations into a flatbuffer, the same bytes every time."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder

from .onnx_graph import Array

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # bytes; the schema's force_align of Buffer.data, which the generated Python code does not heed
_LAST_OLD_CODE = 127  # later operation codes do not fit the schema's old, one-byte field

_TYPES = {np.dtype(np.float32): schema.TensorType.FLOAT32, np.dtype(np.int32): schema.TensorType.INT32}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor; with data it is a constant.

    Attributes:
        name: unique in the file.
        shape: dimensions, channels last.
        data: float32 or int32 of that shape, or None.
    """

    name: str
    shape: tuple[int, ...]
    data: Array | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        code: a `BuiltinOperator`.
        inputs: tensor numbers.
        output: tensor number.
        options: the operation's options table of the schema, if it has one.
    """

    code: int
    inputs: tuple[int, ...]
    output: int
    options: Any = None


class _Buffer(schema.BufferT):  # type: ignore[misc] # the generated schema is untyped
    """A buffer that is aligned as the schema demands."""

    def Pack(self, builder: Builder) -> int:  # noqa: N802 - the generated code's name
        data = None
        if self.data is not None:
            builder.StartVector(1, len(self.data), ALIGNMENT)
            builder.head -= len(self.data)
            builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def pack(
    tensors: list[Tensor], operations: list[Operation], inputs: list[int], outputs: list[int], description: str
) -> bytes:
    """Return the file.

    Args:
        tensors: all tensors; numbers elsewhere are indices into this list.
        operations: in the order of computation.
        inputs: tensor numbers.
        outputs: tensor numbers.
        description: kept in the file.
    """
    buffers = [_Buffer()]  # the first is empty by rule
    rows = []
    for tensor in tensors:
        number = 0
        if tensor.data is not None:
            number = len(buffers)
            buffers.append(
                _Buffer(data=np.ascontiguousarray(tensor.data).astype(tensor.data.dtype.newbyteorder("<")).tobytes())
            )
        kind = schema.TensorType.FLOAT32 if tensor.data is None else _TYPES[tensor.data.dtype]
        rows.append(schema.TensorT(name=tensor.name, shape=list(tensor.shape), type=kind, buffer=number))
    codes = sorted({operation.code for operation in operations})
    graph = schema.SubGraphT(
        name="main",
        tensors=rows,
        inputs=inputs,
        outputs=outputs,
        operators=[_operator(operation, codes.index(operation.code)) for operation in operations],
    )
    model = schema.ModelT(
        version=SCHEMA_VERSION,
        operatorCodes=[
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, _LAST_OLD_CODE), builtinCode=code, version=1)
            for code in codes
        ],
        subgraphs=[graph],
        buffers=buffers,
        description=description,
    )
    return _finished(model)


def unpack(model: bytes) -> Any:  # noqa: ANN401 - the generated schema is untyped
    """Return a file as the schema's objects, with buffers that lie behind its tables brought into them."""
    loaded = schema.ModelT.InitFromPackedBuf(model, 0)
    for buffer in loaded.buffers:
        if buffer.size:
            buffer.data = model[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    return loaded


def repack(model: Any) -> bytes:  # noqa: ANN401 - the generated schema is untyped
    """Return the file of what `unpack` gave, changed or not."""
    model.buffers = [_Buffer(data=None if buffer.data is None else bytes(buffer.data)) for buffer in model.buffers]
    return _finished(model)


def _finished(model: Any) -> bytes:  # noqa: ANN401 - the generated schema is untyped
    room = sum(len(buffer.data or b"") + 2 * ALIGNMENT for buffer in model.buffers) + 65_536
    builder = Builder(room)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _operator(operation: Operation, code_index: int) -> Any:  # noqa: ANN401 - the generated schema is untyped
    operator = schema.OperatorT(opcodeIndex=code_index, inputs=list(operation.inputs), outputs=[operation.output])
    if operation.options is not None:
        name = type(operation.options).__name__.removesuffix("T")
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        operator.builtinOptions = operation.options
    return operator
