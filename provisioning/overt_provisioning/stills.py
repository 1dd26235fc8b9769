"""Enrols stills. The images never leave the office: only templates go on."""

from pathlib import Path

import numpy as np

from overt.protocol.limits import TEMPLATE_BYTES, TEMPLATE_VALUES
from overt.recognition import catalogue
from overt.recognition.catalogue import Artefact, ModelSet
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.enrol import enrol
from overt.recognition.errors import RecognitionError
from overt_provisioning.images import StillProblem, read_image


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


class Faces:
    """The templates enrolled so far, for telling whether a person is listed already under another reference."""

    def __init__(self) -> None:
        self._matrix = np.zeros((64, TEMPLATE_VALUES), np.float32)
        self._owners = np.zeros(64, np.int64)
        self._count = 0
        self._numbers: dict[str, int] = {}
        self._references: list[str] = []

    def add(self, reference: str, template: bytes) -> None:
        """Remember a template."""
        if self._count == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
            self._owners = np.concatenate([self._owners, np.zeros_like(self._owners)])
        if reference not in self._numbers:
            self._numbers[reference] = len(self._references)
            self._references.append(reference)
        self._matrix[self._count] = np.frombuffer(template, "<f4")
        self._owners[self._count] = self._numbers[reference]
        self._count += 1

    def nearest(self, template: bytes, but: str) -> tuple[str | None, float]:
        """Return the reference of the nearest face of anyone else, and the cosine with it; None when there is none."""
        if not self._count:
            return None, -1.0
        owners = self._owners[: self._count]
        scores = self._matrix[: self._count] @ np.frombuffer(template, "<f4")
        scores[owners == self._numbers.get(but, -1)] = -np.inf
        best = int(np.argmax(scores))
        if np.isneginf(scores[best]):
            return None, -1.0
        return self._references[owners[best]], float(scores[best])


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
