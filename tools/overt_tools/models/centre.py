"""Moving the middle of an embedder's templates to where none is: what all faces have in common tells nobody apart.

A network that ends with a batch norm says itself where the middle of its templates is: in training a batch norm's
output has its shift as its mean. Templates of SFace have a large common part in that direction, about twice the shift
(2.1 on the development half of Labeled Faces in the Wild), so scores of strangers are spread more widely than they
need be. No picture of anybody is needed to take it away: it is a change of 128 constants of the network.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .errors import CannotConvert
from .onnx_graph import Graph


def centre(graph: Graph, shifts: float) -> Graph:
    """Subtract a multiple of the last batch norm's shift from the one output of a network.

    Args:
        graph: from `onnx_graph.read`; its one output is made by a batch norm.
        shifts: how many times the shift is subtracted; 0 changes nothing.

    Raises:
        CannotConvert: the output is not made by a batch norm.
    """
    if not shifts:
        return graph
    shift = np.asarray(last_shift(graph) * np.float32(1 - shifts), np.float32)
    return replace(graph, constants={**graph.constants, _shift_name(graph): shift})


def last_shift(graph: Graph) -> NDArray[np.float32]:
    """Return the shift of the batch norm that makes the one output of a network, one number per channel.

    Raises:
        CannotConvert: the output is not made by a batch norm.
    """
    return np.asarray(graph.constants[_shift_name(graph)], np.float32)


def _shift_name(graph: Graph) -> str:
    last = next((node for node in graph.nodes if (node.output,) == graph.outputs), None)
    if last is None or last.op != "BatchNormalization":
        raise CannotConvert(f"expected one output, made by a batch norm, to centre; found {list(graph.outputs)}")
    return last.inputs[2]
