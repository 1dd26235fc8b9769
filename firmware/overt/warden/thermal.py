"""How hot the board is, and what that asks for: slower before hotter, off before harm. Pure.

Steps go up at once and come down only `HYSTERESIS_C` lower, so that a unit at a limit does not flutter. What the
firmware says it does to itself (it lowers the processor's clock) counts as well as what the sensor says: a board that
throttles is too hot for full effort, whatever its sensor reads.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Raspberry Pi documentation, "Frequency management and thermal control": from 80 degrees Celsius the processor is
# throttled progressively, at 85 processor and graphics are. So a unit is slower well before 80, where it would become
# slower anyway and its times could not be relied on, and off there, before what the maker calls the limit.
EASED_FROM_C: Final = 70.0
SLOW_FROM_C: Final = 75.0
OFF_FROM_C: Final = 80.0
HYSTERESIS_C: Final = 5.0  # about what a heat sink loses in a minute once the load is gone

# Outside of this no reading is believed: silicon is rated for -40 to 125 degrees Celsius.
LEAST_C: Final = -40.0
MOST_C: Final = 125.0

UNREADABLE_S: Final = 5.0  # a read that fails now and then (the firmware is busy) is no doubt yet
THROTTLED_S: Final = 30.0  # a flag of the firmware counts for so long after it was last seen


class Step(IntEnum):
    """How much is done. Vision knows the first three as how often to look for faces."""

    FULL = 0
    EASED = 1
    SLOW = 2
    OFF = 3


_FROM_C: Final = {Step.EASED: EASED_FROM_C, Step.SLOW: SLOW_FROM_C, Step.OFF: OFF_FROM_C}


@dataclass(frozen=True, slots=True)
class Heat:
    """What was measured at one moment.

    Attributes:
        celsius: The hottest of the sensors that matter; None when one of them could not be read, or none is there.
        expected: Whether this hardware has a sensor.
        throttled: The firmware says that it slows the processor down now.
        under_voltage: The board says that its supply is too weak now.
    """

    celsius: float | None
    expected: bool = True
    throttled: bool = False
    under_voltage: bool = False


@dataclass(frozen=True, slots=True)
class Cooling:
    """What is remembered from one measurement to the next.

    Attributes:
        step: What is asked for now.
        celsius: What was last read and believed.
        readable: The temperature is known, or there is nothing to know it by.
        read_s: When it was last known, in seconds of a steady clock; None before it ever was.
        strained_s: When the firmware last said that it throttles or that the supply is weak.
        under_voltage: What was last said of the supply.
    """

    step: Step = Step.OFF
    celsius: float | None = None
    readable: bool = False
    read_s: float | None = None
    strained_s: float | None = None
    under_voltage: bool = False


UNKNOWN: Final = Cooling()
"""Nothing has been measured yet: off."""


def follow(before: Cooling, heat: Heat, now_s: float) -> Cooling:
    """Take a measurement.

    Args:
        before: What was remembered.
        heat: What was measured.
        now_s: When, in seconds of a steady clock.
    """
    strained = heat.throttled or heat.under_voltage
    strained_s = now_s if strained else before.strained_s
    is_strained = strained_s is not None and now_s - strained_s < THROTTLED_S
    celsius = heat.celsius if heat.celsius is not None and LEAST_C <= heat.celsius <= MOST_C else None
    if celsius is None and heat.expected:
        lately = before.read_s is not None and now_s - before.read_s < UNREADABLE_S
        step, readable, read_s = (before.step, before.readable, before.read_s) if lately else (Step.OFF, False, None)
        celsius = before.celsius if lately else None
    else:
        held = before.step if before.readable else Step.FULL
        step, readable, read_s = Step.FULL if celsius is None else _step(held, celsius), True, now_s
    if is_strained:
        step = max(step, Step.SLOW)
    return Cooling(step, celsius, readable, read_s, strained_s, heat.under_voltage)


def _step(before: Step, celsius: float) -> Step:
    """Return the highest step whose limit is reached, or which was taken and is not left yet."""
    reached = [
        step for step, limit in _FROM_C.items() if celsius >= (limit - HYSTERESIS_C if step <= before else limit)
    ]
    return max(reached, default=Step.FULL)
