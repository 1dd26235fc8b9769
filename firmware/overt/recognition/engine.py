"""The two networks behind two small interfaces, and their implementation with LiteRT (XNNPACK on the CPU).

The detector can be computed by an accelerator through LiteRT's external delegates (libedgetpu is one). A delegate is
foreign code that may hang or crash, so whoever loads one does it in a process of its own: `vision.accelerator`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from overt.recognition.align import SIZE
from overt.recognition.arrays import CHANNELS, Bytes, Floats
from overt.recognition.detect import OUTPUTS, STRIDES
from overt.recognition.errors import BadModel, NoAccelerator

DIMENSION = 128
"""Numbers in a template of every embedder of the catalogue."""


class Detector(Protocol):
    """Finds faces in a small picture."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input in pixels."""

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        """Return the outputs for a picture, to be read by `detect.decode`.

        Args:
            small: (height, width, 3) uint8, BGR.
        """

    def flush(self) -> None:
        """Overwrite whatever the engine's working memory holds of a picture."""


class Embedder(Protocol):
    """Turns aligned faces into templates."""

    @property
    def dimension(self) -> int:
        """Numbers in a template."""

    def embed(self, faces: Bytes, out: Floats) -> None:
        """Write one unit-length template per face.

        Args:
            faces: (n, 112, 112, 3) uint8, RGB.
            out: (n, dimension) float32, written to.
        """

    def flush(self) -> None:
        """Overwrite whatever the engine's working memory holds of a face."""


class _Network:
    """A loaded LiteRT file with one float32 image input [1, height, width, 3]."""

    def __init__(self, model_path: str, threads: int, delegate: str | None = None) -> None:
        # Only this constructor needs the engine; the rest of the package works without it.
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - see the line above

        delegates = None if delegate is None else [_delegate(delegate)]
        try:
            self._interpreter: Any = Interpreter(
                model_path=model_path, num_threads=threads, experimental_delegates=delegates
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, OSError) as error:
            raise BadModel(
                f"expected a LiteRT model in {model_path}, could not load it: {str(error).splitlines()[0]}; "
                "build the models again (overt-tools models build)"
            ) from error
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or inputs[0]["dtype"] != np.float32 or len(inputs[0]["shape"]) != len("NHWC"):
            raise BadModel(f"expected one float32 image input in {model_path}, found {_describe(inputs)}")
        self.shape = tuple(int(n) for n in inputs[0]["shape"])
        self._input: Callable[[], Floats] = self._interpreter.tensor(inputs[0]["index"])
        self.outputs = {str(o["name"]): o for o in self._interpreter.get_output_details()}
        self._views: dict[str, Callable[[], Floats]] = {
            name: self._interpreter.tensor(o["index"]) for name, o in self.outputs.items()
        }

    # The arrays that `tensor()` gives are the engine's own memory, and it refuses to run while one is referred to:
    # so no view outlives a line here.
    def run(self, image: Bytes | int) -> None:
        """Run on one picture (or on one value everywhere)."""
        self._input()[...] = image
        self._interpreter.invoke()

    def read(self, name: str) -> Floats:
        """Return a copy of an output."""
        return self._views[name]().copy()

    def read_into(self, name: str, out: Floats) -> None:
        """Copy an output into an array of its size, leaving no other copy."""
        out[...] = self._views[name]().reshape(out.shape)

    def erase(self) -> None:
        """Overwrite the input and the outputs with zeros, leaving what is between them."""
        self._input()[...] = 0
        for view in self._views.values():
            view()[...] = 0

    def flush(self) -> None:
        """Run on zeros, which overwrites all that a run writes, then erase."""
        self.run(0)
        self.erase()


def _delegate(library: str) -> Any:  # noqa: ANN401 - the package has no types
    from ai_edge_litert.interpreter import load_delegate  # noqa: PLC0415 - only who has an accelerator needs it

    try:
        return load_delegate(library)
    except (OSError, AttributeError, ValueError) as error:  # not there; another library; it refuses
        found = (str(error) or "it gave no reason").splitlines()[-1]
        raise NoAccelerator(f"expected a LiteRT delegate in {library}, found none: {found}") from error


def _describe(details: list[dict[str, Any]]) -> str:
    return "; ".join(f"{d['name']} {[int(n) for n in d['shape']]} {np.dtype(d['dtype'])}" for d in details) or "none"


class LiteRtDetector:
    """YuNet in a LiteRT file: input [1, height, width, 3] float32 BGR 0..255, outputs cls_8, obj_8 ... kps_32."""

    def __init__(self, model_path: str, threads: int = 1, delegate: str | None = None) -> None:
        """Load the model and run it once, so that the first picture is not slower than the others.

        Args:
            model_path: The file; may be /proc/self/fd/N.
            threads: CPU threads to use.
            delegate: An accelerator's library; None to compute on the CPU.

        Raises:
            BadModel: Not a LiteRT file, or another model.
            NoAccelerator: The library is none, or refuses.
        """
        self._network = _Network(model_path, threads, delegate)
        _, height, width, channels = self._network.shape
        wanted = {f"{kind}_{stride}" for kind in OUTPUTS for stride in STRIDES}
        if self._network.shape[0] != 1 or channels != CHANNELS or width % 32 or height % 32:
            raise BadModel(f"expected input [1, 32a, 32b, 3] in {model_path}, found {list(self._network.shape)}")
        if set(self._network.outputs) != wanted:
            raise BadModel(f"expected outputs {sorted(wanted)} in {model_path}, found {sorted(self._network.outputs)}")
        for name, output in self._network.outputs.items():
            kind, stride = name.split("_")
            numbers = OUTPUTS[kind] * (height // int(stride)) * (width // int(stride))
            if output["dtype"] != np.float32 or int(np.prod(output["shape"])) != numbers:
                raise BadModel(f"expected {numbers} float32 in {name} of {model_path}, found {_describe([output])}")
        self._size = (width, height)
        self._network.flush()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input in pixels."""
        return self._size

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the outputs by name."""
        return {name: tuple(int(n) for n in o["shape"]) for name, o in self._network.outputs.items()}

    def detect(self, small: Bytes) -> dict[str, Floats]:
        """Return the outputs for a picture. See `Detector.detect`.

        Raises:
            BadModel: The picture has another size than the model.
        """
        if small.shape != self._network.shape[1:]:
            raise BadModel(f"expected a picture of shape {self._network.shape[1:]}, found {small.shape}")
        self._network.run(small)
        return {name: self._network.read(name) for name in self._network.outputs}

    def flush(self) -> None:
        """Overwrite whatever the engine's working memory holds of a picture."""
        self._network.flush()


class LiteRtEmbedder:
    """An embedder in a LiteRT file: input [1, 112, 112, 3] float32 RGB 0..255, output [1, 128] float32, any length."""

    def __init__(self, model_path: str, threads: int = 1) -> None:
        """Load the model and run it once, so that the first face is not slower than the others.

        Args:
            model_path: The file; may be /proc/self/fd/N.
            threads: CPU threads to use.

        Raises:
            BadModel: Not a LiteRT file, or another model.
        """
        self._network = _Network(model_path, threads)
        if self._network.shape != (1, SIZE, SIZE, 3):
            raise BadModel(f"expected input [1, {SIZE}, {SIZE}, 3] in {model_path}, found {list(self._network.shape)}")
        outputs = list(self._network.outputs.values())
        if len(outputs) != 1 or list(outputs[0]["shape"]) != [1, DIMENSION] or outputs[0]["dtype"] != np.float32:
            raise BadModel(f"expected one float32 output [1, {DIMENSION}] in {model_path}, found {_describe(outputs)}")
        self._output = str(outputs[0]["name"])
        self._network.flush()

    @property
    def dimension(self) -> int:
        """Numbers in a template."""
        return DIMENSION

    def embed(self, faces: Bytes, out: Floats) -> None:
        """Write one unit-length template per face. See `Embedder.embed`.

        The engine's input and output are zeroed before returning; `flush` does the same for what is between them.

        Raises:
            BadModel: Wrong shapes, or the model gave a template without direction.
        """
        if faces.shape[1:] != (SIZE, SIZE, 3) or out.shape != (faces.shape[0], DIMENSION):
            raise BadModel(
                f"expected faces (n, {SIZE}, {SIZE}, 3) and room for (n, {DIMENSION}): {faces.shape}, {out.shape}"
            )
        try:
            for face, template in zip(faces, out, strict=True):
                self._network.run(face)
                self._network.read_into(self._output, template)
                length = float(np.linalg.norm(template))
                if not (np.isfinite(length) and length > 0):
                    raise BadModel("expected a template with a direction, found zeros or numbers that are not finite")
                np.divide(template, np.float32(length), out=template)
        finally:
            self._network.erase()

    def flush(self) -> None:
        """Overwrite whatever the engine's working memory holds of a face."""
        self._network.flush()
