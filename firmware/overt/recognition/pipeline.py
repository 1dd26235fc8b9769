"""From a picture to sightings: detect, track, choose, align, embed, match, wipe.

Of a person who does not match nothing is left after the call in which they were looked at: the aligned face and the
template live in buffers that are zeroed before it returns, whatever happens, and both are counted.
"""

from dataclasses import dataclass, field

import numpy as np

from overt.recognition.align import SIZE, align
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.attention import Attention, Pace
from overt.recognition.detect import OVERLAP_THRESHOLD, SCORE_THRESHOLD, Detections, decode
from overt.recognition.engine import Detector, Embedder
from overt.recognition.errors import BadFrame, BadGallery
from overt.recognition.frame import Frame
from overt.recognition.match import Gallery, Match, empty_gallery, search_all
from overt.recognition.passage import Passage, Policy
from overt.recognition.quality import Gates, Quality, assess
from overt.recognition.still import StillMemory
from overt.recognition.track import Settings, State, Tracked, Tracker
from overt.recognition.windows import find_in_windows, windows_for

MAX_LOOKS_PER_FRAME = 4
"""Faces embedded per picture at most, so that a crowd slows nothing down: the others have their turn next time."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face scored at or above the threshold against an entry.

    Attributes:
        entry: Index of the entry in the gallery.
        score: Cosine, -1..1.
        runner_up_score: Cosine with the best other entry; None when there is none.
        captured_ns: When the picture was taken, Unix time in nanoseconds.
        track_ms: How long the face had been in view.
        track_frames: In how many pictures.
        face_px: Distance of the eyes in full-view pixels.
        quality: 0..1.
    """

    entry: int
    score: float
    runner_up_score: float | None
    captured_ns: int
    track_ms: int
    track_frames: int
    face_px: float
    quality: float


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the recogniser was made.

    Attributes:
        frames: Pictures that came, looked at or found unchanged.
        detections: Faces in pictures.
        faces_seen: Confirmed tracks: an estimate of the people who passed.
        templates_made: Templates that were, or may have been, written.
        templates_wiped: Templates overwritten.
    """

    frames: int = 0
    detections: int = 0
    faces_seen: int = 0
    templates_made: int = 0
    templates_wiped: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What one picture brought: sightings, tracks in view at the moment, totals."""

    sightings: tuple[Sighting, ...]
    in_view: int
    counters: Counters


@dataclass(frozen=True, slots=True)
class _Shot:
    """A face chosen to be looked at, and the row in which it lies aligned."""

    row: int
    tracked: Tracked
    quality: Quality


@dataclass(slots=True)
class _Totals:
    frames: int = 0
    detections: int = 0
    made: int = 0
    wiped: int = 0
    seen: int = 0
    confirmed: set[int] = field(default_factory=set)


class Recogniser:
    """Looks for the people of one gallery in the pictures of one view, for one deployment."""

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        gallery: Gallery,
        threshold: float,
        *,
        window_detector: Detector | None = None,
        gates: Gates | None = None,
        policy: Policy | None = None,
        tracking: Settings | None = None,
        pace: Pace | None = None,
        score_threshold: float = SCORE_THRESHOLD,
        overlap_threshold: float = OVERLAP_THRESHOLD,
    ) -> None:
        """Make one.

        Args:
            detector: Finds faces.
            embedder: Makes templates.
            gallery: Who is looked for. It is referred to until `close`, never copied.
            threshold: Cosine from which a face is a sighting, above -1 and up to 1.
            window_detector: The same with a small input, for faces that are followed; None: the whole view, always.
            gates: Which faces are good enough.
            policy: How seldom to look.
            tracking: How to follow.
            pace: How often to look for faces.
            score_threshold: See `detect.decode`.
            overlap_threshold: See `detect.decode`.

        Raises:
            BadGallery: The gallery's templates have another length than the embedder's, or the threshold is no cosine.
        """
        if gallery.matrix.shape[1] != embedder.dimension:
            raise BadGallery(
                f"expected templates of {embedder.dimension} numbers, found {gallery.matrix.shape[1]}: "
                "the watchlist was made with another model"
            )
        if not -1 < threshold <= 1:
            raise BadGallery(f"expected a threshold above -1 and up to 1, found {threshold}")
        self._detector = detector
        self._window_detector = window_detector
        self._embedder = embedder
        self._gallery = gallery
        self._threshold = threshold
        self._gates = gates or Gates()
        self._policy = policy or Policy()
        self._decoding = (score_threshold, overlap_threshold)
        self._tracker = Tracker(tracking)
        self._attention = Attention(pace)
        self._active: list[Tracked] = []
        self._passages: dict[int, Passage] = {}
        self._still = StillMemory()
        self._faces: Bytes = np.zeros((MAX_LOOKS_PER_FRAME, SIZE, SIZE, 3), np.uint8)
        self._templates: Floats = np.zeros((MAX_LOOKS_PER_FRAME, embedder.dimension), np.float32)
        self._totals = _Totals()
        self._engine_used = False
        self._windows_used = False
        self._closed = False

    @property
    def counters(self) -> Counters:
        """Totals so far."""
        totals = self._totals
        return Counters(totals.frames, totals.detections, totals.seen, totals.made, totals.wiped)

    def process(self, frame: Frame) -> Result:
        """Look at one picture.

        Args:
            frame: Its `small` has the detector's size.

        Returns:
            New sightings (at most one per passage), faces in view, totals.

        Raises:
            BadFrame: The small picture has another size, or the recogniser is closed.
            RecognitionError: The engine failed. Everything is wiped all the same.
        """
        if self._closed:
            raise BadFrame("expected an open recogniser, found a closed one")
        if not self._attention.wants(frame, following=bool(self._active)):
            self._totals.frames += 1
            self._flush_if_used()
            return self._result([])
        small = self._small_of(frame)
        self._totals.frames += 1
        found = self._find(small, frame)
        self._totals.detections += len(found)
        self._active = self._follow(found, frame)
        try:
            shots = self._choose(frame, found, self._active)
            sightings = self._look(frame, shots)
        finally:
            self._faces.fill(0)
        if not shots:
            self._flush_if_used()
        return self._result(sightings)

    def _small_of(self, frame: Frame) -> Bytes:
        small, (width, height) = frame.small, self._detector.size
        if small.shape != (height, width, 3):
            raise BadFrame(f"expected a small picture of {(height, width, 3)}, found {small.shape}")
        return small

    def _find(self, small: Bytes, frame: Frame) -> Detections:
        """Look for faces: in windows around those that are followed where that is enough, in the whole view otherwise.

        What the windows leave in their engine is overwritten by the next ones, or else with the next whole view.
        """
        followed = self._tracker.expected(frame.captured_ns)
        lost = any(tracked.detection < 0 for tracked in self._active)
        if not self._attention.whole(followed, lost=lost) and self._window_detector is not None:
            expected = [(x / frame.scale, y / frame.scale, w / frame.scale, h / frame.scale) for x, y, w, h in followed]
            windows = windows_for(expected, self._detector.size, self._window_detector.size)
            if windows:
                self._windows_used = True
                return find_in_windows(self._window_detector, small, windows, *self._decoding).scaled(frame.scale)
        self._flush_windows_if_used()
        return decode(self._detector.detect(small), self._detector.size, frame.scale, *self._decoding)

    def _flush_windows_if_used(self) -> None:
        if self._windows_used and self._window_detector is not None:
            self._window_detector.flush()
            self._windows_used = False

    def _flush_if_used(self) -> None:
        """Overwrite what the last look left in the engine, in the first picture without one."""
        if self._engine_used:
            self._embedder.flush()
            self._engine_used = False

    def _result(self, sightings: list[Sighting]) -> Result:
        in_view = sum(tracked.state is State.CONFIRMED for tracked in self._active)
        return Result(tuple(sightings), in_view, self.counters)

    def change_pace(self, pace: Pace) -> None:
        """Look for faces more or less often from now on."""
        self._attention.change_pace(pace)

    def close(self) -> None:
        """Wipe everything and let go of the gallery. Calling it twice is fine."""
        self._closed = True
        self._faces.fill(0)
        self._templates.fill(0)
        self._passages.clear()
        self._totals.confirmed.clear()
        self._tracker.clear()
        self._attention.clear()
        self._active = []
        self._still.clear()
        self._gallery = empty_gallery(self._embedder.dimension)
        self._engine_used = False
        try:
            self._embedder.flush()
        finally:
            try:
                self._detector.flush()
            finally:
                self._flush_windows_if_used()

    def _follow(self, found: Detections, frame: Frame) -> list[Tracked]:
        """Bring tracks and passages up to date."""
        update = self._tracker.update(found, frame.captured_ns, (frame.width, frame.height))
        self._still.follow(update.active, update.ended, frame.captured_ns)
        for tracked in update.ended:
            self._passages.pop(tracked.track, None)
            self._totals.confirmed.discard(tracked.track)
        for tracked in update.active:
            if tracked.state is State.CONFIRMED and tracked.track not in self._totals.confirmed:
                self._totals.confirmed.add(tracked.track)
                self._totals.seen += 1
            if tracked.regained and tracked.track in self._passages:
                self._passages[tracked.track] = self._passages[tracked.track].returned()
        return update.active

    def _passage(self, track: int) -> Passage:
        return self._passages.setdefault(track, Passage(self._policy))

    def _choose(self, frame: Frame, found: Detections, active: list[Tracked]) -> list[_Shot]:
        """Choose whom to look at and align them: who was never looked at first, then the best."""
        now_ns = frame.captured_ns
        candidates = []
        for tracked in active:
            if tracked.state is not State.CONFIRMED or not self._passage(tracked.track).may_want(now_ns):
                continue
            if self._still.withholds(tracked.track, now_ns):
                continue
            geometry = assess(frame, found.boxes[tracked.detection], found.points[tracked.detection])
            if self._gates.passes(geometry) and self._passage(tracked.track).wants(geometry.score, now_ns):
                candidates.append((self._passage(tracked.track).shots, -geometry.score, tracked))
        shots: list[_Shot] = []
        for _, _, tracked in sorted(candidates, key=lambda candidate: candidate[:2])[:MAX_LOOKS_PER_FRAME]:
            face = self._faces[len(shots)]
            points = found.points[tracked.detection]
            face[...] = align(frame, points)
            quality = assess(frame, found.boxes[tracked.detection], points, face)
            if self._gates.passes(quality) and self._passage(tracked.track).wants(quality.score, now_ns):
                shots.append(_Shot(len(shots), tracked, quality))
        return shots

    def _look(self, frame: Frame, shots: list[_Shot]) -> list[Sighting]:
        """Make the templates, match them, wipe them."""
        if not shots:
            return []
        templates = self._templates[: len(shots)]
        self._totals.made += len(shots)
        self._engine_used = True
        try:
            self._embedder.embed(self._faces[: len(shots)], templates)
            matches = search_all(self._gallery, templates)
        finally:
            self._templates.fill(0)
            self._totals.wiped += len(shots)
        sightings = [self._decide(frame, shot, match) for shot, match in zip(shots, matches, strict=True)]
        return [sighting for sighting in sightings if sighting is not None]

    def _decide(self, frame: Frame, shot: _Shot, match: Match) -> Sighting | None:
        matched = match.entry >= 0 and match.score >= self._threshold
        if self._still.knows(shot.tracked.track, match.entry if matched else -1, frame.captured_ns):
            return None  # and its passage is as if it had not been looked at: it may be a person, who will walk on
        passage = self._passage(shot.tracked.track)
        self._passages[shot.tracked.track] = passage.looked(shot.quality.score, frame.captured_ns, matched=matched)
        if not matched:
            return None
        self._still.told(shot.tracked, match.entry, frame.captured_ns)
        return Sighting(
            entry=match.entry,
            score=match.score,
            runner_up_score=match.runner_up_score,
            captured_ns=frame.captured_ns,
            track_ms=(frame.captured_ns - shot.tracked.first_ns) // 1_000_000,
            track_frames=shot.tracked.frames,
            face_px=shot.quality.inter_eye_px,
            quality=shot.quality.score,
        )
