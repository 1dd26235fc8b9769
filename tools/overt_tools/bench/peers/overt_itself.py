"""Overt among its peers: once as a unit works, once used as peers are, every face of every picture."""

import resource
import time
from pathlib import Path

import numpy as np

from overt.recognition.align import align
from overt.recognition.detect import decode
from overt.recognition.match import Gallery, search_all
from overt.vision.models import Models
from overt.vision.sources.convert import Converter
from overt_tools.bench.stages import Stopwatch

from ..finding import Tally
from ..footage import Reel
from ..listed import THRESHOLD, VOLUNTEER, gallery_of, load_models
from ..running import Played, decoded, play
from .drive import Look
from .outcome import Contender
from .sample import Samples
from .summing import Seen, contender_of, count

_MS = 1e3


def whole_unit(reel: Reel, models: Path, stills: list[Path]) -> Contender:
    """The unit's pipeline over every picture: it follows faces, and looks at each a few times.

    Raises:
        BenchError: The models are missing, or no still can be enrolled.
    """
    loaded = load_models(models)
    gallery = gallery_of(stills, loaded.detector, loaded.embedder)
    played = [
        play(footage, loaded, gallery, judged=set(footage.shown) if footage is reel.chart else None)
        for footage in (reel.street, reel.crowd, reel.chart, reel.empty)
    ]
    seen = [Seen(people, look) for part in played[:2] for people, look in _looks(part)]
    empty = [look for _, look in _looks(played[3])]
    return contender_of(
        "overt",
        "Overt, as a unit works",
        f"every picture: detect at {loaded.detector.size[0]}x{loaded.detector.size[1]} or in windows of that, follow, "
        "embed each face a few times a passage, wipe",
        THRESHOLD,
        _enrolled(gallery),
        [part.tally for part in played],
        seen,
        empty,
        _decoding_ms(played[1]),
        _peak_mb(),
    )


def each_face(samples: Samples, models: Path, stills: list[Path]) -> Contender:
    """Overt's parts used as peers are: every face of every sampled picture is embedded and compared.

    Raises:
        BenchError: The models are missing, or no still can be enrolled.
    """
    loaded = load_models(models)
    gallery = gallery_of(stills, loaded.detector, loaded.embedder)
    tallies, seen, empty, decoding = [], list[Seen](), list[Look](), list[float]()
    for sample in samples:
        tally, watch = Tally(sample.footage), Stopwatch()
        converter = Converter(loaded.detector.size, sample.footage.name)
        for number, picture in decoded(sample.footage, watch):
            if sample is samples.crowd:
                decoding.append(watch.spent.get("decode", 0.0) * _MS)
            if number not in sample.numbers:
                continue
            look = _look(converter, picture, loaded, gallery)
            count(tally, number, look, THRESHOLD)
            if sample is samples.empty:
                empty.append(look)
            elif sample is not samples.chart:
                seen.append(Seen(sample.footage.people(number), look))
        tallies.append(tally)
    return contender_of(
        "overt-each-face",
        "Overt, every face of a picture",
        "the sampled pictures one by one, as the peers: detect, align and embed every face, compare",
        THRESHOLD,
        _enrolled(gallery),
        tallies,
        seen,
        empty,
        float(np.mean(decoding)),
        _peak_mb(),
    )


def _look(converter: Converter, picture: object, models: Models, gallery: Gallery) -> Look:
    began = time.process_time()
    frame = converter.frame(picture, 1)
    found = decode(models.detector.detect(frame.small), models.detector.size, frame.scale)
    between = time.process_time()
    likeness: list[float] = []
    if len(found):
        faces = np.stack([align(frame, points) for points in found.points])
        templates = np.zeros((len(faces), models.embedder.dimension), np.float32)
        models.embedder.embed(faces, templates)
        matches = search_all(gallery, templates)
        likeness = [match.score if match.entry == VOLUNTEER else -1.0 for match in matches]
    ended = time.process_time()
    boxes = [(float(x), float(y), float(w), float(h)) for x, y, w, h in found.boxes]
    return Look(between - began, ended - between, boxes, likeness)


def _looks(played: Played) -> list[tuple[int, Look]]:
    """Each picture's people and cost, decoding excluded. What was found in it is counted already."""
    rows = []
    for row in played.rows:
        comparing = sum(row.stages[name] for name in ("assess", "align", "embed", "match", "wipe"))
        finding = row.all_ms - row.stages["decode"] - comparing
        rows.append((row.people, Look(finding / _MS, comparing / _MS, [], [])))
    return rows


def _decoding_ms(played: Played) -> float:
    return float(np.mean([row.stages["decode"] for row in played.rows]))


def _enrolled(gallery: Gallery) -> int:
    return int((gallery.entry == VOLUNTEER).sum())


def _peak_mb() -> float:
    """The most memory that this process took: the bench's own parts and the footage's included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
