"""Reads stills and enrols them. The images never leave the office: only templates go on."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from overt.protocol.limits import TEMPLATE_BYTES, TEMPLATE_VALUES
from overt.recognition import catalogue
from overt.recognition.catalogue import Artefact, ModelSet
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.enrol import enrol
from overt.recognition.errors import RecognitionError

_MAX_FILE_BYTES = 64 * 1024 * 1024
_MAX_PIXELS = 64_000_000


class StillProblem(Exception):
    """An image cannot be used. The message says why and what to do."""


class ModelProblem(Exception):
    """The models are missing or not those of the catalogue."""


class Enroller:
    """Turns stills into templates with one model set."""

    def __init__(self, models: Path, digest: str) -> None:
        """Load the model set with this digest.

        Raises:
            ModelProblem: No such set there, or a file is missing or changed.
        """
        chosen = _choose(models, digest)
        try:
            self._detector = LiteRtDetector(_checked(models, chosen.detector))
            self._embedder = LiteRtEmbedder(_checked(models, chosen.embedder))
        except RecognitionError as error:
            raise ModelProblem(str(error)) from error

    def enrol(self, path: Path) -> tuple[bytes, float]:
        """Make a template from the one face of a still.

        Returns:
            The template (128 float32, little-endian) and the face's quality, 0 to 1.

        Raises:
            StillProblem: Not an image, or not one good face.
        """
        image = read_image(path)
        try:
            enrolled = enrol(image, self._detector, self._embedder)
        except RecognitionError as error:
            raise StillProblem(str(error)) from error
        template = enrolled.template.astype("<f4").tobytes()
        enrolled.template.fill(0)
        assert len(template) == TEMPLATE_BYTES  # noqa: S101 - the catalogue's models have 128 outputs
        return template, min(1.0, max(0.0, float(enrolled.quality.score)))


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Read an image file.

    Returns:
        (height, width, 3) uint8, RGB, upright as its EXIF orientation says.

    Raises:
        StillProblem: Missing, too large, or not an image.
    """
    import av  # noqa: PLC0415 - heavy

    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise StillProblem(f"expected an image of at most {_MAX_FILE_BYTES >> 20} MiB")
        with av.open(str(path), options={"max_pixels": str(_MAX_PIXELS)}) as container:
            if not container.streams.video or container.streams.video[0].codec_context.name not in _CODECS:
                raise StillProblem("expected a JPEG, PNG, WebP, BMP or TIFF image, found something else")
            frame = next(container.decode(video=0))
            image: npt.NDArray[np.uint8] = frame.to_ndarray(format="rgb24")
            return np.ascontiguousarray(np.rot90(image, _quarter_turns(frame)))
    except FileNotFoundError as error:
        raise StillProblem("expected an image file, found none of that name in the folder") from error
    except (av.FFmpegError, StopIteration, ValueError, OSError) as error:
        raise StillProblem("expected a JPEG, PNG, WebP, BMP or TIFF image, cannot read it as one") from error


class Faces:
    """The templates enrolled so far, for telling whether a person is listed already under another reference."""

    def __init__(self) -> None:
        self._matrix = np.zeros((64, TEMPLATE_VALUES), np.float32)
        self._references: list[str] = []

    def add(self, reference: str, template: bytes) -> None:
        """Remember a template."""
        count = len(self._references)
        if count == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[count] = np.frombuffer(template, "<f4")
        self._references.append(reference)

    def nearest(self, template: bytes, but: str) -> tuple[str | None, float]:
        """Return the reference of the nearest face of anyone else, and the cosine with it; None when there is none."""
        others = [index for index, reference in enumerate(self._references) if reference != but]
        if not others:
            return None, -1.0
        scores = self._matrix[others] @ np.frombuffer(template, "<f4")
        best = int(np.argmax(scores))
        return self._references[others[best]], float(scores[best])


_CODECS = frozenset({"mjpeg", "png", "webp", "bmp", "tiff"})


def _quarter_turns(frame: Any) -> int:  # noqa: ANN401 - the package has no types
    """Return how many quarter turns against the clock bring an image upright (FFmpeg's display rotation)."""
    return round(int(getattr(frame, "rotation", 0) or 0) / 90) % 4


def _choose(models: Path, digest: str) -> ModelSet:
    path = models / catalogue.FILE_NAME
    try:
        found = catalogue.parse(path.read_bytes()).find_set_by_digest(digest)
    except OSError as error:
        raise ModelProblem(f"expected a catalogue of models in {path}, cannot read it: {error.strerror}") from error
    except RecognitionError as error:
        raise ModelProblem(str(error)) from error
    if found is None:
        raise ModelProblem(f"the order names the model {digest[:12]}…, which {path} does not have")
    return found


def _checked(models: Path, artefact: Artefact) -> str:
    path = models / artefact.file
    try:
        artefact.check(path.read_bytes())
    except OSError as error:
        raise ModelProblem(f"expected the model file {path}, cannot read it: {error.strerror}") from error
    except RecognitionError as error:
        raise ModelProblem(str(error)) from error
    return str(path)
