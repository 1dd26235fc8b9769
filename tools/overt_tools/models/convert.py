"""One published ONNX model into one LiteRT file, as an artefact of the catalogue describes it."""

from overt.recognition.catalogue import Artefact

from .blocks import find_blocks
from .centre import centre
from .errors import CannotConvert
from .fold import fold, scale_input
from .heads import join_heads
from .lower import lower
from .onnx_graph import Graph, read
from .quantise import quantise_dense
from .shorten import shorten


def convert(model: bytes, artefact: Artefact) -> bytes:
    """Convert a model, its dense layers to 8-bit integers when the artefact says so.

    Args:
        model: ONNX, float or with block-quantised weights; its picture's size does not matter.
        artefact: says the picture's size, and the outputs' names and shapes. A single output may have any name in the
            model; several must have the catalogue's names there.

    Returns:
        The LiteRT file, the same bytes for the same input.

    Raises:
        CannotConvert: the model is not one that this converter knows, or does not give what the artefact promises.
    """
    floats = convert_to_floats(model, artefact)
    return quantise_dense(floats) if artefact.dense_integers else floats


def convert_to_floats(model: bytes, artefact: Artefact) -> bytes:
    """Convert a model to floats.

    Raises:
        CannotConvert: see `convert`.
    """
    _, height, width, channels = artefact.input.shape
    graph = _rewritten(read(model), artefact)
    if graph.channels != channels:
        raise CannotConvert(
            f"expected {channels} colour channels in the model of {artefact.name}, found {graph.channels}"
        )
    names = [output.name for output in artefact.outputs]
    known = graph.outputs if len(graph.outputs) == 1 else tuple(name for name in names if name in graph.outputs)
    if len(known) != len(names):
        raise CannotConvert(f"expected outputs {names} in the model of {artefact.name}, found {list(graph.outputs)}")
    outputs = {old: (output.name, output.shape) for old, output in zip(known, artefact.outputs, strict=True)}
    return lower(graph, width, height, outputs, artefact.name)


def _rewritten(graph: Graph, artefact: Artefact) -> Graph:
    """A network as the artefact wants it, in as few operations as compute the same."""
    graph = find_blocks(centre(graph, artefact.centre))
    if artefact.shortened:
        graph = shorten(graph, artefact.outputs[0].shape[-1])
    graph = join_heads(fold(graph))
    if artefact.scaling is not None:
        graph = scale_input(graph, artefact.scaling.subtract, artefact.scaling.divide)
    return graph
