"""What a unit's state means, in plain words. What is wrong has its sentence in `overt.protocol.sentences`."""

from typing import Final

from overt.protocol.vocabulary import Cause, ClockQuality, State

STATES: Final[dict[State, str]] = {
    State.IDLE: "idle: no order, nothing is recognised",
    State.ARMED: "armed: an order is here, its time has not come or its watchlist is missing",
    State.RECOGNISING: "recognising under an order; the lamp is lit",
    State.PAUSED: "paused: an order is in force, and something is in doubt",
    State.ERASING: "erasing what a deployment has left",
    State.MAINTENANCE: "in maintenance: a preview is on, matching is not possible",
}
CLOCKS: Final[dict[ClockQuality, str]] = {
    ClockQuality.SYNCHRONISED: "known",
    ClockQuality.HOLDOVER: "known from before, carried on for a day at most",
    ClockQuality.UNKNOWN: "not known: nothing is recognised until it is",
}
SIGHT: Final = (
    Cause.CAMERA_ABSENT,
    Cause.CAMERA_SILENT,
    Cause.CAMERA_FROZEN,
    Cause.CAMERA_BLACK,
    Cause.CAMERA_UNFIT,
    Cause.MODEL_FAILED,
    Cause.TOO_HOT,
    Cause.TEMPERATURE_UNKNOWN,
    Cause.VISION_ABSENT,
)
"""What keeps a technician from seeing anything, the likeliest first."""
COOLING: Final = ("", ", looks for faces less often", ", looks for faces half as often", ", too hot to recognise")
HOT_C: Final = 80.0  # a Raspberry Pi slows itself down from here (Raspberry Pi documentation, "Frequency management")
LITTLE_MIB: Final = 200
