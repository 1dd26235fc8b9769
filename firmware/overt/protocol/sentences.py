"""What a technician reads about each cause: what was found, and what to do. One clear sentence each."""

from typing import Final

from overt.protocol.vocabulary import Cause

SENTENCES: Final[dict[Cause, str]] = {
    Cause.CLOCK_UNSET: "the machine's clock is before the force's charter was issued, as after a start without a "
    "battery: give the unit a network, a sky, or a signed time",
    Cause.CLOCK_BACKWARDS: "the clock says a time before what is already in the log: wait for a network or a sky, or "
    "sign the time",
    Cause.CLOCK_UNKNOWN: "nobody confirms the time: give the unit a network, a sky, or a signed time",
    Cause.PLACE_UNKNOWN: "the unit has neither a site nor a receiver: enrol it again with one",
    Cause.RECEIVER_SILENT: "the satellite receiver says nothing: check its cable, its power and its baud rate",
    Cause.RECEIVER_UNSURE: "the satellite receiver has no position that can be believed yet: give its antenna a sky, "
    "and keep what jams or imitates satellites away",
    Cause.RECEIVER_ELSEWHERE: "the satellite receiver measures another place than the site that was attested: enrol "
    "the unit where it hangs, or look for what imitates satellites",
    Cause.PLACE_NOT_ORDERED: "the unit is not where the order says: take it there, or ask for an order for this place",
    Cause.LAMP_ABSENT: "the unit was enrolled without an indicator: enrol it again with one",
    Cause.LAMP_UNREADABLE: "the indicator cannot be read back, or reads lit while it is told dark: check its read-back "
    "line and its wiring",
    Cause.LAMP_DARK: "the indicator was told to shine and reads dark: check the lamp and its wiring",
    Cause.CAMERA_ABSENT: "no camera answers: check its cable and its power",
    Cause.CAMERA_SILENT: "the camera has stopped giving pictures: it is opened again by itself; if this stays, check "
    "its cable and its power",
    Cause.CAMERA_FROZEN: "the camera gives the same picture again and again: it is opened again by itself; if this "
    "stays, replace it",
    Cause.CAMERA_BLACK: "the camera sees nothing but black: uncover its lens, or give the place light",
    Cause.CAMERA_UNFIT: "the camera gives pictures that cannot be used: check that it is the one that was configured",
    Cause.FOOTAGE_OVER: "the footage has ended: nothing is to be done",
    Cause.MODEL_OTHER: "the unit runs another model than the order names: install that one",
    Cause.MODEL_FAILED: "the model failed to compute: if this stays, install the models again",
    Cause.STORAGE_FULL: "the disk is full: make room on it, or replace it by a larger one",
    Cause.STORAGE_READ_ONLY: "the disk cannot be written: if a restart does not help, replace it",
    Cause.STORAGE_FAILING: "the disk fails to read or to write: replace it",
    Cause.TOO_HOT: "the board is too hot: give it shade and air; it goes on by itself once it is cooler",
    Cause.TEMPERATURE_UNKNOWN: "the board's temperature cannot be read: restart the unit; if this stays, replace it",
    Cause.ENCLOSURE_OPEN: "the enclosure is open, which ends any deployment: close it before an order is delivered",
    Cause.ENCLOSURE_UNREADABLE: "the enclosure's switch cannot be read: check its line and its wiring",
    Cause.VISION_ABSENT: "the vision daemon does not run: if this stays, look at its journal",
    Cause.VISION_REFUSED: "the vision daemon could not take the watchlist: if this stays, look at its journal",
    Cause.UPLINK_ABSENT: "the uplink daemon does not run: alerts wait on the unit; look at its journal",
    Cause.BROKER_UNREACHABLE: "nothing reaches the broker, alerts wait on the unit: check network, firewall, the SIM's "
    "credit, and the broker's address",
    Cause.BROKER_REFUSES: "unit and broker do not accept each other, alerts wait on the unit: check the unit's "
    "certificate, the broker's access list, and that it is the broker that answers",
    Cause.SUPPLY_WEAK: "the power supply is too weak: replace the supply or its cable",
    Cause.ACCELERATOR_LOST: "the accelerator cannot be used, the processor computes in its place and is slower: check "
    "its plug and its power, then restart the unit",
}
