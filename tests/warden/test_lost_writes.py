"""Power cut at any instant, with whatever was not synced lost in part: what a unit had promised still holds."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from overt.protocol import envelope
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Kind
from tests.builders import (
    FORCE,
    UNIT,
    make_cancellation,
    make_entry,
    make_force,
    make_loan,
    make_order,
    make_template,
    make_watchlist,
)
from tests.simulators.promising_unit import Living
from tests.test_house import ROOT
from tests.warden.bench import Enrolled
from tests.warden.lost_writes import Operation, after_cut, materialise, operations_of, trace

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
BORROWER = "borrower"


class Run:
    """One traced life of a unit, and the documents of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "unit"
        self.folder.mkdir()
        self.enrolled = Enrolled(self.folder)
        lender, borrower = self.enrolled.force, make_force(BORROWER)
        self.templates = [make_template() for _ in range(3)]
        entries = [make_entry(f"volunteer-{n}", templates=(data,)) for n, data in enumerate(self.templates)]
        loan = make_loan(lender, borrower, self.enrolled.ref)
        order = make_order(borrower, self.enrolled.ref)
        self.order, self.loan = order.digest, envelope.parse(loan).digest()
        documents = folder / "documents"
        documents.mkdir()
        self.documents = {
            "loan": loan,
            "order": order.data,
            "watchlist": make_watchlist(borrower, order.digest, *entries),
            "cancellation": make_cancellation(borrower, order.digest),
            "recall": make_cancellation(lender, self.loan),
        }
        for name, data in self.documents.items():
            (documents / name).write_bytes(data)
        state = self.folder / "state"
        before = shutil.copytree(state, folder / "before")
        command = [sys.executable, "-m", "tests.simulators.promising_unit", str(self.folder), str(documents)]
        text = trace(command, folder / "trace", ROOT)
        shutil.rmtree(state)
        shutil.copytree(before, state)
        self.operations = operations_of(text, state)

    def check(self, there: Path, cut: int, seed: int) -> None:
        """Start a unit on what a cut leaves, hold it to what was promised before, and bring its story to an end."""
        rng = random.Random(seed)  # noqa: S311 - chance, not secrecy
        promised = promises(self.operations[:cut])
        there.mkdir()
        materialise(after_cut(self.operations, cut, rng), self.folder / "state", there / "state")
        content = b"".join(path.read_bytes() for path in there.rglob("*") if path.is_file())
        assert not any(template[:64] in content for template in self.templates)
        unit = Living(there)
        try:
            self._hold(unit, promised)
            self._finish(unit)
        finally:
            unit.close()
        shutil.rmtree(there)

    def _hold(self, unit: Living, promised: dict[str, str]) -> None:
        if "lent" in promised and "recalling" not in promised:
            assert unit.vault.force == BORROWER
        if "ordered" in promised and "cancelling" not in promised:
            assert unit.unit.in_hand is not None
            assert unit.unit.in_hand.recipient == promised["ordered"]
        if "listed" in promised and "cancelling" not in promised:
            assert unit.unit.loaded is not None
        if "recalling" not in promised:
            self._hold_alerts(unit, promised)
        if "cancelled" in promised:
            assert unit.store.is_spent(self.order)
            assert unit.unit.in_hand is None
            assert unit.left_of_deployments() == []
        if "returned" in promised:
            assert unit.vault.force == FORCE
            assert not (unit.state / "loan").exists()

    def _hold_alerts(self, unit: Living, promised: dict[str, str]) -> None:
        raised = int(promised.get("alert", 0))
        waiting = [parcel.id for parcel in unit.outbox("alert")]
        assert len(waiting) == len(set(waiting))
        counted = unit.store.counts(self.order).alerts
        assert raised <= counted <= raised + 1
        gone = counted - len(waiting)
        assert gone <= ("delivering" in promised)
        assert gone >= ("delivered" in promised)

    def _finish(self, unit: Living) -> None:
        """Whatever was done twice is done once: the loan ends, and both forces have one certificate."""
        lent = unit.vault.force == BORROWER
        for force, data in ((BORROWER, self.documents["cancellation"]), (FORCE, self.documents["recall"])):
            unit.unit.receive(str(Topic(force=force, unit=UNIT, leaf=Down.CANCEL)), data)
        assert unit.unit.in_hand is None
        assert unit.left_of_deployments() == []
        assert unit.vault.force == FORCE
        reports = [envelope.parse(parcel.payload) for parcel in unit.outbox("receipt")]
        returns = [report for report in reports if report.kind is Kind.HANDBACK]
        assert len(returns) == (2 if lent or unit.store.was_lent(self.loan) else 0)
        assert len([report for report in reports if report.kind is Kind.ERASURE]) == unit.logged("order.accepted")
        assert unit.logged("deployment.erased") == unit.logged("order.accepted")


def promises(done: list[Operation]) -> dict[str, str]:
    words = [op.path.split(maxsplit=2)[1:] for op in done if op.kind == "promise" and op.path.startswith("PROMISE ")]
    return {word[0]: (word[1] if len(word) > 1 else "") for word in words}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("traced"))


def test_the_model_loses_what_was_not_synced_and_nothing_else() -> None:
    page = b"x" * 4096
    story = [Operation("create", "/r/f", 1), Operation("write", "/r/f", 1, 0, page), Operation("sync", "/r/f", 1)]
    story += [Operation("write", "/r/f", 1, 0, b"y" * 4096), Operation("rename", "/r/f", data=b"/r/g")]
    kept, lost, torn, renamed = 0, 0, 0, 0
    for seed in range(200):
        files = after_cut(story, len(story), random.Random(seed))  # noqa: S311 - chance, not secrecy
        ((name, content),) = files.items()
        assert content is not None
        assert len(content) == 4096
        renamed += name == "/r/g"
        kept, lost, torn = kept + (content == b"y" * 4096), lost + (content == page), torn + (len(set(content)) == 2)
    assert min(kept, lost, torn, renamed, 200 - renamed) > 10
    assert after_cut(story, 3, random.Random(1)) == {"/r/f": page}  # noqa: S311 - chance, not secrecy


def test_a_whole_life_was_traced(run: Run) -> None:
    assert list(promises(run.operations))[-1] == "returned"
    assert sum(op.kind == "sync" for op in run.operations) > 40
    assert sum(op.kind == "rename" for op in run.operations) > 5


def test_power_cuts_that_lose_what_was_not_synced(run: Run, tmp_path: Path) -> None:
    for number, cut in enumerate(range(len(run.operations), len(run.operations) // 4, -len(run.operations) // 12)):
        run.check(tmp_path / str(number), cut, number)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_power_cuts_at_every_instant_that_lose_what_was_not_synced(run: Run, tmp_path: Path) -> None:
    begin = next(index for index, op in enumerate(run.operations) if op.kind == "promise")
    for cut in range(begin, len(run.operations) + 1):
        for seed in range(4):
            run.check(tmp_path / f"{cut}-{seed}", cut, seed)
