"""`overt-tools evaluate` on a small set of real faces: figures, what is kept, and what is wrong said in one line."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from overt.runtime.cli import run
from overt_tools.cli import parser
from overt_tools.evaluate.cache import FILE_NAME, Cache
from tests.tools.evaluation import MODELS, make_set, needs_models

SEED = "1"  # lists franck
SET = ("--model-set", "compact", "--models", str(MODELS))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set, in which one picture is cut short and one shows nobody."""
    folder = tmp_path_factory.mktemp("evaluate")
    images = make_set(folder / "images")
    (images / "broken").mkdir()
    (images / "broken" / "1.jpg").write_bytes((images / "franck" / "0.jpg").read_bytes()[:9000])
    (images / "second" / "9.jpg").write_bytes(b"no picture at all")
    return folder


def evaluate(place: Path, kind: str, *arguments: str, cache: str = "cache") -> dict[str, Any]:
    out = place / "out.json"
    out.unlink(missing_ok=True)
    code = run(parser(), ["evaluate", kind, str(place / "images"), "--json", str(out), "--cache", str(place / cache),
                          *SET, *arguments])  # fmt: skip
    assert code == 0
    return dict(json.loads(out.read_text()))


def identify(place: Path, *arguments: str, cache: str = "cache") -> dict[str, Any]:
    return evaluate(place, "identification", "--watchlist-size", "1", "--seed", SEED, *arguments, cache=cache)


def what_is_kept(place: Path, cache: str = "cache") -> dict[tuple[str, str], bytes]:
    with sqlite3.connect(place / cache / FILE_NAME) as database:
        rows = {(what.split()[0], image): value for what, image, value in database.execute("SELECT * FROM measured")}
    database.close()
    return rows


@needs_models
def test_an_identification_says_who_was_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = identify(place)
    keys = ["watchlist", "probes", "impostors", "failed_to_enrol", "rank1", "tpir", "threshold", "ms_per_face"]
    assert set(keys) <= set(found)
    assert (found["watchlist"], found["probes"], found["impostors"]) == (1, 3, 5)
    assert found["failed_to_enrol"] == 0
    assert found["rank1"] == 1.0
    assert found["tpir"] == {"0.01": 1.0, "0.003": 1.0, "0.001": 1.0}
    assert all(-1 < threshold < 0.6 for threshold in found["threshold"].values())
    assert found["unreadable"] == ["broken/1.jpg", "second/9.jpg"]
    assert found["impostors_without_face"] == 2
    assert found["ms_per_face"] > 0
    assert found["model_set"] == "compact"
    assert "rank 1      1.0000" in capsys.readouterr().out


@needs_models
def test_a_second_run_measures_nothing_and_says_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = identify(place)
    monkeypatch.setattr("overt_tools.evaluate.laboratory.work", None)
    second = identify(place)
    assert {**second, "ms_per_face": 0} == {**first, "ms_per_face": 0}


@needs_models
def test_a_changed_image_is_measured_anew_and_the_rest_is_not(place: Path, tmp_path: Path) -> None:
    identify(place)
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    before = what_is_kept(tmp_path)
    shutil.copy(tmp_path / "images" / "second" / "1.jpg", tmp_path / "images" / "broken" / "1.jpg")
    (tmp_path / "images" / "second" / "0.jpg").write_bytes(
        (tmp_path / "images" / "franck" / "3.jpg").read_bytes() + b" "
    )
    found = identify(tmp_path)
    assert found["unreadable"] == ["second/9.jpg"]
    assert found["rank1"] == 1.0
    new = what_is_kept(tmp_path).keys() - before.keys()
    assert sorted(kind for kind, _ in new) == ["found", "probe"], "one new picture; the copy of another was known"


@pytest.mark.slow
@needs_models
def test_two_processes_give_the_same_templates_as_one(place: Path) -> None:
    identify(place)
    identify(place, "--jobs", "2", cache="cache-of-two")
    assert what_is_kept(place, "cache-of-two") == what_is_kept(place)


@needs_models
def test_groups_are_counted_from_labels_alone(place: Path) -> None:
    labels = place / "labels.csv"
    labels.write_text(
        "image,subject,team\nfranck/0.jpg,franck,red\nfranck/1.jpg,franck,red\nsecond/0.jpg,second,blue\n"
    )
    groups = identify(place, "--cohorts", str(labels))["groups"]
    assert set(groups["images"]["team"]) <= {"red", "blue"}
    assert groups["unlabelled"] >= 4


@needs_models
def test_a_verification_says_how_often_it_was_right(place: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = [f"{fold},franck/{fold}.jpg,franck/{fold + 1}.jpg,1" for fold in range(3)]
    rows += [f"{fold},franck/{fold}.jpg,second/{fold}.jpg,0" for fold in range(3)]
    pairs.write_text("\n".join(["fold,image_a,image_b,same", *rows, "2,franck/0.jpg,broken/1.jpg,0"]) + "\n")
    found = evaluate(place, "verification", "--pairs", str(pairs))
    assert (found["pairs"], found["same"], found["different"]) == (7, 3, 4)
    assert found["accuracy"] == 1.0
    assert found["tar"]["0.01"] == 1.0
    assert found["images_without_face"] == ["broken/1.jpg"]


@needs_models
def test_a_run_that_was_interrupted_goes_on_where_it_ended(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0

    @contextmanager
    def strike(*_: object) -> Iterator[Callable[[], None]]:
        def step() -> None:
            nonlocal done
            done += 1
            if done == 3:
                signal.raise_signal(signal.SIGINT)

        yield step

    arguments = ["evaluate", "identification", str(place / "images"), "--watchlist-size", "1", "--seed", SEED, *SET]
    with monkeypatch.context() as patched:
        patched.setattr("overt_tools.evaluate.laboratory.shown", strike)
        assert run(parser(), [*arguments, "--cache", str(place / "interrupted")]) == 130
    kept = what_is_kept(place, "interrupted")
    assert len({image for _, image in kept}) == 3
    identify(place, cache="interrupted")
    assert kept.items() <= what_is_kept(place, "interrupted").items()


def test_a_power_cut_loses_only_what_was_not_durable_yet(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, pathlib; from overt_tools.evaluate.cache import Cache\n"
        "cache = Cache(pathlib.Path(sys.argv[1]))\n"
        "cache.keep({'probe': b'1'}, 'first'); cache.flush(); cache.keep({'probe': b'2'}, 'second')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -signal.SIGKILL
    with Cache(tmp_path) as cache:
        assert cache.find("probe", ["first", "second"]) == {"first": b"1"}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run(parser(), ["evaluate", *arguments])
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return code, text


def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = str(tmp_path / "nowhere")
    code, text = refused(["identification", nowhere], capsys)
    assert code == 2
    assert "found no folder" in text
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"x")
    code, text = refused(["identification", str(tmp_path), "--models", nowhere], capsys)
    assert code == 3
    assert "overt-tools models build" in text


@needs_models
def test_too_small_a_set_is_said_before_anything_is_measured(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = refused(["identification", str(place / "images"), *SET, "--cache", str(place / "unused")], capsys)
    assert code == 2
    assert "watchlist of 800, found 2" in text
    assert not what_is_kept(place, "unused")


@needs_models
def test_a_cache_that_is_none_is_named(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, whatever its name says" * 100)
    code, text = refused(["identification", str(place / "images"), *SET, "--cache", str(tmp_path)], capsys)
    assert code == 3
    assert f"{tmp_path / FILE_NAME}, could not: file is not a database" in text
