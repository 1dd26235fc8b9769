"""From what is known of the world to the causes that a technician reads: at least one for each doubt. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from overt.protocol.vocabulary import Cause, Doubt

# What is behind a doubt when nothing more is known of it.
_PLAIN: Final = {
    Doubt.CLOCK: Cause.CLOCK_UNKNOWN,
    Doubt.PLACE: Cause.PLACE_NOT_ORDERED,
    Doubt.INDICATOR: Cause.LAMP_DARK,
    Doubt.CAMERA: Cause.CAMERA_SILENT,
    Doubt.MODEL: Cause.MODEL_OTHER,
    Doubt.STORAGE: Cause.STORAGE_FAILING,
    Doubt.TEMPERATURE: Cause.TOO_HOT,
    Doubt.ENCLOSURE: Cause.ENCLOSURE_OPEN,
    Doubt.VISION: Cause.VISION_ABSENT,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known behind the doubts.

    Attributes:
        behind: The cause of a doubt, where more is known than the doubt.
        besides: What somebody has to see to although it stops nothing.
    """

    behind: dict[Doubt, Cause]
    besides: tuple[Cause, ...] = ()


def causes(doubts: Iterable[Doubt], known: Known) -> tuple[Cause, ...]:
    """Return the causes: one for each doubt, in the doubts' own order, then the rest."""
    wanted = set(doubts)
    behind = [known.behind.get(doubt, _PLAIN[doubt]) for doubt in Doubt if doubt in wanted]
    return tuple(dict.fromkeys((*behind, *known.besides)))
