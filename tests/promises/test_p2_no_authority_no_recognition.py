"""Promise 2, attacked: documents that nobody had the right to send, given to a running warden by its cable.

After each of them the unit is as it was: its state, what is kept of deployments, vision left alone and the lamp dark.
All that it leaves is one record of the refusal, which repeats none of its words. `tests/warden/test_documents.py` and
`tests/protocol/test_authority.py` take the same law through its finer cases.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import envelope, sealing
from overt.protocol.audit import facts_of
from overt.protocol.authority import Checked
from overt.protocol.documents import FixedSite, Order, UnitRef, Window
from overt.protocol.messages import Answer, Inbound, ToControl
from overt.protocol.reports import Receipt
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Kind, Refusal, Role, State
from overt.runtime.channel import connect
from tests.builders import (
    FORCE,
    UNIT,
    make_cancellation,
    make_force,
    make_order,
    make_party,
    make_successor,
    make_watchlist,
    utc_now,
)
from tests.simulators.vision import VisionSimulator
from tests.warden.bench import Bench

ELSEWHERE = FixedSite(name="Elsewhere", latitude=51.0, longitude=0.0)


@dataclass
class Scene:
    """One warden with vision at its side, ready to recognise, for all the attacks one after another."""

    bench: Bench
    vision: VisionSimulator
    orders: int = 0

    def order(self, **changes: object) -> Checked[Order]:
        """A lawful order like no other, but for the changes."""
        self.orders += 1
        return self.bench.order(operation=f"EXERCISE-{self.orders}", **changes)

    def accept(self, leaf: Down, data: bytes) -> Receipt:
        receipt = self.bench.deliver(leaf, data)
        assert receipt.accepted, receipt
        return receipt

    def cancel(self, order: str) -> None:
        self.accept(Down.CANCEL, make_cancellation(self.bench.force, order))
        self.bench.wait_for(State.IDLE)


@contextmanager
def playing(folder: Path) -> Iterator[Scene]:
    with Bench(folder) as bench:
        bench.start()
        with bench.vision() as vision:
            yield Scene(bench, vision)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """For the orders. Of refusals a unit logs so many a minute one by one, so the lists have a unit of their own."""
    with playing(tmp_path_factory.mktemp("orders")) as scene:
        yield scene


@pytest.fixture(scope="module")
def other_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with playing(tmp_path_factory.mktemp("lists")) as scene:
        yield scene


@dataclass(frozen=True)
class Left:
    """What an attack could have changed."""

    state: State
    order: str | None
    kept: dict[str, bytes]
    lit: bool
    begun: bool


def left(scene: Scene) -> Left:
    status = scene.bench.status()
    kept = {str(path): path.read_bytes() for path in scene.bench.left_of_deployments()}
    begun = not scene.vision.hears_nothing(0.01)  # the warden answers `status` after it has spoken to vision
    return Left(status.state, status.order, kept, scene.bench.world.lit, begun)


def assert_refused(scene: Scene, leaf: Down, data: bytes, code: Refusal) -> None:
    before, log = left(scene), scene.bench.records()
    receipt = scene.bench.deliver(leaf, data)
    assert (receipt.accepted, receipt.refusal, receipt.recipient) == (False, code, None), receipt
    assert left(scene) == before
    assert (before.begun, before.lit) == (False, False)
    (record,) = scene.bench.records()[len(log) :]
    assert record.event == "document.refused"
    assert set(facts_of(record)) == {"document", "digest", "code"}
    assert facts_of(record)["code"] == code.value


# Orders


def wire(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


def unsigned(scene: Scene) -> bytes:
    return json.dumps({**wire(scene.order().data), "signatures": []}).encode()


def one_signature_of_two(scene: Scene) -> bytes:
    return scene.order(roles=(Role.AUTHORISING_OFFICER,)).data


def one_person_signing_twice(scene: Scene) -> bytes:
    return scene.order(roles=(Role.SECOND_OFFICER, Role.SECOND_OFFICER)).data


def one_signature_under_both_officers_names(scene: Scene) -> bytes:
    parsed = wire(scene.order(roles=(Role.AUTHORISING_OFFICER,)).data)
    (signature,) = parsed["signatures"]
    second = scene.bench.force[Role.SECOND_OFFICER].keyid
    return json.dumps({**parsed, "signatures": [signature, {**signature, "keyid": second}]}).encode()


def the_same_key_listed_twice(scene: Scene) -> bytes:
    parsed = wire(scene.order().data)
    return json.dumps({**parsed, "signatures": [*parsed["signatures"], *parsed["signatures"]]}).encode()


def two_payloads_of_which_one_is_signed(scene: Scene) -> bytes:
    """A reader that takes the first of two equal names and one that takes the last would read different orders."""
    signed, wanted = wire(scene.order().data), wire(scene.order(watchlist_max_entries=99, roles=()).data)
    return json.dumps(signed)[:-1].encode() + b', "payload": ' + json.dumps(wanted["payload"]).encode() + b"}"


def signed_and_then_widened(scene: Scene) -> bytes:
    return json.dumps({**wire(scene.order().data), "payload": wire(scene.order(roles=()).data)["payload"]}).encode()


def signed_by_strangers(scene: Scene) -> bytes:
    return make_order(make_force(), scene.bench.ref).data


def countersigned_by_the_watchlist_officer_instead(scene: Scene) -> bytes:
    return scene.order(roles=(Role.AUTHORISING_OFFICER, Role.WATCHLIST_OFFICER)).data


def of_another_force(scene: Scene) -> bytes:
    return scene.order(force="other-force").data


def for_another_unit(scene: Scene) -> bytes:
    return scene.order(units=(UnitRef(unit="unit-2", key=make_party().public),)).data


def for_another_unit_of_the_same_name(scene: Scene) -> bytes:
    return scene.order(units=(UnitRef(unit=UNIT, key=make_party().public),)).data


def for_another_place(scene: Scene) -> bytes:
    return scene.order(place=ELSEWHERE).data


def expired(scene: Scene) -> bytes:
    now = utc_now()
    return scene.order(window=Window(start=now - timedelta(hours=2), end=now - timedelta(minutes=1))).data


def long_before_its_time(scene: Scene) -> bytes:
    start = utc_now() + timedelta(days=40)
    return scene.order(window=Window(start=start, end=start + timedelta(hours=1))).data


def for_another_model(scene: Scene) -> bytes:
    return scene.order(model="f" * 64).data


def cancelled_and_then_replayed(scene: Scene) -> bytes:
    order = scene.order()
    scene.accept(Down.ORDER, order.data)
    scene.cancel(order.digest)
    return order.data


def cancelled_and_then_countersigned_anew(scene: Scene) -> bytes:
    return envelope.countersign(cancelled_and_then_replayed(scene), Kind.ORDER, make_party().signer)


def cancelled_before_it_came(scene: Scene) -> bytes:
    order = scene.order()
    scene.cancel(order.digest)
    return order.data


def signed_with_a_key_that_was_revoked(scene: Scene) -> bytes:
    order = scene.order()
    successor = make_successor(scene.bench.force, people={Role.SECOND_OFFICER: make_party()})
    scene.accept(Down.CHARTER, successor.charter_data)
    scene.bench.force = successor
    return order.data


def a_watchlist_as_an_order(scene: Scene) -> bytes:
    return make_watchlist(scene.bench.force, "0" * 64)


def a_watchlist_that_both_officers_signed_as_an_order(scene: Scene) -> bytes:
    officers = (Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER)
    parsed = wire(make_watchlist(scene.bench.force, "0" * 64, roles=officers))
    return json.dumps({**parsed, "payloadType": envelope.payload_type(Kind.ORDER)}).encode()


def a_cancellation_as_an_order(scene: Scene) -> bytes:
    return make_cancellation(scene.bench.force, "0" * 64)


def not_a_document(_: Scene) -> bytes:
    return b"\x00" * 64


ORDERS: dict[Callable[[Scene], bytes], Refusal] = {
    unsigned: Refusal.NOT_AUTHORISED,
    one_signature_of_two: Refusal.NOT_AUTHORISED,
    one_person_signing_twice: Refusal.NOT_AUTHORISED,
    one_signature_under_both_officers_names: Refusal.NOT_AUTHORISED,
    the_same_key_listed_twice: Refusal.MALFORMED,
    two_payloads_of_which_one_is_signed: Refusal.NOT_AUTHORISED,
    signed_and_then_widened: Refusal.NOT_AUTHORISED,
    signed_by_strangers: Refusal.NOT_AUTHORISED,
    countersigned_by_the_watchlist_officer_instead: Refusal.NOT_AUTHORISED,
    of_another_force: Refusal.WRONG_FORCE,
    for_another_unit: Refusal.WRONG_UNIT,
    for_another_unit_of_the_same_name: Refusal.WRONG_UNIT,
    for_another_place: Refusal.LIMIT,
    expired: Refusal.EXPIRED,
    long_before_its_time: Refusal.NOT_YET,
    for_another_model: Refusal.WRONG_MODEL,
    cancelled_and_then_replayed: Refusal.REPLAYED,
    cancelled_and_then_countersigned_anew: Refusal.REPLAYED,
    cancelled_before_it_came: Refusal.REPLAYED,
    signed_with_a_key_that_was_revoked: Refusal.NOT_AUTHORISED,
    a_watchlist_as_an_order: Refusal.MALFORMED,
    a_watchlist_that_both_officers_signed_as_an_order: Refusal.NOT_AUTHORISED,
    a_cancellation_as_an_order: Refusal.MALFORMED,
    not_a_document: Refusal.MALFORMED,
}


@pytest.mark.parametrize("attack", ORDERS, ids=lambda attack: attack.__name__)
def test_p2_an_order_is_refused_that_is(attack: Callable[[Scene], bytes], scene: Scene) -> None:
    data = attack(scene)
    assert left(scene) == Left(State.IDLE, None, {}, lit=False, begun=False)
    assert_refused(scene, Down.ORDER, data, ORDERS[attack])


def test_p2_an_order_without_end_is_refused_before_it_is_read(scene: Scene) -> None:
    """A file of a terabyte: a warden that took it in whole would be gone."""
    log, descriptor = len(scene.bench.records()), os.memfd_create("endless")
    os.ftruncate(descriptor, 2**40)
    with connect(scene.bench.run / "control.sock", ToControl) as channel:
        channel.send(Inbound(topic=str(Topic(force=FORCE, unit=UNIT, leaf=Down.ORDER))), [descriptor])
        answer, _ = channel.receive()
    os.close(descriptor)
    assert isinstance(answer, Answer)
    assert scene.bench.receipt_in(answer.report).refusal is Refusal.TOO_LARGE
    assert [record.event for record in scene.bench.records()[log:]] == ["document.refused"]
    assert left(scene) == Left(State.IDLE, None, {}, lit=False, begun=False)


# The same unit, with an order in hand and a watchlist to come


@pytest.fixture
def armed(other_scene: Scene) -> Iterator[tuple[Scene, Checked[Order], str]]:
    order = other_scene.order()
    recipient = other_scene.accept(Down.ORDER, order.data).recipient
    assert recipient is not None
    yield other_scene, order, recipient
    other_scene.cancel(order.digest)


def sealed(scene: Scene, order: str, recipient: str, **changes: object) -> bytes:
    return sealing.seal(make_watchlist(scene.bench.force, order, **changes), [recipient])  # type: ignore[arg-type]  # fields by name


Armed = tuple[Scene, Checked[Order], str]


def the_list_of_another_order(armed: Armed) -> bytes:
    return sealed(armed[0], "0" * 64, armed[2])


def a_list_that_the_officers_signed(armed: Armed) -> bytes:
    return sealed(armed[0], armed[1].digest, armed[2], roles=(Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER))


def a_list_for_another_model(armed: Armed) -> bytes:
    return sealed(armed[0], armed[1].digest, armed[2], model="f" * 64)


def a_list_in_the_clear(armed: Armed) -> bytes:
    return make_watchlist(armed[0].bench.force, armed[1].digest)


def a_list_for_another_key(armed: Armed) -> bytes:
    return sealed(armed[0], armed[1].digest, sealing.new_identity()[1])


def the_order_itself_as_its_list(armed: Armed) -> bytes:
    return sealing.seal(armed[1].data, [armed[2]])


LISTS: dict[Callable[[Armed], bytes], Refusal] = {
    the_list_of_another_order: Refusal.WRONG_ORDER,
    a_list_that_the_officers_signed: Refusal.NOT_AUTHORISED,
    a_list_for_another_model: Refusal.WRONG_MODEL,
    a_list_in_the_clear: Refusal.NOT_READABLE,
    a_list_for_another_key: Refusal.NOT_READABLE,
    the_order_itself_as_its_list: Refusal.MALFORMED,
}


@pytest.mark.parametrize("attack", LISTS, ids=lambda attack: attack.__name__)
def test_p2_under_an_order_in_force_nobody_is_recognised_by(attack: Callable[[Armed], bytes], armed: Armed) -> None:
    assert_refused(armed[0], Down.WATCHLIST, attack(armed), LISTS[attack])
    assert armed[0].bench.status().state is State.ARMED


def test_p2_a_second_order_does_not_widen_the_one_in_hand(armed: Armed) -> None:
    assert_refused(armed[0], Down.ORDER, armed[0].order().data, Refusal.BUSY)


def test_p2_before_its_window_an_order_with_its_list_recognises_nobody(scene: Scene) -> None:
    start = utc_now() + timedelta(hours=1)
    order = scene.order(window=Window(start=start, end=start + timedelta(hours=1)))
    recipient = scene.accept(Down.ORDER, order.data).recipient
    assert recipient is not None
    scene.accept(Down.WATCHLIST, sealed(scene, order.digest, recipient))
    assert (left(scene).state, left(scene).begun, left(scene).lit) == (State.ARMED, False, False)
    scene.cancel(order.digest)


def test_p2_the_same_order_and_list_without_fault_are_what_begins_recognition(scene: Scene) -> None:
    """None of the refusals above was for another reason than its own."""
    order = scene.order()
    recipient = scene.accept(Down.ORDER, order.data).recipient
    assert recipient is not None
    scene.accept(Down.WATCHLIST, sealed(scene, order.digest, recipient))
    assert scene.vision.wait_for_begin().order == order.digest
    scene.accept(Down.CANCEL, make_cancellation(scene.bench.force, order.digest))
    scene.vision.wait_for_stop()
    scene.bench.wait_for(State.IDLE)
    assert left(scene) == Left(State.IDLE, None, {}, lit=False, begun=False)
