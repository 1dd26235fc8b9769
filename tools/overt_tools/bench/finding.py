"""Counting: faces found by width, boxes that are no face, passages recognised, false alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from .truth import WHOLE, WIDTHS, Box, Footage, Shown, assign, touches, width_class


class FoundBySize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many faces of one width were found. `width`: of the face's box, pixels; the nearest of `truth.WIDTHS`."""

    width: int
    shown: int
    found: int


class Recognition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was made of passages.

    Attributes:
        passages: Of listed people, each with a recognition opportunity.
        recognised: Of these, in at least one picture scored above the threshold.
        others: Passages of everybody else.
        false_alerts: Of these, scored above the threshold at least once; and boxes that are no face that did.
    """

    passages: int
    recognised: int
    others: int
    false_alerts: int


@dataclass(slots=True)
class Tally:
    """Counts over the pictures of one footage."""

    footage: Footage
    pictures: int = 0
    false_detections: int = 0
    _shown: dict[int, int] = field(default_factory=lambda: dict.fromkeys(WIDTHS, 0))
    _found: dict[int, int] = field(default_factory=lambda: dict.fromkeys(WIDTHS, 0))
    _alerted: set[str] = field(default_factory=set)
    _false: int = 0

    def picture(self, number: int, boxes: Sequence[Box]) -> list[Shown | None]:
        """Count one picture's found faces.

        Returns:
            For each box the face that it is, or lies on; None when it lies on none.
        """
        shown = self.footage.shown.get(number, [])
        given = assign(boxes, shown)
        self.pictures += 1
        hit = {index for index in given if index is not None}
        for place, face in enumerate(shown):
            width = width_class(face.box[2])
            if face.visible >= WHOLE and width is not None:
                self._shown[width] += 1
                self._found[width] += place in hit
        for box, index in zip(boxes, given, strict=True):
            # A second box on a face is a false detection; one on a face that is half hidden is neither right nor wrong.
            if index is None and not (touches(box, shown) and not _is_double(box, shown, hit)):
                self.false_detections += 1
        return [
            shown[index] if index is not None else next((face for face in shown if touches(box, [face])), None)
            for box, index in zip(boxes, given, strict=True)
        ]

    def alert(self, face: Shown | None) -> None:
        """Count a face scored above the threshold. In a chart nobody passes, and nothing is counted."""
        if not (self.footage.listed or self.footage.others):
            return
        if face is None:
            self._false += 1
        else:
            self._alerted.add(face.passage)

    def by_size(self) -> list[FoundBySize]:
        """Faces by width, those widths that occurred."""
        return [FoundBySize(w, self._shown[w], self._found[w]) for w in WIDTHS if self._shown[w]]

    def recognition(self) -> Recognition:
        """Passages."""
        listed, others = self.footage.listed, self.footage.others
        return Recognition(
            passages=len(listed),
            recognised=sum(passage in self._alerted for passage in listed),
            others=len(others),
            false_alerts=self._false + sum(passage in self._alerted for passage in others),
        )


def add_up(parts: Iterable[Recognition]) -> Recognition:
    """Add the passages of several footages."""
    rows = list(parts)
    return Recognition(
        sum(row.passages for row in rows),
        sum(row.recognised for row in rows),
        sum(row.others for row in rows),
        sum(row.false_alerts for row in rows),
    )


def add_sizes(parts: Iterable[list[FoundBySize]]) -> list[FoundBySize]:
    """Add the faces by width of several footages."""
    rows = [row for part in parts for row in part]
    return [
        FoundBySize(width, sum(r.shown for r in same), sum(r.found for r in same))
        for width in WIDTHS
        if (same := [row for row in rows if row.width == width])
    ]


def _is_double(box: Box, shown: Sequence[Shown], hit: set[int]) -> bool:
    """Tell whether a box lies on faces that were all found already by another box."""
    on = [index for index, face in enumerate(shown) if touches(box, [face])]
    return bool(on) and all(index in hit for index in on)
