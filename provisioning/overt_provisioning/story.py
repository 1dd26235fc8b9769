"""A unit's log told in plain words: a chapter for each deployment, and what was between them. Pure."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from overt.protocol.audit import Event, Record, facts_of
from overt.protocol.vocabulary import Act, ClockQuality, Doubt, State

_DOUBTS = {
    Doubt.CLOCK: "the time is not known for sure",
    Doubt.PLACE: "it is not where the order says, or cannot tell",
    Doubt.INDICATOR: "the lamp is not proven lit",
    Doubt.CAMERA: "the camera gives no picture",
    Doubt.MODEL: "the model is not the one that the order names",
    Doubt.STORAGE: "its storage cannot be relied on",
    Doubt.TEMPERATURE: "it is too hot, or cannot tell",
    Doubt.ENCLOSURE: "its enclosure is open, or it cannot tell",
    Doubt.VISION: "the vision process is not there",
}
_ENDINGS = {
    "window_over": "its window is over",
    "cancelled": "an officer cancelled it",
    "loan_over": "the loan is over",
    "recalled": "the lender called the unit back",
    "revoked": "what it stood on was revoked, keys or evidence",
    "key_lost": "its key could not be read any more",
    "tamper": "the unit was opened, or what was kept of it had been tampered with",
}


class Sentence(msgspec.Struct, frozen=True):
    """One record, told. `unsure` when the unit did not know the time for sure."""

    position: int
    time: datetime
    unsure: bool
    operation: str
    event: str
    text: str
    facts: dict[str, Any]


class Chapter(msgspec.Struct, frozen=True):
    """A deployment from its order to its erasure, or, without an order, what was between two."""

    order: str | None
    sentences: list[Sentence]


def chapters(records: Iterable[Record]) -> list[Chapter]:
    """Divide good records into deployments and the times between."""
    found: list[Chapter] = []
    order: str | None = None
    for record in records:
        facts = facts_of(record)
        begins = record.event == Event.ORDER_ACCEPTED
        order = str(facts["order"]) if begins else order
        if not found or found[-1].order != order:
            found.append(Chapter(order, []))
        found[-1].sentences.append(_sentence(record, facts))
        if record.event == Event.DEPLOYMENT_ERASED and facts["order"] == order:
            order = None
    return found


def tell(told: Iterable[Chapter]) -> list[str]:
    """Return chapters as lines of text: time, position in the log, what happened; each day begins with its name."""
    lines: list[str] = []
    for chapter in told:
        lines += ["", f"Deployment under the order {chapter.order[:12]}…" if chapter.order else "Between deployments"]
        day = None
        for sentence in chapter.sentences:
            if sentence.time.date() != day:
                day = sentence.time.date()
                lines.append(f"  {day:%A %d %B %Y}")
            doubt = " (clock not sure)" if sentence.unsure else ""
            lines.append(f"    {sentence.time:%H:%M:%S} {sentence.position:6}  {sentence.text}{doubt}")
        if chapter.order:
            lines.append(f"  In all: {_in_all(chapter)}")
    return lines[1:]


def _sentence(record: Record, facts: dict[str, Any]) -> Sentence:
    unsure = record.clock == ClockQuality.UNKNOWN.value
    text = _TOLD[Event(record.event)](facts).replace("….", "…")
    return Sentence(record.position, record.at, unsure, record.operation, record.event, text, facts)


def _in_all(chapter: Chapter) -> str:
    """Sum a deployment up."""
    events = [sentence.event for sentence in chapter.sentences]
    wiped = [sentence.facts for sentence in chapter.sentences if sentence.event == Event.TEMPLATES_WIPED]
    made, gone = (sum(facts[name] for facts in wiped) for name in ("made", "wiped"))
    over = [sentence.facts["ending"] for sentence in chapter.sentences if sentence.event == Event.DEPLOYMENT_OVER]
    return "; ".join(
        [
            _many(events.count(Event.ALERT_RAISED), "alert"),
            f"{_many(made, 'template')} of passers-by made and {gone} wiped",
            f"ended because {_ENDINGS[over[0]]}" if over else "not over when this log was taken off",
            "erased and certified" if Event.DEPLOYMENT_ERASED in events else "NOT ERASED when this log was taken off",
        ]
    )


def _short(digest: str) -> str:
    return f"{digest[:12]}…"


def _many(count: int, one: str, more: str | None = None) -> str:
    return f"{count} {one}" if count == 1 else f"{count} {more or one + 's'}"


def _state(facts: dict[str, Any]) -> str:
    why = "; ".join(_DOUBTS[Doubt(doubt)] for doubt in facts["doubts"].split(",") if doubt)
    words = {
        State.IDLE: "Idle: nothing is in hand.",
        State.ARMED: "Armed: an order is in hand; nothing is recognised",
        State.RECOGNISING: "RECOGNISING, lamp lit.",
        State.PAUSED: "Paused: nothing is recognised",
        State.ERASING: "Erasing: nothing is recognised any more.",
        State.MAINTENANCE: "Maintenance: the camera is being aimed, nothing can be recognised.",
    }[State(facts["state"])]
    return words if words.endswith(".") else f"{words}{f' because {why}' if why else ' yet'}."


_ACTS: dict[Act, str] = {
    Act.VISIT: "came again",
    Act.IDENTIFY: "asked for the unit's identity",
    Act.ENROL: "enrolled the unit",
    Act.NETWORK: "changed the unit's network settings",
    Act.DELIVER: "delivered documents",
    Act.TIME: "asked for a challenge, to sign the time",
    Act.STATUS: "looked at the unit's state",
    Act.DIAGNOSE: "looked at the unit's health",
    Act.LOG: "took the log off",
    Act.RECEIPTS: "took receipts off",
    Act.AIM: "aimed the camera",
    Act.TEST: "tested the unit",
    Act.UPDATE: "brought or looked at an update",
    Act.DECOMMISSION: "asked for the unit to be erased",
}
_TOLD: dict[Event, Callable[[dict[str, Any]], str]] = {
    Event.WARDEN_STARTED: lambda f: f"The unit started (version {f['version']}).",
    Event.WARDEN_STOPPED: lambda _: "The unit was stopped in good order.",
    Event.CHARTER_ACCEPTED: lambda f: f"Took version {f['version']} of the charter of {f['force']}.",
    Event.ASSURANCE_ACCEPTED: lambda f: (
        f"Took the assurance report {_short(f['assurance'])} of {f['force']} on the model {_short(f['model'])}."
    ),
    Event.CLOCK_SET: lambda f: f"A technician set the clock, right to within {f['error_s']:.0f} s.",
    Event.DOCUMENT_REFUSED: lambda f: (
        f"Refused a document ({f['document']} {_short(f['digest'])}): {f['code'].replace('_', ' ')}."
    ),
    Event.DOCUMENTS_REFUSED: lambda f: f"Refused {f['count']} more documents in that minute.",
    Event.DOCUMENT_MISADDRESSED: lambda f: f"Something came that was not for this unit ({f['size']} bytes).",
    Event.ORDER_ACCEPTED: lambda f: (
        f"Accepted the order {_short(f['order'])} and made a key for its watchlist alone ({f['recipient'][:12]}…)."
    ),
    Event.ORDER_CANCELLED: lambda f: f"An officer cancelled the order {_short(f['order'])}: {f['reason']}.",
    Event.WATCHLIST_ACCEPTED: lambda f: (
        f"Took the watchlist {_short(f['watchlist'])}: {_many(f['entries'], 'entry', 'entries')}."
    ),
    Event.WATCHLIST_REPLACED: lambda f: (
        f"Replaced the watchlist by {_short(f['watchlist'])}: {_many(f['entries'], 'entry', 'entries')}."
    ),
    Event.WATCHLIST_UNREADABLE: lambda _: "The watchlist that was kept could not be opened again; it is not used.",
    Event.RECOGNITION_BEGAN: lambda f: (
        f"Began to compare the camera's stream with the watchlist {_short(f['watchlist'])}."
    ),
    Event.STATE_CHANGED: _state,
    Event.VISION_GONE: lambda _: "The vision process ended while it held the watchlist; its memory went with it.",
    Event.SIGHTING_DROPPED: lambda f: f"Dropped a sighting: {f['why'].replace('_', ' ')}.",
    Event.SIGHTINGS_DROPPED: lambda f: f"Dropped {f['count']} more sightings in that minute.",
    Event.ALERT_RAISED: lambda f: (
        f"Alert {f['sequence']} (a possible match) to the control rooms of the order: {f['alert']}."
    ),
    Event.PARCEL_REFUSED: lambda f: f"The broker refused a message for good (reason {f['reason_code']}).",
    Event.PARCELS_EXPIRED: lambda f: f"Deleted {_many(f['count'], 'message')} that outlived their time undelivered.",
    Event.TEMPLATES_WIPED: lambda f: f"Templates of passers-by: {f['made']} made, {f['wiped']} wiped.",
    Event.DEPLOYMENT_OVER: lambda f: f"The deployment {_short(f['order'])} is over: {_ENDINGS[f['ending']]}.",
    Event.DEPLOYMENT_ERASED: lambda f: f"Erased everything of the deployment {_short(f['order'])}, and certified it.",
    Event.DEPLOYMENT_UNKNOWN: lambda _: "Found and erased what no order had put there.",
    Event.LOAN_ACCEPTED: lambda f: (
        f"On loan to {f['borrower']} ({_short(f['loan'])}), under version {f['version']} of its charter."
    ),
    Event.LOAN_OVER: lambda f: f"The loan {_short(f['loan'])} is over: {_ENDINGS[f['ending']]}.",
    Event.LOAN_UNLAWFUL: lambda f: f"The loan that was kept does not hold any more: {f['code'].replace('_', ' ')}.",
    Event.LOAN_HANDED_BACK: lambda f: (
        f"Handed back after {_many(f['deployments'], 'deployment')}: nothing of the borrower's is left, "
        f"{_many(f['undelivered'], 'undelivered message')} deleted."
    ),
    Event.STORAGE_RECOVERED: lambda _: "Storage can be relied on again.",
    Event.TECHNICIAN_CAME: lambda f: f"A technician came to the cable (key {_short(f['technician'])}).",
    Event.TECHNICIAN_REFUSED: lambda f: f"Somebody at the cable was not let in: {f['code'].replace('_', ' ')}.",
    Event.TECHNICIAN_ACTED: lambda f: f"The technician at the cable {_ACTS[Act(f['act'])]}.",
    Event.TECHNICIAN_LEFT: lambda _: "The technician left the cable.",
    Event.CABLE_LOCKED: lambda f: f"The cable was locked for a while, after {f['failures']} refused visits in a row.",
    Event.UNIT_IDENTIFIED: lambda f: f"The unit was given the name {f['unit']}, and made its keys.",
    Event.UNIT_ENROLLED: lambda f: f"The unit was enrolled with {f['force']}.",
    Event.UNIT_DECOMMISSIONED: lambda _: "The unit was decommissioned: all of it is about to be erased.",
}
