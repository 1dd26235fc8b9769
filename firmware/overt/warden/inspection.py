"""The unit tests itself while a technician stands beside it: `measure` looks, `judge` decides."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from overt.protocol import light
from overt.protocol.documents import FixedSite
from overt.protocol.light import Exposure, Light
from overt.protocol.messages import Progress
from overt.protocol.reports import Check
from overt.protocol.vocabulary import Cause, Doubt, Part
from overt.warden.aiming import Work
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
_LINKS_DOWN: Final = (Cause.UPLINK_ABSENT, Cause.BROKER_UNREACHABLE, Cause.BROKER_REFUSES)
_CLOSED: Final = "closed, so far as it can tell"
_LINE_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Task:
    """What vision and the board are at while the unit tests itself.

    Attributes:
        progress: Of vision; None when the camera is off.
        work: Of the preview; None when there is none.
    """

    progress: Progress | None
    work: Work | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Attributes:
        rate: Pictures a second; None when the camera is off.
        age_ms: Of the newest picture.
        light: How light falls; None when no picture was shown.
        work: What the board was put to; None when it was at rest.
        lamp: What was read back: True lit, False dark, None unreadable.
        place: Where the unit is, if that is known.
        measured: A receiver measures that.
        clock: The time is known.
        clock_error: How far it may be wrong.
        sound: The log can be written.
        free_mib: Room on its disk.
        shut: The lid is closed.
        links: Interfaces that have a link.
        behind: What is behind the doubts.
        besides: What the unit says is wrong besides.
        celsius: The hottest sensor; None when there is none, or it cannot be read.
        cool: That is no reason to stop.
    """

    rate: float | None
    age_ms: int
    light: Exposure | None
    work: Work | None
    lamp: bool | None
    place: FixedSite | None
    measured: bool
    clock: bool
    clock_error: timedelta
    sound: bool
    free_mib: int
    shut: bool
    links: tuple[str, ...]
    behind: Mapping[Doubt, Cause]
    besides: frozenset[Cause]
    celsius: float | None
    cool: bool

    def first(self, *causes: Cause) -> Cause | None:
        """Return the first of these that the unit says is wrong besides."""
        return next((cause for cause in causes if cause in self.besides), None)


def measure(conditions: Conditions, bearing: Bearing, task: Task, state: Path) -> Measured:
    """Look at everything.

    Args:
        conditions: As the unit decides by them.
        bearing: What it reports of its parts.
        task: What it is at.
        state: The state folder.

    Raises:
        OSError: The disk cannot be asked.
    """
    disk, progress = os.statvfs(state), task.progress
    return Measured(
        rate=progress.frames_per_second if progress else None,
        age_ms=progress.frame_age_ms if progress else 0,
        light=progress.light if progress else None,
        work=task.work,
        lamp=conditions.lamp_lit,
        place=bearing.place,
        measured=bearing.measured,
        clock=conditions.clock_trusted,
        clock_error=conditions.clock_error,
        sound=conditions.storage_sound,
        free_mib=disk.f_bavail * disk.f_frsize // 2**20,
        shut=conditions.shut,
        links=_links(),
        behind=bearing.known.behind,
        besides=frozenset(bearing.known.besides),
        celsius=bearing.cooling.celsius,
        cool=conditions.cool,
    )


def judge(found: Measured) -> tuple[Check, ...]:
    """Say of each part what was found, what it has to be, and whether it is. Pure."""
    return (
        _camera(found),
        _light(found),
        _indicator(found),
        _place(found),
        _clock(found),
        _storage(found),
        Check(
            part=Part.ENCLOSURE,
            found=_CLOSED if found.shut else "open, or its switch cannot be read",
            limit=_CLOSED,
            well=found.shut,
            cause=None if found.shut else found.behind.get(Doubt.ENCLOSURE, Cause.ENCLOSURE_OPEN),
        ),
        Check(
            part=Part.NETWORK,
            found=f"link on {', '.join(found.links)}" if found.links else "no link",
            limit="a link on one interface",
            well=bool(found.links),
        ),
        _bare(Part.BROKER, found.first(*_LINKS_DOWN), "connected", "not connected"),
        _temperature(found),
        _bare(Part.SUPPLY, found.first(Cause.SUPPLY_WEAK), "strong enough", "too weak"),
    )


def _camera(found: Measured) -> Check:
    limit, cause = f"{RATE_LEAST:g} pictures a second, {AGE_MOST_MS} ms old at most", found.behind.get(Doubt.CAMERA)
    if found.rate is None:
        return Check(part=Part.CAMERA, found="no picture", limit=limit, well=False, cause=cause)
    told = f"{found.rate:.1f} pictures a second, {found.age_ms} ms old"
    well = cause is None and found.rate >= RATE_LEAST and found.age_ms <= AGE_MOST_MS
    return Check(part=Part.CAMERA, found=told, limit=limit, well=well, cause=cause)


def _light(found: Measured) -> Check:
    well = found.light is not None and light.judge(found.light) is Light.GOOD
    return Check(
        part=Part.LIGHT,
        found=light.in_figures(found.light) if found.light else "no picture",
        limit=f"mean {light.MEAN_LEAST:.0%} to {light.MEAN_MOST:.0%}, {light.CLIPPED_MOST:.0%} burnt out at most",
        well=well,
    )


def _indicator(found: Measured) -> Check:
    return Check(
        part=Part.INDICATOR,
        found={True: "read back lit", False: "read back dark", None: "cannot be read"}[found.lamp],
        limit="lit while the camera looks",
        well=found.lamp is True,
        cause=Cause.LAMP_DARK if found.lamp is False else found.behind.get(Doubt.INDICATOR),
    )


def _place(found: Measured) -> Check:
    limit = "measured steadily, at the site if there is one" if found.measured else "attested"
    if found.place is None:
        return Check(part=Part.PLACE, found="not known", limit=limit, well=False, cause=found.behind.get(Doubt.PLACE))
    how, place = "measured" if found.measured else "attested", found.place
    told = f"{how}: {place.latitude:.5f}, {place.longitude:.5f}, {place.name}"
    return Check(part=Part.PLACE, found=told[:_LINE_MOST], limit=limit, well=True)


def _clock(found: Measured) -> Check:
    error_s = found.clock_error.total_seconds()
    return Check(
        part=Part.CLOCK,
        found=f"known to {error_s:.1f} s" if found.clock else "unknown",
        limit=f"known to {CLOCK_ERROR_MOST.total_seconds():g} s",
        well=found.clock and found.clock_error <= CLOCK_ERROR_MOST,
        cause=None if found.clock else found.behind.get(Doubt.CLOCK, Cause.CLOCK_UNKNOWN),
    )


def _storage(found: Measured) -> Check:
    return Check(
        part=Part.STORAGE,
        found=f"{'written' if found.sound else 'cannot be written'}, {found.free_mib:,} MiB free",
        limit=f"writable, {FREE_LEAST_MIB} MiB free",
        well=found.sound and found.free_mib >= FREE_LEAST_MIB,
        cause=None if found.sound else found.behind.get(Doubt.STORAGE),
    )


def _temperature(found: Measured) -> Check:
    """Judge the temperature under load: a board that is cool at rest has shown nothing."""
    limit = f"below {EASED_FROM_C:g} °C at work"
    if not found.cool:
        cause = found.behind.get(Doubt.TEMPERATURE, Cause.TOO_HOT)
        told = "cannot be read" if found.celsius is None else f"{found.celsius:.0f} °C"
        return Check(part=Part.TEMPERATURE, found=told, limit=limit, well=False, cause=cause)
    if found.celsius is None:
        return Check(part=Part.TEMPERATURE, found="this board has no sensor", limit=limit, well=True)
    if found.work is None:
        told = f"{found.celsius:.0f} °C at rest: not measured at work"
        return Check(part=Part.TEMPERATURE, found=told, limit=limit, well=False)
    before = "" if found.work.celsius is None else f", {found.work.celsius:.0f} °C before"
    return Check(
        part=Part.TEMPERATURE,
        found=f"{found.celsius:.0f} °C after {found.work.seconds:.0f} s at work{before}",
        limit=limit,
        well=found.celsius < EASED_FROM_C,
        cause=Cause.TOO_HOT if found.celsius >= EASED_FROM_C else None,
    )


def _bare(part: Part, cause: Cause | None, good: str, bad: str) -> Check:
    return Check(part=part, found=bad if cause else good, limit=good, well=cause is None, cause=cause)


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
