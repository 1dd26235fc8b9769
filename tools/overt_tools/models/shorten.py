"""Templates in fewer numbers: directions that a network never uses are left out.

The last layers of an embedder are linear, and what they can give often lies in far fewer directions than they have
outputs: training with weight decay empties the others. Those that are used are found from the weights alone, by
orthogonalising the columns, longest first (Gram and Schmidt, with pivots). Cosines between templates stay what they
were, up to the length of what is left out.
"""

import math
from dataclasses import replace

import numpy as np

from .errors import CannotConvert
from .fold import Doubles, fsum_product
from .onnx_graph import Graph, Node

NEGLIGIBLE = 1e-3  # of the longest column's length: more than the arithmetic of float32 loses, less than a score shows
_NOTHING = (
    1e-9  # of the same: what rounding leaves of a column that is spanned already, and has no direction of its own
)


def shorten(graph: Graph, values: int) -> Graph:
    """Replace the dense layers at the end of a network by one that gives fewer numbers.

    Args:
        graph: from `blocks.find_blocks`; its one output is made by dense layers.
        values: how many numbers to keep.

    Raises:
        CannotConvert: the output is made by something else, or more directions are in use.
    """
    last = next((node for node in graph.nodes if (node.output,) == graph.outputs), None)
    if last is None or last.op != "Dense":
        raise CannotConvert(f"expected one output, made by a dense layer, to shorten; found {list(graph.outputs)}")
    weights, bias = (graph.constants[name].astype(float) for name in last.inputs[1:3])
    nodes, first = [node for node in graph.nodes if node is not last], last
    while (before := next((n for n in nodes if n.output == first.inputs[0] and n.op == "Dense"), None)) is not None:
        inner, inner_bias = (graph.constants[name].astype(float) for name in before.inputs[1:3])
        bias = fsum_product(weights, inner_bias) + bias
        weights = np.stack([fsum_product(weights, column) for column in inner.T], axis=1)
        nodes, first = [node for node in nodes if node is not before], before
    basis = directions(np.column_stack([weights, bias]), values)
    constants = {
        f"{last.output}/weights": np.stack([fsum_product(basis, column) for column in weights.T], axis=1),
        f"{last.output}/bias": fsum_product(basis, bias),
    }
    dense = Node("Dense", (first.inputs[0], *constants), last.output)
    return replace(graph, nodes=(*nodes, dense), constants={**graph.constants, **constants})


def directions(columns: Doubles, count: int) -> Doubles:
    """Return orthonormal rows (count, n) that span the columns (n, m), as nearly as so many can.

    Raises:
        CannotConvert: what they leave out is not negligible.
    """
    left = columns.T.copy()
    basis: list[Doubles] = []
    longest = max(_length(row) for row in left)
    for _ in range(min(count, *left.shape)):
        row = left[int(np.argmax([_length(row) for row in left]))]
        if _length(row) < _NOTHING * longest:
            break
        unit = row / _length(row)
        basis.append(unit)
        left = left - fsum_product(left, unit)[:, None] * unit
    over = max(_length(row) for row in left) / longest
    if over > NEGLIGIBLE:
        raise CannotConvert(f"expected templates that {count} numbers can hold, found {over:.1%} of one left out")
    return np.vstack([*basis, np.zeros((count - len(basis), len(columns)))])


def _length(row: Doubles) -> float:
    return math.sqrt(math.fsum((row * row).tolist()))
