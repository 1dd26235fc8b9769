"""`bench embed`: each network of the catalogue, its cost by its own file, and the rates it reaches."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from overt.recognition import catalogue as cat
from overt.recognition.align import SIZE
from overt.recognition.engine import LiteRtDetector, LiteRtEmbedder
from overt.recognition.errors import RecognitionError

from .errors import BenchError
from .graph import Cost, cost_of
from .peak import Peak, measure_peak
from .statistics import Spread
from .timing import measure_in_turns

_SECONDS = 3.0


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model file.

    Attributes:
        name: In the catalogue.
        role: detector or embedder.
        used: The default model set uses it.
        kind: The number format of most weights.
        size: Width and height of the input in pixels.
        dimension: Numbers in a template; 0 for a detector.
        multiply_adds: Of one run, from the file's graph.
        weight_bytes: Of the file's constants.
        activation_bytes: Read and written between the layers.
        ms: A picture, or a face.
        gmac_s: Achieved, by the median.
        share_of_peak: Of the core's peak in this number format; None when that is not known.
        weights_gb_s: Bytes of weights a second, each read once a run.
    """

    name: str
    role: str
    used: bool
    kind: str
    size: tuple[int, int]
    dimension: int
    multiply_adds: int
    weight_bytes: int
    activation_bytes: int
    ms: Spread
    gmac_s: float
    share_of_peak: float | None
    weights_gb_s: float


class Networks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="embed"):
    """All model files of a catalogue, and what the core can do at best. `refused`: files that do not load, and why."""

    peak: Peak
    networks: list[Network]
    refused: dict[str, str]


def read_catalogue(models: Path) -> cat.Catalogue:
    """Read the catalogue beside built models.

    Raises:
        BenchError: There is none.
    """
    try:
        return cat.parse((models / cat.FILE_NAME).read_bytes())
    except OSError as error:
        raise BenchError(f"expected built models in {models}, found no catalogue there: run 'make models'") from error
    except RecognitionError as error:
        raise BenchError(f"{error}: build the models again (make models)") from error


def digests(models: Path) -> dict[str, str]:
    """The digest of each model file that the catalogue names.

    Raises:
        BenchError: There is no catalogue.
    """
    return {artefact.name: artefact.sha256 for artefact in read_catalogue(models).artefact}


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A network that is ready to run, and one run of it."""

    artefact: cat.Artefact
    cost: Cost
    size: tuple[int, int]
    dimension: int
    run: Callable[[], object]


def measure_networks(models: Path, seconds: float = _SECONDS) -> Networks:
    """Measure every model file of the catalogue, in turns: they are compared with one another.

    Args:
        models: The folder of built models.
        seconds: For each.

    Raises:
        BenchError: The models are not built, or a file is not the catalogue's.
    """
    catalogue = read_catalogue(models)
    used = {artefact.name for artefact in catalogue.find_set().artefacts}
    peak = measure_peak(min(1.0, seconds))
    loaded, refused = list[_Loaded](), {}
    for artefact in catalogue.artefact:
        content = _content(models, artefact)
        try:
            loaded.append(_load(models, artefact, content))
        except RecognitionError as error:
            refused[artefact.name] = str(error)
    times = measure_in_turns([one.run for one in loaded], seconds=seconds)
    networks = [_rates(one, peak, ms, used=one.artefact.name in used) for one, ms in zip(loaded, times, strict=True)]
    return Networks(peak, networks, refused)


def _content(models: Path, artefact: cat.Artefact) -> bytes:
    try:
        content = (models / artefact.file).read_bytes()
        artefact.check(content)
    except OSError as error:
        raise BenchError(f"expected the model {models / artefact.file}, found none: run 'make models'") from error
    except RecognitionError as error:
        raise BenchError(f"{error}: build the models again (make models)") from error
    return content


def _load(models: Path, artefact: cat.Artefact, content: bytes) -> _Loaded:
    cost, noise, path = cost_of(content), np.random.default_rng(7), str(models / artefact.file)
    if artefact.role == "detector":
        detector = LiteRtDetector(path)
        size = detector.size
        picture = noise.integers(0, 256, (size[1], size[0], 3), np.uint8)
        return _Loaded(artefact, cost, size, 0, lambda: detector.detect(picture))
    embedder = LiteRtEmbedder(path)
    faces = noise.integers(0, 256, (1, SIZE, SIZE, 3), np.uint8)
    out = np.empty((1, embedder.dimension), np.float32)
    return _Loaded(artefact, cost, (SIZE, SIZE), embedder.dimension, lambda: embedder.embed(faces, out))


def _rates(loaded: _Loaded, peak: Peak, ms: Spread, *, used: bool) -> Network:
    artefact, cost = loaded.artefact, loaded.cost
    rate = cost.multiply_adds / ms.median / 1e6
    best = {"int8": peak.int8_gmac_s, "float32": peak.float_gmac_s, "float16": peak.float_gmac_s}.get(cost.kind)
    return Network(
        name=artefact.name,
        role=artefact.role,
        used=used,
        kind=cost.kind,
        size=loaded.size,
        dimension=loaded.dimension,
        multiply_adds=cost.multiply_adds,
        weight_bytes=cost.weight_bytes,
        activation_bytes=cost.activation_bytes,
        ms=ms,
        gmac_s=round(rate, 2),
        share_of_peak=round(rate / best, 3) if best else None,
        weights_gb_s=round(cost.weight_bytes / ms.median / 1e6, 2),
    )
