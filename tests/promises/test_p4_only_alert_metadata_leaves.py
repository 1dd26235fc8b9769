"""Promise 4, attacked by whoever holds the broker or the uplink: what is sent again, out of turn, altered or made up.

A real broker, uplink and control room; the attacks go the way of every alert. What no process can do to the numbering
is in `tests/uplink/test_uplink.py` (killed in mid-stream) and `tests/warden/test_power_cuts.py`; each thing that a
control room refuses is in `tests/controlroom/test_core.py`.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from overt.protocol import envelope, sealing
from overt.protocol.messages import Publish
from overt.protocol.reports import Alert
from overt.runtime.mqtt import Received
from overt.runtime.session import Session, Up
from tests.brokers import ROOM, collect, running, topic
from tests.builders import make_order, make_party, utc_now
from tests.controlroom.room import Unit, alert_id
from tests.uplink.world import World

SECRET = "volunteer-canary"


@dataclass
class Line:
    """The way of an alert, and somebody on it who keeps what passes and can send what he likes."""

    world: World
    first: bytes = b""
    sent: int = 100

    def send(self, payload: bytes) -> list[dict[str, Any]]:
        """Send bytes as an alert; return what the control room says to them."""
        before = len(self.said())
        self._give(payload)
        self._wait_for_what_came_before()
        return self.said()[before:]

    def _wait_for_what_came_before(self) -> None:
        """Send what is refused for sure: once that is said, everything sent before it has been said."""
        ends = len(self.ends())
        self._give(self.alert(1, unit="unit-2"))
        assert self.world.watch.until(lambda: len(self.ends()) > ends)

    def _give(self, payload: bytes) -> None:
        self.sent += 1
        self.world.warden.give(Publish(id=self.sent, topic=topic("alert"), payload=payload))

    def ends(self) -> list[dict[str, Any]]:
        return [event for event in self.world.watch.of("refused") if event["code"] == "wrong_unit"]

    def said(self) -> list[dict[str, Any]]:
        ends = self.ends()
        return [event for event in self.world.watch.events if event["event"] != "link" and event not in ends]

    def counted(self) -> list[int]:
        """The numbers in the control room's store."""
        self._wait_for_what_came_before()  # a room says first and remembers then; what it says next comes after both
        with closing(sqlite3.connect(f"file:{self.world.home.database}?mode=ro", uri=True)) as database:
            return [row[0] for row in database.execute("SELECT sequence FROM alerts ORDER BY sequence")]

    def alert(self, sequence: int, **changes: Any) -> bytes:
        unit = self.world.unit
        return unit.sealed(unit.alert(sequence, **changes))


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    folder = tmp_path_factory.mktemp("p4")
    with running("embedded", folder) as site, World(folder, site) as world:
        world.ready()
        line = Line(world)
        line.first = line.alert(1)
        assert [event["event"] for event in line.send(line.first)] == ["alert"]
        yield line


def test_p4_the_same_bytes_again_are_counted_once(line: Line) -> None:
    before = line.counted()
    for _ in range(3):
        assert [event["event"] for event in line.send(line.first)] == ["duplicate"]
    assert line.counted() == before


def test_p4_a_gap_is_shown_and_closes_when_what_was_held_back_comes(line: Line) -> None:
    held_back = line.alert(2)
    gap, alert = line.send(line.alert(3))
    assert (gap["event"], gap["first"], gap["last"], alert["event"]) == ("gap", 2, 2, "alert")
    closed, late = line.send(held_back)
    assert (closed["event"], closed["sequence"], late["event"]) == ("gap_closed", 2, "alert")
    assert line.counted() == [1, 2, 3]


# What is refused. Each is made from what he has who holds the broker: the alerts that passed, and keys of his own.


def opened_and_numbered_anew(line: Line) -> bytes:
    """He may even read it (a control room's key was lost): to number it anew he would have to sign."""
    plain = sealing.unseal(line.first, line.world.unit.force.room_identity)
    parsed = json.loads(plain)
    alert = envelope.decode(envelope.parse(plain), Alert)
    renumbered = envelope.sign(msgspec.structs.replace(alert, sequence=9, id=alert_id(9)), [])
    forged = json.loads(renumbered) | {"signatures": parsed["signatures"]}
    return sealing.seal(json.dumps(forged).encode(), [line.world.unit.force.room_recipient])


def signed_by_another_units_key(line: Line) -> bytes:
    return line.world.unit.sealed(line.world.unit.alert(9), signer=make_party())


def of_another_unit(line: Line) -> bytes:
    other = Unit(line.world.unit.force, name="unit-2")
    return other.sealed(other.alert(9))


def under_another_order(line: Line) -> bytes:
    unit = line.world.unit
    another = make_order(unit.force, *unit.order.document.units, operation="ANOTHER")
    return unit.sealed(unit.alert(9, order=another.digest))


def other_words_under_a_number_that_was_counted(line: Line) -> bytes:
    return line.alert(1, id=alert_id(77), score=0.99)


def an_id_that_was_counted_under_a_new_number(line: Line) -> bytes:
    return line.alert(9, id=alert_id(1))


def altered_on_its_way(line: Line) -> bytes:
    return line.first[:-1] + bytes([line.first[-1] ^ 1])


def in_the_clear(line: Line) -> bytes:
    return line.world.unit.signed(line.world.unit.alert(9))


REFUSED: dict[Callable[[Line], bytes], str] = {
    opened_and_numbered_anew: "not_authorised",
    signed_by_another_units_key: "not_authorised",
    of_another_unit: "not_authorised",
    under_another_order: "no_order",
    other_words_under_a_number_that_was_counted: "replayed",
    an_id_that_was_counted_under_a_new_number: "replayed",
    altered_on_its_way: "not_readable",
    in_the_clear: "not_readable",
}


@pytest.mark.parametrize("attack", REFUSED, ids=lambda attack: attack.__name__)
def test_p4_an_alert_is_refused_aloud_and_counted_nowhere_that_is(attack: Callable[[Line], bytes], line: Line) -> None:
    before = line.counted()
    (event,) = line.send(attack(line))
    assert (event["event"], event["code"], event["loud"]) == ("refused", REFUSED[attack], True)
    assert line.counted() == before


def test_p4_an_alert_that_was_held_back_until_it_had_expired_is_told_as_missing_no_more_and_as_refused(
    line: Line,
) -> None:
    """It was the unit's, so its number is not lost; it comes too late to be acted on."""
    before = line.counted()
    events = line.send(line.alert(before[-1] + 1, expires=utc_now() - timedelta(seconds=1)))
    assert [(event["event"], event["code"]) for event in events] == [("refused", "expired")]
    assert line.counted() == [*before, before[-1] + 1]


def test_p4_an_old_alert_is_not_new_to_a_control_room_that_was_restarted(line: Line) -> None:
    before = line.counted()
    watch = line.world.watch
    assert watch.end() == 0
    watch.start()
    watch.events.clear()
    assert watch.until(lambda: watch.linked)
    assert [event["event"] for event in line.send(line.first)] == ["duplicate"]
    assert line.counted() == before


def test_p4_the_broker_learns_nothing_from_an_alert(line: Line) -> None:
    """Not whom, how well, where, under which order: it sees that there was an alert, and about how long it is."""
    listener = Session(
        line.world.site.broker(line.world.site.authority.client(ROOM)),
        "a-broker-that-listens",
        (topic("alert", "+"),),
        max_packet=2**20,
    )
    assert collect(listener, Up)
    line.send(line.alert(line.counted()[-1] + 1, entry=SECRET))
    heard = [item.payload for item in collect(listener, Received, 2) if isinstance(item, Received)]
    listener.close()
    assert heard, "how often it is sent is the line's matter"
    unit = line.world.unit
    for words in (SECRET, "volunteer", "score", "Test square", unit.order.digest, unit.name, "sequence", "payload"):
        assert not [payload for payload in heard if words.encode() in payload]
    plain = [sealing.unseal(payload, unit.force.room_identity) for payload in heard]
    assert SECRET in {envelope.decode(envelope.parse(each), Alert).entry for each in plain}
