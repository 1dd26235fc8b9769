"""Measures now and then, and remembers what `thermal` asks for."""

import time

from overt.runtime import log
from overt.warden import thermal
from overt.warden.devices import Thermometer
from overt.warden.thermal import Cooling, Step

EVERY_S = 1.0


class Cooler:
    """The unit's temperature, and what has to be done about it."""

    def __init__(self, thermometer: Thermometer) -> None:
        self._thermometer = thermometer
        self._due_s = 0.0
        self._cooling = thermal.UNKNOWN

    def look(self) -> Cooling:
        """Return what is asked for, measured a second ago at most."""
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._due_s = now_s + EVERY_S
            self._take(thermal.follow(self._cooling, self._thermometer.read(), now_s))
        return self._cooling

    @property
    def effort(self) -> int:
        """How seldom vision is to look for faces: 0 is as often as it wants to."""
        return min(self._cooling.step, Step.SLOW)

    def _take(self, after: Cooling) -> None:
        """Log what changes, and not every degree."""
        before, self._cooling = self._cooling, after
        if (after.step, after.readable) != (before.step, before.readable):
            level: log.Level = "warning" if after.step or not after.readable else "info"
            log.event("temperature.step", level, step=int(after.step), celsius=after.celsius, readable=after.readable)
        if after.under_voltage != before.under_voltage:
            weak = after.under_voltage
            log.event("supply.weak" if weak else "supply.sound", "warning" if weak else "info")
