"""Joining the narrow branches at a network's end into one wide branch: the same numbers, fewer passes over the map."""

from dataclasses import replace

import numpy as np

from .onnx_graph import Graph, Node


def join_heads(graph: Graph) -> Graph:
    """Join branches "Conv 1x1, then Conv per channel" that start at one value, and slice the result.

    A detector's heads (class, object, box, points) each have a few channels; computed apart, each reads the whole map
    again and leaves most of a vector register unused. Channels do not mix after the first convolution, so joined
    weights give every channel the same sums.

    Args:
        graph: from `fold.fold`.

    Returns:
        The graph with joined branches; their old results are made by nodes "Channels" (our own), with attributes
        `first` and `count`.
    """
    for start in dict.fromkeys(node.inputs[0] for node in graph.nodes):
        branches = [branch for node in graph.users(start) if (branch := _branch(graph, node))]
        alike = [branch for branch in branches if _form(branch) == _form(branches[0])]
        if len(alike) > 1:
            graph = _joined(graph, alike)
    return graph


def _branch(graph: Graph, first: Node) -> tuple[Node, Node] | None:
    """A narrow 1x1 Conv without activation, and the per-channel Conv that alone uses it."""
    users = graph.users(first.output)
    if first.op != "Conv" or len(users) != 1 or users[0].op != "Conv" or first.output in graph.outputs:
        return None
    second = users[0]
    weights, filters = graph.constants[first.inputs[1]], graph.constants[second.inputs[1]]
    pointwise = weights.shape[2:] == (1, 1) and int(first.attributes.get("group", 1)) == 1
    plain = not first.attributes.get("relu") and not any(first.attributes.get("pads", ()))
    per_channel = filters.shape[:2] == (weights.shape[0], 1)
    per_channel = per_channel and int(second.attributes.get("group", 1)) == weights.shape[0]
    return (first, second) if pointwise and plain and per_channel else None


def _form(branch: tuple[Node, Node]) -> list[str]:
    """What must be alike for branches to be joined: everything but the channels."""
    return sorted(f"{i} {k}={v}" for i, node in enumerate(branch) for k, v in node.attributes.items() if k != "group")


def _joined(graph: Graph, branches: list[tuple[Node, Node]]) -> Graph:
    constants = dict(graph.constants)
    names: list[tuple[str, str]] = []
    for position in (0, 1):
        name = f"{branches[0][position].output}/joined"
        for index, kind in ((1, "weights"), (2, "bias")):
            parts = [constants[branch[position].inputs[index]] for branch in branches]
            constants[f"{name}/{kind}"] = np.concatenate(parts)
        names.append((f"{name}/weights", f"{name}/bias"))
    counts = [constants[second.inputs[1]].shape[0] for _, second in branches]
    one, two = branches[0]
    wide_one = replace(one, inputs=(one.inputs[0], *names[0]), output=f"{one.output}/joined")
    wide_two = replace(two, inputs=(wide_one.output, *names[1]), output=f"{two.output}/joined")
    wide_two = replace(wide_two, attributes={**two.attributes, "group": sum(counts)})
    starts = [sum(counts[:index]) for index in range(len(counts))]
    slices = [
        Node("Channels", (wide_two.output,), second.output, {"first": start, "count": count})
        for (_, second), start, count in zip(branches, starts, counts, strict=True)
    ]
    gone = {node.output for branch in branches for node in branch}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.output == one.output:
            nodes += [wide_one, wide_two, *slices]
        elif node.output not in gone:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), constants=constants)
