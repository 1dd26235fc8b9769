"""From sightings to alerts: one per passage, numbered without gaps, for the order's rooms alone."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import envelope, limits, sealing
from overt.protocol.documents import ControlRoom, Retention
from overt.protocol.errors import NotReadable
from overt.protocol.fields import AlertId
from overt.warden.alerts import time_of, uuid7
from tests.builders import make_entry, utc_now
from tests.warden.desk_bench import CAMERA_GONE, MS, DeskBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


def test_one_passage_is_one_alert_however_often_the_person_is_seen_in_it(bench: DeskBench) -> None:
    order = bench.recognise().digest
    start = time.time_ns() - 30_000 * MS
    for seconds in range(0, 12, 3):  # each within PASSAGE_GAP of the one before, all together far longer
        bench.see(order, captured_ns=start + seconds * 1000 * MS)
    assert [alert.sequence for alert in bench.alerts] == [1]
    bench.see(order, captured_ns=start + 9_000 * MS + int(limits.PASSAGE_GAP.total_seconds() * 1e9) + MS)
    assert [alert.sequence for alert in bench.alerts] == [1, 2]


def test_two_entries_have_passages_of_their_own(bench: DeskBench) -> None:
    order = bench.recognise(make_entry("a"), make_entry("b")).digest
    bench.see(order, 0)
    bench.see(order, 1)
    bench.see(order, 0)
    assert [alert.entry for alert in bench.alerts] == ["a", "b"]


def test_an_alert_says_what_the_order_and_the_sighting_say_and_no_more(bench: DeskBench) -> None:
    order = bench.recognise(make_entry("volunteer-3"))
    bench.see(order.digest, score=0.7, runner_up_score=0.3)
    (alert,) = bench.alerts
    assert (alert.order, alert.entry, alert.threshold, alert.model) == (
        *(order.digest, "volunteer-3", order.document.threshold, order.document.model),
    )
    assert alert.runner_up_margin == pytest.approx(0.4)
    assert bench.unit.loaded is not None
    assert alert.watchlist == bench.unit.loaded.digest
    assert alert.captured <= alert.decided <= alert.published < alert.expires


def test_an_alert_expires_as_the_order_says(bench: DeskBench) -> None:
    order = bench.recognise(retention=Retention(alerts_hours=1))
    bench.see(order.digest)
    (alert,) = bench.alerts
    assert alert.expires - alert.published == timedelta(hours=1)
    assert bench.outbox("alert")[0].expires == pytest.approx(alert.expires.timestamp())


def test_only_the_orders_control_rooms_can_read_an_alert_and_each_of_them_can(bench: DeskBench) -> None:
    other, other_recipient = sealing.new_identity()
    rooms = (
        ControlRoom(name="room-1", recipient=bench.force.room_recipient),
        ControlRoom(name="room-2", recipient=other_recipient),
    )
    order = bench.recognise(control_rooms=rooms)
    bench.see(order.digest)
    payload = bench.outbox("alert")[0].payload
    assert sealing.unseal(payload, other) == sealing.unseal(payload, bench.force.room_identity)
    with pytest.raises(NotReadable):
        sealing.unseal(payload, sealing.new_identity()[0])


SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"order": "0" * 64}, "other_order"),
        ({"entry": 1}, "no_such_entry"),
        ({"entry": 2**31 - 1}, "no_such_entry"),
        ({"score": 0.49}, "below_threshold"),
        ({"captured_ns": time.time_ns() + 3600 * SECOND}, "from_the_future"),
        ({"decided_ns": time.time_ns() + 3600 * SECOND}, "from_the_future"),
        ({"captured_ns": time.time_ns() - 3600 * SECOND}, "outside_window"),
        ({"captured_ns": 0}, "outside_window"),
        ({"captured_ns": 2**63 - 1}, "from_the_future"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_sighting_that_cannot_be_true_is_dropped_and_logged(
    bench: DeskBench, changes: dict[str, Any], why: str
) -> None:
    order = bench.recognise().digest
    bench.see(**{"order": order, **changes})
    assert bench.alerts == []
    assert bench.log[-1].event == "sighting.dropped"
    assert why in bench.log[-1].facts


def test_an_entry_that_has_expired_raises_no_alert_any_more(bench: DeskBench) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    order = bench.recognise(make_entry(expires=soon)).digest
    time.sleep(0.35)
    bench.see(order)
    assert bench.alerts == []
    assert "entry_expired" in bench.log[-1].facts


def test_a_sighting_is_dropped_while_recognition_is_paused(bench: DeskBench) -> None:
    order = bench.recognise().digest
    bench.unit.troubled(CAMERA_GONE)
    bench.see(order)
    assert bench.alerts == []


def test_a_flood_of_impossible_sightings_does_not_fill_the_log(bench: DeskBench) -> None:
    bench.recognise()
    for _ in range(200):
        bench.see("0" * 64)
    assert bench.logged("sighting.dropped") == 30


def test_numbers_are_never_used_twice_not_even_after_a_power_cut(bench: DeskBench) -> None:
    order = bench.recognise().digest
    bench.see(order)
    bench.cut_power()
    bench.unit.vision_came("a" * 64)
    bench.see(order, captured_ns=time.time_ns())
    assert [alert.sequence for alert in bench.alerts] == [1, 2]
    assert len({alert.id for alert in bench.alerts}) == 2


def test_the_log_says_which_alert_it_was_and_nothing_about_anyone(bench: DeskBench) -> None:
    order = bench.recognise(make_entry("volunteer-3")).digest
    bench.see(order)
    (record,) = [record for record in bench.log if record.event == "alert.raised"]
    (alert,), facts = bench.alerts, msgspec.json.decode(record.facts)
    digest = envelope.digest_of(envelope.encode(alert))
    assert facts == {"alert": alert.id, "order": order, "sequence": 1, "digest": digest}
    assert b"volunteer-3" not in msgspec.json.encode(bench.log)
    assert record.operation == "disclosure"


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)))
def test_an_alerts_id_is_a_uuid_of_version_7_that_sorts_by_time(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    first, later = uuid7(now), uuid7(now + timedelta(milliseconds=1))
    assert msgspec.convert(first, AlertId) == first
    assert first[:13] < later[:13]
    assert int(first[:8] + first[9:13], 16) == int(now.timestamp() * 1000)


def test_a_time_in_nanoseconds_is_kept_to_the_microsecond() -> None:
    now = utc_now().replace(microsecond=123456)
    assert time_of(int(now.timestamp()) * SECOND + 123_456_789) == now
