"""Faces that stand still, a poster or a person on a bench: told of once an hour while they stay.

What is remembered are places in the view of faces that matched an entry: numbers, no template, nothing of anyone who
did not match. Nothing here is final: a face that leaves the place is looked at as any other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from overt.recognition.track import Tracked

Box = tuple[float, float, float, float]

_S = 1_000_000_000

HOLD_NS = 3600 * _S
"""A thing that never moves is told of at most once in this time: an officer who was sent there has been and seen."""

STILL_NS = 1 * _S
"""A face is still when it was at one place for this long: somebody who walks crosses `REACH` within a tenth of it."""

LOOK_AGAIN_NS = 60 * _S
"""At a place that is known, a still face is looked at this seldom: it could be another listed person's by now."""

REACH = 0.25
"""How far from a place a face is still at it, in face sizes: about 4 cm, the sway of a head, and a mast in the wind."""

GROWTH = 1.2
"""By what factor its size may differ: the detector's noise, not a step towards the camera."""

MAX_PLACES = 64
"""Places remembered at most; the one told of longest ago makes room."""


@dataclass(slots=True)
class _Place:
    """Where a face matched.

    Attributes:
        entry: Index of the entry in the gallery.
        box: Left, top, width, height in full-view pixels.
        told_ns: When its sighting was made, nanoseconds.
        looked_ns: When a face there was last looked at.
        since_ns: Since when its own track has been here.
        seen_ns: Until when.
        owner: That track; None when it has ended or left.
        moved: The place has followed its track from where the face matched.
    """

    entry: int
    box: Box
    told_ns: int
    looked_ns: int
    since_ns: int
    seen_ns: int
    owner: int | None
    moved: bool

    @property
    def stood(self) -> bool:
        return self.seen_ns - self.since_ns >= STILL_NS

    @property
    def settled(self) -> bool:
        """Whether it is the place of a thing, and no mere point on somebody's way."""
        return self.owner is None or self.stood


class StillMemory:
    """The places of one view where a face matched and may stand still, for one deployment."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._there: dict[int, tuple[int, Box]] = {}  # track -> since when it is at known places, and its box

    def __len__(self) -> int:
        """Return how many places are remembered."""
        return len(self._places)

    def clear(self) -> None:
        """Forget everything."""
        self._places.clear()
        self._there.clear()

    def follow(self, active: Sequence[Tracked], ended: Sequence[Tracked], now_ns: int) -> None:
        """Bring the places up to date with one picture's tracks.

        Args:
            active: Tracks that go on.
            ended: Tracks that ended with this picture.
            now_ns: When it was taken, nanoseconds. Places told of an hour ago, or later than now, are forgotten.
        """
        self._places = [place for place in self._places if 0 <= now_ns - place.told_ns < HOLD_NS]
        for tracked in ended:
            self._there.pop(tracked.track, None)
            self._let_go(tracked.track)
        for tracked in active:
            if tracked.detection >= 0:
                self._move(tracked, now_ns)
        for tracked in active:
            if tracked.detection >= 0:
                self._arrive(tracked, now_ns)

    def withholds(self, track: int, now_ns: int) -> bool:
        """Tell whether not to look at a track's face now, because it is where a face was already told of."""
        if track not in self._there:
            return False
        since_ns, box = self._there[track]
        if now_ns - since_ns < STILL_NS:
            return True
        return any(now_ns - place.looked_ns < LOOK_AGAIN_NS for place in self._at(box))

    def knows(self, track: int, entry: int, now_ns: int) -> bool:
        """Take note that a track's face was looked at; tell whether it is a still face already told of.

        Args:
            track: Its number.
            entry: Which entry it matched; -1 for none.
            now_ns: When, nanoseconds.
        """
        if track not in self._there:
            return False
        places = self._at(self._there[track][1])
        for place in places:
            place.looked_ns = now_ns
        return any(place.entry == entry for place in places)

    def told(self, tracked: Tracked, entry: int, now_ns: int) -> None:
        """Remember where a face is of which a sighting is made."""
        if len(self._places) >= MAX_PLACES:
            self._places.remove(min(self._places, key=lambda place: place.told_ns))
        self._places.append(_Place(entry, tracked.box, now_ns, now_ns, now_ns, now_ns, tracked.track, moved=False))

    def _let_go(self, track: int) -> None:
        """Keep an ended track's place if its face stood there, or was never seen anywhere else."""
        for place in [place for place in self._places if place.owner == track]:
            place_stays = place.stood or not place.moved
            place.owner = None
            if not place_stays:
                self._places.remove(place)

    def _move(self, tracked: Tracked, now_ns: int) -> None:
        """Let the place go with its track; where the face had stood still, leave one behind."""
        for place in [place for place in self._places if place.owner == tracked.track]:
            if not _within(place.box, tracked.box):
                if place.stood and len(self._places) < MAX_PLACES:
                    place.owner = None
                    place = _Place(  # noqa: PLW2901 - the track's own, from here on
                        place.entry, tracked.box, place.told_ns, place.looked_ns, now_ns, now_ns, tracked.track, True
                    )
                    self._places.append(place)
                place.box, place.since_ns, place.moved = tracked.box, now_ns, True
            place.seen_ns = now_ns

    def _arrive(self, tracked: Tracked, now_ns: int) -> None:
        if not self._at(tracked.box):
            self._there.pop(tracked.track, None)
            return
        since_ns, _ = self._there.get(tracked.track, (now_ns, tracked.box))
        self._there[tracked.track] = (since_ns, tracked.box)

    def _at(self, box: Box) -> list[_Place]:
        return [place for place in self._places if place.settled and _within(place.box, box)]


def _within(place: Box, face: Box) -> bool:
    """Tell whether a face is at a place: both boxes' centres and sizes agree."""
    size, other = math.sqrt(place[2] * place[3]), math.sqrt(face[2] * face[3])
    across = place[0] + place[2] / 2 - face[0] - face[2] / 2
    down = place[1] + place[3] / 2 - face[1] - face[3] / 2
    near = across * across + down * down <= (REACH * size) ** 2
    return near and max(size, other) <= GROWTH * min(size, other)
