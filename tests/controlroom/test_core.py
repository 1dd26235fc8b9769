"""What a control room believes, counts, and points out. Each refusal is checked for what it leaves behind: nothing."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import envelope, sealing
from overt.protocol.documents import UnitRef
from overt.protocol.vocabulary import Category, Refusal
from overt_controlroom.core import judge
from overt_controlroom.events import (
    AlertSeen,
    CheckpointSeen,
    Duplicate,
    ErasureSeen,
    Event,
    Gap,
    GapClosed,
    HealthSeen,
    ReceiptSeen,
    Refused,
    StatusSeen,
)
from overt_controlroom.store import Store
from overt_controlroom.trust import Trust
from overt_controlroom.verdict import TRAILING_PATIENCE_S, Claims, Message, Verdict, gap
from tests.builders import FORCE, make_order, make_party, utc_now
from tests.controlroom.room import Unit, alert_id


class Room:
    """A control room without a network: what comes is judged, and remembered in a real store."""

    def __init__(self, *units: Unit) -> None:
        self.force = units[0].force
        orders = {unit.order.digest: unit.order for unit in units}
        self.trust = Trust("room-1", self.force.charter, orders)
        self.store = Store(None)
        self.claims = Claims()
        self.clock_s = 0.0

    def hear(self, topic: str, payload: bytes, *, retained: bool = False, **later: float) -> tuple[Event, ...]:
        return self.verdict(topic, payload, retained=retained, **later).events

    def verdict(self, topic: str, payload: bytes, *, retained: bool = False, **later: float) -> Verdict:
        message = Message(topic, payload, retained, utc_now() + timedelta(**later))
        verdict = judge(message, self.trust, self.force.room_identity, self.store)
        self.store.apply(verdict.notes)
        if verdict.claim:
            self.claims.add(verdict.claim, self.clock_s)
        return verdict

    def alert(self, unit: Unit, sequence: int, **changes: Any) -> tuple[Event, ...]:
        return self.hear(unit.topic("alert"), unit.sealed(unit.alert(sequence, **changes)))

    def wait(self, seconds: float) -> list[Event]:
        self.clock_s += seconds
        missing = self.claims.overdue(self.store, self.clock_s)
        self.store.apply(missing)
        return [gap(item, utc_now()) for item in missing]

    @property
    def counted(self) -> int:
        return int(self.store._db.execute("SELECT count(*) FROM alerts").fetchone()[0])


@pytest.fixture
def unit() -> Unit:
    return Unit()


@pytest.fixture
def room(unit: Unit) -> Room:
    return Room(unit)


def refused(events: tuple[Event, ...]) -> Refused:
    (event,) = events
    assert isinstance(event, Refused)
    return event


# Alerts: counted once


def test_an_alert_is_a_possible_match_and_is_counted(room: Room, unit: Unit) -> None:
    (event,) = room.alert(unit, 1)
    assert isinstance(event, AlertSeen)
    assert event.alert == unit.alert(1, captured=event.alert.captured, **_times(event.alert))
    assert event.note == "possible match, for adjudication"
    assert room.counted == 1


def _times(alert: Any) -> dict[str, Any]:
    return {name: getattr(alert, name) for name in ("decided", "published", "expires")}


def test_the_same_alert_again_is_a_quiet_duplicate_even_when_it_was_encrypted_anew(room: Room, unit: Unit) -> None:
    alert = unit.alert(1)
    room.hear(unit.topic("alert"), unit.sealed(alert))
    (event,) = room.hear(unit.topic("alert"), unit.sealed(alert))
    assert isinstance(event, Duplicate)
    assert room.counted == 1


def test_other_content_under_a_number_that_was_counted_is_refused_aloud(room: Room, unit: Unit) -> None:
    room.alert(unit, 1)
    event = refused(room.alert(unit, 1, score=0.9, id=alert_id(99)))
    assert (event.code, event.loud) == (Refusal.REPLAYED, True)
    assert room.counted == 1


def test_an_alert_id_under_a_second_number_is_refused_aloud(room: Room, unit: Unit) -> None:
    room.alert(unit, 1)
    assert refused(room.alert(unit, 2, id=alert_id(1))).code is Refusal.REPLAYED
    assert room.counted == 1


# Alerts: gaps


def test_a_skipped_number_is_a_gap_and_closes_when_it_comes(room: Room, unit: Unit) -> None:
    room.alert(unit, 1)
    first, alert = room.alert(unit, 5)
    assert isinstance(first, Gap)
    assert (first.first, first.last) == (2, 4)
    assert isinstance(alert, AlertSeen)
    closed, late = room.alert(unit, 3)
    assert isinstance(closed, GapClosed)
    assert closed.sequence == 3
    assert isinstance(late, AlertSeen)
    assert [room.store.is_missing(unit.order.digest, unit.name, number) for number in (2, 3, 4)] == [True, False, True]


def test_a_first_alert_that_is_not_number_one_shows_what_was_missed(room: Room, unit: Unit) -> None:
    event = room.alert(unit, 3)[0]
    assert isinstance(event, Gap)
    assert (event.first, event.last) == (1, 2)


@pytest.mark.parametrize("said_by", ["status", "health", "checkpoint"])
def test_numbers_that_a_report_claims_and_that_do_not_come_are_a_trailing_gap(
    room: Room, unit: Unit, said_by: str
) -> None:
    room.alert(unit, 1)
    reports = {
        "status": unit.status(last_sequence=3),
        "health": unit.health(last_sequence=3),
        "checkpoint": unit.checkpoint(5, "a", last_sequence=3),
    }
    room.hear(unit.topic(said_by), unit.signed(reports[said_by]))
    assert room.wait(TRAILING_PATIENCE_S / 2) == []
    (event,) = room.wait(TRAILING_PATIENCE_S)
    assert isinstance(event, Gap)
    assert (event.first, event.last) == (2, 3)
    room.hear(unit.topic(said_by), unit.signed(reports[said_by]))
    assert room.wait(TRAILING_PATIENCE_S * 2) == [], "a gap is pointed out once"


def test_numbers_that_come_in_time_are_no_gap(room: Room, unit: Unit) -> None:
    room.hear(unit.topic("health"), unit.signed(unit.health(last_sequence=1)))
    room.alert(unit, 1)
    assert room.wait(TRAILING_PATIENCE_S * 2) == []


def test_the_erasure_certificates_count_shows_a_last_alert_that_was_lost(room: Room, unit: Unit) -> None:
    room.alert(unit, 1)
    room.hear(unit.topic("receipt"), unit.signed(unit.erasure(alerts=2)))
    assert [type(event) for event in room.wait(TRAILING_PATIENCE_S * 2)] == [Gap]


def test_an_absurd_count_does_not_fill_the_store(room: Room, unit: Unit) -> None:
    room.hear(unit.topic("health"), unit.signed(unit.health(last_sequence=2**53)))
    (event,) = room.wait(TRAILING_PATIENCE_S * 2)
    assert isinstance(event, Gap)
    assert room.store._db.execute("SELECT count(*) FROM missing").fetchone() == (1,)


# Alerts: refused


def test_an_alert_signed_by_a_stranger_is_refused_and_nothing_is_counted(room: Room, unit: Unit) -> None:
    event = refused(room.hear(unit.topic("alert"), unit.sealed(unit.alert(), signer=make_party())))
    assert (event.code, event.loud) == (Refusal.NOT_AUTHORISED, True)
    assert room.counted == 0


def test_an_alert_for_somebody_elses_eyes_is_refused(room: Room, unit: Unit) -> None:
    _, stranger = sealing.new_identity()
    assert refused(room.hear(unit.topic("alert"), unit.sealed(unit.alert(), recipient=stranger))).code is (
        Refusal.NOT_READABLE
    )


def test_an_alert_that_is_not_encrypted_is_refused(room: Room, unit: Unit) -> None:
    assert refused(room.hear(unit.topic("alert"), unit.signed(unit.alert()))).code is Refusal.NOT_READABLE


def test_an_alert_of_a_unit_that_no_order_names_is_refused_aloud(room: Room, unit: Unit) -> None:
    stranger = Unit(unit.force, name="unit-9")
    event = refused(room.hear(stranger.topic("alert"), stranger.sealed(stranger.alert())))
    assert (event.code, event.loud) == (Refusal.NO_ORDER, True)


def test_an_alert_under_an_order_that_is_not_here_is_refused(room: Room, unit: Unit) -> None:
    assert refused(room.alert(unit, 1, order="e" * 64)).code is Refusal.NO_ORDER
    assert room.counted == 0


def test_an_alert_under_an_order_that_names_the_unit_with_another_key_is_refused(unit: Unit) -> None:
    other = make_order(unit.force, UnitRef(unit=unit.name, key=make_party().public), operation="EXERCISE-2")
    room = Room(unit)
    room.trust = Trust("room-1", room.force.charter, {**room.trust.orders, other.digest: other})
    assert refused(room.alert(unit, 1, order=other.digest)).code is Refusal.NOT_AUTHORISED
    assert room.counted == 0


def test_a_units_alert_on_another_units_topic_is_refused(unit: Unit) -> None:
    other = Unit(unit.force, name="unit-2")
    room = Room(unit, other)
    assert refused(room.hear(other.topic("alert"), unit.sealed(unit.alert()))).code is Refusal.NOT_AUTHORISED
    # and one that it signs for the other is no better
    forged = unit.sealed(unit.alert(unit="unit-2"))
    assert refused(room.hear(unit.topic("alert"), forged)).code is Refusal.WRONG_UNIT
    assert room.counted == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"threshold": 0.45}, Refusal.LIMIT),
        ({"score": 0.49}, Refusal.LIMIT),
        ({"model": "f" * 64}, Refusal.WRONG_MODEL),
        ({"category": Category.MISSING}, Refusal.LIMIT),
        ({"captured": utc_now() - timedelta(hours=2)}, Refusal.LIMIT),
        ({"captured": utc_now() + timedelta(hours=2)}, Refusal.LIMIT),
        ({"expires": utc_now() + timedelta(hours=25)}, Refusal.LIMIT),
        ({"expires": utc_now() - timedelta(seconds=1)}, Refusal.EXPIRED),
    ],
)
def test_an_authentic_alert_that_its_order_does_not_allow_is_refused_and_leaves_no_false_gap(
    room: Room, unit: Unit, changes: dict[str, Any], code: Refusal
) -> None:
    event = refused(room.alert(unit, 1, **changes))
    assert (event.code, event.loud) == (code, True)
    assert [type(event) for event in room.alert(unit, 2)] == [AlertSeen]


def test_an_alert_that_comes_when_its_deployment_is_forgotten_is_refused_and_counted_nowhere(
    room: Room, unit: Unit
) -> None:
    old = unit.sealed(unit.alert(7))
    assert refused(room.hear(unit.topic("alert"), old, days=3)).code is Refusal.EXPIRED
    assert room.counted == 0
    assert room.hear(unit.topic("status"), unit.signed(unit.status(last_sequence=7)), retained=True, days=3)
    assert room.wait(TRAILING_PATIENCE_S * 2) == []


def test_an_alert_that_comes_after_the_window_is_checked_against_the_order_all_the_same(unit: Unit) -> None:
    room = Room(unit)
    (event,) = room.hear(unit.topic("alert"), unit.sealed(unit.alert(1)), hours=2)
    assert isinstance(event, AlertSeen)


# Reports


def test_reports_are_shown_once_they_are_verified(room: Room, unit: Unit) -> None:
    said = [
        ("status", unit.status(), StatusSeen),
        ("health", unit.health(), HealthSeen),
        ("checkpoint", unit.checkpoint(1, "a"), CheckpointSeen),
        ("receipt", unit.receipt(), ReceiptSeen),
        ("receipt", unit.erasure(), ErasureSeen),
    ]
    for leaf, report, kind in said:
        data = unit.signed(report)
        (event,) = room.hear(unit.topic(leaf), data)
        assert type(event) is kind
        (again,) = room.hear(unit.topic(leaf), data)
        assert isinstance(again, Duplicate), leaf


def test_an_erasure_certificate_carries_its_signed_original(room: Room, unit: Unit) -> None:
    data = unit.signed(unit.erasure())
    (event,) = room.hear(unit.topic("receipt"), data)
    assert isinstance(event, ErasureSeen)
    assert event.envelope == data


@pytest.mark.parametrize("leaf", ["status", "health", "checkpoint", "receipt"])
def test_a_report_signed_by_a_stranger_is_refused(room: Room, unit: Unit, leaf: str) -> None:
    reports = {
        "status": unit.status(),
        "health": unit.health(),
        "checkpoint": unit.checkpoint(1, "a"),
        "receipt": unit.receipt(),
    }
    event = refused(room.hear(unit.topic(leaf), unit.signed(reports[leaf], make_party())))
    assert (event.code, event.loud) == (Refusal.NOT_AUTHORISED, True)


def test_a_report_on_the_wrong_topic_is_refused(room: Room, unit: Unit) -> None:
    assert refused(room.hear(unit.topic("health"), unit.signed(unit.status()))).code is Refusal.MALFORMED


def test_a_status_that_the_broker_kept_is_shown_again_after_a_reconnect(room: Room, unit: Unit) -> None:
    data = unit.signed(unit.status())
    room.hear(unit.topic("status"), data)
    (event,) = room.hear(unit.topic("status"), data, retained=True)
    assert isinstance(event, StatusSeen)


def test_an_older_status_than_the_last_one_is_not_shown_as_news(room: Room, unit: Unit) -> None:
    old = unit.signed(unit.status(sent=utc_now() - timedelta(minutes=1)))
    room.hear(unit.topic("status"), unit.signed(unit.status()))
    event = refused(room.hear(unit.topic("status"), old, retained=True))
    assert (event.code, event.loud) == (Refusal.REPLAYED, False)


def test_a_unit_whose_clock_was_ahead_is_still_heard_when_it_is_right_again(room: Room, unit: Unit) -> None:
    ahead = room.hear(unit.topic("status"), unit.signed(unit.status(sent=utc_now() + timedelta(days=1))))
    right = room.hear(unit.topic("status"), unit.signed(unit.status()))
    assert [type(event) for event in ahead + right] == [StatusSeen, StatusSeen]


def test_a_unit_that_no_order_names_is_mentioned_quietly(room: Room, unit: Unit) -> None:
    stranger = Unit(unit.force, name="unit-9")
    event = refused(room.hear(stranger.topic("status"), stranger.signed(stranger.status())))
    assert (event.code, event.loud) == (Refusal.NO_ORDER, False)


# Checkpoints: a log only grows


def test_a_growing_log_is_fine_also_when_its_checkpoints_come_out_of_order(room: Room, unit: Unit) -> None:
    start = utc_now() - timedelta(minutes=5)
    for minute, records, head in ((0, 1, "a"), (2, 9, "c"), (1, 5, "b"), (3, 9, "c")):
        sent = start + timedelta(minutes=minute)
        (event,) = room.hear(unit.topic("checkpoint"), unit.signed(unit.checkpoint(records, head, sent)))
        assert isinstance(event, CheckpointSeen), records


@pytest.mark.parametrize(("records", "head"), [(5, "b"), (9, "d")])
def test_a_log_that_was_cut_or_rewritten_is_refused_aloud(room: Room, unit: Unit, records: int, head: str) -> None:
    start = utc_now() - timedelta(minutes=5)
    room.hear(unit.topic("checkpoint"), unit.signed(unit.checkpoint(9, "a", start)))
    later = unit.checkpoint(records, head, start + timedelta(minutes=1))
    event = refused(room.hear(unit.topic("checkpoint"), unit.signed(later)))
    assert (event.code, event.loud) == (Refusal.ROLLED_BACK, True)


def test_an_earlier_checkpoint_with_more_records_than_a_later_one_shows_that_the_log_was_cut(
    room: Room, unit: Unit
) -> None:
    start = utc_now() - timedelta(minutes=5)
    room.hear(unit.topic("checkpoint"), unit.signed(unit.checkpoint(3, "a", start + timedelta(minutes=1))))
    event = refused(room.hear(unit.topic("checkpoint"), unit.signed(unit.checkpoint(9, "b", start))))
    assert event.code is Refusal.ROLLED_BACK


# Garbage


@pytest.mark.parametrize("leaf", ["alert", "status", "health", "checkpoint", "receipt"])
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00",
        b"{}",
        b"[" * 50_000,
        b"\xff" * 1000,
        b'{"payload":"","payloadType":"x","signatures":[]}',
        b"9" * 300_000,
    ],
    ids=["empty", "nul", "object", "deep", "binary", "envelope", "huge"],
)
def test_garbage_is_refused_on_every_topic_and_leaves_nothing(
    room: Room, unit: Unit, leaf: str, payload: bytes
) -> None:
    assert refused(room.hear(unit.topic(leaf), payload)).code in {
        *(Refusal.MALFORMED, Refusal.NOT_READABLE, Refusal.TOO_LARGE),
    }
    assert room.counted == 0


@pytest.mark.parametrize(
    "topic",
    ["", "overt/v1", f"overt/v1/{FORCE}/unit-1/order", "overt/v1/other/unit-1/alert", "a/b/c/d/e", "\x1b[2J/b/c/d/e"],
)
def test_strange_topics_are_refused(room: Room, topic: str) -> None:
    event = refused(room.hear(topic, b"{}"))
    assert event.code in {Refusal.MALFORMED, Refusal.WRONG_FORCE}
    assert event.topic.isprintable()


@given(payload=st.binary(max_size=400), leaf=st.sampled_from(["alert", "status", "health", "checkpoint", "receipt"]))
def test_no_bytes_whatever_raise_anything(payload: bytes, leaf: str) -> None:
    room = Room(_UNIT)
    assert refused(room.hear(_UNIT.topic(leaf), payload))
    room.store.close()


@given(cut=st.integers(0, 200), flip=st.integers(0, 7))
def test_no_altered_report_is_believed(cut: int, flip: int) -> None:
    room = Room(_UNIT)
    data = bytearray(_UNIT.signed(_UNIT.status()))
    parsed = envelope.parse(bytes(data))
    data[cut * len(data) // 201] ^= 1 << flip
    (event,) = room.hear(_UNIT.topic("status"), bytes(data))
    if isinstance(event, StatusSeen):  # a bit that carries nothing (JSON's own letter case of an escape, say)
        assert envelope.parse(bytes(data)).payload == parsed.payload
    room.store.close()


_UNIT = Unit()
