"""The log of a real unit, taken off by cable, checked and told with the office's command line."""

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol.audit import Event
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Act, State
from overt_provisioning import story
from tests.builders import make_cancellation, make_entry
from tests.provisioning.office import Said, refused, run
from tests.warden.bench import Bench
from tests.warden.test_enrolment import overt_camera


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A unit that has had a deployment, with an alert, a doubt and a cancellation, and is idle again."""
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        made.start()
        assert not made.deliver(Down.ORDER, b"junk").accepted
        with made.vision() as vision:
            order = made.arm(make_entry("volunteer-1"))
            vision.wait_for_begin()
            vision.see()
            while made.status().last_sequence == 0:
                pass  # each question waits for its answer
            vision.templates_made = 7
            made.world.set(place=False)
            vision.wait_for_stop()
            made.world.set(place=True)
            vision.wait_for_begin()
            assert made.deliver(Down.CANCEL, make_cancellation(made.force, order.digest)).accepted
            vision.wait_for_stop()
            made.wait_for(State.IDLE)
        yield made
        assert made.end() == 0, made.log.read_text()


@pytest.fixture
def log(bench: Bench, tmp_path: Path) -> Path:
    path = tmp_path / "unit.log.jsonl"
    done = overt_camera("log", "export", "--state", bench.state, "--run", bench.run, "--out", path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    wrote = json.loads(done.stdout)
    assert wrote["records"] == wrote["sealed"] > 10
    return path


def verify(bench: Bench, log: Path, *more: object) -> Said:
    return run("log", "verify", log, "--identity", bench.state / "identity.json", *more)


def test_a_units_log_is_whole_and_says_so(bench: Bench, log: Path) -> None:
    said = verify(bench, log)
    assert said.code == 0
    assert "whole: nothing was changed, added or taken out" in said.out
    found = verify(bench, log, "--json").json
    assert (found["whole"], found["fault"], found["unit"]) == (True, None, "unit-1")
    assert found["sealed"] == found["records"] == len(log.read_text().splitlines()) - found["checkpoints"] - 1


def test_the_first_bad_record_is_named(bench: Bench, log: Path) -> None:
    changed = log.read_text().replace('\\"made\\":', '\\"made\\":1', 1)
    (number,) = [at for at, line in enumerate(changed.splitlines(), 1) if '\\"made\\":1' in line][:1]
    record = json.loads(changed.splitlines()[number - 1])["position"]
    log.write_text(changed)
    said = verify(bench, log)
    assert said.code == 1
    assert f"bad from record {record} on (in line {number})" in said.out
    assert verify(bench, log, "--json").json["fault"]["record"] == record


def test_a_log_that_was_cut_short_on_the_unit_is_found_by_a_receipt_that_the_office_kept(
    bench: Bench, log: Path, tmp_path: Path
) -> None:
    (tmp_path / "order").write_bytes(bench.order().data)
    kept = tmp_path / "receipt.json"
    overt_camera("deliver", "cancel", tmp_path / "order", "--run", bench.run, "--receipt", kept)
    assert verify(bench, log, "--kept", kept).code == 1, "this export was made before that receipt"
    newer = tmp_path / "newer.jsonl"
    overt_camera("log", "export", "--state", bench.state, "--run", bench.run, "--out", newer)
    assert verify(bench, newer, "--kept", kept).code == 0
    refused(verify(bench, newer, "--kept", bench.state / "charter.json"), 2, "charter.json", "found a charter")


def test_the_log_of_another_unit_is_not_this_ones(bench: Bench, log: Path, tmp_path: Path) -> None:
    other = json.loads((bench.state / "identity.json").read_text()) | {"key": "0" * 64}
    (tmp_path / "identity.json").write_text(json.dumps(other))
    said = run("log", "verify", log, "--identity", tmp_path / "identity.json")
    assert said.code == 1
    assert "another key" in said.out


def test_the_story_of_a_deployment_is_told_in_plain_words(bench: Bench, log: Path) -> None:
    said = run("log", "show", log, "--identity", bench.state / "identity.json")
    assert said.code == 0
    told = re.sub(r"^ +\d\d:\d\d:\d\d +\d+  ", "", said.out, flags=re.MULTILINE).splitlines()
    expected = [
        "Between deployments",
        "The unit started (version ",
        "Refused a document (order ",
        "Deployment under the order ",
        "Accepted the order ",
        "Took the watchlist ",
        "Began to compare the camera's stream with the watchlist ",
        "RECOGNISING, lamp lit.",
        "Alert 1 (a possible match) to the control rooms of the order: ",
        "Paused: nothing is recognised because it is not where the order says, or cannot tell.",
        "Templates of passers-by: 7 made, 7 wiped.",
        "RECOGNISING, lamp lit.",
        "An officer cancelled the order ",
        "The deployment ",
        "Erasing: nothing is recognised any more.",
        "Erased everything of the deployment ",
        "  In all: 1 alert; ",
        "Between deployments",
        "Idle: nothing is in hand.",
        "whole: ",
    ]
    rest = iter(told)
    for words in expected:
        assert any(line.startswith(words) for line in rest), f"{words!r} is missing, or out of order, in {said.out}"
    assert "ended because an officer cancelled it; erased and certified" in said.out


def test_one_deployment_alone_can_be_told(bench: Bench, log: Path) -> None:
    whole = run("log", "show", log, "--identity", bench.state / "identity.json", "--json").json
    (order,) = {chapter["order"] for chapter in whole["story"] if chapter["order"]}
    one = run("log", "show", log, "--identity", bench.state / "identity.json", "--order", order[:8])
    assert one.code == 0
    assert "Between deployments" not in one.out
    refused(
        run("log", "show", log, "--identity", bench.state / "identity.json", "--order", "nonsense"),
        2,
        "expected a deployment under the order nonsense",
    )


def test_of_a_bad_log_the_good_part_is_told_and_the_rest_named(bench: Bench, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:6], *lines[7:]]))
    said = run("log", "show", log, "--identity", bench.state / "identity.json")
    assert said.code == 1
    assert "NOT WHOLE: bad from record" in said.out
    assert "Erased everything" not in said.out


def test_every_event_can_be_told() -> None:
    assert set(story._TOLD) == set(Event)
    assert set(story._ACTS) == set(Act)


def test_nothing_about_anyone_is_in_it(log: Path) -> None:
    text = log.read_text()
    assert "volunteer-1" not in text
    assert "score" not in text


def test_without_a_warden_the_log_comes_off_all_the_same(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    done = overt_camera("log", "export", "--state", bench.state, "--run", tmp_path, "--out", path)
    assert done.returncode == 0
    assert "without a fresh checkpoint" in done.stderr
    assert verify(bench, path).code == 0


@pytest.mark.parametrize("what", ["nothing", "damaged"])
def test_what_is_no_log_is_one_clear_error_and_no_file(bench: Bench, tmp_path: Path, what: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    if what == "damaged":
        (state / "identity.json").write_bytes((bench.state / "identity.json").read_bytes())
        (state / "warden.db").write_bytes(b"SQLite format 3\0" + b"junk" * 1000)
    done = overt_camera("log", "export", "--state", state, "--run", bench.run, "--out", tmp_path / "log.jsonl")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "log.jsonl").exists()
    if what == "damaged":
        with pytest.raises(sqlite3.DatabaseError):
            sqlite3.connect(state / "warden.db").execute("SELECT * FROM audit")
