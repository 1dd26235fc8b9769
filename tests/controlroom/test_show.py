"""What people and programs read: plain lines, and nothing in them that a terminal obeys."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from overt.protocol.vocabulary import Ending, Refusal
from overt_controlroom.events import (
    AlertSeen,
    CheckpointSeen,
    Duplicate,
    ErasureSeen,
    Event,
    Gap,
    GapClosed,
    HealthSeen,
    LinkChanged,
    ReceiptSeen,
    Refused,
    StatusSeen,
    clean,
    to_json,
)
from overt_controlroom.show import Screen, words
from tests.controlroom.room import Unit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNIT = Unit()
NASTY = "\x1b[2J\x1b]0;owned\x07\r\n\x9b31m\u202e\u2028[bold]:smile:"
# Everything that could carry a peer's text, with text that no checked document would let through.
EVENTS: list[Event] = [
    AlertSeen(received=NOW, alert=UNIT.alert(entry=NASTY, unit=NASTY), latency_ms=12.0),
    StatusSeen(received=NOW, status=UNIT.status(unit=NASTY)),
    HealthSeen(received=NOW, health=UNIT.health(unit=NASTY)),
    ReceiptSeen(received=NOW, receipt=UNIT.receipt(unit=NASTY, detail=NASTY, accepted=False)),
    ErasureSeen(received=NOW, erasure=UNIT.erasure(unit=NASTY), envelope=b"{}"),
    CheckpointSeen(received=NOW, checkpoint=UNIT.checkpoint(1, "\x1b")),
    Refused(received=NOW, topic=NASTY, code=Refusal.MALFORMED, detail=NASTY),
    Gap(received=NOW, unit=NASTY, order=NASTY, first=1, last=2, detail=NASTY),
    GapClosed(received=NOW, unit=NASTY, order=NASTY, sequence=1),
    Duplicate(received=NOW, unit=NASTY, what=NASTY),
    LinkChanged(received=NOW, up=False, detail=NASTY),
]


def shown(event: Event, *, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=terminal,
        highlight=False,
        soft_wrap=True,
        emoji=False,
        color_system="standard" if terminal else None,  # whatever terminal the test itself runs in
    )
    Screen(console).show(event)
    return out.getvalue()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_text_of_a_peer_is_obeyed_by_a_terminal(event: Event) -> None:
    text = shown(event)
    assert text or isinstance(event, CheckpointSeen)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert words(event)[0]
    assert text.count("\n") <= words(event)[0].count("\n") + 1


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_json_is_one_line_of_plain_ascii(event: Event) -> None:
    line = to_json(event)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["received"] == "2026-03-01T12:00:00Z"


def test_an_alert_is_never_called_a_match_found() -> None:
    event = AlertSeen(received=NOW, alert=UNIT.alert(), latency_ms=12.0)
    for text in (shown(event), to_json(event)):
        assert "possible match, for adjudication" in text
        assert "found" not in text.lower()


def test_an_alert_tells_what_an_operator_needs() -> None:
    text = shown(AlertSeen(received=NOW, alert=UNIT.alert(), latency_ms=42.4))
    for part in ("volunteer-1", "0.710", "0.50", "Test square", "42 ms", "synchronised"):
        assert part in text


def test_colours_are_for_terminals_only() -> None:
    event = Gap(received=NOW, unit="unit-1", order="o", first=1, last=1, detail="missing")
    assert "\x1b[" not in shown(event)
    assert "\x1b[" in shown(event, terminal=True)


def test_templates_that_were_not_wiped_are_shown_as_bad() -> None:
    good = ErasureSeen(received=NOW, erasure=UNIT.erasure(ending=Ending.WINDOW_OVER), envelope=b"")
    bad = ErasureSeen(received=NOW, erasure=UNIT.erasure(templates_wiped=11), envelope=b"")
    assert (words(good)[1], words(bad)[1]) == ("green", "bold red")


def test_cleaning_shows_what_was_there() -> None:
    assert clean("a\x1bb") == "a\\u001bb"
    assert clean("x" * 500) == "x" * 200


def test_a_unit_that_repeats_itself_is_shown_when_there_is_news() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, soft_wrap=True))
    for second in range(40):
        received = NOW + timedelta(seconds=second)
        lit = second < 20
        screen.show(StatusSeen(received=received, status=UNIT.status(indicator_lit=lit, sent=received)))
        screen.show(HealthSeen(received=received, health=UNIT.health(frames=second * 25, sent=received)))
    lines = out.getvalue().splitlines()
    assert [("lamp lit" in line, "lamp dark" in line, "frames" in line) for line in lines] == [
        *((True, False, False), (False, False, True)),
        *((False, True, False), (False, False, True)),
    ]
