"""What each network gives for the picture of nobody: for the catalogue, where units look it up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from overt.recognition import catalogue as cat
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.pattern import apart, detector_answer, embedder_answer, limit_of

from .errors import ModelsError

_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What one artefact gives.

    Attributes:
        artefact: its name.
        numbers: that, rounded.
        apart: how far that is from the catalogue's; infinity when the catalogue has none.
        within: whether that is near enough.
    """

    artefact: str
    numbers: tuple[float, ...]
    apart: float
    within: bool


def answers(catalogue: cat.Catalogue, models: Path) -> list[Answer]:
    """Have every artefact of a folder compute.

    Raises:
        ModelsError: a file is missing.
        BadModel: a file is not what the catalogue says.
    """
    return [_answer(artefact, models / artefact.file) for artefact in catalogue.artefact]


def _answer(artefact: cat.Artefact, path: Path) -> Answer:
    try:
        artefact.check(path.read_bytes())
    except OSError as error:
        raise ModelsError(f"expected {path}, could not read it ({error.strerror}): run 'make models'") from error
    if artefact.role == "detector":
        found = detector_answer(LiteRtDetector(str(path)))
    else:
        found = embedder_answer(LiteRtEmbedder(str(path)))
    distance = apart(found, np.array(artefact.answer, np.float32))
    numbers = tuple(float(f"{number:.{_DIGITS}g}") for number in found)
    return Answer(artefact.name, numbers, distance, distance <= limit_of(artefact))
