"""What the uplink may publish and hand on, and what it remembers between the warden and the broker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol import limits
from overt.protocol.messages import Delivered, Publish, Undeliverable
from overt.uplink.core import (
    INBOUND_MAX_BYTES,
    PACKET_TOO_LARGE,
    RETAIN_NOT_SUPPORTED,
    SETTLE_S,
    TOPIC_NAME_INVALID,
    WAITING_MAX,
    Later,
    Own,
    Waiting,
    refuse_to_hand_on,
    refuse_to_publish,
)

OWN = Own("f", "unit-1")
ALERT = "overt/v1/f/unit-1/alert"


def publish(id_: int = 1, topic: str = ALERT, payload: bytes = b"x", **more: object) -> Publish:
    return Publish(id=id_, topic=topic, payload=payload, **more)  # type: ignore[arg-type] # fields by name


@pytest.mark.parametrize("leaf", ["alert", "health", "receipt", "checkpoint"])
def test_nothing_but_status_is_ever_retained_whatever_is_asked(leaf: str) -> None:
    asked = publish(topic=f"overt/v1/f/unit-1/{leaf}", retain=True)
    assert refuse_to_publish(asked, OWN) == RETAIN_NOT_SUPPORTED
    assert refuse_to_publish(publish(topic="overt/v1/f/unit-1/status", retain=True), OWN) is None


@pytest.mark.parametrize(
    "topic",
    ["", "overt/v1/f/unit-2/alert", "overt/v1/g/unit-1/alert", "overt/v1/f/unit-1/order", "overt/v1/f/+/alert", "#"],
)
def test_a_unit_speaks_on_its_own_topics_only(topic: str) -> None:
    assert refuse_to_publish(publish(topic=topic), OWN) == TOPIC_NAME_INVALID


def test_an_alert_too_large_for_the_contract_is_not_tried() -> None:
    assert refuse_to_publish(publish(payload=b"x" * limits.ALERT_MAX_BYTES), OWN) is None
    assert refuse_to_publish(publish(payload=b"x" * (limits.ALERT_MAX_BYTES + 1)), OWN) == PACKET_TOO_LARGE


@pytest.mark.parametrize(
    ("topic", "size", "why"),
    [
        ("overt/v1/f/unit-1/order", 10, None),
        ("overt/v1/f/unit-1/order", limits.DOCUMENT_MAX_BYTES + 1, "too_large"),
        ("overt/v1/f/unit-1/watchlist", limits.WATCHLIST_MAX_BYTES, None),
        ("overt/v1/f/unit-1/watchlist", INBOUND_MAX_BYTES + 1, "too_large"),
        ("overt/v1/f/unit-1/order", 0, "empty"),
        ("overt/v1/f/unit-1/alert", 10, "topic"),
        ("overt/v1/f/unit-2/order", 10, "topic"),
        ("nonsense", 10, "topic"),
    ],
)
def test_only_documents_of_a_possible_size_reach_the_warden(topic: str, size: int, why: str | None) -> None:
    assert refuse_to_hand_on(topic, size, OWN) == why


def test_a_unit_listens_to_its_own_topics_without_wildcards() -> None:
    assert OWN.subscriptions() == tuple(
        f"overt/v1/f/unit-1/{leaf}" for leaf in ("order", "watchlist", "cancel", "loan", "charter", "assurance", "time")
    )


def test_delivered_is_said_once_the_link_has_outlived_the_brokers_answer() -> None:
    waiting = Waiting()
    waiting.add(publish(7), 0.0)
    found = waiting.next()
    assert found is not None
    waiting.sent(found, 3)
    assert waiting.next() is None
    assert waiting.settles_in(1.0) is None
    assert waiting.answered(3, 0x10, 1.0) is None  # "no matching subscribers" is an acknowledgement
    assert waiting.on_the_way == 0
    assert waiting.settles_in(1.0) == SETTLE_S
    assert waiting.settled(1.0 + SETTLE_S / 2) == []
    assert waiting.settled(1.0 + SETTLE_S) == [Delivered(id=7)]
    assert len(waiting) == 0
    assert waiting.answered(3, 0, 2.0) is None


def test_a_link_that_breaks_right_after_the_answer_sends_again() -> None:
    waiting = Waiting()
    waiting.add(publish(7), 0.0)
    waiting.sent(publish(7), 3)
    waiting.answered(3, 0, 1.0)
    waiting.lost()
    assert waiting.settled(9.0) == []
    assert waiting.next() == publish(7)


def test_of_announcements_only_the_newest_waits_and_alerts_are_never_dropped() -> None:
    waiting = Waiting()
    health = "overt/v1/f/unit-1/health"
    for id_ in range(1, 1000):
        waiting.add(publish(id_, health if id_ % 2 else ALERT), 0.0)
        if waiting.full:
            break
    assert [item.topic for item, _ in waiting._messages.values()].count(health) == 1
    assert len(waiting) == WAITING_MAX
    announced = Waiting()
    announced.add(publish(1, health), 0.0)
    announced.sent(publish(1, health), 3)
    announced.add(publish(2, health), 0.0)
    assert announced.answered(3, 0, 1.0) == Delivered(id=1), "what is on its way is answered"


@pytest.mark.parametrize("code", [0x80, 0x87, 0x90, 0x99])
def test_a_refusal_for_good_is_undeliverable(code: int) -> None:
    waiting = Waiting()
    waiting.add(publish(7), 0.0)
    waiting.sent(publish(7), 3)
    assert waiting.answered(3, code, 0.0) == Undeliverable(id=7, reason_code=code)
    assert len(waiting) == 0


@pytest.mark.parametrize("code", [0x83, 0x97])
def test_a_refusal_for_the_time_being_is_tried_again(code: int) -> None:
    waiting = Waiting()
    waiting.add(publish(7), 0.0)
    waiting.sent(publish(7), 3)
    assert waiting.answered(3, code, 0.0) is Later.LATER
    assert waiting.next() is None, "not at once"
    waiting.retry()
    assert waiting.next() == publish(7)


def test_a_lost_link_sends_again_in_the_wardens_order_and_takes_nothing_twice() -> None:
    waiting = Waiting()
    for id_ in (1, 2, 3):
        waiting.add(publish(id_), 0.0)
    waiting.sent(publish(1), 1)
    waiting.sent(publish(2), 2)
    waiting.answered(1, 0, 0.0)
    waiting.settled(SETTLE_S)
    waiting.lost()
    for id_ in (2, 3):
        waiting.add(publish(id_), 9.0)
    order = []
    while (found := waiting.next()) is not None:
        order.append(found.id)
        waiting.sent(found, found.id)
    assert order == [2, 3]
    assert len(waiting) == 2


def test_what_waited_expires_the_sooner_and_never_at_once() -> None:
    waiting = Waiting()
    waiting.add(publish(1, expires_in_s=60), 100.0)
    waiting.add(publish(2), 100.0)
    assert waiting.remaining_s(publish(1, expires_in_s=60), 130.5) == 30
    assert waiting.remaining_s(publish(1, expires_in_s=60), 900.0) == 1
    assert waiting.remaining_s(publish(2), 900.0) is None


def test_it_holds_so_much_and_no_more() -> None:
    waiting = Waiting()
    for id_ in range(1, WAITING_MAX + 1):
        assert not waiting.full
        waiting.add(publish(id_), 0.0)
    assert waiting.full


@given(st.lists(st.tuples(st.sampled_from(["add", "send", "answer", "pass", "lose"]), st.integers(1, 9)), max_size=60))
def test_whatever_happens_each_message_is_delivered_once_or_still_waits(steps: list[tuple[str, int]]) -> None:
    waiting = Waiting()
    given_: set[int] = set()
    told: list[int] = []
    on_the_way: list[int] = []
    now, next_message = 0.0, 100
    for step, id_ in steps:
        if step == "add" and id_ not in told:
            waiting.add(publish(id_), now)
            given_.add(id_)
        elif step == "send" and (found := waiting.next()) is not None:
            next_message += 1
            waiting.sent(found, next_message)
            on_the_way.append(next_message)
        elif step == "answer" and on_the_way:
            assert waiting.answered(on_the_way.pop(0), 0, now) is None
        elif step == "pass":
            now += SETTLE_S
            told += [answer.id for answer in waiting.settled(now)]
        elif step == "lose":
            waiting.lost()
            on_the_way.clear()
    assert len(told) == len(set(told))
    assert len(waiting) == len(given_) - len(told)
