"""The way of an alert from the warden's outbox to the operator: real brokers, real processes, killed in mid-stream."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from overt.protocol import limits
from overt.protocol.messages import Delivered, Hello, Link, Publish, Undeliverable
from overt.runtime.mqtt import Acknowledged, Received
from overt.runtime.session import Session, Up
from overt.uplink.core import SETTLE_S
from tests.brokers import MAKES, OFFICE, ROOM, collect, running, topic
from tests.uplink.world import World

both_makes = pytest.mark.parametrize("world", MAKES, indirect=True)
both_makes_without_room = pytest.mark.parametrize("unit_side", MAKES, indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A world on the make that a test asks for, else on the one that installs with pip."""
    with running(getattr(request, "param", "embedded"), tmp_path) as site, World(tmp_path, site) as made:
        made.ready()
        yield made


@pytest.fixture
def unit_side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same without a control room."""
    make = getattr(request, "param", "embedded")
    with running(make, tmp_path) as site, World(tmp_path, site, with_room=False) as made:
        made.ready()
        yield made


def office(world: World, *topics: str) -> Session:
    session = world.site.session(OFFICE, *topics)
    assert collect(session, Up)
    return session


def send(session: Session, to: str, payload: bytes, *, retain: bool = False) -> None:
    session.publish(to, payload, retain=retain, expires_in_s=None)
    assert collect(session, Acknowledged)


def test_alerts_reach_the_operator_and_then_the_warden_hears_of_it(world: World) -> None:
    assert [message.daemon for message in world.warden.of(Hello)] == ["uplink"]
    for sequence in (1, 2, 3):
        world.give_alert(sequence)
    assert world.warden.until(lambda: world.warden.delivered == {1, 2, 3})
    assert world.watch.until(lambda: world.watch.sequences == [1, 2, 3])
    assert world.watch.of("gap") == []
    assert not list(world.state.glob("*.db")), "the uplink keeps nothing"


@both_makes_without_room
def test_documents_reach_the_warden_as_sealed_memory_also_those_sent_while_the_unit_was_away(unit_side: World) -> None:
    sender = office(unit_side)
    send(sender, topic("order"), b"while it is here")
    assert unit_side.warden.until(lambda: len(unit_side.warden.documents) == 1)
    unit_side.uplink.send_signal(signal.SIGTERM)
    assert unit_side.uplink.wait(10) == 0
    send(sender, topic("cancel"), b"while it is away")
    watchlist = os.urandom(2 * 1024 * 1024)
    send(sender, topic("watchlist"), watchlist)
    unit_side.restart_uplink()
    assert unit_side.warden.until(lambda: len(unit_side.warden.documents) == 3)
    assert unit_side.warden.documents[0] == (topic("order"), b"while it is here")
    assert set(unit_side.warden.documents[1:]) == {
        (topic("cancel"), b"while it is away"),
        (topic("watchlist"), watchlist),
    }
    assert all(unit_side.warden.sealed)
    sender.close()


def test_documents_too_large_or_empty_never_reach_the_warden(unit_side: World) -> None:
    sender = office(unit_side)
    send(sender, topic("order"), b"x" * (limits.DOCUMENT_MAX_BYTES + 1))
    send(sender, topic("cancel"), b"")
    send(sender, topic("order"), b"a proper one")
    assert unit_side.warden.until(lambda: len(unit_side.warden.documents) == 1)
    assert unit_side.warden.documents == [(topic("order"), b"a proper one")]
    assert '"reason": "too_large"' in unit_side.log()
    sender.close()


def test_a_warden_that_goes_takes_the_link_down_and_finds_it_again(unit_side: World) -> None:
    unit_side.warden.hang_up()
    unit_side.warden.accept()
    assert unit_side.warden.until(lambda: unit_side.warden.link_up)
    unit_side.give_alert(1)
    assert unit_side.warden.until(lambda: unit_side.warden.delivered == {1})


@both_makes
def test_no_alert_is_lost_when_uplink_broker_and_room_are_killed_and_none_is_counted_twice(world: World) -> None:
    given: dict[int, Publish] = {}

    def give(first: int, last: int) -> None:
        for sequence in range(first, last + 1):
            given[sequence] = world.give_alert(sequence)

    def give_again() -> None:
        """What a warden does when its uplink comes back: everything that it has not heard to be delivered."""
        for sequence, publish in given.items():
            if sequence not in world.warden.delivered:
                world.warden.give(publish)

    def missing() -> set[int]:
        return set(given) - set(world.watch.sequences)

    give(1, 20)
    world.restart_uplink()  # in mid-stream
    give_again()
    give(21, 25)
    assert world.warden.until(lambda: len(world.warden.delivered) == 25)
    world.site.server.kill()
    assert world.warden.until(lambda: not world.warden.link_up)
    give(26, 35)
    world.site.server.start()
    assert world.watch.until(lambda: world.watch.linked)
    assert world.warden.until(lambda: len(world.warden.delivered) == 35, 20)
    world.watch.end(signal.SIGKILL)
    give(36, 45)
    assert world.warden.until(lambda: len(world.warden.delivered) == 45)
    world.watch.start()
    assert world.watch.until(lambda: len(set(world.watch.sequences)) == 45), missing()
    assert set(world.watch.sequences) == set(given)
    assert world.watch.end(signal.SIGTERM) == 0
    database = sqlite3.connect(world.home.database)
    assert database.execute("SELECT count(*), count(DISTINCT sequence) FROM alerts").fetchone() == (45, 45)
    database.close()
    assert not [event for event in world.watch.of("refused") if event["loud"]]


def test_the_same_message_published_twice_is_counted_once(world: World) -> None:
    publish = world.give_alert(1)
    assert world.warden.until(lambda: world.warden.delivered == {1})
    world.warden.give(Publish(id=2, topic=publish.topic, payload=publish.payload))
    assert world.watch.until(lambda: bool(world.watch.of("duplicate")))
    assert world.watch.sequences == [1]


@both_makes_without_room
def test_what_is_refused_is_told_to_the_warden_and_the_rest_goes_on(unit_side: World) -> None:
    alert = unit_side.unit.sealed(unit_side.unit.alert(1))
    unit_side.warden.give(Publish(id=1, topic=topic("alert"), payload=alert, retain=True))
    unit_side.warden.give(Publish(id=2, topic=topic("alert", "unit-2"), payload=alert))
    unit_side.warden.give(Publish(id=3, topic=topic("alert"), payload=alert))
    assert unit_side.warden.until(lambda: unit_side.warden.delivered == {3})
    refused = {message.id: message.reason_code for message in unit_side.warden.of(Undeliverable)}
    assert refused == {1: 0x9A, 2: 0x90}


@both_makes
def test_no_broker_keeps_an_alert_for_whoever_comes_next(world: World) -> None:
    world.give_alert(1)
    world.warden.give(Publish(id=2, topic=topic("status"), payload=world.unit.signed(world.unit.status()), retain=True))
    assert world.watch.until(lambda: bool(world.watch.of("alert") and world.watch.of("status")))
    world.watch.end(signal.SIGTERM)
    late = Session(
        world.site.broker(world.site.authority.client(ROOM)),
        ROOM if world.site.server.software.name == "mosquitto" else "somebody-new",
        (topic("alert", "+"), topic("status", "+")),
        max_packet=1024 * 1024,
    )
    heard = collect(late, Received) + collect(late, Received, seconds=0.2)
    assert [item.topic for item in heard if isinstance(item, Received) and item.retained] == [topic("status")]
    late.close()


def test_a_stranger_who_gets_into_the_broker_cannot_make_the_operator_believe_anything(world: World) -> None:
    """The broker is not trusted: here the room reads a unit that the broker lets speak and that no order names."""
    stranger = world.site.session("unit-2")
    assert collect(stranger, Up)
    for leaf in ("alert", "status", "health", "receipt", "checkpoint"):
        send(stranger, topic(leaf, "unit-2"), b"\x1b[2Jgarbage")
    send(stranger, topic("alert", "unit-2"), world.unit.sealed(world.unit.alert(1)))
    assert world.watch.until(lambda: len(world.watch.of("refused")) == 6)
    assert world.watch.of("alert") == []
    world.give_alert(1)
    assert world.watch.until(lambda: world.watch.sequences == [1])
    stranger.close()


def test_a_gap_and_a_replay_after_a_restart_of_the_room_are_pointed_out(world: World) -> None:
    world.give_alert(1)
    world.give_alert(3)
    assert world.watch.until(lambda: world.watch.sequences == [1, 3])
    assert [(event["first"], event["last"]) for event in world.watch.of("gap")] == [(2, 2)]
    assert world.watch.end(signal.SIGTERM) == 0
    world.watch.start()
    assert world.watch.until(lambda: world.watch.linked)
    old = world.unit.sealed(world.unit.alert(1, score=0.9))
    world.warden.give(Publish(id=9, topic=topic("alert"), payload=old))
    assert world.watch.until(lambda: bool(world.watch.of("refused")))
    assert [event["code"] for event in world.watch.of("refused")] == ["replayed"]
    assert world.watch.sequences == [1, 3]


def test_ctrl_c_ends_the_room_and_the_uplink_with_130(world: World) -> None:
    assert world.watch.end(signal.SIGINT) == 130
    world.uplink.send_signal(signal.SIGINT)
    assert world.uplink.wait(10) == 130


def test_the_uplink_stays_small_and_loads_nothing_that_sees(unit_side: World) -> None:
    unit_side.give_alert(1)
    assert unit_side.warden.until(lambda: unit_side.warden.delivered == {1})
    status = Path(f"/proc/{unit_side.uplink.pid}/status").read_text()
    resident_kb = int(status.split("VmRSS:")[1].split()[0])
    assert resident_kb < 45 * 1024
    loaded = Path(f"/proc/{unit_side.uplink.pid}/maps").read_text()
    assert not [name for name in ("numpy", "litert", "/av/", "cv2", "cryptography", "pyrage") if name in loaded]


def test_an_alert_is_at_the_operator_in_milliseconds_and_its_delivery_is_known_soon_after(world: World) -> None:
    taken: list[float] = []
    for sequence in range(1, 11):
        begun = time.time()
        world.give_alert(sequence)
        assert world.watch.until(lambda number=sequence: len(world.watch.sequences) == number)
        received = datetime.fromisoformat(world.watch.of("alert")[-1]["received"]).timestamp()
        taken.append(received - begun)
    assert sorted(taken)[5] < 0.1, "a bound that a busy machine keeps; measured figures are in docs/adr/0003"
    begun = time.time()
    assert world.warden.until(lambda: len(world.warden.delivered) == 10)
    assert time.time() - begun < SETTLE_S + 1.0


def test_links_come_with_their_reason(world: World) -> None:
    world.site.server.stop()
    assert world.warden.until(lambda: not world.warden.link_up)
    last = world.warden.of(Link)[-1]
    assert last.detail.isprintable()
    assert world.watch.until(lambda: not world.watch.linked)
    assert "trying again" in world.watch.of("link")[-1]["detail"]
    world.give_alert(1)
    world.site.server.start()
    assert world.watch.until(lambda: world.watch.sequences == [1])
    assert world.warden.of(Delivered) or world.warden.until(lambda: bool(world.warden.of(Delivered)))
