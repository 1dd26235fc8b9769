"""Promise 6: thresholds need evidence.

A unit refuses a threshold or a model that no signed assurance report covers, or whose report shows groups of people
treated unequally beyond the stated tolerance. Each way in which a report falls short: tests/protocol/test_evidence.py.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from overt.protocol import authority, envelope
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Receipt
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Ending, Refusal, Role, State
from overt.runtime.cli import Parser
from overt_provisioning import keys
from overt_tools.evaluate.equal import Measurement, add_options, conclude
from overt_tools.evaluate.searches import Evidence, Searches
from tests.builders import (
    FORCE,
    MODEL,
    UNIT,
    WANTED,
    make_assurance,
    make_entry,
    make_figures,
    make_force,
    make_loan,
    make_measurement,
    make_order,
    make_party,
    make_successor,
    utc_now,
)
from tests.tools.equal import four_groups
from tests.warden.bench import Bench, Enrolled
from tests.warden.desk_bench import DeskBench

PASSPHRASE = "a passphrase for a test"
UNEQUAL = (make_measurement(0.5, {"Black": make_figures(recognised=700)}),)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    made = DeskBench(tmp_path)
    made.unit.vision_came(MODEL)
    yield made
    made.close()


def report(bench: DeskBench, **changes: Any) -> str:
    """Deliver a report that bears orders at 0.5, but for what is changed; return its digest."""
    made = make_assurance(bench.force, **changes)
    assert bench.give(Down.ASSURANCE, made.data).accepted
    return made.digest


def ask(bench: DeskBench, **changes: Any) -> Receipt:
    return bench.give(Down.ORDER, bench.order(**{**WANTED, **changes}).data)


def refused(bench: DeskBench, receipt: Receipt, code: Refusal = Refusal.NO_ASSURANCE) -> None:
    """The unit said no, does nothing, and kept nothing but the record of it."""
    assert receipt.refusal is code, receipt
    assert bench.unit.state is State.IDLE
    assert bench.left_of_deployments() == []
    assert bench.log[-1].event == "document.refused"


def test_p6_an_order_with_evidence_is_worked_under(bench: DeskBench) -> None:
    entry = make_entry(category="wanted_by_court")
    bench.arm(entry, **WANTED, assurance=report(bench))
    assert bench.unit.state is State.RECOGNISING
    assert bench.logged("assurance.accepted") == 1


def test_p6_an_order_that_names_no_report_is_refused(bench: DeskBench) -> None:
    report(bench)
    refused(bench, ask(bench))


def test_p6_an_order_that_names_a_report_that_is_not_here_is_refused(bench: DeskBench) -> None:
    refused(bench, ask(bench, assurance=make_assurance(bench.force).digest))


def test_p6_a_threshold_that_was_not_measured_is_refused(bench: DeskBench) -> None:
    digest = report(bench)
    for threshold in (0.45, 0.499, 0.501, 0.6):
        refused(bench, ask(bench, assurance=digest, threshold=threshold))


def test_p6_a_model_that_was_not_measured_is_refused(bench: DeskBench) -> None:
    refused(bench, ask(bench, assurance=report(bench, model="e" * 64)))


def test_p6_a_report_that_shows_people_treated_unequally_is_taken_and_bears_no_order(bench: DeskBench) -> None:
    receipt = ask(bench, assurance=report(bench, measurements=UNEQUAL))
    refused(bench, receipt)
    assert receipt.detail is not None
    assert "(O20)" in receipt.detail


def test_p6_a_report_that_ends_before_the_order_is_refused(bench: DeskBench) -> None:
    refused(bench, ask(bench, assurance=report(bench, expires=utc_now() + timedelta(minutes=30))))


def test_p6_a_longer_list_than_was_measured_is_refused(bench: DeskBench) -> None:
    refused(bench, ask(bench, assurance=report(bench, watchlist_entries=99)))


def test_p6_a_report_that_somebody_else_signed_is_not_taken(bench: DeskBench) -> None:
    for force, roles in (
        (make_force(), (Role.ASSURANCE_BODY,)),
        (bench.force, (Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER, Role.WATCHLIST_OFFICER, Role.ROOT)),
        (bench.force, ()),
    ):
        made = make_assurance(force, roles=roles)
        refused(bench, bench.give(Down.ASSURANCE, made.data), Refusal.NOT_AUTHORISED)
        refused(bench, ask(bench, assurance=made.digest))


def test_p6_an_officer_cannot_be_the_assurance_body_as_well() -> None:
    """A charter may give one key both roles; then nobody stands apart, and nothing is evidence."""
    for role in (Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER, Role.WATCHLIST_OFFICER):
        people = {each: make_party() for each in Role}
        people[Role.ASSURANCE_BODY] = people[role]
        force = make_force(people=people)
        with pytest.raises(ProtocolError, match="apart from the officers") as caught:
            authority.check_assurance(make_assurance(force).data, force.charter, utc_now())
        assert caught.value.code is Refusal.NOT_AUTHORISED


def test_p6_a_newer_report_takes_the_place_of_the_one_before_and_an_older_never_comes_back(bench: DeskBench) -> None:
    older = make_assurance(bench.force)
    assert bench.give(Down.ASSURANCE, older.data).accepted
    newer = report(bench, issued=utc_now() - timedelta(days=1))
    refused(bench, ask(bench, assurance=older.digest))
    refused(bench, bench.give(Down.ASSURANCE, older.data), Refusal.ROLLED_BACK)
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    refused(bench, bench.give(Down.ASSURANCE, older.data), Refusal.ROLLED_BACK)
    assert ask(bench, assurance=newer).accepted


def test_p6_not_even_when_the_newer_one_was_taken_off_the_disk(bench: DeskBench) -> None:
    older = make_assurance(bench.force)
    digest = report(bench, issued=utc_now() - timedelta(days=1))
    (kept,) = (bench.state / "assurance").iterdir()
    kept.unlink()
    refused(bench, bench.give(Down.ASSURANCE, older.data), Refusal.ROLLED_BACK)
    refused(bench, ask(bench, assurance=digest))


def test_p6_a_report_that_a_power_cut_left_unlogged_is_logged_when_it_comes_again(bench: DeskBench) -> None:
    made = make_assurance(bench.force)
    bench.vault.keep_assurance(MODEL, made.data)
    bench.cut_power()
    assert bench.logged("assurance.accepted") == 0
    assert bench.give(Down.ASSURANCE, made.data).accepted
    assert bench.logged("assurance.accepted") == 1


def test_p6_the_same_report_delivered_again_is_fine_and_mends_a_damaged_one(bench: DeskBench) -> None:
    made = make_assurance(bench.force)
    for _ in range(2):
        assert bench.give(Down.ASSURANCE, made.data).accepted
    (kept,) = (bench.state / "assurance").iterdir()
    kept.write_bytes(kept.read_bytes()[:-20])
    refused(bench, ask(bench, assurance=made.digest))
    assert bench.give(Down.ASSURANCE, made.data).accepted
    assert ask(bench, assurance=made.digest).accepted


def test_p6_a_newer_report_that_no_longer_bears_the_order_in_hand_ends_it(bench: DeskBench) -> None:
    entry = make_entry(category="wanted_by_court")
    order = bench.arm(entry, **WANTED, assurance=report(bench))
    assert bench.unit.state is State.RECOGNISING
    report(bench, issued=utc_now() - timedelta(days=1), measurements=UNEQUAL)
    bench.clear()
    assert bench.unit.situation.ending is Ending.REVOKED
    assert bench.left_of_deployments() == []
    assert bench.certificates[0].order == order.digest


def test_p6_a_newer_report_that_bears_it_too_lets_it_go_on(bench: DeskBench) -> None:
    bench.arm(make_entry(category="wanted_by_court"), **WANTED, assurance=report(bench))
    report(bench, issued=utc_now() - timedelta(days=1))
    bench.clear()
    bench.unit.tick()
    assert bench.unit.state is State.RECOGNISING


def test_p6_an_exercise_with_volunteers_goes_on_whatever_a_report_says(bench: DeskBench) -> None:
    bench.arm()
    report(bench, measurements=UNEQUAL)
    assert bench.unit.state is State.RECOGNISING


def test_p6_the_bodys_revoked_key_takes_its_reports_and_what_rests_on_them_along(bench: DeskBench) -> None:
    bench.arm(make_entry(category="wanted_by_court"), **WANTED, assurance=report(bench))
    successor = make_successor(bench.force, people={**bench.force.people, Role.ASSURANCE_BODY: make_party()})
    assert bench.give(Down.CHARTER, successor.charter_data).accepted
    bench.clear()
    assert bench.unit.situation.ending is Ending.REVOKED
    assert bench.left_of_deployments() == []


def test_p6_what_rests_on_a_report_survives_a_power_cut_with_it_and_not_without(bench: DeskBench) -> None:
    bench.arm(make_entry(category="wanted_by_court"), **WANTED, assurance=report(bench))
    bench.cut_power()
    bench.unit.vision_came(MODEL)
    assert bench.unit.state is State.RECOGNISING
    (kept,) = (bench.state / "assurance").iterdir()
    kept.unlink()
    bench.cut_power()
    assert (bench.unit.state, bench.unit.situation.ending) == (State.IDLE, Ending.TAMPER)


def test_p6_a_report_under_another_models_name_is_not_believed(bench: DeskBench) -> None:
    digest = report(bench, model="e" * 64)
    (kept,) = (bench.state / "assurance").iterdir()
    kept.rename(kept.with_name(f"{MODEL}.json"))
    refused(bench, ask(bench, assurance=digest))


def test_p6_reports_are_kept_on_a_few_models_alone(bench: DeskBench) -> None:
    for model in range(8):
        report(bench, model=f"{model:064x}")
    one_more = make_assurance(bench.force, model=f"{9:064x}")
    assert bench.give(Down.ASSURANCE, one_more.data).refusal is Refusal.LIMIT
    assert len(list((bench.state / "assurance").iterdir())) == 8


def test_p6_on_loan_the_borrowers_body_decides_and_nothing_of_its_reports_is_left(bench: DeskBench) -> None:
    mine = make_assurance(bench.force)
    assert bench.give(Down.ASSURANCE, mine.data).accepted
    borrower = make_force("borrower")
    loan = make_loan(bench.force, borrower, bench.ref)
    assert bench.give(Down.LOAN, loan).accepted

    def send(leaf: Down, data: bytes) -> Receipt:
        topic = str(Topic(force=borrower.charter.force, unit=UNIT, leaf=leaf))
        signed = bench.unit.receive(topic, data)
        assert signed is not None
        return bench.receipt_in(signed)

    def order(assurance: str) -> bytes:
        return make_order(borrower, bench.ref, **WANTED, assurance=assurance).data

    assert send(Down.ORDER, order(mine.digest)).refusal is Refusal.NO_ASSURANCE
    lenders = make_assurance(bench.force, issued=utc_now() - timedelta(days=1))
    assert send(Down.ASSURANCE, lenders.data).refusal is Refusal.NOT_AUTHORISED
    theirs = make_assurance(borrower)
    assert send(Down.ASSURANCE, theirs.data).accepted
    assert send(Down.ORDER, order(theirs.digest)).accepted
    bench.world.set(ahead_s=31 * 3600.0)
    bench.unit.tick()
    bench.clear()
    bench.unit.tick()
    assert bench.vault.force == FORCE
    assert theirs.data not in bench.everything_on_disk()
    (kept,) = (bench.state / "assurance").iterdir()
    assert kept.read_bytes() == mine.data, "the owner's own report is where it was"


def test_p6_a_real_warden_takes_both_by_cable(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.start()
        made = make_assurance(bench.force)
        order = bench.order(**WANTED, assurance=made.digest)
        assert bench.deliver(Down.ORDER, order.data).refusal is Refusal.NO_ASSURANCE
        assert bench.deliver(Down.ASSURANCE, made.data).accepted
        receipt = bench.deliver(Down.ORDER, order.data)
        assert receipt.recipient is not None
        entry = make_entry(category="wanted_by_court")
        assert bench.deliver(Down.WATCHLIST, bench.sealed_watchlist(order, receipt.recipient, entry)).accepted
        with bench.vision() as vision:
            assert vision.wait_for_begin().threshold == 0.5
        assert bench.end() == 0


def measured_by_the_laboratory(bench: Enrolled, folder: Path, women: int, thresholds: tuple[float, ...]) -> bytes:
    """Measure people made up, and have overt-tools write and overt-provision sign the report; return it.

    Everyone's false alerts score 0.48 or less: the evidence begins above.
    """
    home = folder / "body"
    (home / "keys").mkdir(parents=True)
    (home / "charter.json").write_bytes(bench.force.charter_data)
    secret = folder / "passphrase"
    secret.write_text(PASSPHRASE)
    key = Ed25519PrivateKey.from_private_bytes(bench.force.people[Role.ASSURANCE_BODY].private)
    keys.save(keys.role_file(home, Role.ASSURANCE_BODY), key, keys.Passphrase(secret))
    found = four_groups(women, false=8)
    seen = np.where(found.faces.scores > 0.5, np.float32(0.48), found.faces.scores)
    labels = folder / "cohorts.csv"
    labels.write_text("image,sex,ethnicity\n")
    measured = Measurement(
        evidence=Evidence(found.passages, Searches(found.faces.subject, found.faces.labels, seen)),
        characteristics=("sex", "ethnicity"),
        thresholds=[("given", threshold) for threshold in thresholds],
        exactly=False,
        title="People made up",
        kind="stills",
        how=(),
        not_shown=(),
        watchlist=200,
        model_set=None,
        model_digest=MODEL,
        data_set_digest="d" * 64,
        labels=labels,
        command="overt-tools evaluate",
        environment={},
    )
    parser = Parser()
    add_options(parser)
    report = folder / "assurance.json"
    words = [
        "--assure",
        str(report),
        "--home",
        str(home),
        "--passphrase-file",
        str(secret),
        "--evaluator",
        "A laboratory",
    ]
    conclude(parser.parse_args(words), measured)
    return report.read_bytes()


def test_p6_what_the_laboratory_measured_bears_an_order_at_its_threshold_and_none_below(
    bench: DeskBench, tmp_path: Path
) -> None:
    data = measured_by_the_laboratory(bench, tmp_path, women=450, thresholds=(0.5, 0.46))
    assert bench.give(Down.ASSURANCE, data).accepted
    digest = envelope.parse(data).digest()
    refused(bench, ask(bench, assurance=digest, threshold=0.45))
    refused(bench, ask(bench, assurance=digest, threshold=0.499))
    at_its_worst = ask(bench, assurance=digest, threshold=0.46)
    refused(bench, at_its_worst)
    assert "allowed is 1 in 1,000 (O19)" in (at_its_worst.detail or "")
    bench.arm(make_entry(category="wanted_by_court"), **WANTED, assurance=digest, threshold=0.5)
    assert bench.unit.state is State.RECOGNISING


def test_p6_what_the_laboratory_measured_as_unequal_bears_none(bench: DeskBench, tmp_path: Path) -> None:
    data = measured_by_the_laboratory(bench, tmp_path, women=380, thresholds=(0.5,))
    assert bench.give(Down.ASSURANCE, data).accepted
    receipt = ask(bench, assurance=envelope.parse(data).digest(), threshold=0.5)
    refused(bench, receipt)
    assert "sex men are recognised in 90.0% of passages, women in 76.0%" in (receipt.detail or "")


def test_p6_a_real_warden_refuses_an_order_below_what_the_laboratory_measured(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        data = measured_by_the_laboratory(bench, tmp_path, women=450, thresholds=(0.5,))
        bench.start()
        assert bench.deliver(Down.ASSURANCE, data).accepted
        changes = {**WANTED, "assurance": envelope.parse(data).digest()}
        below = bench.deliver(Down.ORDER, bench.order(**changes, threshold=0.45).data)
        assert below.refusal is Refusal.NO_ASSURANCE
        assert "covers the thresholds 0.5, the order names 0.45" in (below.detail or "")
        assert bench.deliver(Down.ORDER, bench.order(**changes, threshold=0.5).data).accepted
        assert bench.end() == 0
