"""`overt-tools bench`: what it measures on, what it refuses, and that the unit's own pipeline is what is measured."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from overt.recognition import pipeline
from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, run
from overt_tools.bench import results
from overt_tools.bench.command import kept
from overt_tools.bench.live import resident
from overt_tools.bench.peak import Peak
from overt_tools.bench.peers import setup
from overt_tools.bench.searching import invented, measure_searches
from overt_tools.bench.stages import Stopwatch
from overt_tools.bench.truth import WIDTHS
from overt_tools.cli import parser
from tests.test_house import ROOT

MODELS, SCENE, CACHE = ROOT / "build" / "models", ROOT / "build" / "demo" / "scene.mp4", ROOT / "build" / "cache"
needs_models = pytest.mark.skipif(not (MODELS / "catalogue.toml").exists(), reason="needs the models (make models)")
needs_footage = pytest.mark.skipif(not SCENE.exists(), reason="needs the footage (make footage)")


def bench(*arguments: str | Path) -> int:
    return run(parser(), ["bench", *map(str, arguments)])


@pytest.mark.parametrize("kind", ["pipeline", "embed", "match", "latency", "memory", "peers"])
def test_without_models_nothing_is_measured(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(kind, "--models", tmp_path / "none") == UNAVAILABLE
    assert "found nothing: run 'make models'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["pipeline", "latency", "memory", "peers"])
def test_without_footage_nothing_is_measured(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(kind, "--models", tmp_path, "--scene", tmp_path / "none.mp4") == UNAVAILABLE
    assert "found nothing: run 'make footage'" in capsys.readouterr().err


def test_a_folder_without_a_catalogue_is_no_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("embed", "--models", tmp_path, "--work", tmp_path) == UNAVAILABLE
    assert "found no catalogue there" in capsys.readouterr().err


def test_an_unknown_peer_a_core_that_is_not_there_and_no_time_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = ("--models", tmp_path, "--scene", tmp_path)
    assert bench("peers", *here, "--peers", "nobody") == BAD_INPUT
    assert "expected peers among face_recognition, human, centerface, found 'nobody'" in capsys.readouterr().err
    assert bench("match", *here, "--core", "4000") == BAD_INPUT
    assert "expected --core among" in capsys.readouterr().err
    assert bench("match", *here, "--seconds", "0") == BAD_INPUT
    assert "expected --seconds above 0" in capsys.readouterr().err


def test_a_report_without_results_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("report", "--work", tmp_path) == UNAVAILABLE
    assert "overt-tools bench pipeline" in capsys.readouterr().err


def test_a_peer_without_npm_is_not_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(ROOT)
    human = next(peer for peer in setup.PEERS if peer.name == "human")
    with pytest.raises(setup.CannotSetUp, match="expected npm and node"):
        setup.set_up(human, tmp_path, tmp_path / "sface.onnx", lambda _: None)
    assert not (tmp_path / "human").exists()


def test_every_peers_packages_are_pinned_by_digest() -> None:
    for peer in setup.PEERS:
        pins = ROOT / setup.REQUIREMENTS / peer.pins
        if pins.is_dir():
            packages = json.loads((pins / "package-lock.json").read_text())["packages"]
            assert all("integrity" in row for name, row in packages.items() if name)
        else:
            rows = [row for row in pins.read_text().replace("\\\n", "").splitlines() if not row.startswith("#")]
            assert all("==" in row and "--hash=sha256:" in row for row in rows)


def test_invented_people_are_the_same_each_time_and_belong_to_nobody() -> None:
    gallery = invented(50, 32)
    assert np.array_equal(gallery.matrix, invented(50, 32).matrix)
    assert list(gallery.entry) == list(range(50))


def test_a_search_counts_the_bytes_that_it_reads() -> None:
    found = measure_searches(64, sizes=(10, 1000), seconds=0.01, peak=Peak(50.0, None, 14.0))
    assert [row.bytes for row in found.searches] == [10 * 64 * 4, 1000 * 64 * 4]


def test_the_stopwatch_leaves_the_pipeline_as_it_was() -> None:
    before = (pipeline.align, pipeline.decode, pipeline.Tracker, pipeline.search_all)
    watch = Stopwatch()
    with watch.watching():
        assert pipeline.align is not before[0]
        assert issubclass(pipeline.Tracker, before[2])
    assert (pipeline.align, pipeline.decode, pipeline.Tracker, pipeline.search_all) == before


def test_resident_memory_is_read_from_the_kernel() -> None:
    rss, pss = resident(os.getpid())
    assert rss > 10
    assert pss is None or 0 < pss <= rss + 1


@needs_models
def test_networks_are_measured_in_a_process_of_their_own_and_kept_for_the_report(tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    assert bench("embed", "--models", MODELS, "--work", tmp_path, "--seconds", "0.02", "--json", copy) == OK
    outcome = results.read(kept(tmp_path, "embed"))
    assert results.read(copy) == outcome
    assert outcome.environment.pinned in os.sched_getaffinity(0)
    assert isinstance(outcome.result, results.Networks)
    assert {network.role for network in outcome.result.networks if network.used} == {"detector", "embedder"}
    assert all(network.multiply_adds > 10**7 for network in outcome.result.networks)
    assert outcome.environment.models


@needs_models
@needs_footage
def test_the_size_chart_shows_each_width_as_often_and_its_truth_is_where_the_faces_are() -> None:
    from overt_tools.bench.footage import PAGE_PICTURES, chart_pictures, crowd_plan
    from overt_tools.scene.build import find_faces
    from overt_tools.scene.supply import supply

    studio = supply(MODELS, CACHE, None, lambda _: None)
    plan = crowd_plan(studio)
    assert len({passage.id for passage in plan.passages}) == 6
    assert sum(passage.listed for passage in plan.passages) == 3
    pages = list(chart_pictures(plan, find_faces(plan, studio), pages=1))
    assert len(pages) == PAGE_PICTURES
    picture, shown = pages[-1]
    assert picture.shape == (1620, 1920)
    assert sorted(face.box[2] for face in shown) == sorted([float(width) for width in WIDTHS] * 4)
    for face in shown:
        left, top, width, height = face.box
        assert 0 <= left < left + width <= 1920
        assert 0 <= top < top + height <= 1080


@pytest.mark.slow
@pytest.mark.timeout(900)
@needs_models
@needs_footage
def test_a_peer_is_set_up_and_measured_beside_overt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert bench("peers", "--peers", "human", "--work", tmp_path, "--thinner", "4") == OK
    outcome = results.read(kept(tmp_path, "peers"))
    assert isinstance(outcome.result, results.Peers)
    found = {row.name: row for row in outcome.result.contenders}
    assert set(found) | set(outcome.result.missing) == {"overt", "overt-each-face", "human"}
    assert found["overt"].recognition.recognised > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@needs_models
@needs_footage
def test_the_pipeline_is_measured_by_stage_and_by_people_in_view(tmp_path: Path) -> None:
    assert bench("pipeline", "--models", MODELS, "--scene", SCENE, "--cache", CACHE, "--work", tmp_path) == OK
    result = results.read(kept(tmp_path, "pipeline")).result
    assert isinstance(result, results.Pipeline)
    empty, street, crowd, chart = result.scenes
    assert empty.ms.mean < 0.5 * street.ms.mean
    assert empty.false_detections == 0
    assert street.recognition.recognised == street.recognition.passages
    assert max(group.people for group in crowd.in_view) == 6
    assert next(row for row in chart.by_size if row.width == 80).found > 0
    assert sum(stage.share for stage in street.stages) == pytest.approx(1, abs=0.01)
