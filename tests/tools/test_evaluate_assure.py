"""From figures to a form that the office signs: what may go in, and what is refused before anything long is done."""

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from overt.runtime.cli import Failure, Parser, run
from overt_provisioning.assurance_commands import AssuranceForm
from overt_provisioning.form import load
from overt_tools.cli import parser
from overt_tools.evaluate.assurance import Told, borne, form, rounded_up
from overt_tools.evaluate.equal import Measurement, add_options, check_options, conclude
from overt_tools.evaluate.errors import EvaluateError
from overt_tools.evaluate.groups import Standard
from tests.tools.equal import evidence, four_groups

TOLD = Told(reference="REPORT-1", evaluator='A "laboratory" \\ & more', title="Stills\x7f")
BOTH = ("sex", "ethnicity")


def filled(told: Told = TOLD, **changes: Any) -> bytes:
    bears, _ = borne(four_groups(), BOTH, [0.5, 0.55], Standard(), 200)
    fields = {"people": 10_000, "entries": 200, "model_digest": "a" * 64, "data_set_digest": "d" * 64, **changes}
    return form(told, bears, Standard(), **fields)


def options(*given: str) -> Any:
    made = Parser()
    add_options(made)
    return made.parse_args(list(given))


def measured(folder: Path) -> Measurement:
    (folder / "cohorts.csv").write_text("image,sex\n")
    return Measurement(
        evidence=four_groups(),
        characteristics=BOTH,
        thresholds=[("given", 0.5)],
        exactly=False,
        title="People made up",
        kind="stills",
        how=(),
        not_shown=(),
        watchlist=200,
        model_set=None,
        model_digest="a" * 64,
        data_set_digest="d" * 64,
        labels=folder / "cohorts.csv",
        command="overt-tools evaluate",
        environment={},
    )


def test_the_form_is_the_one_that_the_office_takes(tmp_path: Path) -> None:
    path = tmp_path / "assurance.toml"
    path.write_bytes(filled(told=Told(reference="REPORT-1", evaluator='A "laboratory" \\ & more', title="Stills")))
    taken = load(path, AssuranceForm)
    assert (taken.reference, taken.evaluator, taken.testers) == ("REPORT-1", 'A "laboratory" \\ & more', 10_000)
    assert (taken.model.digest, taken.data_set.digest) == ("a" * 64, "d" * 64)
    assert [one.threshold for one in taken.measurement] == [0.5, 0.55]
    women = next(group for group in taken.measurement[0].group if group.name == "women")
    assert (women.passages, women.recognised, women.faces, women.false_alerts) == (1000, 900, 4000, 2)
    assert (taken.measurement[0].overall.passages, taken.measurement[0].overall.faces) == (2000, 8000)


def test_thresholds_are_rounded_so_that_an_order_can_name_them_and_never_down() -> None:
    assert [rounded_up(one) for one in (0.5, 0.5000001, 0.4869380295, 0.487)] == [0.5, 0.501, 0.487, 0.487]
    bears, left_out = borne(four_groups(), BOTH, [0.2, 0.4869380295, 0.99], Standard(), 200)
    assert [one.threshold for one in bears] == [0.487]
    assert "0.2 is outside" in left_out[0]


def test_a_threshold_that_does_not_do_says_so_in_the_form() -> None:
    bears, _ = borne(four_groups(women=380), BOTH, [0.5], Standard(), 200)
    text = form(
        Told(reference="R", evaluator="L", title="T"),
        bears,
        Standard(),
        people=1,
        entries=200,
        model_digest="a" * 64,
        data_set_digest="d" * 64,
    ).decode()
    assert "# No order may name it: sex men are recognised in 90.0% of passages, women in 76.0%" in text
    assert tomllib.loads(text)["measurement"][0]["threshold"] == 0.5


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (Told(reference="not a reference!", evaluator="L", title="T"), "--reference"),
        (Told(reference="R", evaluator="two\nlines", title="T"), "--evaluator"),
        (Told(reference="R", evaluator="L", title=""), "--title"),
    ],
)
def test_texts_that_the_document_cannot_hold_are_refused(told: Told, words: str) -> None:
    with pytest.raises(EvaluateError, match=words):
        filled(told)


def test_groups_that_the_document_cannot_hold_are_said_and_never_left_out_silently() -> None:
    groups = [
        ({"sex": "women", "hair": "red"}, (90, 100), (0, 100)),
        ({"sex": "männer", "hair": "red"}, (90, 100), (0, 100)),
        ({"sex": "others", "hair": "red"}, (90, 100), (0, 0)),
    ]
    bears, left_out = borne(evidence(groups), ("sex", "hair"), [0.5], Standard(), 10)
    assert [group.name for group in bears[0].figures.groups] == ["women"]
    told = " ".join(left_out)
    assert "hair" in told
    assert "männer" in told
    assert "others" in told
    assert any("does not compare testers by sex" in reason for reason in bears[0].refusals)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--assure", "a.json", "--home", "office"], "--evaluator"),
        (["--assure", "a.json", "--evaluator", "L"], "give --home"),
        (["--assure", "a.txt", "--evaluator", "L"], ".json or .toml"),
        (["--report", "r.pdf"], ".html"),
        (["--report", "nowhere/r.html"], "nowhere"),
    ],
)
def test_what_could_not_be_written_is_refused_at_once(
    given: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure, match=words):
        check_options(options(*given), labelled=True)


def test_a_report_without_labels_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = str(tmp_path / "r.html")
    assert run(parser(), ["evaluate", "identification", str(tmp_path), "--report", report]) == 2
    assert "--cohorts" in capsys.readouterr().err


def test_a_key_that_is_not_there_leaves_the_form_and_no_report(tmp_path: Path) -> None:
    signed = tmp_path / "assurance.json"
    (tmp_path / "passphrase").write_text("a passphrase for a test")
    key = ("--home", str(tmp_path / "office"), "--passphrase-file", str(tmp_path / "passphrase"))
    with pytest.raises(Failure, match="it was not signed") as failed:
        conclude(options("--assure", str(signed), "--evaluator", "L", *key), measured(tmp_path))
    assert failed.value.exit_code == 2
    assert not signed.exists()
    assert (tmp_path / "assurance.toml").exists()


def test_report_paper_and_figures_are_written_together(tmp_path: Path) -> None:
    given = ("--report", str(tmp_path / "r.html"), "--pdf", str(tmp_path / "r.pdf"), "--assure",
             str(tmp_path / "a.toml"), "--evaluator", "L")  # fmt: skip
    _, told = conclude(options(*given), measured(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"a.toml", "cohorts.csv", "r.html", "r.json", "r.pdf"}
    assert "not enough evidence" in told
    assert "may name 0.5" in told


def test_a_column_that_is_no_characteristic_is_refused(tmp_path: Path) -> None:
    many = evidence([({"name": f"person {number}"}, (1, 1), (0, 1)) for number in range(21)])
    given = replace(measured(tmp_path), evidence=many, characteristics=("name",))
    with pytest.raises(EvaluateError, match="at most 20 groups by name, found 21"):
        conclude(options(), given)
