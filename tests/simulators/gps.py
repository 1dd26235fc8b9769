"""A satellite receiver: what it says, and a serial line (a real pty) that can be pulled out and put back."""

import os
import pty
import tty
from datetime import UTC, datetime
from pathlib import Path

from overt.warden.nmea import frame

Point = tuple[float, float]


def _angle(degrees: float, digits: int, sides: str) -> str:
    whole, part = divmod(round(abs(degrees) * 60, 5), 60)
    return f"{int(whole):0{digits}d}{part:08.5f},{sides[degrees < 0]}"


def rmc(at: datetime, position: Point, *, talker: str = "GN", status: str = "A", mode: str = "A") -> bytes:
    place = f"{_angle(position[0], 2, 'NS')},{_angle(position[1], 3, 'EW')}" if status == "A" else ",,,"
    clock = f"{at:%H%M%S}.{at.microsecond // 10000:02d}"
    return frame(f"{talker}RMC,{clock},{status},{place},0.01,,{at:%d%m%y},,,{mode}")


def gga(
    at: datetime,
    position: Point,
    *,
    talker: str = "GN",
    quality: int = 1,
    used: int = 9,
    hdop: float = 0.9,
) -> bytes:
    place = f"{_angle(position[0], 2, 'NS')},{_angle(position[1], 3, 'EW')}" if quality else ",,,"
    clock = f"{at:%H%M%S}.{at.microsecond // 10000:02d}"
    return frame(f"{talker}GGA,{clock},{place},{quality},{used:02d},{hdop:.2f},40.1,M,46.9,M,,")


def epoch(at: datetime, position: Point) -> bytes:
    """All that a usual receiver says each second."""
    chatter = (
        frame("GNGSA,A,3,10,12,15,18,23,24,25,32,,,,,1.65,0.90,1.38")
        + frame("GPGSV,3,1,11,10,63,137,17,07,61,098,15,05,59,290,20,08,54,157,30")
        + frame("GNVTG,,T,,M,0.01,N,0.02,K,A")
    )
    return rmc(at, position) + frame("GNTXT,01,01,02,ANTSTATUS=OK") + gga(at, position) + chatter


class Line:
    """A serial line at a fixed path, like /dev/serial0: plugged in, pulled out, plugged in again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends: tuple[int, int] | None = None
        self.plug()

    def plug(self) -> None:
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.path.symlink_to(os.ttyname(slave))
        os.set_blocking(master, False)
        self._ends = master, slave

    def unplug(self) -> None:
        if self._ends is not None:
            self.path.unlink()
            for end in self._ends:
                os.close(end)
            self._ends = None

    def send(self, data: bytes) -> None:
        assert self._ends is not None
        os.write(self._ends[0], data)

    def say(self, position: Point, at: datetime | None = None) -> None:
        self.send(epoch(at or datetime.now(UTC), position))
