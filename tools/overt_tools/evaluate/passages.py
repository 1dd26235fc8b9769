"""Whose face each sighting is about, passage by passage: recognised, missed, false, second. Pure."""

import statistics
from collections.abc import Sequence
from typing import Any

from overt_tools.scene.truth import PassageTruth

from .rates import interval


class Ledger:
    """Takes in sightings and looks of one scene."""

    def __init__(self, passages: Sequence[PassageTruth], fps: int) -> None:
        """Make one.

        Args:
            passages: The scene's ground truth.
            fps: Pictures a second.
        """
        self._passages = {passage.id: passage for passage in passages}
        self._fps = fps
        self._sighted: dict[str, list[int]] = {}
        self._looks: dict[str, int] = dict.fromkeys(self._passages, 0)
        self._nobody = 0

    def look(self, passage: str | None) -> None:
        """Count a face that was embedded. None: a box that is nobody's face."""
        if passage is not None:
            self._looks[passage] += 1

    def sighting(self, passage: str | None, picture: int) -> None:
        """Count a sighting of the volunteer's entry, in a picture by number. None: it was nobody's face."""
        if passage is None:
            self._nobody += 1
        else:
            self._sighted.setdefault(passage, []).append(picture)

    def figures(self) -> dict[str, Any]:
        """Return the figures so far, as they go into the JSON."""
        listed = [p for p in self._passages.values() if p.listed and p.opportunity]
        others = [p for p in self._passages.values() if not p.listed]
        recognised = [p for p in listed if p.id in self._sighted]
        waits = [
            (min(self._sighted[p.id]) - p.opportunity.first) * 1000 // self._fps for p in recognised if p.opportunity
        ]
        return {
            "passages": len(listed),
            "recognised": len(recognised),
            "missed": [p.id for p in listed if p.id not in self._sighted],
            "trr": len(recognised) / len(listed) if listed else None,
            "trr_interval": list(interval(len(recognised), len(listed))) if listed else None,
            "others": len(others),
            "false_alerts": self._nobody + sum(len(self._sighted.get(p.id, [])) for p in others),
            "second_alerts": sum(len(self._sighted.get(p.id, [0])) - 1 for p in self._passages.values() if p.listed),
            "to_sighting_ms": spread(waits),
            "looks_per_passage": spread(list(self._looks.values())),
            "looks": self._looks,
        }


def spread(values: Sequence[float]) -> dict[str, float | None]:
    """Return least, median and most; None of no values."""
    if not values:
        return {"least": None, "median": None, "most": None}
    return {"least": min(values), "median": statistics.median(values), "most": max(values)}
