"""The original of a model, run by ONNX Runtime: what a converted file is compared with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelsError


class Reference:
    """An ONNX model as published, made runnable for one picture size, and nothing else changed."""

    def __init__(self, model: bytes, width: int, height: int) -> None:
        """Load the model.

        Args:
            model: ONNX.
            width: pixels of the picture.
            height: pixels of the picture.

        Raises:
            ModelsError: ONNX Runtime is not installed.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - a developer's dependency; only the comparison needs it
        except ImportError:
            raise ModelsError("expected ONNX Runtime to compare with, found none: run 'make setup-dev'") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # errors only: the published files make it warn
        self._session = onnxruntime.InferenceSession(runnable(model, width, height), options)

    def run(self, image: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return the outputs, maps with channels last, for a picture of shape [1, height, width, channels]."""
        planes = np.ascontiguousarray(image.transpose(0, 3, 1, 2))
        found = self._session.run(None, {self._session.get_inputs()[0].name: planes})
        values = [value.transpose(0, 2, 3, 1) if value.ndim == image.ndim else value for value in found]
        return dict(zip([output.name for output in self._session.get_outputs()], values, strict=True))


def runnable(model: bytes, width: int, height: int) -> bytes:
    """Return an ONNX model with everything gone that keeps ONNX Runtime from loading it at this picture size.

    That is: inputs that nothing uses, fixed sizes, dropouts with a ratio that is not a scalar, and a block size where
    there is one scale only.
    """
    import onnx  # noqa: PLC0415 - takes a third of a second to load

    loaded = onnx.load_model_from_string(model)
    graph = loaded.graph
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    used = {name for node in graph.node for name in node.input} - set(constants)
    _keep(graph.input, [value for value in graph.input if value.name in used])
    size = graph.input[0].type.tensor_type.shape.dim
    size[2].dim_value, size[3].dim_value = height, width
    del graph.value_info[:]
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    skipped = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Dropout"}
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = skipped.get(name, name)
        if node.op_type == "DequantizeLinear" and constants.get(node.input[1]) in ((), (1,)):
            _keep(node.attribute, [a for a in node.attribute if a.name != "block_size"])
    _keep(graph.node, [node for node in graph.node if node.op_type != "Dropout"])
    return bytes(loaded.SerializeToString())


def _keep(field: Any, kept: list[Any]) -> None:  # noqa: ANN401 - protobuf's repeated fields are untyped
    del field[:]
    field.extend(kept)
