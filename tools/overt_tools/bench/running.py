"""The unit's pipeline on footage, picture by picture: its CPU time by stage, what it found, whom it recognised."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import av

from overt.recognition.match import Gallery
from overt.recognition.pipeline import Recogniser, Sighting
from overt.vision.models import Models
from overt.vision.sources.convert import Converter

from .finding import Tally
from .listed import THRESHOLD, VOLUNTEER
from .stages import STAGES, Stopwatch, WatchedDetector, WatchedEmbedder, eyes_of
from .truth import Footage, Shown

_MS = 1e3


@dataclass(frozen=True, slots=True)
class Row:
    """One picture.

    Attributes:
        number: From 0.
        people: Faces in view, by the truth.
        stages: CPU milliseconds by stage.
        embedded: Faces embedded.
    """

    number: int
    people: int
    stages: dict[str, float]
    embedded: int

    @property
    def all_ms(self) -> float:
        """CPU milliseconds, decoding included."""
        return sum(self.stages.values())


@dataclass(frozen=True, slots=True)
class Played:
    """A whole footage: its pictures and what was counted."""

    rows: list[Row]
    tally: Tally


def decoded(footage: Footage, watch: Stopwatch) -> Iterator[tuple[int, Any]]:
    """Decode pictures one by one, on one thread, as the unit's footage source does."""
    with av.open(str(footage.path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        pictures = container.decode(video=0)
        for number in range(footage.count):
            watch.begin()
            with watch.stage("decode"):
                picture = next(pictures, None)
            if picture is None:
                return
            yield number, picture


def play(footage: Footage, models: Models, gallery: Gallery, *, judged: set[int] | None = None) -> Played:
    """Run the pipeline over footage, as fast as it goes.

    Args:
        footage: What to look at.
        models: The networks.
        gallery: Who is looked for; its entry `listed.VOLUNTEER` is the one that the footage knows as listed.
        judged: Numbers of pictures whose found faces count; None for all.
    """
    watch = Stopwatch()
    detector, embedder = WatchedDetector(models.detector, watch), WatchedEmbedder(models.embedder, watch)
    windows = None if models.window_detector is None else WatchedDetector(models.window_detector, watch)
    converter, tally, rows = Converter(detector.size, footage.name), Tally(footage), list[Row]()
    looks: dict[int, list[tuple[float, Shown | None]]] = {}
    with watch.watching():
        recogniser = Recogniser(detector, embedder, gallery, THRESHOLD, window_detector=windows)
        for number, picture in decoded(footage, watch):
            captured_ns = 1 + number * 1_000_000_000 // footage.fps
            faces = embedder.faces
            with watch.stage("small picture"):
                frame = converter.frame(picture, captured_ns)
            if callable(frame.small_copy):  # made when the unit asks for it
                frame = replace(frame, small_copy=watch.timed("small picture", frame.small_copy))
            before = sum(watch.spent.values())
            began = time.process_time()
            result = recogniser.process(frame)
            spent = time.process_time() - began
            watch.spent["other"] = max(0.0, spent - (sum(watch.spent.values()) - before))
            stages = {stage: watch.spent.get(stage, 0.0) * _MS for stage in STAGES}
            rows.append(Row(number, footage.people(number), stages, embedder.faces - faces))
            given: list[Shown | None] = [None] * len(watch.found)
            looked = "detect" in watch.spent  # the unit leaves out pictures in which little can have changed
            if looked and (judged is None or number in judged):
                given = tally.picture(number, watch.found)
            looks[captured_ns] = _looks(watch, given)
            for sighting in result.sightings:
                tally.alert(_seen(sighting, looks.get(sighting.captured_ns, [])))
        recogniser.close()
    return Played(rows, tally)


def _looks(watch: Stopwatch, given: list[Shown | None]) -> list[tuple[float, Shown | None]]:
    """Each aligned face: pixels between its eyes, and who it is."""
    looks = []
    for points in watch.looked:
        x, y = float(points[:, 0].mean()), float(points[:, 1].mean())
        who = next(
            (
                face
                for (left, top, width, height), face in zip(watch.found, given, strict=True)
                if left <= x <= left + width and top <= y <= top + height
            ),
            None,
        )
        looks.append((eyes_of(points), who))
    return looks


def _seen(sighting: Sighting, looks: list[tuple[float, Shown | None]]) -> Shown | None:
    """Whose face a sighting is about: a sighting says how far its eyes are apart, and of the volunteer or nobody."""
    if sighting.entry != VOLUNTEER or not looks:
        return None
    return min(looks, key=lambda look: abs(look[0] - sighting.face_px))[1]
