"""`unit.json`: what the unit was told at enrolment."""

from overt.protocol.documents import FixedSite
from overt.protocol.fields import Slug, Value


class UnitConfig(Value, frozen=True, kw_only=True):
    """What the unit was told at enrolment."""

    unit: Slug
    force: Slug
    site: FixedSite | None
    indicator: "GpioLines | None" = None
    gps: "SerialLine | None" = None
    tamper: "SwitchLine | None" = None


class GpioLines(Value, frozen=True, kw_only=True):
    """Where the lamp is."""

    chip: str
    lamp: int
    read_back: int


class SwitchLine(Value, frozen=True, kw_only=True):
    """Where the switch is that the enclosure's lid presses."""

    chip: str
    line: int


class SerialLine(Value, frozen=True, kw_only=True):
    """Where the satellite receiver is."""

    device: str
    baud: int
