"""From what a contender made of each picture to its row in the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import BenchError
from ..finding import Tally, add_sizes, add_up
from ..statistics import spread
from .drive import Look
from .outcome import Contender

MANY = 6
"""People in view in the pictures whose cost is compared."""

_MS = 1e3


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture: how many people are in view, and what was made of it."""

    people: int
    look: Look


def count(tally: Tally, number: int, look: Look, threshold: float) -> None:
    """Count what was made of one picture."""
    for face, likeness in zip(tally.picture(number, look.boxes), look.likeness, strict=True):
        if likeness >= threshold:
            tally.alert(face)


def contender_of(
    name: str,
    title: str,
    how: str,
    threshold: float,
    enrolled: int,
    tallies: Sequence[Tally],
    seen: Sequence[Seen],
    empty: Sequence[Look],
    decode_ms: float,
    peak_mb: float,
) -> Contender:
    """Sum one contender up.

    Args:
        name: See `Contender`.
        title: Likewise.
        how: Likewise.
        threshold: Likewise.
        enrolled: Likewise.
        tallies: Of the street, the crowd, the chart and the empty street.
        seen: The pictures of the street and the crowd.
        empty: Those of the empty street.
        decode_ms: To decode one picture.
        peak_mb: Likewise.

    Raises:
        BenchError: No picture with six people was looked at.
    """
    most = max((one.people for one in seen), default=0)
    many = [one.look for one in seen if one.people >= min(MANY, most)]
    if not many:
        raise BenchError("expected pictures with people in them, found none")
    ms = spread([(look.find_s + look.compare_s) * _MS for look in many])
    finding = [look.find_s for look in many]
    nobody = [look.find_s + look.compare_s for look in empty]
    return Contender(
        name=name,
        title=title,
        how=how,
        threshold=threshold,
        enrolled=enrolled,
        pictures=sum(tally.pictures for tally in tallies),
        ms=ms,
        decoded_ms=round(ms.mean + decode_ms, 2),
        find_ms=round(sum(finding) * _MS / len(many), 2) if any(look.compare_s for look in many) else None,
        empty_ms=round(sum(nobody) * _MS / len(nobody), 3) if nobody else 0.0,
        by_size=tallies[2].by_size(),
        walking=add_sizes(tally.by_size() for tally in tallies[:2]),
        false_detections=sum(tally.false_detections for tally in tallies),
        recognition=add_up(tally.recognition() for tally in tallies[:2]),
        peak_mb=round(peak_mb, 1),
    )
