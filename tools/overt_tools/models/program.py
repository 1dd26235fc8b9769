"""The LiteRT program that a graph is being turned into: its tensors, its operations, and where each value went."""

from typing import Any, TypeAlias

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .errors import CannotConvert
from .litert_file import Operation, Tensor
from .onnx_graph import Array, Graph, Node

Shape: TypeAlias = tuple[int, ...]
Result: TypeAlias = tuple[int, bool]  # of a rule: the tensor that holds a node's result, and whether it has channels


class Program:
    """Tensors and operations as they come.

    Attributes:
        graph: what is being turned into a program.
        tensors: so far; their numbers are indices.
        operations: so far.
        values: tensor numbers by the graph's names.
        spatial: the names of values that have the channels second in the graph and last here. Others are alike in both.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: list[Tensor] = []
        self.operations: list[Operation] = []
        self.values: dict[str, int] = {}
        self.spatial: set[str] = set()

    def tensor(self, name: str, shape: Shape, data: Array | None = None) -> int:
        """Add a tensor and return its number."""
        self.tensors.append(Tensor(name, shape, data))
        return len(self.tensors) - 1

    def constant(self, name: str, data: Array, kind: type[np.float32 | np.int32] = np.float32) -> int:
        """Add a constant and return its number."""
        return self.tensor(name, data.shape, data.astype(kind))

    def emit(
        self,
        code: int,
        inputs: tuple[int, ...],
        name: str,
        shape: Shape,
        options: Any = None,  # noqa: ANN401 - the schema is untyped
    ) -> int:
        """Add an operation and its output; return the output's number."""
        output = self.tensor(name, shape)
        self.operations.append(Operation(code, inputs, output, options))
        return output

    def reshaped(self, source: int, name: str, shape: Shape) -> int:
        """Add a tensor with the numbers of another in another shape; return its number."""
        wanted = self.constant(f"{name}/shape", np.array(shape), np.int32)
        options = schema.ReshapeOptionsT(newShape=list(shape))
        return self.emit(schema.BuiltinOperator.RESHAPE, (source, wanted), name, shape, options)

    def part(self, source: int, name: str, axis: int, first: int, count: int) -> int:
        """Add a tensor with some of another's numbers along an axis; return its number."""
        whole = self.tensors[source].shape
        taken = tuple(count if index == axis else size for index, size in enumerate(whole))
        starts = np.array([first if index == axis else 0 for index in range(len(whole))])
        begin = self.constant(f"{name}/begin", starts, np.int32)
        size = self.constant(f"{name}/size", np.array(taken), np.int32)
        return self.emit(schema.BuiltinOperator.SLICE, (source, begin, size), name, taken, schema.SliceOptionsT())

    def value(self, node: Node, index: int = 0, spatial: bool = True) -> tuple[int, Shape]:
        """Return the tensor that an input of a node went to, and its shape.

        Raises:
            CannotConvert: it went nowhere, or its layout is not the one that is asked for.
        """
        name = node.inputs[index]
        if name not in self.values or (name in self.spatial) != spatial:
            layout = "with" if spatial else "without"
            raise CannotConvert(
                f"expected a computed value {layout} channels as input {index} of {node.op} {node.output}: {name}"
            )
        return self.values[name], self.tensors[self.values[name]].shape

    def const(self, node: Node, index: int) -> Array:
        """Return the constant that an input of a node is.

        Raises:
            CannotConvert: it is none.
        """
        if index >= len(node.inputs) or node.inputs[index] not in self.graph.constants:
            raise CannotConvert(f"expected input {index} of {node.op} {node.output} to be constant, it is not")
        return self.graph.constants[node.inputs[index]]


def require(node: Node, holds: bool, expected: str) -> None:
    """Refuse a form of an operation that is not handled.

    Raises:
        CannotConvert: unless `holds`.
    """
    if not holds:
        raise CannotConvert(f"expected {expected} in {node.op} {node.output}, found {dict(node.attributes)}")
