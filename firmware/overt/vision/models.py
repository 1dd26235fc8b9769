"""Loading the networks so that what was checked against the catalogue is what runs."""

import mmap
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from overt.recognition import catalogue
from overt.recognition.catalogue import Artefact, Catalogue, ModelSet
from overt.recognition.engine import Detector, Embedder, LiteRtDetector, LiteRtEmbedder
from overt.recognition.errors import BadModel
from overt.vision.accelerator import Accelerated

_BUILD = "build the models (overt-tools models build), or install them"


class ModelsMissing(Exception):
    """The folder does not hold the models. The message says what to do."""


@dataclass(frozen=True)
class Models:
    """The loaded networks.

    Attributes:
        detector: Finds faces.
        embedder: Makes templates.
        digest: What an order calls them.
        window_detector: Finds faces in windows of the detector's input; None: there is none.
    """

    detector: Detector
    embedder: Embedder
    digest: str
    window_detector: Detector | None = None


def choose(folder: Path, size: tuple[int, int] | None = None) -> ModelSet:
    """Read the catalogue beside the models and choose a set.

    Args:
        folder: Holds the catalogue and the model files.
        size: Width and height of the detector's input; None for the catalogue's first set.

    Raises:
        ModelsMissing: No catalogue there.
        BadCatalogue: Not a catalogue, or no set of that size in it.
    """
    path = folder / catalogue.FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(catalogue.MAX_BYTES + 1)
    except OSError as error:
        raise ModelsMissing(f"cannot read the catalogue of models {path}: {error.strerror}; {_BUILD}") from error
    known = catalogue.parse(data)
    return known.find_set(None if size is None else _set_of_size(known, size))


def load(folder: Path, chosen: ModelSet, threads: int, accelerator: str | None = None) -> Models:
    """Load a set's networks, each from the descriptor whose content was checked.

    Args:
        folder: Holds the model files.
        chosen: The set.
        threads: CPU threads for each network.
        accelerator: The library of what is to compute the detector in the CPU's place; None for the CPU.

    Raises:
        ModelsMissing: A file is not there.
        BadModel: A file is not the one that the catalogue names, or not a model.
    """
    with _checked(folder, chosen.detector) as path:
        detector: Detector = LiteRtDetector(path, threads)
        if accelerator is not None:
            detector = Accelerated(detector, path, accelerator)
    with _checked(folder, chosen.embedder) as path:
        embedder = LiteRtEmbedder(path, threads)
    # An accelerator sees the whole view each time: that is what it is there for.
    windows = None if accelerator is not None else _load_windows(folder, chosen, threads)
    return Models(detector, embedder, chosen.digest, windows)


def _load_windows(folder: Path, chosen: ModelSet, threads: int) -> Detector | None:
    if chosen.window_detector is None:
        return None
    with _checked(folder, chosen.window_detector) as path:
        return LiteRtDetector(path, threads)


def size_of(chosen: ModelSet) -> tuple[int, int]:
    """Return width and height of a set's detector input in pixels."""
    _, height, width, _ = chosen.detector.input.shape
    return width, height


def _set_of_size(known: Catalogue, size: tuple[int, int]) -> str:
    sizes = {size_of(chosen): chosen.name for chosen in map(known.find_set, (s.name for s in known.model_set))}
    if size not in sizes:
        found = ", ".join(f"{width}x{height}" for width, height in sizes)
        raise catalogue.BadCatalogue(f"expected a detector of size {size[0]}x{size[1]}, found only {found}")
    return sizes[size]


@contextmanager
def _checked(folder: Path, artefact: Artefact) -> Generator[str]:
    """Open a model file, compare its digest, and give the path by which that very file can be loaded."""
    path = folder / artefact.file
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ModelsMissing(f"cannot open the model {path}: {error.strerror}; {_BUILD}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            raise BadModel(f"expected a model file at {path}, found an empty one or no file; {_BUILD}")
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as content, memoryview(content) as view:
            artefact.check(view)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
