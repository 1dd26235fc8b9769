"""A seeded field trial: what testers wrote down against what the control room received, and what becomes of it."""

import csv
import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.protocol import authority
from overt.protocol.reports import Alert
from overt.runtime.cli import run
from overt_controlroom.events import AlertSeen, ErasureSeen, HealthSeen, to_json
from overt_tools.cli import parser
from overt_tools.evaluate.trial.matching import match
from overt_tools.evaluate.trial.passages import Passage
from tests.builders import utc_now
from tests.controlroom.room import Unit
from tests.provisioning.office import Office
from tests.provisioning.office import run as provision

SLACK = timedelta(seconds=5)


class Exercise:
    """A deployment of one unit with volunteers, as its files lie on a desk afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unit = Unit()
        self.order = folder / "order.json"
        self.order.write_bytes(self.unit.order.data)
        self.began = self.unit.order.document.window.start + timedelta(seconds=30)
        self.rows: list[list[str]] = []
        self.alerts: list[Alert] = []
        self.columns = ["tester", "entry", "unit", "time", "sex", "ethnicity"]

    def passes(self, tester: str, entry: str = "", at: float = 0, groups: Sequence[str] = ("woman", "Black")) -> None:
        self.rows.append([tester, entry, self.unit.name, (self.began + timedelta(seconds=at)).isoformat(), *groups])

    def alert(self, entry: str, at: float) -> None:
        captured = self.began + timedelta(seconds=at)
        self.alerts.append(self.unit.alert(len(self.alerts) + 1, entry=entry, captured=captured))

    @property
    def passages(self) -> Path:
        path = self.folder / "passages.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([self.columns, *self.rows])
        return path

    @property
    def events(self) -> Path:
        path = self.folder / "events.jsonl"
        seen = [AlertSeen(received=utc_now(), alert=alert, latency_ms=20.0) for alert in self.alerts]
        health = self.unit.health(last_sequence=len(self.alerts), faces_seen=70)
        erasure = self.unit.erasure(entries=300, alerts=len(self.alerts))
        lines = [*seen, HealthSeen(received=utc_now(), health=health)]
        text = [to_json(event) for event in lines]
        text.append(to_json(ErasureSeen(received=utc_now(), erasure=erasure, envelope=b"signed")))
        path.write_text("\n".join(text) + "\n")
        return path

    def evaluate(self, *more: str) -> int:
        arguments = ["evaluate", "trial", str(self.passages), "--order", str(self.order), "--events", str(self.events)]
        return run(parser(), [*arguments, *more])

    def figures(self, *more: str) -> dict[str, Any]:
        out = self.folder / "out.json"
        assert self.evaluate("--json", str(out), *more) == 0
        return dict(json.loads(out.read_text()))


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    return Exercise(tmp_path)


def test_a_trial_counts_who_was_recognised_and_every_false_alert(exercise: Exercise) -> None:
    exercise.passes("A", "volunteer-1", at=0)
    exercise.passes("A", "volunteer-1", at=100)
    exercise.passes("B", "volunteer-2", at=200, groups=("man", "White"))
    exercise.passes("C", at=300)
    exercise.passes("D", at=400, groups=("man", "White"))
    exercise.passes("D", at=500, groups=("man", "White"))
    exercise.alert("volunteer-1", at=3)  # A's first passage
    exercise.alert("volunteer-1", at=4)  # and the same again
    exercise.alert("volunteer-2", at=104)  # A taken for B: false, and A is not recognised
    exercise.alert("volunteer-1", at=301)  # C taken for A
    exercise.alert("volunteer-1", at=900)  # nobody was there
    found = exercise.figures()
    assert (found["passages"], found["recognised"]) == (3, 1)
    assert (found["faces"], found["false_alerts"], found["stray_alerts"]) == (3, 3, 2)
    assert (found["watchlist"], found["threshold"]) == (300, exercise.unit.order.document.threshold)
    (sex, _) = found["groups"]["comparisons"]
    woman = next(group for group in sex["at"][0]["groups"] if group["name"] == "woman")
    assert (woman["tpir"]["hits"], woman["tpir"]["of"], woman["tpir"]["people"]) == (1, 2, 1)
    assert (woman["fpir"]["hits"], woman["fpir"]["of"]) == (1, 1)
    assert found["groups"]["verdict"] == "not_enough_evidence"
    assert "volunteer-1" not in json.dumps(found), "who is who stays in the files of the trial"


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["", "e1", "e2"])), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["e1", "e2", "e3"])), max_size=8),
)
def test_every_alert_is_right_repeated_false_of_someone_or_of_nobody(
    passes: list[tuple[int, str]], raised: list[tuple[int, str]]
) -> None:
    unit, zero = UNIT, UNIT.order.document.window.start
    passages = [
        Passage(f"t{n}", entry, unit.name, zero + timedelta(seconds=at), zero + timedelta(seconds=at), {}, n)
        for n, (at, entry) in enumerate(passes)
    ]
    alerts = [
        unit.alert(n + 1, entry=entry, captured=zero + timedelta(seconds=at)) for n, (at, entry) in enumerate(raised)
    ]
    found = match(passages, alerts, SLACK)
    assert len(found.recognised) + found.repeated + len(found.stopped) + found.stray == len(alerts)
    assert all(passages[at].entry for at in found.recognised)
    assert not any(passages[at].entry for at in found.stopped)
    for at in found.recognised:
        assert any(entry == passages[at].entry and abs(when - passes[at][0]) <= 5 for when, entry in raised)
    for when, entry in raised:  # an alert that no listed tester's passage explains is never right
        if not any(entry == named and abs(when - then) <= 5 for then, named in passes):
            assert len(found.stopped) + found.stray > 0


UNIT = Unit()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda e: e.columns.remove("unit") or [row.pop(2) for row in e.rows], "unit missing"),
        (lambda e: e.rows.append(["E", "", "unit-1", "2026-09-01 10:00", "man", "White"]), "with its zone"),
        (lambda e: e.rows.append(["E", "", "unit-9", e.began.isoformat(), "man", "White"]), "unit-9"),
        (lambda e: e.passes("A", "volunteer-1", at=10, groups=("man", "Black")), "described alike"),
        (lambda e: e.passes("E", "volunteer-1", at=10), "one tester's"),
        (lambda e: e.passes("E", at=60 * 60 * 24 * 9), "in none"),
        (lambda e: e.rows.append(["", "", "unit-1", e.began.isoformat(), "man", "White"]), "a tester's code"),
        (lambda e: [e.rows.pop() for _ in range(1)], "not on the list, found none"),
        (lambda e: e.alerts.append(e.unit.alert(5)), "never came"),
        (lambda e: e.order.write_text("{}"), "expected an order"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(
    exercise: Exercise, capsys: pytest.CaptureFixture[str], spoil: Any, words: str
) -> None:
    exercise.passes("A", "volunteer-1", at=0)
    exercise.passes("C", at=300)
    spoil(exercise)
    assert exercise.evaluate() == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert words in said


def test_events_that_are_none_are_one_clear_error(exercise: Exercise, capsys: pytest.CaptureFixture[str]) -> None:
    other = exercise.folder / "other.jsonl"
    for text in ("not json\n", '{"event":"alert","alert":{"entry":"x"}}\n', "[1]\n"):
        other.write_text(text)
        exercise.rows.clear()
        exercise.passes("C", at=300)
        assert exercise.evaluate("--events", str(other)) == 2
        assert "line 1" in capsys.readouterr().err


def test_a_trial_of_many_becomes_a_signed_report_that_bears_an_order(exercise: Exercise) -> None:
    office = Office(exercise.folder / "base")
    office.base.mkdir()
    assert office.create().code == 0
    second = 0.0
    for sex in ("woman", "man"):
        for ethnicity in ("Black", "White"):
            for at in range(210):
                name = f"{sex}-{ethnicity}-{at}"
                exercise.passes(name, f"v-{name}", at=second, groups=(sex, ethnicity))
                if at % 10:
                    exercise.alert(f"v-{name}", at=second)
                second += 0.4
            for at in range(1600):
                exercise.passes(f"o-{sex}-{ethnicity}-{at}", at=second, groups=(sex, ethnicity))
                second += 0.4
    signed = exercise.folder / "assurance.json"
    assert second < exercise.unit.order.document.window.end.timestamp() - exercise.began.timestamp()
    key = ("--home", str(office.home), "--passphrase-file", str(office.passphrase))
    told = ("--evaluator", "A laboratory", "--reference", "TRIAL-1")
    assert exercise.evaluate("--slack", "0.1", "--assure", str(signed), *key, *told) == 0
    report = authority.check_assurance(signed.read_bytes(), office.charter, utc_now()).document
    assert (report.reference, report.watchlist_entries) == ("TRIAL-1", 300)
    assert report.model == exercise.unit.order.document.model
    (measured,) = report.measurements
    assert measured.threshold == exercise.unit.order.document.threshold
    assert (measured.overall.passages, measured.overall.recognised, measured.overall.faces) == (840, 756, 6400)
    assert {(group.characteristic.value, group.name) for group in measured.groups} == {
        ("sex", "woman"), ("sex", "man"), ("ethnicity", "Black"), ("ethnicity", "White")}  # fmt: skip
    checked = provision("assurance", "check", signed, "--charter", office.home / "charter.json")
    assert checked.code == 0
    assert "an order may name it" in checked.out
