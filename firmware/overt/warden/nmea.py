"""NMEA 0183 as a receiver sends it: bytes of a line in, the two sentences that matter here out. Pure.

A line is noisy, cut short, or not a receiver at all: nothing that comes in raises anything, and what is not a whole
sentence with a right checksum does not exist. Only RMC (time, date, position) and GGA (quality) are read, and only from
satellite receivers (talkers GP, GL, GA, GN).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

SENTENCE_MAX = 100
"""Bytes, `$` to checksum. NMEA 0183 allows 82 with the line's end; receivers with many digits send a few more."""
_BUFFER_MAX = 512  # what is kept of a line that has not ended yet
_TALKERS = (b"GP", b"GL", b"GA", b"GN")
_FRAME = re.compile(rb"\$([ -)+-~]{1,%d})\*([0-9A-Fa-f]{2})\Z" % (SENTENCE_MAX - 4))  # printable, one asterisk
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_ANGLE = re.compile(r"(\d{2,3})(\d\d(?:\.\d{1,9})?)", re.ASCII)
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,4})?", re.ASCII)
_RMC_FIELDS, _RMC_MODE, _GGA_FIELDS = 9, 11, 8
_LAST_YEAR = 79  # of this century: receivers write two digits, and GPS began in 1980
_DEGREE_DIGITS = {"N": (2, 1), "S": (2, -1), "E": (3, 1), "W": (3, -1)}

# FAA mode: autonomous, differential, RTK fixed and float, precise. Not: estimated, manual, simulator, none.
_REAL_MODES = frozenset("ADRFP")
# The same of GGA: GPS, differential, PPS, RTK fixed and float. Not: none, estimated, manual, simulator.
_REAL_QUALITIES = frozenset("12345")


@dataclass(frozen=True, slots=True)
class Rmc:
    """Recommended minimum data.

    Attributes:
        time: UTC; None while the receiver does not know it.
        position: Latitude and longitude in degrees, WGS 84, when the receiver calls its fix valid and measured.
    """

    time: datetime | None
    position: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Gga:
    """Fix data.

    Attributes:
        clock: Hour, minute, second and microsecond (UTC) that the fix is of, or None.
        position: Latitude and longitude in degrees, when there is a measured fix.
        satellites: How many are used.
        hdop: Horizontal dilution of precision, or None.
    """

    clock: tuple[int, int, int, int] | None
    position: tuple[float, float] | None
    satellites: int
    hdop: float | None


Sentence = Rmc | Gga


class Framer:
    """Cuts a stream of bytes into lines. It keeps little, whatever comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that are complete, without their ends."""
        *lines, rest = re.split(rb"[\r\n]+", self._rest + data)
        # A line that is too long to be a sentence may be noise, then a sentence.
        self._rest = rest if len(rest) <= _BUFFER_MAX else rest[-SENTENCE_MAX:]
        return [line for line in lines if line]


def parse(line: bytes) -> Sentence | None:
    """Read one line; None when it is not one of the two sentences, whole and from a satellite receiver.

    Noise before the last `$` is left out: that is what the line's beginning looks like when a receiver is plugged in.
    """
    framed = _FRAME.match(line[line.rfind(b"$") :] if b"$" in line else b"")
    if framed is None or _checksum(framed[1]) != int(framed[2], 16):
        return None
    address, *fields = framed[1].decode("ascii").split(",")
    if address[:2].encode() not in _TALKERS:
        return None
    match address[2:]:
        case "RMC" if len(fields) >= _RMC_FIELDS:
            return _rmc(fields)
        case "GGA" if len(fields) >= _GGA_FIELDS:
            return _gga(fields)
    return None


def frame(body: str) -> bytes:
    """Return the sentence with this body as a receiver sends it: for benches and tests."""
    return b"$%s*%02X\r\n" % (body.encode("ascii"), _checksum(body.encode("ascii")))


def _checksum(body: bytes) -> int:
    total = 0
    for byte in body:
        total ^= byte
    return total


def _rmc(fields: list[str]) -> Rmc:
    # NMEA before 2.3 has no mode; an empty one says nothing good.
    real = fields[1] == "A" and (len(fields) < _RMC_MODE + 1 or fields[_RMC_MODE] in _REAL_MODES)
    when = _moment(fields[0], fields[8])
    return Rmc(when if real else None, _position(fields[2:6]) if real else None)


def _gga(fields: list[str]) -> Gga:
    position = _position(fields[1:5]) if fields[5] in _REAL_QUALITIES else None
    satellites = int(fields[6]) if re.fullmatch(r"\d{1,2}", fields[6], re.ASCII) else 0
    hdop = float(fields[7]) if _NUMBER.fullmatch(fields[7]) else None
    return Gga(_clock(fields[0]), position, satellites, hdop)


def _clock(text: str) -> tuple[int, int, int, int] | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    return int(found[1]), int(found[2]), int(found[3]), int((found[4] or "0").ljust(6, "0"))


def _moment(clock: str, date: str) -> datetime | None:
    """Return the time of a clock and a date field; a leap second is left out, the next second is a time again."""
    parts, day = _clock(clock), _DATE.fullmatch(date)
    if parts is None or day is None or int(day[3]) > _LAST_YEAR:
        return None
    try:
        return datetime(2000 + int(day[3]), int(day[2]), int(day[1]), *parts, tzinfo=UTC)
    except ValueError:
        return None


def _position(fields: list[str]) -> tuple[float, float] | None:
    latitude, longitude = _angle(fields[0], fields[1], "NS", 90.0), _angle(fields[2], fields[3], "EW", 180.0)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _angle(text: str, side: str, sides: str, largest: float) -> float | None:
    """Return degrees of (d)ddmm.mmm and a side of the world."""
    found = _ANGLE.fullmatch(text)
    if found is None or len(side) != 1 or side not in sides:
        return None
    digits, sign = _DEGREE_DIGITS[side]
    minutes = float(found[2])
    degrees = int(found[1]) + minutes / 60
    if len(found[1]) != digits or minutes >= 60 or degrees > largest:  # noqa: PLR2004 - sixty minutes in a degree
        return None
    return sign * degrees
