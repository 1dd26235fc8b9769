"""A technician's signed time: taken once, soon, from the right hand, and never against a better source."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overt.protocol import envelope, limits
from overt.protocol.documents import SignedTime
from overt.protocol.reports import Challenge, Receipt
from overt.protocol.topics import Down
from overt.protocol.vocabulary import ClockQuality, Ending, Refusal, Role, State
from overt.warden.steering import SteeredClock
from overt.warden.store import Store
from overt.warden.unit import Unit
from overt.warden.vault import Vault
from tests.builders import FORCE, MODEL, UNIT, make_force
from tests.simulators.devices import simulated
from tests.warden.desk_bench import DeskBench, Recorder

BEHIND = timedelta(days=40)


class Board:
    """A machine without a network and without a battery for its clock, which is far behind."""

    def __init__(self) -> None:
        self.passed, self.ahead, self.steered = timedelta(), -BEHIND, False

    def read(self) -> tuple[datetime, float]:
        ahead = timedelta() if self.steered else self.ahead
        return datetime.now(UTC) + self.passed + ahead, self.passed.total_seconds()

    def synchronised(self) -> bool:
        return self.steered


class Offline(DeskBench):
    """A unit that nobody tells the time."""

    def wake(self) -> None:
        self.board = Board()
        self.ports = Recorder()
        self.store = Store(self.state / "warden.db")
        self.vault = Vault(self.state)
        clock = SteeredClock(self.board, self.vault.charter.issued)
        self.unit = Unit(self.vault, self.store, replace(simulated(self.folder), clock=clock), self.ports)
        self.unit.wake()

    def challenge(self) -> Challenge:
        return envelope.verify(self.unit.timekeeping.challenge(), Challenge, self.identity.key)

    def answer(self, challenge: Challenge, *, by: Role = Role.TECHNICIAN, **changes: object) -> bytes:
        time = datetime.now(UTC) + self.board.passed
        fields = {"force": FORCE, "unit": UNIT, "challenge": challenge.number, "time": time}
        return envelope.sign(SignedTime(**{**fields, **changes}), [self.force[by].signer])

    def tell(self, data: bytes) -> Receipt:
        return self.give(Down.TIME, data)

    def pass_time(self, **length: float) -> None:
        self.board.passed += timedelta(**length)
        self.unit.tick()

    @property
    def quality(self) -> ClockQuality:
        return self.unit.journal.moment().clock


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Offline]:
    made = Offline(tmp_path)
    yield made
    made.close()


def test_without_a_time_nothing_is_recognised_and_with_a_signed_one_it_is(bench: Offline) -> None:
    bench.unit.vision_came(MODEL)
    assert bench.quality is ClockQuality.UNKNOWN
    assert bench.tell(bench.answer(bench.challenge())).accepted
    assert bench.quality is ClockQuality.HOLDOVER
    assert abs(bench.unit.journal.now() - datetime.now(UTC)) < timedelta(seconds=2)
    start = datetime.now(UTC) - timedelta(minutes=5)
    bench.arm(window={"start": start, "end": start + timedelta(hours=2)})
    assert bench.unit.state is State.RECOGNISING
    assert bench.logged("clock.set") == 1
    bench.pass_time(hours=2)
    assert bench.unit.situation.ending is Ending.WINDOW_OVER


def test_what_the_time_may_be_wrong_by_is_taken_off_the_window_at_both_ends(bench: Offline) -> None:
    """Signed a minute and a half after the challenge or just before it: the unit cannot tell, so it allows for both."""
    bench.unit.vision_came(MODEL)
    asked = bench.challenge()
    signed = bench.answer(asked)
    bench.pass_time(seconds=90)
    assert bench.tell(signed).accepted
    error = timedelta(seconds=45) + limits.CLOCK_TOLERANCE
    now = bench.unit.journal.now()
    bench.arm(window={"start": now - timedelta(seconds=30), "end": now + timedelta(minutes=10)})
    assert bench.unit.state is State.ARMED, "it may not have begun yet"
    bench.pass_time(seconds=30)
    assert bench.unit.state is State.RECOGNISING
    bench.pass_time(seconds=570 - error.total_seconds() - 2)
    assert bench.unit.state is State.RECOGNISING
    bench.pass_time(seconds=4)
    assert bench.unit.situation.ending is Ending.WINDOW_OVER, "it may be over by now"


def test_an_answer_is_good_once(bench: Offline) -> None:
    data = bench.answer(bench.challenge())
    assert bench.tell(data).accepted
    again = bench.tell(data)
    assert again.refusal is Refusal.REPLAYED
    assert again.detail is not None
    assert "fetch a new challenge" in again.detail


def test_an_answer_to_an_older_challenge_or_to_none_is_not_taken(bench: Offline) -> None:
    older = bench.answer(bench.challenge())
    bench.challenge()
    assert bench.tell(older).refusal is Refusal.REPLAYED
    bench.cut_power()
    assert bench.tell(older).refusal is Refusal.REPLAYED
    assert bench.quality is ClockQuality.UNKNOWN


def test_an_answer_after_two_minutes_is_not_taken(bench: Offline) -> None:
    data = bench.answer(bench.challenge())
    bench.pass_time(seconds=limits.SIGNED_TIME_MAX_AGE.total_seconds() + 1)
    assert bench.tell(data).refusal is Refusal.EXPIRED
    assert bench.tell(data).refusal is Refusal.REPLAYED
    assert bench.quality is ClockQuality.UNKNOWN


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TECHNICIAN])
def test_only_a_technician_sets_the_time(bench: Offline, role: Role) -> None:
    assert bench.tell(bench.answer(bench.challenge(), by=role)).refusal is Refusal.NOT_AUTHORISED
    assert bench.quality is ClockQuality.UNKNOWN


def test_a_time_of_another_force_or_for_another_unit_is_not_taken(bench: Offline) -> None:
    asked = bench.challenge()
    stranger = envelope.sign(
        SignedTime(force=FORCE, unit=UNIT, challenge=asked.number, time=datetime.now(UTC)),
        [make_force()[Role.TECHNICIAN].signer],
    )
    assert bench.tell(stranger).refusal is Refusal.NOT_AUTHORISED
    assert bench.tell(bench.answer(asked, force="other-force")).refusal is Refusal.WRONG_FORCE
    assert bench.tell(bench.answer(asked, unit="unit-2")).refusal is Refusal.WRONG_UNIT
    assert bench.quality is ClockQuality.UNKNOWN


def test_the_time_never_goes_back_behind_what_was_logged_nor_before_the_charter(bench: Offline) -> None:
    before = bench.force.charter.issued - timedelta(days=1)
    assert bench.tell(bench.answer(bench.challenge(), time=before)).refusal is Refusal.ROLLED_BACK
    assert bench.tell(bench.answer(bench.challenge())).accepted
    bench.cut_power()
    earlier = datetime.now(UTC) - timedelta(hours=1)
    assert bench.tell(bench.answer(bench.challenge(), time=earlier)).refusal is Refusal.ROLLED_BACK
    assert bench.quality is ClockQuality.UNKNOWN


def test_a_time_beyond_the_charter_is_not_taken_for_it_would_lock_the_unit_for_good(bench: Offline) -> None:
    beyond = bench.force.charter.expires + timedelta(days=1)
    assert bench.tell(bench.answer(bench.challenge(), time=beyond)).refusal is Refusal.EXPIRED
    assert bench.tell(bench.answer(bench.challenge())).accepted


def test_a_technician_cannot_talk_over_a_better_source(bench: Offline) -> None:
    bench.board.steered = True
    bench.pass_time(seconds=1)
    bench.pass_time(seconds=20)
    assert bench.quality is ClockQuality.SYNCHRONISED
    wrong = datetime.now(UTC) + timedelta(hours=5)
    assert bench.tell(bench.answer(bench.challenge(), time=wrong)).refusal is Refusal.BUSY
    assert bench.quality is ClockQuality.SYNCHRONISED


def test_a_power_cut_loses_it_and_the_order_waits_for_the_time(bench: Offline) -> None:
    bench.unit.vision_came(MODEL)
    assert bench.tell(bench.answer(bench.challenge())).accepted
    bench.arm()
    assert bench.unit.state is State.RECOGNISING
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    bench.unit.tick()
    assert bench.unit.state is not State.RECOGNISING
    assert bench.tell(bench.answer(bench.challenge())).accepted
    bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


def test_a_clock_in_doubt_deletes_no_alert_however_far_ahead_it_is(bench: Offline) -> None:
    bench.unit.vision_came(MODEL)
    assert bench.tell(bench.answer(bench.challenge())).accepted
    order = bench.recognise()
    machine_ns = int(bench.board.read()[0].timestamp() * 1e9)
    bench.see(order.digest, captured_ns=machine_ns, decided_ns=machine_ns)
    (alert,) = bench.alerts
    assert abs(alert.captured - datetime.now(UTC)) < timedelta(seconds=8), "in the unit's time, not the machine's"
    assert alert.clock is ClockQuality.HOLDOVER
    bench.board.ahead = timedelta(days=400)
    bench.pass_time(seconds=1)
    bench.unit.expire()
    assert len(bench.alerts) == 1
    assert bench.quality is ClockQuality.UNKNOWN
    bench.pass_time(hours=25)
    bench.unit.expire()
    assert len(bench.alerts) == 0, "what has passed since is known all the same"
