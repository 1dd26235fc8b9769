"""`overt-tools evaluate footage`: passages counted fairly, and errors in one line."""

import json
from pathlib import Path

import pytest

from overt.runtime.cli import run
from overt_tools.cli import parser
from overt_tools.evaluate import footage
from overt_tools.evaluate.passages import Ledger
from overt_tools.scene.truth import PassageTruth, Span
from tests.tools.evaluation import MODELS, ROOT, needs_models

SCENE = ROOT / "build" / "demo" / "scene.mp4"
FPS = 25
OPPORTUNITY = Span(100, 150)


def passage(name: str, *, listed: bool, opportunity: Span | None = OPPORTUNITY) -> PassageTruth:
    person = "volunteer" if listed else "passer-by"
    return PassageTruth(name, person, "clip", listed, Span(0, 200), Span(0, 200), opportunity, [], [])  # type: ignore[arg-type]  # a person's name


def ledger() -> Ledger:
    far = passage("far", listed=True, opportunity=None)
    return Ledger([passage("a", listed=True), passage("b", listed=True), far, passage("x", listed=False)], FPS)


def test_a_passage_is_recognised_by_a_sighting_of_its_own_face() -> None:
    book = ledger()
    book.sighting("a", 110)
    found = book.figures()
    assert (found["passages"], found["recognised"], found["missed"], found["trr"]) == (2, 1, ["b"], 0.5)
    assert found["trr_interval"] == pytest.approx([0.01258, 0.98742], abs=1e-4)
    assert found["to_sighting_ms"]["median"] == 400


def test_second_alerts_and_false_ones_are_told_apart() -> None:
    book = ledger()
    for name, picture in (("a", 90), ("a", 140), ("x", 120), ("x", 130), (None, 10)):
        book.sighting(name, picture)
    found = book.figures()
    assert (found["second_alerts"], found["false_alerts"], found["others"]) == (1, 3, 1)
    assert found["to_sighting_ms"]["least"] == -400


def test_a_passage_without_an_opportunity_can_be_neither_recognised_nor_missed() -> None:
    book = ledger()
    book.sighting("far", 50)
    assert (book.figures()["passages"], book.figures()["recognised"], book.figures()["false_alerts"]) == (2, 0, 0)


def test_looks_are_counted_by_passage() -> None:
    book = ledger()
    for name in ("x", "x", "a", None):
        book.look(name)
    assert book.figures()["looks"] == {"a": 1, "b": 0, "far": 0, "x": 2}


def test_a_scene_without_a_listed_passage_has_no_rate() -> None:
    found = Ledger([passage("x", listed=False)], FPS).figures()
    assert found["trr"] is None
    assert found["trr_interval"] is None


def test_footage_that_is_missing_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parser(), ["evaluate", "footage", str(tmp_path / "none.mp4"), "--models", str(tmp_path)]) != 0
    told = capsys.readouterr().err
    assert "none.json" in told
    assert "build the scene first" in told
    assert "Traceback" not in told


@pytest.mark.slow
@needs_models
@pytest.mark.skipif(not SCENE.exists(), reason="the demonstration's footage is not there: run 'make footage'")
def test_the_demonstrations_scene_is_recognised_without_false_alerts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    cache = ROOT / "build" / "cache"
    told = ["evaluate", "footage", str(SCENE), "--json", str(out), "--models", str(MODELS), "--cache", str(cache)]
    assert run(parser(), told) == 0
    found = json.loads(out.read_text())
    assert found["recognised"] == found["passages"] > 0
    assert (found["false_alerts"], found["second_alerts"]) == (0, 0)
    assert footage.words(found).splitlines()[0] in capsys.readouterr().out
