"""What footage shows, in one form for scenes and for the size chart, and which found faces are in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from overt_tools.scene.clips import digest
from overt_tools.scene.errors import SceneError
from overt_tools.scene.truth import check_footage, truth_path

from .errors import BenchError

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels of the picture."""

WIDTHS = (20, 30, 40, 60, 80, 120)
"""Widths of face boxes in pixels by which faces are counted."""

WHOLE = 0.97
"""A face of which less can be seen is nobody's fault to miss, and nobody's fault to find."""

_LOOSE = 3.0
"""By what factor a found box may be wider or narrower than the face: detectors draw boxes by different customs."""


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One face in one picture.

    Attributes:
        box: The face's box.
        eyes: Pixels between the eyes.
        visible: The share of the box that can be seen, 0 to 1.
        passage: Whose passage it belongs to; empty in the size chart.
        listed: That person is on the watchlist.
    """

    box: Box
    eyes: float
    visible: float
    passage: str
    listed: bool


@dataclass(frozen=True, slots=True)
class Footage:
    """A video file and what is in it.

    Attributes:
        path: The file.
        name: For tables.
        sha256: Of the file.
        fps: Pictures a second.
        count: How many pictures it has.
        shown: The faces in each picture, by its number.
        listed: Passages of listed people that offer a recognition opportunity.
        others: All other passages.
    """

    path: Path
    name: str
    sha256: str
    fps: int
    count: int
    shown: dict[int, list[Shown]] = field(repr=False)
    listed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def people(self, number: int) -> int:
        """How many faces can be seen, at least half of each, in a picture."""
        return sum(shown.visible >= 0.5 for shown in self.shown.get(number, []))  # noqa: PLR2004 - said above


class Chart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="overt-size-chart"):
    """The truth about a size chart, or a street with nobody in it, beside it as JSON.

    The last picture of each page is the one to be judged.

    Attributes:
        key: Digest of all that it was made from.
        sha256: Of the footage.
        fps: Pictures a second.
        count: How many there are.
        pages: Numbers of the pictures to be judged.
        shown: The faces of each page, in the same order.
    """

    key: str
    sha256: str
    fps: int
    count: int
    pages: list[int]
    shown: list[list[Shown]]


def read_scene(path: Path, name: str) -> Footage:
    """Read a scene's ground truth.

    Raises:
        BenchError: The footage or its truth is missing or damaged.
    """
    try:
        truth = check_footage(path)
    except SceneError as error:
        raise BenchError(f"{error} (make footage)") from error
    shown: dict[int, list[Shown]] = {}
    for passage in truth.passages:
        for seen in passage.sightings:
            # A clip's frame in which its own detector was unsure is judged like a face that is half hidden.
            visible = seen.visible if seen.confident else min(seen.visible, 0.5)
            row = Shown(seen.box, seen.eyes, visible, passage.id, passage.listed)
            shown.setdefault(seen.frame, []).append(row)
    listed = tuple(p.id for p in truth.passages if p.listed and p.opportunity)
    others = tuple(p.id for p in truth.passages if not p.listed)
    return Footage(path, name, truth.sha256, truth.fps, truth.frames, shown, listed, others)


def read_chart(path: Path, name: str = "size chart") -> Footage:
    """Read a size chart's truth; only its pages' last pictures have faces listed. One without pages shows nobody.

    Raises:
        BenchError: The chart or its truth is missing or damaged.
    """
    try:
        chart = msgspec.json.decode(truth_path(path).read_bytes(), type=Chart)
        found = digest(path)
    except (OSError, msgspec.DecodeError, SceneError) as error:
        raise BenchError(
            f"expected a size chart in {path}, cannot read it: {error}; delete it and try again"
        ) from error
    if found != chart.sha256:
        raise BenchError(f"expected {path} with digest {chart.sha256}, found {found}: delete it and try again")
    return Footage(path, name, found, chart.fps, chart.count, dict(zip(chart.pages, chart.shown, strict=True)))


def width_class(width: float) -> int | None:
    """Return the width of `WIDTHS` that is nearest by ratio; None for faces smaller or larger than all that counts."""
    nearest = min(WIDTHS, key=lambda size: abs(math.log(width / size)))
    return nearest if abs(math.log(width / nearest)) <= math.log(1.25) else None


def assign(found: Sequence[Box], shown: Sequence[Shown]) -> list[int | None]:
    """Tell which face each found box is.

    A box is a face when the middle of each lies within the other and their widths differ by less than three times: so
    wide that no detector is punished for its custom of drawing boxes. Each face is found once, by the box with the
    nearest middle.

    Returns:
        For each found box the index of the face shown, or None.
    """
    pairs = []
    for f, box in enumerate(found):
        for s, face in enumerate(shown):
            if _inside(_middle(box), face.box) and _inside(_middle(face.box), box):
                ratio = box[2] / max(face.box[2], 1e-6)
                if 1 / _LOOSE < ratio < _LOOSE:
                    pairs.append((math.dist(_middle(box), _middle(face.box)), f, s))
    given: list[int | None] = [None] * len(found)
    taken: set[int] = set()
    for _, f, s in sorted(pairs):
        if given[f] is None and s not in taken:
            given[f] = s
            taken.add(s)
    return given


def touches(box: Box, shown: Sequence[Shown]) -> bool:
    """Tell whether a box's middle lies on any face shown, however little of it can be seen."""
    return any(_inside(_middle(box), face.box) for face in shown)


def _middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _inside(point: tuple[float, float], box: Box) -> bool:
    return box[0] <= point[0] <= box[0] + box[2] and box[1] <= point[1] <= box[1] + box[3]
