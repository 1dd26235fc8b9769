"""The results files and the page of figures that is made from them."""

import argparse
from pathlib import Path

import msgspec
import pytest

from overt.runtime.cli import NEGATIVE, OK
from overt_tools.bench import document as doc
from overt_tools.bench import page, plots, report, results
from overt_tools.bench.document import Document
from overt_tools.bench.environment import record
from overt_tools.bench.errors import BenchError
from overt_tools.bench.finding import FoundBySize, Recognition
from overt_tools.bench.live import Latency, Live, Memory
from overt_tools.bench.networks import Network, Networks
from overt_tools.bench.peak import Peak
from overt_tools.bench.peers.outcome import Contender, Peers
from overt_tools.bench.pipeline import InView, Pipeline, Scene, Stage
from overt_tools.bench.searching import Search, Searches
from overt_tools.bench.stages import STAGES
from overt_tools.bench.statistics import spread
from tests.test_house import ROOT

DOCS = ROOT / "docs"
SOME = spread([1.0, 2.0, 4.0])
SIZES = [FoundBySize(20, 10, 2), FoundBySize(40, 10, 9)]


def contender(name: str, ms: float) -> Contender:
    return Contender(
        name, name.title(), "as it is", 0.5, 3, 40, spread([ms]), ms + 2, ms / 2, 1.0, SIZES, SIZES, 1,
        Recognition(3, 2, 4, 1), 100.0,
    )  # fmt: skip


def figures() -> dict[str, results.Result]:
    stages = [Stage(name, 0.5, 1 / len(STAGES)) for name in STAGES]
    scene = Scene(
        "street", "0" * 64, 3, SOME, SOME, stages, [InView(0, 2, SOME), InView(2, 1, SOME)], 5, SIZES, 0,
        Recognition(4, 4, 5, 0),
    )  # fmt: skip
    network = Network("finder", "detector", True, "int8", (960, 544), 0, 439_000_000, 1000, 2000, SOME, 20.0, 0.4, 0.1)
    peak = Peak(50.0, 200.0, 14.0)
    search = Search(20_000, 128, 10_240_000, SOME, SOME, 40.0, 2.8)
    latency = Latency(7, spread([50.0, 60.0]), SOME, SOME, SOME, [1.25])
    memory = [Memory("vision", True, 120.0, 130.0, 110.0, 115.0), Memory("broker", False, 9.0, 9.0, None, None)]
    return {
        "pipeline": Pipeline((960, 544), 2000, [scene]),
        "embed": Networks(peak, [network], {}),
        "match": Searches(peak, [search]),
        "live": Live([("street", 60.0, 7)], latency, memory, 110.0, 115.0, 120.0, 220),
        "peers": Peers((25, 8, 75), (60, 38, 10, 10), [contender("overt", 20.0), contender("face_recognition", 1000.0)],
                       {"human": "expected npm and node, found neither"}),
    }  # fmt: skip


def keep(folder: Path) -> None:
    for name, result in figures().items():
        results.write(folder / f"{name}.json", results.Outcome(1, record(0), 1.0, result))


def arguments(folder: Path, **changed: object) -> argparse.Namespace:
    known = {"work": folder, "docs": folder / "docs", "run": False, "check": False}
    return argparse.Namespace(**{**known, **changed})


@pytest.mark.parametrize("name", results.NAMES)
def test_a_results_file_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    keep(tmp_path)
    found = results.read(tmp_path / f"{name}.json")
    assert found.result == figures()[name]
    assert found.environment.pinned == 0


def test_a_results_file_of_another_format_is_refused(tmp_path: Path) -> None:
    keep(tmp_path)
    path = tmp_path / "match.json"
    content = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode({**content, "format": 2}))
    with pytest.raises(BenchError, match="measure again"):
        results.read(path)
    path.write_bytes(msgspec.json.encode({**content, "surprise": 1}))
    with pytest.raises(BenchError, match="surprise"):
        results.read(path)


def test_the_report_says_which_measurement_is_missing(tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "live.json").unlink()
    with pytest.raises(BenchError, match="overt-tools bench latency"):
        doc.collect(tmp_path)


def test_results_of_another_measurement_are_refused(tmp_path: Path) -> None:
    keep(tmp_path)
    (tmp_path / "match.json").write_bytes((tmp_path / "embed.json").read_bytes())
    with pytest.raises(BenchError, match="of other measurements"):
        doc.collect(tmp_path)


def test_the_report_writes_the_page_its_plots_and_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(tmp_path / "results")
    assert report.make(arguments(tmp_path)) == OK
    text = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "50x less" in text
    assert "90% against 90%" in text
    assert "| CPU time a picture of an empty street | a small fraction | 5% of one with six people |" in text
    assert "`human` is left out: expected npm and node" in text
    for link in [line.split("](")[1].rstrip(")") for line in text.splitlines() if line.startswith("![")]:
        assert (tmp_path / "docs" / link).exists(), link
    assert report.make(arguments(tmp_path, check=True)) == OK
    (tmp_path / "docs" / "benchmarks.md").write_text(text.replace("50x", "500x"))
    assert report.make(arguments(tmp_path, check=True)) == NEGATIVE
    assert "not as its data say" in capsys.readouterr().out


def test_the_same_data_give_the_same_page_and_plots(tmp_path: Path) -> None:
    keep(tmp_path)
    document = doc.collect(tmp_path)
    again = msgspec.json.decode(doc.encode(document), type=Document)
    assert page.write(document) == page.write(again)
    assert plots.draw(plots.PLOTS[0], document) == plots.draw(plots.PLOTS[0], again)


def test_the_page_of_figures_is_what_its_data_say() -> None:
    assert (DOCS / "benchmarks.md").read_text() == page.write(doc.load(DOCS / doc.DATA))


def test_the_pages_plots_stand_beside_its_data_and_hold_no_picture() -> None:
    for name in plots.PLOTS:
        assert "<image" not in (DOCS / doc.DATA.parent / name).read_text()
