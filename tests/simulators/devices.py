"""A unit's parts whose world is a small file, so that a test changes the world of a warden in another process."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from overt.protocol.documents import FixedSite
from overt.protocol.vocabulary import Cause, ClockQuality
from overt.warden.devices import Devices
from overt.warden.gps import boottime
from overt.warden.thermal import Heat
from tests.builders import SITE

_GOOD: dict[str, Any] = {
    "ahead_s": 0.0,
    "elapsed_s": 0.0,
    "error_s": 0.0,
    "clock": "synchronised",
    "place": True,
    "lamp": "works",
    "celsius": 45.0,
    "throttled": False,
    "under_voltage": False,
    "lid": True,
}


class World:
    """What the simulated parts see. `lamp`: "works", "dark" (never lights), "lit" (never goes out), "unreadable"."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "world.json"
        self.lamp = folder / "lamp"
        if not self._file.exists():
            self.set(**_GOOD)

    def set(self, **changes: Any) -> None:
        state = {**(self.read() if self._file.exists() else {}), **changes}
        temp = self._file.with_suffix(f".{os.getpid()}")
        temp.write_text(json.dumps(state))
        temp.replace(self._file)

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text()))

    @property
    def lit(self) -> bool:
        return self.lamp.exists()


class SimulatedClock:
    """This machine's clock, ahead by what the world says."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._world.read()["ahead_s"])

    def quality(self) -> ClockQuality:
        return ClockQuality(self._world.read()["clock"])

    def error(self) -> timedelta:
        return timedelta(seconds=self._world.read()["error_s"])

    def correction(self) -> timedelta:
        return timedelta()

    def elapsed(self) -> float:
        return boottime() + float(self._world.read()["elapsed_s"])

    def set(self, time: datetime, error_s: float) -> bool:
        ahead_s = (time - datetime.now(UTC)).total_seconds()
        self._world.set(clock="holdover", ahead_s=ahead_s, error_s=error_s)
        return True


class SimulatedPlace:
    """The test's site, or nowhere known, or somewhere else."""

    measures = False

    def __init__(self, world: World) -> None:
        self._world = world

    def where(self) -> FixedSite | None:
        place = self._world.read()["place"]
        if place == "elsewhere":
            return FixedSite(name="Elsewhere", latitude=51.0, longitude=0.0)
        return SITE if place else None

    def trouble(self) -> Cause | None:
        return None if self._world.read()["place"] else Cause.RECEIVER_SILENT


class SimulatedLamp:
    """A lamp that can fail in each of the ways in which lamps fail."""

    fitted = True

    def __init__(self, world: World) -> None:
        self._world = world

    def show(self, lit: bool) -> None:
        if lit:
            self._world.lamp.touch()
        else:
            self._world.lamp.unlink(missing_ok=True)

    def is_lit(self) -> bool | None:
        return {"works": self._world.lit, "dark": False, "lit": True, "unreadable": None}[self._world.read()["lamp"]]


class SimulatedThermometer:
    """A board as hot as the world says; None: it cannot be read."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self) -> Heat:
        state = self._world.read()
        return Heat(state["celsius"], throttled=state["throttled"], under_voltage=state["under_voltage"])


class SimulatedLid:
    """Closed (True), open (False) or unreadable (None)."""

    def __init__(self, world: World) -> None:
        self._world = world

    def is_closed(self) -> bool | None:
        closed: bool | None = self._world.read()["lid"]
        return closed


def simulated(folder: Path) -> Devices:
    """The parts of a unit whose world is in this folder."""
    world = World(folder)
    parts = (SimulatedClock(world), SimulatedPlace(world), SimulatedLamp(world))
    return Devices(*parts, SimulatedThermometer(world), SimulatedLid(world))
