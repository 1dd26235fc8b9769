"""What a unit's state means, in plain words, and what to look at."""

from typing import Final

from overt.protocol.vocabulary import ClockQuality, Doubt, State

STATES: Final[dict[State, str]] = {
    State.IDLE: "idle: no order, nothing is recognised",
    State.ARMED: "armed: an order is here, its time has not come or its watchlist is missing",
    State.RECOGNISING: "recognising under an order; the lamp is lit",
    State.PAUSED: "paused: an order is in force, and something is in doubt",
    State.ERASING: "erasing what a deployment has left",
    State.MAINTENANCE: "in maintenance: a preview is on, matching is not possible",
}
DOUBTS: Final[dict[Doubt, str]] = {
    Doubt.CLOCK: "the time: the network's time service, the receiver's sky; or 'unit time'",
    Doubt.PLACE: "the place: the receiver's antenna and cable; is the unit where it was attested?",
    Doubt.INDICATOR: "the lamp and its read-back: wiring; dark when dark, lit when lit",
    Doubt.CAMERA: "the camera: its cable and source; the picture must come",
    Doubt.MODEL: "the model is another than the order names: install that one",
    Doubt.STORAGE: "the disk is full, read-only or failing",
    Doubt.TEMPERATURE: "too hot: shade and air",
    Doubt.VISION: "vision does not run",
}
CLOCKS: Final[dict[ClockQuality, str]] = {
    ClockQuality.SYNCHRONISED: "known",
    ClockQuality.HOLDOVER: "known from before, carried on for a day at most",
    ClockQuality.UNKNOWN: "not known: nothing is recognised until it is",
}
HOT_C: Final = 80.0  # a Raspberry Pi slows itself down from here (Raspberry Pi documentation, "Frequency management")
LITTLE_MIB: Final = 200
