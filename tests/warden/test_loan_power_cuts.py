"""The warden killed at every kind of instant of a loan, and started again: the unit comes back to its force, wiped."""

from pathlib import Path

import pytest

from overt.protocol import envelope, sealing
from overt.protocol.audit import first_broken
from overt.protocol.reports import HandBack
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Ending, Kind, Refusal, State
from overt.warden.store import Store
from tests.builders import (
    FORCE,
    make_cancellation,
    make_entry,
    make_force,
    make_loan,
    make_order,
    make_watchlist,
)
from tests.warden.bench import Bench
from tests.warden.test_power_cuts import GONE

BORROWER = "borrower"


class Story:
    """One loan with one deployment under it, told as far as the warden lives."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.borrower, self.entry = bench, make_force(BORROWER), make_entry()
        self.loan = make_loan(bench.force, self.borrower, bench.ref)
        self.recall = make_cancellation(bench.force, envelope.parse(self.loan).digest())
        self.order = make_order(self.borrower, bench.ref)
        self.watchlist = make_watchlist(self.borrower, self.order.digest, self.entry)
        self.recalling = False

    def tell(self) -> None:
        """Everything, from the loan to the return. Told twice, it goes on where it was."""
        with self.bench.vision() as vision:
            deliver = self.bench.deliver
            receipt = deliver(Down.LOAN, self.loan)
            if receipt.refusal in {Refusal.REPLAYED, Refusal.BUSY}:
                assert self.recalling, "the loan is over, and nobody had ended it"
            else:
                assert receipt.accepted, receipt
                recipient = deliver(Down.ORDER, self.order.data).recipient
                if recipient is not None:  # else a cut came while the deployment was already being erased
                    assert deliver(Down.WATCHLIST, sealing.seal(self.watchlist, [recipient])).accepted
                    vision.wait_for_begin(5.0)
                    vision.see()
                self.recalling = True
                assert deliver(Down.CANCEL, self.recall).accepted
            while self.bench.wait_for(State.IDLE).lender is not None:
                pass


def live_through(bench: Bench, step: int) -> None:
    story = Story(bench)
    tally = bench.folder / "tally"
    try:
        bench.start(module="tests.simulators.dying_warden", arguments=(str(step), str(tally)))
        story.tell()
    except GONE:
        assert bench.process is not None
        bench.process.wait(5)
    else:
        bench.end()
    bench.start()
    story.tell()
    assert bench.status().force == FORCE
    assert bench.end() == 0

    assert bench.left_of_deployments() == []
    assert not (bench.state / "loan").exists()
    assert story.entry.templates[0][:64] not in bench.everything_on_disk()
    store = Store(bench.state / "warden.db")
    assert first_broken(store.records()) is None
    assert store.open_loans() == []
    assert [parcel for parcel in store.waiting(0, 100, BORROWER) if "alert" in parcel.topic] == []
    for force in (FORCE, BORROWER):
        posted = [parcel.payload for parcel in store.waiting(0, 100, force) if "receipt" in parcel.topic]
        returns = [data for data in posted if envelope.parse(data).kind is Kind.HANDBACK]
        assert len(returns) == 1, "returned once, in writing"
        assert envelope.verify(returns[0], HandBack, bench.identity.key).ending is Ending.RECALLED
    assert len([record for record in store.records() if record.event == "loan.handed_back"]) == 1
    store.close()


@pytest.mark.parametrize("step", [45, 150, 260])
def test_a_loan_survives_a_power_cut(tmp_path: Path, step: int) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, step)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(2, 520, 3))
def test_a_loan_survives_a_power_cut_at_any_step(tmp_path: Path, step: int) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, step)


def test_the_story_without_a_power_cut_has_as_many_steps_as_the_tests_above_believe(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        live_through(bench, 10**9)
        assert 260 < int((tmp_path / "tally").read_text()) < 700  # ticks of a slow machine count as well
