"""The list that is searched when measuring: the volunteer of the demonstration, among people who do not exist."""

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from overt.recognition.engine import Detector, Embedder
from overt.recognition.enrol import enrol
from overt.recognition.errors import EnrolmentRefused, RecognitionError
from overt.recognition.match import Gallery
from overt.vision import models as vision_models
from overt_tools.fetch import FetchError, fetch

from .errors import BenchError
from .networks import read_catalogue
from .searching import invented

ENTRIES = 2_000
"""As long a list as one force's contract allowed (REGISTER, O19), the volunteer included."""

VOLUNTEER = 0
"""The volunteer's entry."""

THRESHOLD = 0.5
"""The demonstration's order has it."""


def stills_of_volunteer(models: Path, cache: Path) -> list[Path]:
    """Return the volunteer's stills, fetched if need be.

    Raises:
        BenchError: They cannot be had.
    """
    try:
        files = fetch(read_catalogue(models).find_source("footage"), cache, lambda _: None).files.values()
    except (FetchError, RecognitionError) as error:
        raise BenchError(f"the volunteer's stills cannot be had: {error}") from error
    return sorted(path for path in files if path.name.startswith("franck_") and path.suffix == ".jpg")


def read_still(path: Path) -> NDArray[np.uint8]:
    """Decode a still.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        return np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)


def load_models(models: Path, size: tuple[int, int] | None = None) -> vision_models.Models:
    """Load the unit's networks as the unit does, one thread each.

    Args:
        models: The folder of built models.
        size: Of the detector's input; None for the catalogue's first set.

    Raises:
        BenchError: They are not built.
    """
    try:
        return vision_models.load(models, vision_models.choose(models, size), 1)
    except vision_models.ModelsMissing as error:
        raise BenchError(f"{error} (make models)") from error
    except RecognitionError as error:
        raise BenchError(f"{error}: build the models again (make models)") from error


def gallery_of(stills: list[Path], detector: Detector, embedder: Embedder, entries: int = ENTRIES) -> Gallery:
    """Enrol the volunteer among invented people.

    Raises:
        BenchError: None of the stills is good enough.
    """
    templates = []
    for still in stills:
        try:
            templates.append(enrol(read_still(still), detector, embedder).template)
        except EnrolmentRefused:
            continue
    if not templates:
        raise BenchError(f"expected stills that can be enrolled, found none among {len(stills)}: fetch them again")
    others = invented(entries - 1, embedder.dimension)
    matrix = np.ascontiguousarray(np.concatenate([np.stack(templates), others.matrix]))
    entry = np.concatenate([np.full(len(templates), VOLUNTEER, np.int32), others.entry + 1]).astype(np.int32)
    return Gallery(matrix, entry)


def published_embedder(models: Path, cache: Path) -> Path:
    """Return the embedder's network as published, in ONNX: what a user would add to a detector.

    Raises:
        BenchError: It cannot be had.
    """
    catalogue = read_catalogue(models)
    members = [(source, member.path) for source in catalogue.source for member in source.members]
    chosen = [(source, path) for source, path in members if "sface" in path and path.endswith(".onnx")]
    if not chosen:
        raise BenchError("expected SFace in ONNX among the catalogue's sources, found none")
    try:
        return fetch(chosen[0][0], cache, lambda _: None).files[chosen[0][1]]
    except (FetchError, KeyError) as error:
        raise BenchError(f"the published embedder cannot be had: {error}") from error
