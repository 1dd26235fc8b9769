"""Making a LiteRT file compute with 8-bit integers, from ranges that were measured once and are kept as text.

Weights have a scale per output channel, activations one per tensor. What a published network computes is not known to
a converter, so the ranges of its activations are measured on pictures (`calibrate`). They are part of the recipe:
measured again on another machine they would differ in the last digits, and so would the file.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from .errors import CannotConvert, ModelsError
from .litert_file import repack, unpack

Ranges: TypeAlias = dict[str, tuple[float, float]]
"""For each tensor by name, the least and the greatest value that is told apart."""

DIGITS = 4
"""Significant digits of a range: far finer than the 256 steps that it is divided into."""


def read_ranges(data: bytes) -> Ranges:
    """Read a file of ranges: JSON, the least and the greatest value of each tensor.

    Raises:
        ModelsError: not of that form.
    """
    try:
        return msgspec.json.decode(data, type=Ranges)
    except msgspec.DecodeError as error:
        raise ModelsError(f"expected ranges as JSON (overt-tools models calibrate writes them): {error}") from None


def write_ranges(ranges: Ranges) -> bytes:
    """Return the file of ranges."""
    return msgspec.json.format(msgspec.json.encode(ranges, order="sorted"), indent=1) + b"\n"


def quantise(model: bytes, ranges: Ranges, floats: Iterable[str] = ()) -> bytes:
    """Return the file with weights and activations in 8 bits; its input and outputs stay float32.

    Args:
        model: a LiteRT file in float32.
        ranges: of every activation.
        floats: patterns of names of activations that stay in float32 all the same.

    Raises:
        CannotConvert: a range is missing.
    """
    from ai_edge_quantizer import quantizer, recipe  # noqa: PLC0415 - a second to load, and only a real build needs it

    measured = {name: {"min": _number(least), "max": _number(most)} for name, (least, most) in ranges.items()}
    with _quietly():
        worker = quantizer.Quantizer(bytearray(_signed(model)))
        _instruct(worker, recipe.static_wi8_ai8(), floats)
        try:
            made = worker.quantize(measured).quantized_model
        except (ValueError, KeyError, RuntimeError) as error:
            raise CannotConvert(f"cannot make integers of this model: {str(error).splitlines()[0]}") from error
    if made is None:
        raise CannotConvert("cannot make integers of this model: the quantiser gave nothing")
    return _renamed(bytes(made), model)


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


def _instruct(worker: Any, recipe: Any, floats: Iterable[str]) -> None:  # noqa: ANN401 - the quantiser is untyped
    worker.load_quantization_recipe(recipe)
    for operation in ("INPUT", "OUTPUT"):
        worker.update_quantization_recipe(regex=".*", operation_name=operation, algorithm_key="no_quantize")
    for pattern in floats:
        worker.update_quantization_recipe(regex=pattern, operation_name="*", algorithm_key="no_quantize")


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


def _renamed(made: bytes, model: bytes) -> bytes:
    """Give the outputs of a quantised file their names back."""
    loaded, before = unpack(made), unpack(model)
    ends, names = loaded.subgraphs[0], before.subgraphs[0]
    for number, old in zip(ends.outputs, names.outputs, strict=True):
        wanted = names.tensors[old].name
        for tensor in ends.tensors:
            if tensor.name == wanted:
                tensor.name = wanted + b"/integers"
        ends.tensors[number].name = wanted
    return repack(loaded)


def _number(value: float) -> NDArray[np.float32]:
    return np.array([[[[value]]]], np.float32)


def calibrate(model: bytes, images: Iterable[NDArray[np.float32]], share: float) -> Ranges:
    """Measure the range of every activation of a model.

    Args:
        model: a LiteRT file in float32.
        images: inputs, [1, height, width, channels] float32 each.
        share: of the pictures, the part whose own least and greatest value a range holds, at either end; below 1, a
            single odd picture does not make every step coarser.

    Returns:
        For each activation, by name, its range; 0 is always in it.

    Raises:
        ModelsError: no pictures.
    """
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - loads the engine

    with _quietly():
        engine: Any = Interpreter(model_content=model, num_threads=1, experimental_preserve_all_tensors=True)
        engine.allocate_tensors()
    source = engine.get_input_details()[0]["index"]
    made = {int(index) for operation in engine._get_ops_details() for index in operation["outputs"]}
    # engine has no public way to say which tensors are computed
    tensors = {
        str(t["name"]): int(t["index"])
        for t in engine.get_tensor_details()
        if int(t["index"]) in made | {source} and t["dtype"] == np.float32 and not re.match("Delegate/", str(t["name"]))
    }
    lows: dict[str, list[float]] = {name: [] for name in tensors}
    highs: dict[str, list[float]] = {name: [] for name in tensors}
    for image in images:
        engine.set_tensor(source, image)
        engine.invoke()
        for name, index in tensors.items():
            values = engine.get_tensor(index)
            lows[name].append(float(values.min()))
            highs[name].append(float(values.max()))
    if not any(lows.values()):
        raise ModelsError("expected pictures to measure ranges on, found none")
    return {name: _range(lows[name], highs[name], share) for name in tensors}


def _range(lows: list[float], highs: list[float], share: float) -> tuple[float, float]:
    low, high = np.quantile(lows, 1 - share), np.quantile(highs, share)
    return min(0.0, float(f"{low:.{DIGITS}g}")), max(0.0, float(f"{high:.{DIGITS}g}"))
