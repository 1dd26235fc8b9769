"""One published ONNX model into one LiteRT file, as an artefact of the catalogue describes it."""

from overt.recognition.catalogue import Artefact

from .centre import centre
from .errors import CannotConvert
from .fold import fold
from .heads import join_heads
from .lower import lower
from .onnx_graph import read
from .quantise import Ranges, quantise
from .spell import spell_prelu


def convert(model: bytes, artefact: Artefact, ranges: Ranges | None = None) -> bytes:
    """Convert a model, to 8-bit integers when the artefact says so.

    Args:
        model: ONNX, float or with block-quantised weights; its picture's size does not matter.
        artefact: says the picture's size, and the outputs' names and shapes. A single output may have any name in the
            model; several must have the catalogue's names there.
        ranges: of the activations, when the artefact names a file of them.

    Returns:
        The LiteRT file, the same bytes for the same input.

    Raises:
        CannotConvert: the model is not one that this converter knows, or does not give what the artefact promises.
    """
    floats = convert_to_floats(model, artefact)
    if artefact.ranges is None:
        return floats
    if ranges is None:
        raise CannotConvert(f"expected ranges of {artefact.name} in {artefact.ranges}, found none")
    return quantise(floats, ranges)


def convert_to_floats(model: bytes, artefact: Artefact) -> bytes:
    """Convert a model to floats: with PReLU spelt for integers when the artefact says that they are to come.

    Raises:
        CannotConvert: see `convert`.
    """
    _, height, width, channels = artefact.input.shape
    graph = join_heads(fold(centre(read(model), artefact.centre)))
    if artefact.ranges is not None:
        graph = spell_prelu(graph)
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
