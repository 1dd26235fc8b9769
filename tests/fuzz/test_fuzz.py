"""A million documents that nobody would write: never a crash, never half accepted, one clear error."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.protocol.topics import Down
from tests.fuzz import targets
from tests.test_house import ROOT
from tests.warden.desk_bench import DeskBench

RUNS = 1_000_000
SIGNED_RUNS = 20_000


@given(st.binary(max_size=2000) | st.text(max_size=500).map(str.encode))
def test_any_bytes_are_refused_in_one_clear_line(data: bytes) -> None:
    targets.feed(data)
    targets.feed_sealed(data)


@given(st.sampled_from(list(targets.SEEDS.values())), st.data())
def test_a_damaged_document_is_refused_in_one_clear_line(whole: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    length = data.draw(st.integers(0, 20))
    targets.feed(whole[:at] + data.draw(st.binary(max_size=20)) + whole[at + length :])


@given(st.integers(0, 2**64))
def test_lawfully_signed_nonsense_is_refused_or_wholly_lawful(seed: int) -> None:
    targets.judge(targets.resigned(seed))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=20), st.lists, max_leaves=20))
def test_any_json_in_a_signed_envelope_is_refused(value: object) -> None:
    for kind in targets.SEEDS:
        targets.judge(targets.sign_payload(kind, json.dumps(value).encode()))


def test_the_deepest_nesting_is_refused() -> None:
    for text in (b"[" * 100_000, b'{"a":' * 100_000, b'{"payload":' + b"[" * 100_000):
        targets.feed(text)
        targets.judge(targets.sign_payload(next(iter(targets.SEEDS)), text))


def kept(bench: DeskBench) -> dict[Path, bytes]:
    """Every file of the unit's but its database."""
    files = (path for path in bench.state.rglob("*") if path.is_file() and "warden.db" not in path.name)
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("leaf", list(Down))
def test_a_refused_document_leaves_no_trace_but_its_record_and_receipt(tmp_path: Path, leaf: Down) -> None:
    bench = DeskBench(tmp_path)
    bench.arm()
    before = kept(bench)
    records, waiting = len(bench.log), len(bench.outbox("receipt"))
    for seed in range(12):
        assert not bench.give(leaf, targets.resigned(seed)).accepted
    assert kept(bench) == before
    new = bench.log[records:]
    assert [record.event for record in new] == ["document.refused"] * 12
    assert len(bench.outbox("receipt")) == waiting + 12
    bench.close()


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine")
def test_a_million_inputs_guided_by_coverage(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.explorer", str(tmp_path), str(RUNS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
    assert not [path for path in tmp_path.iterdir() if path.is_file()], "no crash was kept"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_thousand_lawfully_signed_documents_that_were_altered() -> None:
    for seed in range(SIGNED_RUNS):
        targets.judge(targets.resigned(seed))
