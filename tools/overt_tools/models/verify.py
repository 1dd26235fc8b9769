"""Comparing the built files with their originals, on noise and on real faces."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from overt.recognition import catalogue as cat
from overt.recognition.align import align
from overt.recognition.detect import decode
from overt.recognition.engine import LiteRtDetector
from overt.recognition.frame import Frame
from overt_tools.fetch import fetch

from .centre import last_shift
from .errors import ModelsError
from .onnx_graph import read
from .reference import Reference

Report = Callable[[str], None]

LIMIT = 1e-3
"""Largest difference allowed: of any number, and of any number beside the largest of its output."""
INTEGER_LIMIT = 0.05
"""The same, of the cosine between any two templates, where dense layers are 8-bit integers; docs/accuracy.md has what
they cost."""

FOOTAGE = "footage"  # the source of real pictures
NOISES = 2  # random pictures per artefact
FRAMES_PER_CLIP = 3
EVERY = 40  # frames between those that are taken
_TINY = float(np.finfo(np.float32).tiny)


class Difference(msgspec.Struct, frozen=True):
    """How far an artefact is from its original.

    Attributes:
        artefact: its name.
        inputs: how many pictures were compared, of which
        real: were real, not noise.
        absolute: the largest difference of any number.
        relative: the same, divided by the largest number that the original gave in that output for any of the pictures.
        worst: the output where that is.
        limit: the largest difference allowed.
    """

    artefact: str
    inputs: int
    real: int
    absolute: float
    relative: float
    worst: str
    limit: float = LIMIT

    @property
    def within(self) -> bool:
        """Whether both are within the limit; of integers only the relative one."""
        return self.relative <= self.limit and (self.limit > LIMIT or self.absolute <= self.limit)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded frame of footage."""

    planes: NDArray[np.uint8]
    bgr: NDArray[np.uint8]


def verify(catalogue: cat.Catalogue, models: Path, cache: Path, report: Report = lambda _: None) -> list[Difference]:
    """Compare every artefact of a folder with its original.

    Raises:
        FetchError: the originals or the footage cannot be had.
        BadModel: a file is not the one that the catalogue names.
        ModelsError: a file is missing, or ONNX Runtime is.
    """
    footage = fetch(catalogue.find_source(FOOTAGE), cache, report)
    clips = [path for path in footage.files.values() if path.suffix == ".mp4"]
    pictures = [picture for clip in clips for picture in _frames(clip, FRAMES_PER_CLIP, EVERY)]
    finder = LiteRtDetector(str(models / catalogue.find_set().detector.file))
    differences = []
    for artefact in catalogue.artefact:
        report(f"comparing {artefact.name}")
        original = fetch(catalogue.find_source(artefact.source), cache, report).files[artefact.member]
        _, height, width, _ = artefact.input.shape
        if artefact.role == "detector":
            real = [_fitted(picture.bgr, width, height)[0] for picture in pictures]
        else:
            real = [face for picture in pictures for face in _faces(picture, finder)]
        reference = Reference(original.read_bytes(), width, height)
        middle = artefact.centre * last_shift(read(original.read_bytes())) if artefact.centre else None
        differences.append(compare(artefact, _content(artefact, models), reference, real, middle))
    return differences


def faces_of_footage(
    files: Iterable[Path], finder: LiteRtDetector, frames: int, every: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the aligned faces, (112, 112, 3) RGB, of some frames of every clip.

    Args:
        files: of the footage; those that are no clips are passed over.
        finder: finds them.
        frames: per clip.
        every: so many frames apart.
    """
    for path in files:
        if path.suffix == ".mp4":
            for picture in _frames(path, frames, every):
                yield from _faces(picture, finder)


def compare(
    artefact: cat.Artefact,
    content: bytes,
    reference: Reference,
    real: list[NDArray[np.uint8]],
    middle: NDArray[np.float32] | None = None,
) -> Difference:
    """Compare one artefact with its original.

    Args:
        artefact: what the catalogue says of it.
        content: its file.
        reference: its original.
        real: pictures (height, width, 3), in the artefact's colour order.
        middle: what is taken from the original's one output.
    """
    shape = artefact.input.shape
    noise = np.random.default_rng(20231001)
    noises = 0 if artefact.dense_integers else NOISES  # noise is no face, and its template has little length
    inputs = [noise.uniform(*artefact.input.range, shape).astype(np.float32) for _ in range(noises)]
    inputs += [picture[None].astype(np.float32) for picture in real]
    pairs: dict[str, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
    run = _runner(content)
    for image in inputs:
        expected = reference.run(_scaled(artefact, image))
        for output, found in run(image).items():
            right = expected[output] if output in expected else next(iter(expected.values()))
            pairs.setdefault(output, []).append((found, right if middle is None else right - middle))
    if artefact.shortened:
        pairs = {output: [_cosines(both)] for output, both in pairs.items()}
    apart = {output: max(_apart(*both) for both in all_) for output, all_ in pairs.items()}
    relative = {
        output: apart[output] / max(*(float(np.abs(right).max()) for _, right in all_), _TINY)
        for output, all_ in pairs.items()
    }
    worst = max(relative, key=lambda output: relative[output])
    limit = INTEGER_LIMIT if artefact.dense_integers else LIMIT
    return Difference(artefact.name, len(inputs), len(real), max(apart.values()), relative[worst], worst, limit)


def _scaled(artefact: cat.Artefact, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture as the published network takes it."""
    if artefact.scaling is None:
        return image
    return np.asarray((image - artefact.scaling.subtract) / artefact.scaling.divide, np.float32)


def _apart(found: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    return float(np.abs(found - right).max()) if found.shape == right.shape else float("inf")


def _cosines(
    both: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The cosine of each pair of templates, of what was found and of what is right."""
    sides = [np.concatenate(side) for side in zip(*both, strict=True)]
    found, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    return found @ found.T, right @ right.T


def _runner(content: bytes) -> Callable[[NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - loads the engine

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()

    def run(image: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        return {str(o["name"]): interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()}

    return run


def _content(artefact: cat.Artefact, models: Path) -> bytes:
    path = models / artefact.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelsError(
            f"expected {path}, could not read it ({error.strerror}): run 'overt-tools models build'"
        ) from error
    artefact.check(content)
    return content


def _frames(path: Path, frames: int, every: int) -> Iterator[_Picture]:
    """A few frames of a clip."""
    import av  # noqa: PLC0415 - only the comparison decodes video here

    with av.open(str(path)) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            if number % every == 0:
                even = frame.reformat(width=frame.width // 2 * 2, height=frame.height // 2 * 2, format="yuv420p")
                yield _Picture(even.to_ndarray(), even.reformat(format="bgr24").to_ndarray())
            if number == every * (frames - 1):
                return


def _fitted(bgr: NDArray[np.uint8], width: int, height: int) -> tuple[NDArray[np.uint8], float]:
    """A picture scaled to fill half a detector's input and padded with zeros; and its pixels per input pixel."""
    import cv2  # noqa: PLC0415 - only the comparison scales pictures here

    scale = 2 * max(bgr.shape[1] / width, bgr.shape[0] / height)
    small = cv2.resize(bgr, (int(bgr.shape[1] / scale), int(bgr.shape[0] / scale)), interpolation=cv2.INTER_AREA)
    fitted = np.zeros((height, width, 3), np.uint8)
    fitted[: small.shape[0], : small.shape[1]] = small
    return fitted, scale


def _faces(picture: _Picture, finder: LiteRtDetector) -> Iterator[NDArray[np.uint8]]:
    """The aligned faces of a picture."""
    small, scale = _fitted(picture.bgr, *finder.size)
    height, width = picture.bgr.shape[:2]
    flat = picture.planes.reshape(-1)
    luma, half = height * width, (height // 2, width // 2)
    chroma = half[0] * half[1]
    frame = Frame(
        number=0,
        captured_ns=0,
        y=flat[:luma].reshape(height, width),
        u=flat[luma : luma + chroma].reshape(half),
        v=flat[luma + chroma :].reshape(half),
        small_copy=small,
        scale=scale,
        matrix="bt601",
    )
    for points in decode(finder.detect(small), finder.size, scale).points:
        yield align(frame, points)
