"""`bench pipeline`: CPU time a picture, by stage and by how many people are in view; faces found by size."""

from pathlib import Path

import msgspec

from .finding import FoundBySize, Recognition
from .footage import Reel
from .listed import ENTRIES, gallery_of, load_models
from .running import Played, Row, play
from .stages import STAGES
from .statistics import Spread, spread
from .truth import Footage


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage: CPU milliseconds a picture, on average over all pictures, and its share of the whole."""

    name: str
    mean_ms: float
    share: float


class InView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Pictures with so many people in view: how many there are, and CPU milliseconds of each, decoding included."""

    people: int
    pictures: int
    ms: Spread


class Scene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One footage.

    Attributes:
        name: Which.
        sha256: Of the file.
        pictures: How many were looked at.
        ms: CPU milliseconds a picture, decoding included.
        without_decoding_ms: The same, decoding excluded.
        stages: Where the time goes.
        in_view: The same pictures by how many people are in view.
        embedded: Faces embedded.
        by_size: Faces found in single pictures, by width.
        false_detections: Boxes that are no face.
        recognition: Passages.
    """

    name: str
    sha256: str
    pictures: int
    ms: Spread
    without_decoding_ms: Spread
    stages: list[Stage]
    in_view: list[InView]
    embedded: int
    by_size: list[FoundBySize]
    false_detections: int
    recognition: Recognition


class Pipeline(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="pipeline"):
    """All footage. `detector`: width and height of its input; `entries`: how many are listed."""

    detector: tuple[int, int]
    entries: int
    scenes: list[Scene]


def measure_pipeline(reel: Reel, models: Path, stills: list[Path]) -> Pipeline:
    """Run the unit's pipeline over all footage.

    Args:
        reel: The footage.
        models: The folder of built models.
        stills: The volunteer's.

    Raises:
        BenchError: The models are missing, or no still can be enrolled.
    """
    loaded = load_models(models)
    gallery = gallery_of(stills, loaded.detector, loaded.embedder)
    scenes = []
    for footage in (reel.empty, reel.street, reel.crowd, reel.chart):
        judged = set(footage.shown) if footage is reel.chart else None
        scenes.append(scene_of(footage, play(footage, loaded, gallery, judged=judged)))
    return Pipeline(loaded.detector.size, ENTRIES, scenes)


def scene_of(footage: Footage, played: Played) -> Scene:
    """Sum up one footage. The first pictures, until everything is in the caches, count like all others."""
    rows = played.rows
    groups = sorted({row.people for row in rows})
    return Scene(
        name=footage.name,
        sha256=footage.sha256,
        pictures=len(rows),
        ms=spread([row.all_ms for row in rows]),
        without_decoding_ms=spread([row.all_ms - row.stages["decode"] for row in rows]),
        stages=_stages(rows),
        in_view=[_in_view(people, [row.all_ms for row in rows if row.people == people]) for people in groups],
        embedded=sum(row.embedded for row in rows),
        by_size=played.tally.by_size(),
        false_detections=played.tally.false_detections,
        recognition=played.tally.recognition(),
    )


def _stages(rows: list[Row]) -> list[Stage]:
    whole = sum(row.all_ms for row in rows)
    sums = {name: sum(row.stages[name] for row in rows) for name in STAGES}
    return [Stage(name, round(total / len(rows), 4), round(total / whole, 4)) for name, total in sums.items()]


def _in_view(people: int, samples: list[float]) -> InView:
    return InView(people, len(samples), spread(samples))
