"""Which face of this picture is which of the last: one track per passage, from geometry alone.

A track holds numbers about a box and nothing of how a face looks. Track numbers restart with every deployment, mean
nothing outside it, and never leave the unit.
"""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from overt.recognition.arrays import Floats
from overt.recognition.detect import Detections, overlaps

_MS = 1_000_000
_DRIFT_S = 0.8


class State(Enum):
    """How sure a track is."""

    TENTATIVE = "tentative"
    """Seen too seldom to be counted."""
    CONFIRMED = "confirmed"
    LOST = "lost"
    """Confirmed before, not seen in this picture, still expected."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How tracks begin, go on and end.

    Attributes:
        confirm_after: Pictures in which a face is seen before it counts.
        tentative_ms: A face that does not count yet ends after being unseen for longer.
        lost_ms: One that counts, likewise: a person who passes behind another is back within a second.
        max_distance: How far from the expected place a face may be, in face sizes, when seen in the last picture.
        distance_per_s: How much farther for each second unseen.
        max_growth: By what factor its size may differ from the expected.
    """

    confirm_after: int = 3
    tentative_ms: int = 250
    lost_ms: int = 1000
    max_distance: float = 0.9
    distance_per_s: float = 1.5
    max_growth: float = 1.8


@dataclass(frozen=True, slots=True)
class Tracked:
    """One track as of one picture.

    Attributes:
        track: Its number.
        state: How sure it is.
        detection: Index of its face in this picture's detections; -1 when unseen.
        box: Left, top, width, height in full-view pixels, smoothed (or expected, when unseen).
        first_ns: Unix time when first seen, nanoseconds.
        seen_ns: When last seen.
        frames: Pictures in which it was seen.
        regained: It was lost before this picture.
    """

    track: int
    state: State
    detection: int
    box: tuple[float, float, float, float]
    first_ns: int
    seen_ns: int
    frames: int
    regained: bool


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one picture did to the tracks: those that go on, and those that ended with it."""

    active: list[Tracked]
    ended: list[Tracked]


class _Track:
    """A box that moves evenly: centre, velocity and size, kept by an expanding-memory alpha-beta filter."""

    def __init__(self, number: int, box: Floats, now_ns: int) -> None:
        self.number = number
        self.centre: Floats = box[:2] + box[2:] * np.float32(0.5)
        self.velocity: Floats = np.zeros(2, np.float32)  # pixels per second, as of the last few pictures
        self.drift: Floats = np.zeros(2, np.float32)  # the same, over about the last second
        self.size = box[2:].copy()
        self.first_ns = self.seen_ns = self.moved_ns = now_ns
        self.frames = 1
        self.detection = -1
        self.state = State.TENTATIVE
        self.regained = False

    def predict(self, now_ns: int) -> None:
        """Move to where the face is expected now.

        An unseen face goes on as it went over the last second: a head bobs with each step, and the box of one that
        is being covered stays behind, so its latest velocity would lead astray.
        """
        if self.state is State.LOST:
            self.velocity[:] = self.drift
        self.centre += self.velocity * np.float32((now_ns - self.moved_ns) / 1e9)
        self.moved_ns = now_ns
        self.detection = -1
        self.regained = False

    def correct(self, box: Floats, detection: int, now_ns: int, confirm_after: int) -> None:
        """Take a face of this picture as the track's own.

        Gains as of the least-squares straight line through all points so far (expanding-memory filter of first
        degree, Morrison, "Introduction to sequential smoothing and prediction", 1969), down to a floor.
        """
        n = self.frames
        alpha = max(0.5, 2 * (2 * n + 1) / ((n + 1) * (n + 2)))
        beta = max(0.15, 6 / ((n + 1) * (n + 2)))
        elapsed = (now_ns - self.seen_ns) / 1e9
        residual = box[:2] + box[2:] * np.float32(0.5) - self.centre
        self.centre += np.float32(alpha) * residual
        if elapsed > 0:
            self.velocity += np.float32(beta / elapsed) * residual
            weight = max(1 / n, 1 - math.exp(-elapsed / _DRIFT_S))
            self.drift += np.float32(weight) * (self.velocity - self.drift)
        self.size += np.float32(0.5) * (box[2:] - self.size)
        self.frames += 1
        self.regained = self.state is State.LOST
        self.seen_ns = now_ns
        self.detection = detection
        if self.state is State.LOST or self.frames >= confirm_after:
            self.state = State.CONFIRMED

    @property
    def box(self) -> Floats:
        return np.concatenate([self.centre - self.size * np.float32(0.5), self.size])

    def box_at(self, now_ns: int) -> tuple[float, float, float, float]:
        moved = self.velocity * np.float32((now_ns - self.moved_ns) / 1e9)
        x, y, w, h = (float(value) for value in (*(self.box[:2] + moved), *self.size))
        return x, y, w, h

    def snapshot(self) -> Tracked:
        x, y, w, h = (float(value) for value in self.box)
        return Tracked(
            self.number,
            self.state,
            self.detection,
            (x, y, w, h),
            self.first_ns,
            self.seen_ns,
            self.frames,
            self.regained,
        )


class Tracker:
    """Follows faces through the pictures of one view."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, detections: Detections, now_ns: int, view: tuple[int, int] | None = None) -> TrackUpdate:
        """Take in one picture's faces.

        Args:
            detections: The faces, each once.
            now_ns: When the picture was taken, nanoseconds. A step back in time ends all tracks.
            view: Width and height of the view in pixels: an unseen face expected outside it has left. None: unknown.

        Returns:
            Every track that goes on, with its face's index, and every one that has ended.
        """
        ended = self._end(now_ns, view)
        pairs = self._associate(detections.boxes, now_ns)
        for track, detection in pairs:
            track.correct(detections.boxes[detection], detection, now_ns, self._settings.confirm_after)
        for track in self._tracks:
            if track.detection < 0 and track.state is State.CONFIRMED:
                track.state = State.LOST
        for detection in sorted(set(range(len(detections))) - {detection for _, detection in pairs}):
            track = _Track(self._next, detections.boxes[detection], now_ns)
            self._next += 1
            track.detection = detection
            if self._settings.confirm_after <= 1:
                track.state = State.CONFIRMED
            self._tracks.append(track)
        return TrackUpdate([track.snapshot() for track in self._tracks], ended)

    def expected(self, now_ns: int) -> list[tuple[float, float, float, float]]:
        """Return where each face is expected: left, top, width, height in full-view pixels.

        Args:
            now_ns: When, nanoseconds.

        """
        return [track.box_at(now_ns) for track in self._tracks]

    def clear(self) -> None:
        """Forget all tracks and start numbering anew."""
        self._tracks.clear()
        self._next = 1

    def _end(self, now_ns: int, view: tuple[int, int] | None) -> list[Tracked]:
        """Move all tracks to now, and take out those that are over."""
        ended: list[_Track] = []
        kept: list[_Track] = []
        for track in self._tracks:
            unseen = now_ns - track.seen_ns
            limit = self._settings.tentative_ms if track.state is State.TENTATIVE else self._settings.lost_ms
            over = unseen < 0 or unseen > limit * _MS
            if not over:
                track.predict(now_ns)
                x, y = track.centre
                over = track.state is State.LOST and view is not None and not (0 <= x <= view[0] and 0 <= y <= view[1])
            (ended if over else kept).append(track)
        self._tracks = kept
        return [track.snapshot() for track in ended]

    def _associate(self, boxes: Floats, now_ns: int) -> list[tuple[_Track, int]]:
        """Pair tracks with faces, cheapest first (greedy: with few faces, next to never worse than the optimum)."""
        if not self._tracks or not len(boxes):
            return []
        cost = self._costs(boxes, now_ns)
        pairs: list[tuple[_Track, int]] = []
        while np.isfinite(best := cost.min()):
            row, column = (int(index[0]) for index in np.nonzero(cost == best))
            pairs.append((self._tracks[row], column))
            cost[row, :] = np.inf
            cost[:, column] = np.inf
        return pairs

    def _costs(self, boxes: Floats, now_ns: int) -> Floats:
        """Return (tracks, faces) float32: how ill a face fits a track; infinite where it cannot be."""
        settings = self._settings
        expected = np.stack([track.box for track in self._tracks])
        unseen = np.array([(now_ns - track.seen_ns) / 1e9 for track in self._tracks], np.float32)[:, None]
        tentative = np.array([track.state is State.TENTATIVE for track in self._tracks], np.bool_)[:, None]
        size = np.sqrt(expected[:, 2] * expected[:, 3])[:, None]
        centres = boxes[:, :2] + boxes[:, 2:] / 2
        apart = centres[None] - (expected[:, :2] + expected[:, 2:] / 2)[:, None]
        distance = np.hypot(apart[..., 0], apart[..., 1]) / size
        growth = np.abs(np.log(np.sqrt(boxes[:, 2] * boxes[:, 3])[None] / size))
        cost = distance + 0.5 * growth + 0.5 * (1 - overlaps(expected, boxes)) + 0.3 * tentative + 0.2 * unseen
        reach = settings.max_distance + settings.distance_per_s * unseen
        possible = (distance <= reach) & (growth <= np.log(settings.max_growth))
        return np.where(possible, cost, np.inf).astype(np.float32)
