"""From a folded graph (channels second) to a LiteRT file (channels last), with every shape fixed."""

from collections.abc import Mapping

from .errors import CannotConvert
from .litert_file import Tensor, pack
from .onnx_graph import Graph
from .program import Program, Shape
from .rules import RULES


def lower(graph: Graph, width: int, height: int, outputs: Mapping[str, tuple[str, Shape]], description: str) -> bytes:
    """Write a folded graph as a LiteRT file for one picture of one size.

    The file's input is called "image" and is [1, height, width, channels] float32.

    Args:
        graph: from `fold.fold`.
        width: pixels.
        height: pixels.
        outputs: for each output to keep, in the file's order, by its name in the graph: its name in the file, and the
            shape that it has to have.
        description: kept in the file.

    Raises:
        CannotConvert: an operation, or a form of it, that this converter does not know.
    """
    program = Program(graph)
    start = program.tensor("image", (1, height, width, graph.channels))
    program.values[graph.input] = start
    program.spatial.add(graph.input)
    for node in graph.nodes:
        rule = RULES.get(node.op)
        if rule is None:
            raise CannotConvert(f"expected one of {', '.join(RULES)}; found {node.op} ({node.output})")
        program.values[node.output], spatial = rule(program, node)
        if spatial:
            program.spatial.add(node.output)
    missing = [name for name in outputs if name not in program.values]
    if missing:
        raise CannotConvert(f"expected outputs {missing}, found {list(graph.outputs)}")
    ends = [program.values[name] for name in outputs]
    for number, (name, shape) in zip(ends, outputs.values(), strict=True):
        found = program.tensors[number].shape
        if found != shape:
            raise CannotConvert(f"expected shape {shape} of output {name}, found {found}")
        program.tensors[number] = Tensor(name, shape)
    return pack(program.tensors, program.operations, [start], ends, description)
