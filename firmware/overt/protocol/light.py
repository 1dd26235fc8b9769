"""Whether light falls as faces need it. The unit signs its verdict, and the technician's meter shows the same. Pure.

The bounds are working rules for a view of eight bits, not measurements: within them a face in the sun and one in the
shade next to it both keep shades enough to be told apart. docs/accuracy.md measures what lies beyond.
"""

from enum import StrEnum
from typing import Final

from overt.protocol import fields as f

MEAN_LEAST, MEAN_MOST = 0.2, 0.8
CLIPPED_MOST: Final = 0.05
"""Share of the view that may be black, or burnt out."""


class Exposure(f.Value, frozen=True, kw_only=True):
    """How light falls, each 0 to 1: mean brightness, share without any light, share burnt out."""

    mean: f.Fraction
    dark: f.Fraction
    bright: f.Fraction


class Light(StrEnum):
    """What an exposure is worth."""

    GOOD = "good"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BURNT_OUT = "burnt_out"


def judge(exposure: Exposure) -> Light:
    """Say what an exposure is worth."""
    if exposure.bright > CLIPPED_MOST:
        return Light.BURNT_OUT
    if exposure.mean < MEAN_LEAST:
        return Light.TOO_DARK
    return Light.TOO_BRIGHT if exposure.mean > MEAN_MOST else Light.GOOD


def in_figures(exposure: Exposure) -> str:
    """Return an exposure in figures, as a technician reads it."""
    return f"mean {exposure.mean:.0%}, {exposure.dark:.0%} black, {exposure.bright:.0%} burnt out"
