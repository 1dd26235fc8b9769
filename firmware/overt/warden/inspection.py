"""The unit tests itself while a technician stands beside it: `measure` looks, `judge` decides."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from overt.protocol.messages import Progress
from overt.protocol.reports import Check
from overt.protocol.vocabulary import Cause, Part
from overt.warden.core import Conditions
from overt.warden.senses import Bearing
from overt.warden.thermal import EASED_FROM_C

RATE_LEAST: Final = 5.0
"""Pictures a second: a person who runs by at 3 m/s through 3 m of the zone is seen five times."""
AGE_MOST_MS: Final = 1000
FREE_LEAST_MIB: Final = 256
"""A year of the log, and an outbox that waits for days."""
CLOCK_ERROR_MOST: Final = timedelta(seconds=10)
_NETWORK: Final = Path("/sys/class/net")
_LINKS_DOWN: Final = {Cause.UPLINK_ABSENT, Cause.BROKER_UNREACHABLE, Cause.BROKER_REFUSES}


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Attributes:
        rate: Pictures a second; None when the camera is off.
        age_ms: Of the newest picture.
        lamp: What was read back: True lit, False dark, None unreadable.
        place: The place is known.
        clock: The time is known.
        clock_error: How far it may be wrong.
        sound: The log can be written.
        free_mib: Room on its disk.
        shut: The lid is closed.
        links: Interfaces that have a link.
        causes: What the unit says is wrong besides.
        celsius: The hottest sensor; None when there is none, or it cannot be read.
        cool: That is no reason to stop.
    """

    rate: float | None
    age_ms: int
    lamp: bool | None
    place: bool
    clock: bool
    clock_error: timedelta
    sound: bool
    free_mib: int
    shut: bool
    links: tuple[str, ...]
    causes: frozenset[Cause]
    celsius: float | None
    cool: bool


def measure(conditions: Conditions, bearing: Bearing, progress: Progress | None, state: Path) -> Measured:
    """Look at everything.

    Args:
        conditions: As the unit decides by them.
        bearing: What it reports of its parts.
        progress: Of vision, while the camera is on.
        state: The state folder.

    Raises:
        OSError: The disk cannot be asked.
    """
    disk = os.statvfs(state)
    return Measured(
        rate=progress.frames_per_second if progress else None,
        age_ms=progress.frame_age_ms if progress else 0,
        lamp=conditions.lamp_lit,
        place=conditions.place_right,
        clock=conditions.clock_trusted,
        clock_error=conditions.clock_error,
        sound=conditions.storage_sound,
        free_mib=disk.f_bavail * disk.f_frsize // 2**20,
        shut=conditions.shut,
        links=_links(),
        causes=frozenset(bearing.known.besides) | frozenset(bearing.known.behind.values()),
        celsius=bearing.cooling.celsius,
        cool=conditions.cool,
    )


def judge(found: Measured) -> tuple[Check, ...]:
    """Say of each part what was found, what it has to be, and whether it is. Pure."""
    return (
        _camera(found),
        Check(
            part=Part.INDICATOR,
            found={True: "read back lit", False: "read back dark", None: "cannot be read"}[found.lamp],
            limit="lit while the camera looks",
            well=found.lamp is True,
        ),
        _check(Part.PLACE, found.place, "known", "unknown"),
        _clock(found),
        Check(
            part=Part.STORAGE,
            found=f"{'written' if found.sound else 'cannot be written'}, {found.free_mib:,} MiB free",
            limit=f"writable, {FREE_LEAST_MIB} MiB free",
            well=found.sound and found.free_mib >= FREE_LEAST_MIB,
        ),
        _check(Part.ENCLOSURE, found.shut, "closed, so far as it can tell", "open, or its switch cannot be read"),
        Check(
            part=Part.NETWORK,
            found=f"link on {', '.join(found.links)}" if found.links else "no link",
            limit="a link on one interface",
            well=bool(found.links),
        ),
        _check(Part.BROKER, not found.causes & _LINKS_DOWN, "connected", "not connected"),
        _temperature(found),
        _check(Part.SUPPLY, Cause.SUPPLY_WEAK not in found.causes, "strong enough", "too weak"),
    )


def _camera(found: Measured) -> Check:
    limit = f"{RATE_LEAST:g} pictures a second, {AGE_MOST_MS} ms old at most"
    if found.rate is None:
        return Check(part=Part.CAMERA, found="no picture", limit=limit, well=False)
    told = f"{found.rate:.1f} pictures a second, {found.age_ms} ms old"
    well = found.rate >= RATE_LEAST and found.age_ms <= AGE_MOST_MS
    return Check(part=Part.CAMERA, found=told, limit=limit, well=well)


def _clock(found: Measured) -> Check:
    error_s = found.clock_error.total_seconds()
    return Check(
        part=Part.CLOCK,
        found=f"known to {error_s:.1f} s" if found.clock else "unknown",
        limit=f"known to {CLOCK_ERROR_MOST.total_seconds():g} s",
        well=found.clock and found.clock_error <= CLOCK_ERROR_MOST,
    )


def _temperature(found: Measured) -> Check:
    unread = "no sensor" if found.cool else "cannot be read"
    told = unread if found.celsius is None else f"{found.celsius:.0f} °C"
    well = found.cool and (found.celsius is None or found.celsius < EASED_FROM_C)
    return Check(part=Part.TEMPERATURE, found=told, limit=f"below {EASED_FROM_C:g} °C with the camera on", well=well)


def _check(part: Part, well: bool, good: str, bad: str) -> Check:
    return Check(part=part, found=good if well else bad, limit=good, well=well)


def _links() -> tuple[str, ...]:
    """Return the interfaces but the loop that have a link. Reading of them needs no network."""
    found = []
    for path in sorted(_NETWORK.glob("*")):
        try:
            up = (path / "operstate").read_text(encoding="ascii").strip() == "up"
        except (OSError, UnicodeDecodeError):
            continue
        if up and path.name != "lo":
            found.append(path.name[:32])
    return tuple(found[:4])
