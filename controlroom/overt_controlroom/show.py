"""Events for people: one or two plain lines each, coloured on terminals only."""

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from overt.protocol.reports import Alert, Erasure, HandBack, Health
from overt_controlroom.events import (
    NOTE,
    AlertSeen,
    CheckpointSeen,
    Duplicate,
    ErasureSeen,
    Event,
    Gap,
    GapClosed,
    HandBackSeen,
    HealthSeen,
    LinkChanged,
    ReceiptSeen,
    Refused,
    StatusSeen,
    clean,
)

if TYPE_CHECKING:
    from rich.console import Console

_QUIET, _PLAIN, _GOOD, _BAD, _ALERT = "dim", "", "green", "bold red", "bold yellow"
_STALE = timedelta(minutes=1)
_HEALTH_EVERY = timedelta(seconds=30)
Words = tuple[str, str]


class Screen:
    """Prints events on standard output."""

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console  # noqa: PLC0415 - the JSON output does without it

        self._console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True, emoji=False)
        self._statuses: dict[str, object] = {}
        self._healths: dict[str, HealthSeen] = {}

    def show(self, event: Event) -> None:
        """Print one event, if it is news: units repeat their status and their counters every few seconds."""
        if self._is_news(event):
            self._print(event)

    def _is_news(self, event: Event) -> bool:
        if isinstance(event, StatusSeen):
            status = event.status
            told = (status.state, status.doubts, status.indicator_lit)
            known = self._statuses.get(status.unit)
            self._statuses[status.unit] = told
            return told != known
        if isinstance(event, HealthSeen):
            last = self._healths.get(event.health.unit)
            due = last is None or event.received - last.received >= _HEALTH_EVERY
            if due or (last is not None and event.health.alerts_waiting != last.health.alerts_waiting):
                self._healths[event.health.unit] = event
                return True
            return False
        return not isinstance(event, CheckpointSeen)

    def _print(self, event: Event) -> None:
        text, style = words(event)
        lines = "\n".join(clean(line, 400) for line in text.split("\n"))
        self._console.print(f"{_clock(event.received)}  {lines}", style=style, markup=False)


def words(event: Event) -> Words:
    """Return what an event says to a person, and how loudly."""
    match event:
        case AlertSeen() | Duplicate() | Gap() | GapClosed():
            return _about_alerts(event)
        case Refused():
            return f"refused ({event.code.value}): {event.detail} [{event.topic}]", _BAD if event.loud else _QUIET
        case LinkChanged():
            return f"broker: {event.detail}", _PLAIN if event.up else _BAD
        case _:
            return _report(event)


def _about_alerts(event: AlertSeen | Duplicate | Gap | GapClosed) -> Words:
    match event:
        case AlertSeen():
            return _alert(event.alert, event.latency_ms), _ALERT
        case Gap():
            return f"GAP: {event.detail}", _BAD
        case GapClosed():
            return f"gap closed: alert {event.sequence} of {event.unit} has come", _GOOD
        case Duplicate():
            number = f" {event.sequence}" if event.sequence else ""
            return f"{event.unit}: {event.what}{number} again, counted before", _QUIET


def _report(event: StatusSeen | HealthSeen | ReceiptSeen | ErasureSeen | HandBackSeen | CheckpointSeen) -> Words:
    match event:
        case StatusSeen(status=status):
            doubts = f" ({', '.join(status.doubts)})" if status.doubts else ""
            lamp = "lamp lit" if status.indicator_lit else "lamp dark"
            old = f", said {_clock(status.sent)}" if event.received - status.sent > _STALE else ""
            return f"{status.unit}: {status.state.value}{doubts}, {lamp}{old}", _PLAIN
        case HealthSeen(health=health):
            return _health(health), _QUIET
        case CheckpointSeen(checkpoint=checkpoint):
            return f"{checkpoint.unit}: log at {checkpoint.records} records, head {checkpoint.head[:12]}…", _QUIET
        case ReceiptSeen(receipt=receipt):
            answer = "accepted" if receipt.accepted else f"REFUSED ({receipt.refusal or 'no reason given'})"
            detail = f": {receipt.detail}" if receipt.detail else ""
            return f"{receipt.unit}: {receipt.document.value} {answer}{detail}", _PLAIN if receipt.accepted else _BAD
        case ErasureSeen(erasure=erasure):
            return _erasure(erasure), _GOOD if erasure.templates_made == erasure.templates_wiped else _BAD
        case HandBackSeen(handback=back):
            return _handback(back), _GOOD


def _handback(back: HandBack) -> str:
    return (
        f"{back.unit}: HANDED BACK ({back.ending.value}) by {back.borrower} to {back.lender}: "
        f"{back.deployments} orders worked under, {back.undelivered} undelivered alerts erased; certificate verified"
    )


def _health(health: Health) -> str:
    return (
        f"{health.unit}: {health.frames} frames at {health.frames_per_second:.1f}/s, "
        f"{health.frames_dropped} dropped, {health.faces_seen} faces seen, {health.alerts_waiting} alerts waiting"
    )


def _erasure(erasure: Erasure) -> str:
    return (
        f"{erasure.unit}: ERASED ({erasure.ending.value}): {erasure.entries} entries, "
        f"{erasure.templates_listed} listed templates; {erasure.templates_made} templates made of passers-by, "
        f"{erasure.templates_wiped} wiped; {erasure.alerts} alerts; certificate verified"
    )


def _alert(alert: Alert, latency_ms: float) -> str:
    margin = "none listed" if alert.runner_up_margin is None else f"{alert.runner_up_margin:+.3f}"
    return (
        f"ALERT {alert.sequence} of {alert.unit}: {NOTE}\n"
        f"          entry {alert.entry} ({alert.category.value}), score {alert.score:.3f} against threshold "
        f"{alert.threshold:.2f}, margin to runner-up {margin}\n"
        f"          at {alert.place.name}, {alert.face_px:.0f} px between the eyes, quality {alert.quality:.2f}; "
        f"captured {_clock(alert.captured)} (clock {alert.clock.value}), came {latency_ms:.0f} ms later"
    )


def _clock(time: datetime) -> str:
    return f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}Z"
