"""The time, and how well it is known, out of everything that has a word to say on it. Pure.

Three sources: the kernel, when a time daemon steers it; a satellite receiver; a technician's signed time. Whatever was
last believed is carried on by CLOCK_BOOTTIME, which nobody can set and which runs while the machine sleeps: *holdover*,
for a day at most. Sources that contradict each other, or what is held, are doubted until they have been steady; a step
of the machine's own clock is doubted until a source confirms the time. In doubt the time goes on as it was last
believed, and nobody acts on it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from overt.protocol import limits
from overt.protocol.vocabulary import ClockQuality
from overt.warden.fix import GpsTime

HOLDOVER_MAX_S: Final = 24 * 3600.0  # of a crystal that nobody steers; no order is longer
DRIFT: Final = 100e-6  # a board's crystal is good for 50 parts in a million over its temperatures; twice that
STEP_MAX_S: Final = 1.0  # between two looks at the machine's clock; steering it moves it by microseconds
CONFIRM_S: Final = 10.0  # so long a source that says something new must go on saying it
GPS_SAMPLES: Final = 5  # so many in a row must agree
GPS_SPREAD_S: Final = 1.0  # a sentence comes up to a second after the moment that it tells
GPS_MAX_AGE_S: Final = 3.0
SOURCES_AGREE_S: Final = limits.CLOCK_TOLERANCE.total_seconds()  # a cold receiver may be leap seconds off for minutes


@dataclass(frozen=True, slots=True)
class Anchor:
    """A time that was believed.

    Attributes:
        origin: What the time was when CLOCK_BOOTTIME was zero.
        boot_s: When it was last confirmed, by CLOCK_BOOTTIME, in seconds.
        error_s: By how much it may be wrong, either way.
    """

    origin: datetime
    boot_s: float
    error_s: float = 0.0

    def at(self, boot_s: float) -> datetime:
        """Return the time at a moment of CLOCK_BOOTTIME."""
        return self.origin + timedelta(seconds=boot_s)

    def slack_s(self, boot_s: float) -> float:
        """Return by how much another source may differ from it at a moment without contradicting it."""
        return STEP_MAX_S + self.error_at(boot_s)

    def error_at(self, boot_s: float) -> float:
        """Return by how many seconds it may be wrong at a moment."""
        return self.error_s + DRIFT * max(0.0, boot_s - self.boot_s)


@dataclass(frozen=True, slots=True)
class Reading:
    """What there is to know at one moment.

    Attributes:
        system: The machine's own clock.
        boot_s: CLOCK_BOOTTIME in seconds.
        synchronised: Whether the kernel says that its clock is steered.
        gps: What a receiver has told since the last reading, oldest first.
        signed: A time that a technician signed and the unit checked, if one has just come.
    """

    system: datetime
    boot_s: float
    synchronised: bool
    gps: tuple[GpsTime, ...] = ()
    signed: Anchor | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A source's word, kept up.

    Attributes:
        origin: What it says the time was when CLOCK_BOOTTIME was zero.
        since: Since when it says so without a break, by CLOCK_BOOTTIME, in seconds.
        first: What it said then.
        changed: Whether it had said something else just before.
    """

    origin: datetime
    since: float
    first: datetime
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What is remembered from one reading to the next.

    Attributes:
        not_before: No time before this can be right.
        anchor: The time that was last believed.
        last: The machine's clock and CLOCK_BOOTTIME, as last read.
        stepped: When the machine's clock was last seen to step, by CLOCK_BOOTTIME, and not confirmed since.
        kernel: The kernel's word, while it gives it.
        gps: The receiver's word, while it gives it.
        samples: The receiver's last times.
    """

    not_before: datetime
    anchor: Anchor | None = None
    last: tuple[datetime, float] | None = None
    stepped: float | None = None
    kernel: Source | None = None
    gps: Source | None = None
    samples: tuple[GpsTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """The time.

    Attributes:
        time: What it is.
        quality: How well that is known.
        correction: What has to be added to the machine's own clock to get it.
        error: By how much it may be wrong, either way, in holdover; what a source tells now counts as right.
    """

    time: datetime
    quality: ClockQuality
    correction: timedelta
    error: timedelta


def tell(before: Held, reading: Reading) -> tuple[Held, Told]:
    """Take a reading; return what to remember, and the time."""
    held = _listen(before, reading)
    if reading.signed is not None:
        held = replace(held, anchor=reading.signed, stepped=None)
    held, quality = _judge(held, reading)
    return held, _told(held, reading, quality)


def _listen(before: Held, reading: Reading) -> Held:
    """Take in what each source says, without judging it."""
    boot_s = reading.boot_s
    stepped = before.last is not None and _has_stepped(before.last, reading)
    kernel = None
    if reading.synchronised and reading.system >= before.not_before:
        origin = reading.system - timedelta(seconds=boot_s)
        kernel = Source(origin, boot_s, origin)
        if before.kernel is not None and not stepped:
            kernel = replace(before.kernel, origin=origin)
    new = [sample for sample in reading.gps if sample.time >= before.not_before]
    samples = (*before.samples, *new)[-GPS_SAMPLES:]
    return replace(
        before,
        last=(reading.system, boot_s),
        stepped=boot_s if stepped else before.stepped,
        kernel=kernel,
        gps=_gps(before.gps, samples, boot_s),
        samples=samples,
    )


def _has_stepped(last: tuple[datetime, float], reading: Reading) -> bool:
    moved = (reading.system - last[0]).total_seconds() - (reading.boot_s - last[1])
    return abs(moved) > STEP_MAX_S


def _gps(before: Source | None, samples: tuple[GpsTime, ...], boot_s: float) -> Source | None:
    """Return the receiver's word when its last times agree with each other and are new."""
    if len(samples) < GPS_SAMPLES or boot_s - samples[-1].boot_s > GPS_MAX_AGE_S:
        return None
    if samples[-1].boot_s - samples[0].boot_s > GPS_SAMPLES * GPS_MAX_AGE_S:
        return None
    origins = [sample.time - timedelta(seconds=sample.boot_s) for sample in samples]
    # A sentence can come late and never early: the largest is the one that was on its way for the shortest time.
    origin = max(origins)
    if (origin - min(origins)).total_seconds() > GPS_SPREAD_S:
        return None
    if before is None:
        return Source(origin, boot_s, origin)
    # Compared with what it said at first, so that one that creeps away is found out as well.
    crept_s = abs((origin - before.first).total_seconds())
    goes_on = crept_s <= GPS_SPREAD_S + DRIFT * (boot_s - before.since)
    return replace(before, origin=origin) if goes_on else Source(origin, boot_s, origin, changed=True)


def _judge(held: Held, reading: Reading) -> tuple[Held, ClockQuality]:
    """Say which source to believe, if any, and take its time as the one to hold."""
    boot_s = reading.boot_s
    # The kernel first: a time daemon is good for milliseconds, a sentence on a serial line for tenths of a second.
    speaking = [source for source in (held.kernel, held.gps) if source is not None]
    if held.gps is not None and held.kernel is not None and _apart_s(held.gps, held.kernel) > SOURCES_AGREE_S:
        return held, ClockQuality.UNKNOWN
    for source in speaking:
        if _is_confirmed(held, source, boot_s):
            return replace(held, anchor=Anchor(source.origin, boot_s), stepped=None), ClockQuality.SYNCHRONISED
    if speaking or held.anchor is None or held.stepped is not None:
        return held, ClockQuality.UNKNOWN
    fresh = boot_s - held.anchor.boot_s <= HOLDOVER_MAX_S
    return held, ClockQuality.HOLDOVER if fresh else ClockQuality.UNKNOWN


def _is_confirmed(held: Held, source: Source, boot_s: float) -> bool:
    """Say whether a source says what is held already, or is the first to say anything, or has said so for long."""
    steady = boot_s - source.since >= CONFIRM_S
    believable = steady or (not source.changed and _is_held(held.anchor, source, boot_s))
    if held.stepped is None:
        return believable
    if source is held.kernel:
        return steady  # since the step: its word is about the clock that has stepped
    return believable and held.samples[-1].boot_s > held.stepped


def _is_held(anchor: Anchor | None, source: Source, boot_s: float) -> bool:
    return anchor is None or abs((source.origin - anchor.origin).total_seconds()) <= anchor.slack_s(boot_s)


def _apart_s(one: Source, other: Source) -> float:
    return abs((one.origin - other.origin).total_seconds())


def _told(held: Held, reading: Reading, quality: ClockQuality) -> Told:
    time = reading.system
    if held.anchor is not None:
        time = held.anchor.at(reading.boot_s)
    elif held.gps is not None:
        time = held.gps.origin + timedelta(seconds=reading.boot_s)
    error_s = 0.0
    if held.anchor is not None and quality is ClockQuality.HOLDOVER:
        error_s = held.anchor.error_at(reading.boot_s)
    return Told(time, quality, time - reading.system, timedelta(seconds=error_s))
