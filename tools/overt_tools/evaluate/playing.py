"""A scene through the unit's recogniser, picture by picture, with its time taken."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from overt.recognition.match import Gallery
from overt.recognition.pipeline import Recogniser
from overt.vision.models import Models
from overt.vision.sources.convert import Converter
from overt_tools.bench.finding import Tally
from overt_tools.bench.listed import THRESHOLD, VOLUNTEER
from overt_tools.bench.running import decoded
from overt_tools.bench.stages import Stopwatch, WatchedDetector, WatchedEmbedder, eyes_of
from overt_tools.bench.truth import Box, Footage, Shown

from .passages import Ledger

_S = 1_000_000_000


def play(
    footage: Footage, models: Models, gallery: Gallery, ledger: Ledger, step: Callable[[], None]
) -> dict[str, Any]:
    """Play footage as fast as it goes, on one thread.

    Args:
        footage: What to look at.
        models: The networks.
        gallery: Who is looked for: the volunteer, as entry `VOLUNTEER`.
        ledger: Told of every look and every sighting.
        step: Called after each picture.

    Returns:
        Figures about pictures: CPU time, faces found by width, templates.
    """
    watch, tally = Stopwatch(), Tally(footage)
    detector, embedder = WatchedDetector(models.detector, watch), WatchedEmbedder(models.embedder, watch)
    windows = None if models.window_detector is None else WatchedDetector(models.window_detector, watch)
    converter, everything, recognising = Converter(detector.size, footage.name), 0.0, 0.0
    with watch.watching():
        recogniser = Recogniser(detector, embedder, gallery, THRESHOLD, window_detector=windows)
        try:
            began = time.process_time()
            for number, picture in decoded(footage, watch):
                frame = converter.frame(picture, _S + number * _S // footage.fps)
                made, before = recogniser.counters.templates_made, time.process_time()
                result = recogniser.process(frame)
                recognising += time.process_time() - before
                everything += time.process_time() - began
                if "detect" not in watch.spent:  # the unit leaves out pictures in which little can have changed
                    step()
                    began = time.process_time()
                    continue
                given = tally.picture(number, watch.found)
                looks = [(eyes_of(points), _whose(points, watch.found, given)) for points in watch.looked]
                # Of the faces aligned some may have failed the gates: the embedded ones are taken to be the largest.
                embedded = sorted(looks, key=lambda look: -look[0])[: result.counters.templates_made - made]
                for _, who in embedded:
                    ledger.look(who.passage if who else None)
                for sighting in result.sightings:
                    nearest = min(looks, key=lambda look: abs(look[0] - sighting.face_px), default=(0.0, None))
                    whose = nearest[1] if sighting.entry == VOLUNTEER else None
                    ledger.sighting(whose.passage if whose else None, number)
                step()
                began = time.process_time()
            counters = recogniser.counters
        finally:
            recogniser.close()
    frames = max(1, counters.frames)
    return {
        "frames": counters.frames,
        "frames_looked_at": tally.pictures,
        "faces_seen": counters.faces_seen,
        "templates_made": counters.templates_made,
        "found_by_width": [msgspec.to_builtins(row) for row in tally.by_size()],
        "false_detections": tally.false_detections,
        "cpu_ms_per_frame": {"mean": everything * 1e3 / frames, "recognition": recognising * 1e3 / frames},
    }


def _whose(points: Any, found: list[Box], given: list[Shown | None]) -> Shown | None:  # noqa: ANN401 - (5, 2) float32
    """Return whose face lies around five points."""
    x, y = float(points[:, 0].mean()), float(points[:, 1].mean())
    for (left, top, width, height), who in zip(found, given, strict=True):
        if left <= x <= left + width and top <= y <= top + height:
            return who
    return None
