"""Making dense layers compute with 8-bit integers: a third of the time, a quarter of the bytes.

Weights have a scale per output. What goes in gets one per row, found as it comes, so no ranges have to be measured, and
the same model gives the same file.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from .errors import CannotConvert
from .litert_file import repack, unpack


def quantise_dense(model: bytes) -> bytes:
    """Return the file with the weights of its dense layers in 8 bits, a scale for each output.

    What goes in is made integers as it comes, with a range of its own for each row, so nothing has to be measured
    beforehand. All else, and all results, stay float32. Layers for one row only are left alone: they take no time.

    Args:
        model: a LiteRT file in float32.

    Raises:
        CannotConvert: the quantiser cannot.
    """
    from ai_edge_quantizer import recipe  # noqa: PLC0415 - a second to load, and only a real build needs it

    rule = [{**step, "operation": "FULLY_CONNECTED"} for step in recipe.dynamic_wi8_afp32()]
    ends = [{"regex": f"^{re.escape(name)}", "operation_name": "FULLY_CONNECTED"} for name in _single_rows(model)]
    return _quantised(model, rule, ends)


def _single_rows(model: bytes) -> list[str]:
    """Names of values that are one row of numbers."""
    tensors = unpack(model).subgraphs[0].tensors
    return [tensor.name.decode() for tensor in tensors if tensor.shape is not None and len(tensor.shape) == 2]  # noqa: PLR2004


def _quantised(model: bytes, recipe: Any, floats: list[dict[str, str]]) -> bytes:  # noqa: ANN401 - the quantiser is untyped
    """Apply a recipe of the quantiser, but for what stays in floats."""
    from ai_edge_quantizer import quantizer  # noqa: PLC0415 - a second to load, and only a real build needs it

    with _quietly():
        worker = quantizer.Quantizer(bytearray(_signed(model)))
        worker.load_quantization_recipe(recipe)
        for those in floats:
            worker.update_quantization_recipe(algorithm_key="no_quantize", **those)
        try:
            made = worker.quantize().quantized_model
        except (ValueError, KeyError, RuntimeError) as error:
            raise CannotConvert(f"cannot make integers of this model: {str(error).splitlines()[0]}") from error
    if made is None:
        raise CannotConvert("cannot make integers of this model: the quantiser gave nothing")
    return bytes(made)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the quantiser's and the engine's remarks from the terminal, and from what a command prints."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def _signed(model: bytes) -> bytes:
    """Give a file a list of signatures, which the quantiser takes for granted."""
    loaded = unpack(model)
    graph = loaded.subgraphs[0]
    maps = {
        kind: [schema.TensorMapT(name=graph.tensors[number].name, tensorIndex=int(number)) for number in numbers]
        for kind, numbers in (("inputs", graph.inputs), ("outputs", graph.outputs))
    }
    loaded.signatureDefs = [schema.SignatureDefT(signatureKey="run", subgraphIndex=0, **maps)]
    return repack(loaded)
