"""From a receiver's sentences to a position that may be believed, and to samples of its time. Pure.

A position counts while the receiver measures it well, has said so a moment ago, and has moved for some seconds as
things move. A receiver that is fed a false sky, or that starts to guess, jumps: then nothing is believed until it is
steady.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from overt.protocol.documents import FixedSite
from overt.protocol.places import distance_m
from overt.warden.nmea import Gga, Rmc, Sentence

FIX_MAX_AGE_S: Final = 2.5  # a receiver tells once a second: two were missed
SATELLITES_MIN: Final = 5  # four solve for place and time; the fifth shows when one of them lies
HDOP_MAX: Final = 5.0  # about 25 m at a satellite receiver's 5 m; a site is right within 250 m
SPEED_MAX_MPS: Final = 70.0  # 250 km/h: no unit is faster, false skies are
JUMP_SLACK_M: Final = 30.0  # what a good fix may move while the unit stands
TIME_SLACK: Final = timedelta(seconds=2)  # between two fixes, the receiver's time against this machine's
STEADY_S: Final = 5.0  # after a start, a gap or a jump

Point = tuple[float, float]
"""Latitude and longitude in degrees, WGS 84."""


@dataclass(frozen=True, slots=True)
class GpsTime:
    """A receiver's time, and when it came by CLOCK_BOOTTIME, in seconds."""

    time: datetime
    boot_s: float


@dataclass(frozen=True, slots=True)
class Fix:
    """A good position, whose it is in time, and when it came by CLOCK_BOOTTIME, in seconds."""

    position: Point
    time: datetime
    boot_s: float


@dataclass(frozen=True, slots=True)
class Track:
    """What is known of the receiver.

    Attributes:
        rmc: The last of its kind, of the epoch that `gga` may belong to.
        gga: The last of its kind.
        last: The last good fix, whether it is believed yet or not.
        steady_since: When it began to move as things move, by CLOCK_BOOTTIME, in seconds; None when it does not.
    """

    rmc: Rmc | None = None
    gga: Gga | None = None
    last: Fix | None = None
    steady_since: float | None = None


NOTHING: Final = Track()
"""The receiver has not said anything, or was unplugged."""


def take(track: Track, sentence: Sentence, boot_s: float) -> Track:
    """Take a sentence.

    Args:
        track: What was known.
        sentence: What has come.
        boot_s: When it came, by CLOCK_BOOTTIME, in seconds.
    """
    after = replace(track, rmc=sentence) if isinstance(sentence, Rmc) else replace(track, gga=sentence)
    if not _is_good(sentence):
        return replace(after, last=None, steady_since=None)
    fix = _pair(after.rmc, after.gga, boot_s)
    if fix is None or (track.last is not None and fix.time == track.last.time):
        return after
    followed = track.last is not None and _follows(track.last, fix)
    since = track.steady_since if followed and track.steady_since is not None else boot_s
    return replace(after, last=fix, steady_since=since)


def believed(track: Track, boot_s: float) -> Fix | None:
    """Return the position that may be believed at a moment, or None."""
    fix, since = track.last, track.steady_since
    if fix is None or since is None or boot_s - fix.boot_s > FIX_MAX_AGE_S or fix.boot_s - since < STEADY_S:
        return None
    return fix


def time_of(sentence: Sentence, boot_s: float) -> GpsTime | None:
    """Return the time that a sentence tells, if it does."""
    if isinstance(sentence, Rmc) and sentence.time is not None and sentence.position is not None:
        return GpsTime(sentence.time, boot_s)
    return None


def _is_good(sentence: Sentence | None) -> bool:
    """Say whether the receiver says that it measures its position, and well."""
    if sentence is None or sentence.position is None:
        return False
    if isinstance(sentence, Rmc):
        return True
    return sentence.satellites >= SATELLITES_MIN and sentence.hdop is not None and sentence.hdop <= HDOP_MAX


def _pair(rmc: Rmc | None, gga: Gga | None, boot_s: float) -> Fix | None:
    """Return the fix that both sentences tell of, once both of the same moment are there and good."""
    if rmc is None or gga is None or rmc.time is None or rmc.position is None or not _is_good(gga):
        return None
    time = rmc.time
    if gga.clock != (time.hour, time.minute, time.second, time.microsecond):
        return None
    return Fix(rmc.position, time, boot_s)


def _follows(before: Fix, after: Fix) -> bool:
    """Say whether a unit, and a clock, can have come from one fix to the next."""
    passed_s = after.boot_s - before.boot_s
    if passed_s > FIX_MAX_AGE_S or abs((after.time - before.time) - timedelta(seconds=passed_s)) > TIME_SLACK:
        return False
    return metres(before.position, after.position) <= JUMP_SLACK_M + SPEED_MAX_MPS * passed_s


def metres(one: Point, other: Point) -> float:
    """Return the great-circle distance of two points."""
    return distance_m(_site(one), _site(other))


def _site(point: Point) -> FixedSite:
    return FixedSite(name="point", latitude=point[0], longitude=point[1])
