"""Where a picture's time goes: a stopwatch around the pipeline's own parts, which are the unit's and stay as they are.

The stages are found by their names in `overt.recognition.pipeline`. One that goes by another name, after a change
there, counts as "other" until it is entered here.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from overt.recognition import pipeline
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import Detections
from overt.recognition.engine import Detector, Embedder
from overt.recognition.track import Tracker, TrackUpdate

from .truth import Box

_MS = 1e3
STAGES = ("decode", "small picture", "detect", "read outputs", "track", "assess", "align", "embed", "match", "wipe",
          "other")  # fmt: skip
"""In the order of a picture's way. `wipe` is the embedder's run on zeros that overwrites what a look left in it."""

_FUNCTIONS = {
    "decode": "read outputs",
    "find_in_windows": "read outputs",
    "assess": "assess",
    "align": "align",
    "search_all": "match",
}


class Stopwatch:
    """Adds up CPU time by stage, and takes down what the tracker and the aligner were given.

    Attributes:
        spent: Seconds of this picture, by stage.
        found: The boxes that the tracker was given for this picture.
        looked: The points of the faces aligned in this picture.
    """

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self.found: list[Box] = []
        self.looked: list[Floats] = []
        self._within = 0.0

    def begin(self) -> None:
        """Begin with a new picture."""
        self.spent, self.found, self.looked = {}, [], []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage, less the stages within it."""
        outer, self._within = self._within, 0.0
        began = time.process_time()
        try:
            yield
        finally:
            whole = time.process_time() - began
            self.spent[name] = self.spent.get(name, 0.0) + whole - self._within
            self._within = outer + whole

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, timed."""

        def run(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the function takes and gives
            with self.stage(name):
                return work(*arguments, **named)

        return run

    def note_faces(self, found: Detections) -> None:
        """Take down what the tracker is given."""
        self.found = [(float(x), float(y), float(w), float(h)) for x, y, w, h in found.boxes]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the pipeline's parts while it runs."""
        before = {name: getattr(pipeline, name) for name in (*_FUNCTIONS, "Tracker") if hasattr(pipeline, name)}
        watch = self

        class WatchedTracker(Tracker):
            def update(self, detections: Detections, *arguments: Any, **named: Any) -> TrackUpdate:  # noqa: ANN401 - as it is
                watch.note_faces(detections)
                with watch.stage("track"):
                    return super().update(detections, *arguments, **named)

        def noted_align(frame: Any, points: Floats, *arguments: Any) -> Any:  # noqa: ANN401 - as it is
            self.looked.append(points)
            with self.stage("align"):
                return before["align"](frame, points, *arguments)

        watched: dict[str, Any] = {
            name: self.timed(stage, before[name]) for name, stage in _FUNCTIONS.items() if name in before
        }
        try:
            for name, replacement in (watched | {"align": noted_align, "Tracker": WatchedTracker}).items():
                if name in before:
                    setattr(pipeline, name, replacement)
            yield
        finally:
            for name, original in before.items():
                setattr(pipeline, name, original)


class WatchedDetector:
    """A detector, timed."""

    def __init__(self, detector: Detector, watch: Stopwatch) -> None:
        self._detector, self._watch = detector, watch

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the detector offers
        return getattr(self._detector, name)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the input in pixels."""
        return self._detector.size

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        """Find faces. See `Detector.detect`."""
        with self._watch.stage("detect"):
            return self._detector.detect(small)

    def flush(self) -> None:
        """Wipe. See `Detector.flush`."""
        with self._watch.stage("wipe"):
            self._detector.flush()


class WatchedEmbedder:
    """An embedder, timed, and its faces counted."""

    def __init__(self, embedder: Embedder, watch: Stopwatch) -> None:
        self._embedder, self._watch = embedder, watch
        self.faces = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the embedder offers
        return getattr(self._embedder, name)

    @property
    def dimension(self) -> int:
        """Numbers in a template."""
        return self._embedder.dimension

    def embed(self, faces: Bytes, out: Floats) -> None:
        """Make templates. See `Embedder.embed`."""
        self.faces += len(faces)
        with self._watch.stage("embed"):
            self._embedder.embed(faces, out)

    def flush(self) -> None:
        """Wipe. See `Embedder.flush`."""
        with self._watch.stage("wipe"):
            self._embedder.flush()


def eyes_of(points: Floats) -> float:
    """The distance between the eyes of five points, pixels."""
    return math.dist(points[0], points[1])
