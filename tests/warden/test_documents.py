"""What the unit takes and what it refuses. Whatever is refused leaves a record and a receipt, and nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import envelope, limits, sealing
from overt.protocol.documents import FixedSite, UnitRef, Window
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Category, Ending, Refusal, Role, State, UseCase
from overt.warden.desk import REFUSALS_A_MINUTE, Allowance
from tests.builders import (
    MODEL,
    UNIT,
    make_cancellation,
    make_entry,
    make_force,
    make_order,
    make_party,
    make_watchlist,
    utc_now,
)
from tests.warden.desk_bench import DeskBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    yield made
    made.close()


def assert_refused(bench: DeskBench, leaf: Down, data: bytes, code: Refusal) -> None:
    """Refused with that code, and the state left behind is as it was."""
    before, log = (bench.unit.situation, bench.left_of_deployments()), len(bench.log)
    receipt = bench.give(leaf, data)
    assert (receipt.accepted, receipt.refusal, receipt.recipient) == (False, code, None), receipt
    assert (bench.unit.situation, bench.left_of_deployments()) == before
    assert [record.event for record in bench.log[log:]] == ["document.refused"]
    assert bench.outbox("receipt")


def window(start_s: float, end_s: float) -> Window:
    now = utc_now()
    return Window(start=now + timedelta(seconds=start_s), end=now + timedelta(seconds=end_s))


# Orders


def test_an_order_is_answered_with_a_key_that_is_made_for_it_alone(bench: DeskBench) -> None:
    order = bench.order()
    receipt = bench.give(Down.ORDER, order.data)
    assert (receipt.accepted, receipt.digest, receipt.order) == (True, order.digest, order.digest)
    assert receipt.recipient is not None
    assert bench.unit.state is State.ARMED
    key = (bench.state / "deployments" / order.digest / "key.sealed").read_bytes()
    assert b"AGE-SECRET-KEY" not in key


def test_the_same_order_again_is_answered_the_same_with_the_same_key(bench: DeskBench) -> None:
    order = bench.order()
    first = bench.give(Down.ORDER, order.data)
    assert bench.give(Down.ORDER, order.data).recipient == first.recipient
    bench.cut_power()
    assert bench.give(Down.ORDER, order.data).recipient == first.recipient


def test_an_order_signed_by_a_stranger_is_refused_and_nothing_is_stored(bench: DeskBench) -> None:
    stranger = make_force()
    assert_refused(bench, Down.ORDER, make_order(stranger, bench.ref).data, Refusal.NOT_AUTHORISED)


def test_one_officer_signing_twice_is_one_officer(bench: DeskBench) -> None:
    twice = (Role.AUTHORISING_OFFICER, Role.AUTHORISING_OFFICER)
    assert_refused(bench, Down.ORDER, bench.order(roles=twice).data, Refusal.NOT_AUTHORISED)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SECOND_OFFICER])
def test_no_other_role_stands_in_for_the_second_officer(bench: DeskBench, role: Role) -> None:
    order = bench.order(roles=(Role.AUTHORISING_OFFICER, role))
    assert_refused(bench, Down.ORDER, order.data, Refusal.NOT_AUTHORISED)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"force": "other-force"}, Refusal.WRONG_FORCE),
        ({"units": (UnitRef(unit="unit-2", key="e" * 64),)}, Refusal.WRONG_UNIT),
        ({"units": (UnitRef(unit=UNIT, key="e" * 64),)}, Refusal.WRONG_UNIT),
        ({"window": window(-7200, -3600)}, Refusal.EXPIRED),
        ({"window": window(-3600, 23.5 * 3600)}, Refusal.LIMIT),
        ({"window": window(40 * 86400, 40 * 86400 + 60)}, Refusal.NOT_YET),
        ({"place": FixedSite(name="Elsewhere", latitude=51.0, longitude=0.0)}, Refusal.LIMIT),
        ({"use_case": UseCase.WANTED_PERSONS, "categories": (Category.WANTED_BY_COURT,)}, Refusal.NO_ASSURANCE),
        ({"watchlist_max_entries": 5000}, Refusal.LIMIT),
    ],
    ids=lambda value: value.value if isinstance(value, Refusal) else ",".join(value),
)
def test_an_order_outside_the_law_is_refused(bench: DeskBench, changes: dict[str, Any], code: Refusal) -> None:
    assert_refused(bench, Down.ORDER, bench.order(**changes).data, code)


def test_an_order_for_another_model_is_refused_when_vision_is_there_to_know_it(bench: DeskBench) -> None:
    bench.unit.vision_came("f" * 64)
    assert_refused(bench, Down.ORDER, bench.order().data, Refusal.WRONG_MODEL)


def test_an_order_may_come_before_vision_and_waits_for_the_right_model(bench: DeskBench) -> None:
    bench.arm()
    assert bench.unit.state is State.ARMED
    bench.unit.vision_came("f" * 64)
    assert bench.unit.state is State.ARMED
    bench.unit.vision_gone()
    bench.unit.vision_came(MODEL)
    assert bench.unit.state is State.RECOGNISING


def test_a_second_order_while_one_is_in_hand_is_refused(bench: DeskBench) -> None:
    bench.give(Down.ORDER, bench.order().data)
    assert_refused(bench, Down.ORDER, bench.order(operation="ANOTHER").data, Refusal.BUSY)


def test_an_order_that_is_over_is_refused_for_ever_after(bench: DeskBench) -> None:
    order = bench.order()
    bench.give(Down.ORDER, order.data)
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    assert bench.unit.state is State.IDLE
    assert_refused(bench, Down.ORDER, order.data, Refusal.REPLAYED)
    bench.cut_power()
    assert_refused(bench, Down.ORDER, order.data, Refusal.REPLAYED)


def test_an_order_countersigned_once_more_is_still_the_same_order(bench: DeskBench) -> None:
    order = bench.order()
    bench.give(Down.ORDER, order.data)
    bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest))
    again = envelope.countersign(order.data, envelope.Kind.ORDER, make_party().signer)
    assert_refused(bench, Down.ORDER, again, Refusal.REPLAYED)


@pytest.mark.parametrize("leaf", list(Down))
@pytest.mark.parametrize("data", [b"", b"\0", b"{}", b"[" * 5000, b'{"payload":"', b"\xff" * 64], ids=range(6))
def test_garbage_is_refused_whatever_it_is_sent_as(bench: DeskBench, leaf: Down, data: bytes) -> None:
    if leaf is Down.WATCHLIST:
        bench.give(Down.ORDER, bench.order().data)
    receipt = bench.give(leaf, data)
    assert not receipt.accepted
    assert receipt.refusal in {Refusal.MALFORMED, Refusal.NOT_READABLE, Refusal.UNSUPPORTED}


@pytest.mark.parametrize("leaf", [Down.ORDER, Down.CANCEL, Down.LOAN])
def test_what_is_too_large_is_refused_before_it_is_parsed(bench: DeskBench, leaf: Down) -> None:
    assert_refused(bench, leaf, b"[" * (limits.DOCUMENT_MAX_BYTES + 1), Refusal.TOO_LARGE)


def test_a_watchlist_that_is_too_large_is_refused(bench: DeskBench) -> None:
    bench.give(Down.ORDER, bench.order().data)
    assert_refused(bench, Down.WATCHLIST, bytes(limits.WATCHLIST_MAX_BYTES + 70_000), Refusal.TOO_LARGE)


def test_a_document_on_another_units_topic_is_not_answered(bench: DeskBench) -> None:
    assert bench.unit.receive("overt/v1/test-force/unit-2/order", bench.order().data) is None
    assert bench.unit.receive("overt/v1/test-force/unit-1/alert", bench.order().data) is None
    assert bench.left_of_deployments() == []
    assert bench.logged("document.misaddressed") == 2


def test_a_flood_of_refused_documents_fills_neither_the_log_nor_the_outbox(bench: DeskBench) -> None:
    for _ in range(REFUSALS_A_MINUTE + 50):
        assert not bench.give(Down.ORDER, b"junk").accepted
    assert bench.logged("document.refused") == REFUSALS_A_MINUTE
    assert len(bench.outbox("receipt")) == REFUSALS_A_MINUTE
    assert bench.give(Down.ORDER, bench.order().data).accepted


def test_an_allowance_counts_what_was_beyond_and_tells_it_in_the_next_minute() -> None:
    allowance = Allowance(2)
    assert [allowance.take(now_s) for now_s in (0.0, 1.0, 2.0, 3.0)] == [(True, 0), (True, 0), (False, 0), (False, 0)]
    assert allowance.take(60.0) == (True, 2)


# Watchlists


def armed(bench: DeskBench) -> tuple[Any, str]:
    order = bench.order()
    receipt = bench.give(Down.ORDER, order.data)
    assert receipt.recipient is not None
    return order, receipt.recipient


def test_a_watchlist_without_an_order_is_refused(bench: DeskBench) -> None:
    _, recipient = sealing.new_identity()
    watchlist = sealing.seal(make_watchlist(bench.force, "0" * 64), [recipient])
    assert_refused(bench, Down.WATCHLIST, watchlist, Refusal.NO_ORDER)


def test_a_watchlist_in_the_clear_or_for_another_key_is_refused(bench: DeskBench) -> None:
    order, _ = armed(bench)
    plain = make_watchlist(bench.force, order.digest)
    assert_refused(bench, Down.WATCHLIST, plain, Refusal.NOT_READABLE)
    assert_refused(bench, Down.WATCHLIST, sealing.seal(plain, [sealing.new_identity()[1]]), Refusal.NOT_READABLE)


def test_a_watchlist_altered_on_its_way_is_refused(bench: DeskBench) -> None:
    order, recipient = armed(bench)
    sealed = bytearray(bench.sealed_watchlist(order, recipient))
    sealed[-40] ^= 1
    assert_refused(bench, Down.WATCHLIST, bytes(sealed), Refusal.NOT_READABLE)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.WATCHLIST_OFFICER])
def test_a_watchlist_signed_in_another_role_is_refused(bench: DeskBench, role: Role) -> None:
    order, recipient = armed(bench)
    assert_refused(
        bench, Down.WATCHLIST, bench.sealed_watchlist(order, recipient, roles=(role,)), Refusal.NOT_AUTHORISED
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": "0" * 64}, Refusal.WRONG_ORDER),
        ({"model": "f" * 64}, Refusal.WRONG_MODEL),
        ({"made": utc_now() - timedelta(hours=25)}, Refusal.EXPIRED),
        ({"made": utc_now() + timedelta(hours=1)}, Refusal.NOT_YET),
        ({"entries": tuple(make_entry(f"v-{n}") for n in range(101))}, Refusal.LIMIT),
        ({"entries": (make_entry(category=Category.MISSING),)}, Refusal.LIMIT),
        ({"entries": (make_entry(under_18=True),)}, Refusal.LIMIT),
        ({"entries": (make_entry("same"), make_entry("same"))}, Refusal.MALFORMED),
    ],
    ids=lambda value: value.value if isinstance(value, Refusal) else ",".join(value),
)
def test_a_watchlist_outside_the_law_is_refused(bench: DeskBench, changes: dict[str, Any], code: Refusal) -> None:
    order, recipient = armed(bench)
    fields = {"order": order.digest, **changes}
    plain = make_watchlist(bench.force, fields.pop("order"), **fields)
    assert_refused(bench, Down.WATCHLIST, sealing.seal(plain, [recipient]), code)


def test_a_newer_watchlist_replaces_the_one_before_and_an_older_one_is_refused(bench: DeskBench) -> None:
    order = bench.recognise(make_entry("first"))
    assert bench.unit.in_hand is not None
    recipient, now = bench.unit.in_hand.recipient, utc_now()
    newer = bench.sealed_watchlist(order, recipient, make_entry("second"), made=now + timedelta(seconds=2))
    assert bench.give(Down.WATCHLIST, newer).accepted
    assert bench.ports.asked == [f"begin {order.digest}", "stop"]
    bench.see(order.digest)
    assert bench.alerts == [], "what vision saw of the list before is no one of the new list"
    bench.clear()
    assert bench.ports.asked[2:] == [f"begin {order.digest}"]
    bench.see(order.digest)
    assert [alert.entry for alert in bench.alerts] == ["second"]
    older = bench.sealed_watchlist(order, recipient, make_entry("third"), made=now)
    assert_refused(bench, Down.WATCHLIST, older, Refusal.ROLLED_BACK)


def test_the_same_watchlist_again_is_accepted_and_changes_nothing(bench: DeskBench) -> None:
    order, recipient = armed(bench)
    plain = make_watchlist(bench.force, order.digest)
    first = bench.give(Down.WATCHLIST, sealing.seal(plain, [recipient]))
    again = bench.give(Down.WATCHLIST, sealing.seal(plain, [recipient]))
    assert (again.accepted, again.digest) == (True, first.digest)
    assert bench.logged("watchlist.accepted") == 1


# Cancellations


@pytest.mark.parametrize("role", [Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER])
def test_one_officer_suffices_to_cancel(bench: DeskBench, role: Role) -> None:
    order = bench.arm()
    assert bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest, roles=(role,))).accepted
    assert (bench.unit.state, bench.unit.situation.ending) == (State.IDLE, Ending.CANCELLED)
    assert bench.left_of_deployments() == []


def test_nobody_else_can_cancel(bench: DeskBench) -> None:
    order = bench.arm()
    for role in (Role.WATCHLIST_OFFICER, Role.TECHNICIAN, Role.ROOT):
        data = make_cancellation(bench.force, order.digest, roles=(role,))
        assert_refused(bench, Down.CANCEL, data, Refusal.NOT_AUTHORISED)
    assert_refused(bench, Down.CANCEL, make_cancellation(make_force(), order.digest), Refusal.NOT_AUTHORISED)


def test_a_cancellation_that_overtakes_its_order_kills_it_on_arrival(bench: DeskBench) -> None:
    order = bench.order()
    assert bench.give(Down.CANCEL, make_cancellation(bench.force, order.digest)).accepted
    assert_refused(bench, Down.ORDER, order.data, Refusal.REPLAYED)
    assert bench.certificates == [], "there was nothing to erase"


def test_a_cancellation_of_another_order_leaves_the_one_in_hand(bench: DeskBench) -> None:
    order = bench.arm()
    assert bench.give(Down.CANCEL, make_cancellation(bench.force, "e" * 64)).accepted
    assert bench.unit.in_hand is not None
    assert bench.unit.in_hand.digest == order.digest
