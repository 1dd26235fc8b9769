"""A loan is a loan: for its time the unit is the borrower's alone, and then it is its own force's again, wiped."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from overt.protocol import envelope, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import FixedSite, Order, UnitRef, Window
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Alert, HandBack, Receipt, Status
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Ending, Kind, Refusal, Role, State
from overt.warden.command import status_lines
from overt.warden.outbox import Parcel
from tests.builders import (
    FORCE,
    MODEL,
    UNIT,
    Force,
    make_cancellation,
    make_force,
    make_loan,
    make_order,
    make_party,
    make_successor,
    make_watchlist,
    utc_now,
)
from tests.warden.desk_bench import DeskBench

BORROWER = "borrower"


class LoanBench(DeskBench):
    """A unit of one force, and a second force that borrows it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.borrower = make_force(BORROWER)

    def send(self, force: str, leaf: Down, data: bytes) -> Receipt:
        """Something comes on a force's topic."""
        signed = self.unit.receive(str(Topic(force=force, unit=UNIT, leaf=leaf)), data)
        assert signed is not None
        return self.receipt_in(signed)

    def lend(self, **changes: Any) -> str:
        data = make_loan(self.force, self.borrower, self.ref, **changes)
        receipt = self.send(FORCE, Down.LOAN, data)
        assert receipt.accepted, receipt
        return receipt.digest

    def borrowed_order(self, **changes: Any) -> Checked[Order]:
        return make_order(self.borrower, self.ref, **changes)

    def deploy(self, **changes: Any) -> Checked[Order]:
        """The borrower's order and watchlist, and recognition."""
        self.unit.vision_came(MODEL)
        order = self.borrowed_order(**changes)
        receipt = self.send(BORROWER, Down.ORDER, order.data)
        assert receipt.recipient, receipt
        sealed = sealing.seal(make_watchlist(self.borrower, order.digest), [receipt.recipient])
        assert self.send(BORROWER, Down.WATCHLIST, sealed).accepted
        assert self.unit.state is State.RECOGNISING
        return order

    def posted(self, force: str, leaf: str = "receipt") -> list[Parcel]:
        return [parcel for parcel in self.store.waiting(0, 1000, force) if parcel.topic.endswith(f"/{leaf}")]

    def returns(self, force: str) -> list[HandBack]:
        found = [p.payload for p in self.posted(force) if envelope.parse(p.payload).kind is Kind.HANDBACK]
        return [envelope.verify(data, HandBack, self.identity.key) for data in found]

    def left_of_loan(self) -> list[Path]:
        return list((self.state / "loan").rglob("*"))

    def status(self) -> Status:
        return envelope.verify(self.unit.status(), Status, self.identity.key)

    def recall(self, loan: str, **changes: Any) -> Receipt:
        return self.send(FORCE, Down.CANCEL, make_cancellation(self.force, loan, **changes))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[LoanBench]:
    bench = LoanBench(tmp_path)
    yield bench
    bench.close()


def assert_own_again(bench: LoanBench, why: Ending) -> None:
    """The unit is its own force's, nothing of the borrower's is left, and both forces have it in writing."""
    assert bench.unit.state is State.IDLE
    assert bench.unit.in_hand is None
    assert bench.unit.loaded is None
    assert bench.left_of_loan() == []
    assert bench.left_of_deployments() == []
    assert bench.status().force == FORCE
    assert bench.status().lender is None
    assert [parcel.topic for parcel in bench.posted(BORROWER, "alert")] == []
    for force in (FORCE, BORROWER):
        (certificate,) = bench.returns(force)
        assert (certificate.force, certificate.lender, certificate.borrower) == (force, FORCE, BORROWER)
        assert certificate.ending is why
    order = bench.order()
    assert bench.send(FORCE, Down.ORDER, order.data).accepted
    assert bench.send(FORCE, Down.CANCEL, make_cancellation(bench.force, order.digest)).accepted


def test_p9_on_loan_the_borrower_orders_and_its_rooms_alone_read_the_alerts(bench: LoanBench) -> None:
    bench.lend()
    order = bench.deploy()
    bench.see(order.digest)
    (parcel,) = bench.posted(BORROWER, "alert")
    alert = envelope.verify(sealing.unseal(parcel.payload, bench.borrower.room_identity), Alert, bench.identity.key)
    assert alert.force == BORROWER
    with pytest.raises(ProtocolError):
        sealing.unseal(parcel.payload, bench.force.room_identity)
    assert bench.posted(FORCE, "alert") == []
    assert bench.status().force == BORROWER
    assert bench.status().lender == FORCE
    assert any(line.startswith(f"on loan     from {FORCE} until ") for line in status_lines(bench.status()))


@pytest.mark.parametrize("topic", [FORCE, BORROWER])
def test_p9_the_lenders_keys_can_neither_order_nor_cancel_nor_list(bench: LoanBench, topic: str) -> None:
    bench.lend()
    order = bench.deploy()
    refused = bench.send(topic, Down.ORDER, bench.order().data)
    assert refused.refusal is Refusal.NOT_AUTHORISED
    forged = make_order(bench.force, bench.ref, force=BORROWER)
    assert bench.send(topic, Down.ORDER, forged.data).refusal is Refusal.NOT_AUTHORISED
    cancelled = bench.send(topic, Down.CANCEL, make_cancellation(bench.force, order.digest, force=BORROWER))
    assert cancelled.refusal is Refusal.NOT_AUTHORISED
    recipient = bench.unit.in_hand.recipient if bench.unit.in_hand else ""
    sealed = sealing.seal(make_watchlist(bench.force, order.digest, force=BORROWER), [recipient])
    assert bench.send(topic, Down.WATCHLIST, sealed).refusal is Refusal.NOT_AUTHORISED
    assert bench.unit.state is State.RECOGNISING


def test_p9_the_second_the_loan_ends_recognition_is_off_and_everything_of_the_borrowers_is_erased(
    bench: LoanBench,
) -> None:
    bench.lend(window=Window(start=utc_now() - timedelta(minutes=5), end=utc_now() + timedelta(hours=1)))
    order = bench.deploy(window=Window(start=utc_now() - timedelta(minutes=1), end=utc_now() + timedelta(hours=1)))
    bench.see(order.digest)
    bench.world.set(ahead_s=3600.0)
    bench.unit.tick()
    assert not bench.unit.sight.begun
    bench.clear()
    bench.unit.tick()
    (certificate,) = bench.certificates
    assert (certificate.force, certificate.order) == (BORROWER, order.digest)
    (returned,) = bench.returns(FORCE)
    assert (returned.deployments, returned.undelivered) == (1, 1)
    bench.world.set(ahead_s=0.0)
    bench.cut_power()  # its clock may not go back while it runs
    assert bench.left_of_loan() == []
    assert bench.left_of_deployments() == []
    assert bench.status().force == FORCE


def test_p9_after_the_loan_the_borrower_is_a_stranger(bench: LoanBench) -> None:
    loan = bench.lend()
    assert bench.recall(loan).accepted
    order = bench.borrowed_order()
    assert bench.unit.receive(str(Topic(force=BORROWER, unit=UNIT, leaf=Down.ORDER)), order.data) is None
    assert bench.send(FORCE, Down.ORDER, order.data).refusal is Refusal.NOT_AUTHORISED
    assert_own_again(bench, Ending.RECALLED)


def test_the_lender_can_have_its_unit_back_at_any_time_but_reads_nothing_by_it(bench: LoanBench) -> None:
    loan = bench.lend()
    order = bench.deploy()
    bench.see(order.digest)
    receipt = bench.recall(loan)
    assert receipt.accepted
    assert receipt.force == FORCE
    bench.clear()
    (certificate,) = bench.certificates
    assert certificate.ending is Ending.LOAN_OVER
    assert_own_again(bench, Ending.RECALLED)


def test_the_borrower_can_give_the_unit_back_before_its_time(bench: LoanBench) -> None:
    loan = bench.lend()
    bench.deploy()
    assert bench.send(BORROWER, Down.CANCEL, make_cancellation(bench.borrower, loan)).accepted
    bench.clear()
    assert_own_again(bench, Ending.CANCELLED)


def test_nobody_else_can_end_a_loan(bench: LoanBench) -> None:
    loan = bench.lend()
    stranger = make_force("stranger")
    for data in (
        make_cancellation(stranger, loan),
        make_cancellation(stranger, loan, force=FORCE),
        make_cancellation(stranger, loan, force=BORROWER),
        make_cancellation(bench.force, loan, roles=(Role.TECHNICIAN,)),
    ):
        assert not bench.send(FORCE, Down.CANCEL, data).accepted
    assert bench.status().lender == FORCE


def test_a_loan_is_used_once(bench: LoanBench) -> None:
    data = make_loan(bench.force, bench.borrower, bench.ref)
    first = bench.send(FORCE, Down.LOAN, data)
    assert bench.send(FORCE, Down.LOAN, data).accepted, "sent twice, it is the same loan"
    assert bench.recall(first.digest).accepted
    assert bench.send(FORCE, Down.LOAN, data).refusal is Refusal.REPLAYED
    assert bench.left_of_loan() == []


def test_a_recall_that_overtakes_its_loan_kills_it_on_arrival(bench: LoanBench) -> None:
    data = make_loan(bench.force, bench.borrower, bench.ref)
    assert bench.recall(envelope.parse(data).digest()).accepted
    assert bench.send(FORCE, Down.LOAN, data).refusal is Refusal.REPLAYED


def test_a_unit_in_use_is_not_lent(bench: LoanBench) -> None:
    order = bench.arm()
    data = make_loan(bench.force, bench.borrower, bench.ref)
    assert bench.send(FORCE, Down.LOAN, data).refusal is Refusal.BUSY
    assert bench.unit.in_hand is not None
    assert bench.unit.in_hand.digest == order.digest
    assert bench.left_of_loan() == []


def test_a_unit_on_loan_is_not_lent_on(bench: LoanBench) -> None:
    bench.lend()
    third = make_force("third")
    for lender in (bench.force, bench.borrower):
        assert not bench.send(FORCE, Down.LOAN, make_loan(lender, third, bench.ref)).accepted
    assert bench.status().force == BORROWER


def in_hours(start: float, end: float) -> Window:
    return Window(start=utc_now() + timedelta(hours=start), end=utc_now() + timedelta(hours=end))


def _shares_a_key(bench: LoanBench) -> bytes:
    people = {**bench.borrower.people, Role.TECHNICIAN: bench.force[Role.SECOND_OFFICER]}
    return make_loan(bench.force, make_force(BORROWER, people=people), bench.ref)


def _altered_charter(bench: LoanBench) -> bytes:
    forged = envelope.sign(make_force(BORROWER).charter, [bench.borrower[Role.ROOT].signer])
    return make_loan(bench.force, bench.borrower, bench.ref, charter=forged)


REFUSED: dict[str, tuple[Any, Refusal]] = {
    "one officer alone": (
        lambda b: make_loan(b.force, b.borrower, b.ref, roles=(Role.AUTHORISING_OFFICER,)),
        Refusal.NOT_AUTHORISED,
    ),
    "one person twice": (
        lambda b: make_loan(b.force, b.borrower, b.ref, roles=(Role.SECOND_OFFICER, Role.SECOND_OFFICER)),
        Refusal.NOT_AUTHORISED,
    ),
    "the borrower grants itself": (
        lambda b: make_loan(b.borrower, b.borrower, b.ref, force=FORCE),
        Refusal.NOT_AUTHORISED,
    ),
    "a stranger": (lambda b: make_loan(make_force(FORCE), b.borrower, b.ref), Refusal.NOT_AUTHORISED),
    "another unit": (
        lambda b: make_loan(b.force, b.borrower, UnitRef(unit="unit-2", key=b.identity.key)),
        Refusal.WRONG_UNIT,
    ),
    "another unit of this name": (
        lambda b: make_loan(b.force, b.borrower, UnitRef(unit=UNIT, key=make_party().public)),
        Refusal.WRONG_UNIT,
    ),
    "to itself": (lambda b: make_loan(b.force, b.force, b.ref), Refusal.WRONG_FORCE),
    "another force's charter": (
        lambda b: make_loan(b.force, b.borrower, b.ref, borrower="third"),
        Refusal.WRONG_FORCE,
    ),
    "a shared key": (_shares_a_key, Refusal.NOT_AUTHORISED),
    "an altered charter": (_altered_charter, Refusal.NOT_AUTHORISED),
    "no charter": (lambda b: make_loan(b.force, b.borrower, b.ref, charter=b"{}"), Refusal.MALFORMED),
    "over": (lambda b: make_loan(b.force, b.borrower, b.ref, window=in_hours(-5, -1)), Refusal.EXPIRED),
    "too long": (lambda b: make_loan(b.force, b.borrower, b.ref, window=in_hours(-1, 24 * 32)), Refusal.LIMIT),
    "backwards": (lambda b: make_loan(b.force, b.borrower, b.ref, window=in_hours(2, 1)), Refusal.LIMIT),
    "too far ahead": (lambda b: make_loan(b.force, b.borrower, b.ref, window=in_hours(800, 801)), Refusal.NOT_YET),
    "longer than the charter": (
        lambda b: make_loan(b.force, make_force(BORROWER, expires=utc_now() + timedelta(hours=1)), b.ref),
        Refusal.LIMIT,
    ),
    "wrong type": (lambda b: b.order().data, Refusal.MALFORMED),
    "endless data": (lambda _: b"{" * 300_000, Refusal.TOO_LARGE),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_loan_outside_the_law_is_refused_and_nothing_is_kept(bench: LoanBench, name: str) -> None:
    make, why = REFUSED[name]
    receipt = bench.send(FORCE, Down.LOAN, make(bench))
    assert (receipt.accepted, receipt.refusal) == (False, why), receipt
    assert bench.left_of_loan() == []
    assert bench.status().force == FORCE
    assert bench.logged("document.refused") == 1
    assert bench.logged("loan.accepted") == 0


@pytest.mark.parametrize(("start", "end"), [(12, 31), (-2, 1)])
def test_an_order_that_reaches_beyond_the_loan_is_refused(bench: LoanBench, start: float, end: float) -> None:
    bench.lend(window=in_hours(-1, 30))
    reaching = bench.borrowed_order(window=in_hours(start, end))
    assert bench.send(BORROWER, Down.ORDER, reaching.data).refusal is Refusal.LIMIT
    assert bench.left_of_deployments() == []


def test_a_loan_of_two_days_holds_through_power_cuts_and_ends_though_the_unit_was_off(bench: LoanBench) -> None:
    bench.lend()
    order = bench.deploy()
    bench.cut_power()
    assert bench.status().force == BORROWER
    bench.unit.vision_came(MODEL)
    assert bench.unit.state is State.RECOGNISING
    bench.see(order.digest)
    bench.world.set(ahead_s=31 * 3600.0)
    bench.cut_power()
    bench.unit.tick()
    bench.world.set(ahead_s=0.0)
    (returned,) = bench.returns(FORCE)
    assert returned.undelivered == 1
    assert bench.left_of_loan() == []
    assert bench.left_of_deployments() == []


def test_a_loan_whose_files_were_altered_is_ended(bench: LoanBench) -> None:
    bench.lend()
    bench.deploy()
    path = bench.state / "loan" / "loan.json"
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    bench.cut_power()
    assert_own_again(bench, Ending.TAMPER)


def test_another_charter_put_in_the_borrowers_place_is_found_out(bench: LoanBench) -> None:
    bench.lend()
    (bench.state / "loan" / "charter.json").write_bytes(make_force("stranger").charter_data)
    bench.cut_power()
    assert_own_again(bench, Ending.TAMPER)


def test_a_loan_that_was_put_there_by_hand_is_none(bench: LoanBench) -> None:
    folder = bench.state / "loan"
    folder.mkdir()
    (folder / "charter.json").write_bytes(bench.borrower.charter_data)
    (folder / "loan.json").write_bytes(make_loan(bench.force, bench.borrower, bench.ref))
    bench.cut_power()
    assert bench.left_of_loan() == []
    assert bench.status().force == FORCE


def test_a_loan_that_was_removed_by_hand_ends_the_deployment_under_it(bench: LoanBench) -> None:
    bench.lend()
    bench.deploy()
    for name in ("loan.json", "charter.json"):
        (bench.state / "loan" / name).unlink()
    bench.cut_power()
    assert_own_again(bench, Ending.TAMPER)


def test_the_unit_recognises_at_the_borrowers_place_only_once_it_was_put_up_there(bench: LoanBench) -> None:
    bench.lend()
    elsewhere = FixedSite(name="The borrower's square", latitude=51.0, longitude=0.0)
    assert bench.send(BORROWER, Down.ORDER, bench.borrowed_order(place=elsewhere).data).refusal is Refusal.LIMIT


def successor(force: Force, *roles: Role) -> Force:
    return make_successor(force, people={role: make_party() for role in roles})


def test_a_newer_charter_of_the_borrower_governs_the_rest_of_the_loan(bench: LoanBench) -> None:
    bench.lend()
    newer = successor(bench.borrower, Role.AUTHORISING_OFFICER)
    assert bench.send(BORROWER, Down.CHARTER, newer.charter_data).accepted
    assert bench.send(BORROWER, Down.ORDER, bench.borrowed_order().data).refusal is Refusal.NOT_AUTHORISED
    bench.cut_power()
    assert bench.send(BORROWER, Down.ORDER, make_order(newer, bench.ref).data).accepted


def test_an_older_charter_of_the_borrower_does_not_come_back_with_another_loan(bench: LoanBench) -> None:
    older = bench.borrower
    first = bench.lend()
    newer = successor(older, Role.AUTHORISING_OFFICER)
    assert bench.send(BORROWER, Down.CHARTER, newer.charter_data).accepted
    assert bench.recall(first).accepted
    again = make_loan(bench.force, older, bench.ref, agreement="MUTUAL-AID-2")
    assert bench.send(FORCE, Down.LOAN, again).refusal is Refusal.ROLLED_BACK
    assert bench.send(FORCE, Down.LOAN, make_loan(bench.force, newer, bench.ref)).accepted


def test_a_lenders_officer_whose_key_is_revoked_lends_nothing_any_more(bench: LoanBench) -> None:
    bench.lend()
    bench.deploy()
    newer = successor(bench.force, Role.AUTHORISING_OFFICER)
    assert bench.send(FORCE, Down.CHARTER, newer.charter_data).accepted
    bench.clear()
    bench.force = newer
    assert_own_again(bench, Ending.REVOKED)
