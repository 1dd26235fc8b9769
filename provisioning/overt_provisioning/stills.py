"""Enrols stills. The images never leave the office: only templates go on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from overt.protocol.limits import TEMPLATE_BYTES
from overt.recognition import catalogue
from overt.recognition.catalogue import Artefact, ModelSet
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.enrol import Box, enrol
from overt.recognition.errors import EnrolmentRefused, RecognitionError
from overt_provisioning import thumbnails
from overt_provisioning.findings import Finding, Reason, of_face
from overt_provisioning.images import Image, StillProblem, read_image


class Still(msgspec.Struct, frozen=True):
    """What became of one image.

    Attributes:
        template: 128 float32, little-endian; None when it is refused.
        quality: Of the face, 0 to 1.
        finding: Why it is refused; None when it is not.
        picture: A small JPEG for the office's report, when one is wanted and there is something to show.
    """

    template: bytes | None
    quality: float = 0.0
    finding: Finding | None = None
    picture: bytes | None = None

    def __repr__(self) -> str:
        """Leave out template and picture."""
        return f"Still(quality={self.quality!r}, finding={self.finding!r})"


class ModelProblem(Exception):
    """The models are missing or not those of the catalogue."""


class Enroller:
    """Turns stills into templates with one model set."""

    def __init__(self, models: Path, digest: str, *, pictures: bool = False) -> None:
        """Load the model set with this digest.

        Args:
            models: The folder of built models with their catalogue.
            digest: Of the model set.
            pictures: Whether small pictures are wanted for a report.

        Raises:
            ModelProblem: No such set there, or a file is missing or changed.
        """
        detector, embedder = find_models(models, digest)
        self._pictures = pictures
        try:
            with _quiet():
                self._detector = LiteRtDetector(detector)
                self._embedder = LiteRtEmbedder(embedder)
        except RecognitionError as error:
            raise ModelProblem(str(error)) from error

    def enrol(self, path: Path) -> Still:
        """Make a template from the one face of a still, or say why not."""
        try:
            image = read_image(path)
        except StillProblem as problem:
            return Still(None, finding=Finding(Reason.NO_IMAGE, str(problem)))
        try:
            enrolled = enrol(image, self._detector, self._embedder)
        except EnrolmentRefused as refused:
            finding = of_face(refused.reason, str(refused))
            return Still(None, finding=finding, picture=self._picture(image, refused.boxes))
        except RecognitionError as error:
            return Still(None, finding=Finding(Reason.NO_IMAGE, str(error)))
        template = enrolled.template.astype("<f4").tobytes()
        enrolled.template.fill(0)
        assert len(template) == TEMPLATE_BYTES  # noqa: S101 - the catalogue's models have 128 outputs
        quality = min(1.0, max(0.0, float(enrolled.quality.score)))
        return Still(template, quality, picture=self._picture(image, (enrolled.box,)))

    def _picture(self, image: Image, boxes: tuple[Box, ...]) -> bytes | None:
        return thumbnails.make(image, boxes) if self._pictures else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the engine's greeting, which it writes past Python, out of the way of a progress line."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def find_models(models: Path, digest: str) -> tuple[str, str]:
    """Return the paths of a model set's detector and embedder, checked against the catalogue.

    Raises:
        ModelProblem: No such set there, or a file is missing or changed.
    """
    chosen = _choose(models, digest)
    return _checked(models, chosen.detector), _checked(models, chosen.embedder)


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
