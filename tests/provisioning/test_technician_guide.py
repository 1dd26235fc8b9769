"""docs/technician-guide.md, followed word by word at a blank unit: what is to be typed, and what will be seen."""

import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from overt.protocol.code import unit_code
from overt.recognition import catalogue
from overt_provisioning.common import read_identity
from tests.provisioning import pictures
from tests.provisioning.office import PASSPHRASE, STILLS, Office, row, run, write_manifest
from tests.provisioning.test_unit_commands import Bench
from tests.provisioning.test_watchlist import needs_models
from tests.simulators.terminal import Terminal
from tests.stage import blocks
from tests.test_house import ROOT
from tests.vision.daemon import MODELS, start

GUIDE = (ROOT / "docs" / "technician-guide.md").read_text()
SCENE = ROOT / "build" / "demo" / "scene.mp4"
LINES = [line for block in blocks("technician-guide.md") for line in block if line.startswith("overt-provision unit ")]
KEYS = ("Passphrase", PASSPHRASE)
NETWORK = ("1-4:", "1")
LABEL = ("1-2:", "1")


class Camera:
    """The camera's daemon, and the supervisor that starts it again."""

    def __init__(self, run_folder: Path) -> None:
        self._run, self._over = run_folder, threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._supervise)
        self._thread.start()

    def _supervise(self) -> None:
        while not self._over.is_set():
            with start(self._run, f"file:{SCENE}", "--loop", "--threads", "1") as process:
                self._process = process
                process.communicate()

    def end(self) -> None:
        self._over.set()
        assert self._process is not None
        self._process.kill()
        self._thread.join()


@dataclass
class AtUnit:
    """A technician at a terminal, with the guide in hand."""

    bench: Bench
    terminal: Terminal

    def follow(self, words: str, *answers: tuple[str, str], code: int = 0) -> str:
        """Type the guide's line that begins so. A laptop finds its port by itself; a test's is one of its own."""
        (line,) = {line for line in LINES if line.startswith(f"overt-provision unit {words}")}
        return self.terminal.type(f"{line} --port {self.bench.unit.cable.laptop}", *answers, code=code)


@pytest.fixture
def technician(office: Office, tmp_path: Path) -> Iterator[AtUnit]:
    bench = Bench(office, tmp_path / "unit")
    with bench.unit:
        camera = Camera(bench.unit.run)
        try:
            yield AtUnit(bench, Terminal(office.base))
        finally:
            camera.end()


def bring_papers(office: Office, bench: Bench) -> None:
    """What the office prepares once a unit has its identity: an order of two officers, and its end."""
    key = read_identity(bench.identity).key
    unit = type("Unit", (), {"public": key})()
    office.fill_in(unit, model=catalogue.parse((MODELS / "catalogue.toml").read_bytes()).find_set(None).digest)
    assert office.make().code == 0
    assert office.countersign().code == 0
    cancelled = office.keyed("cancel", "--order", office.order, "--out", office.base / "cancellation.json")
    assert cancelled.code == 0, cancelled


def bring_watchlist(office: Office) -> None:
    office.images.mkdir()
    (office.images / pictures.GOOD).write_bytes((STILLS / pictures.GOOD).read_bytes())
    write_manifest(office.manifest, [row(pictures.GOOD)])
    built = office.build(models=MODELS)
    assert built.code == 0, built


@pytest.mark.slow
@needs_models
@pytest.mark.skipif(not SCENE.is_file(), reason="the footage is not built: run `make footage`")
def test_the_guide_from_a_blank_unit_to_a_blank_unit(technician: AtUnit, office: Office) -> None:
    bench = technician.bench
    assert "blank, of no force: enrol it" in technician.follow("status", KEYS, LABEL)
    said = technician.follow(
        "enrol --home office --unit unit-1 --broker broker.force.example:8883 --site", KEYS, LABEL, NETWORK
    )
    assert "they never leave it" in said
    assert f"its code, for the label, is {unit_code(read_identity(bench.identity).key)}" in said
    shown = technician.follow("status", KEYS)
    for words in ("unit-1 of test-force", "idle: no order, nothing is recognised", "lamp"):
        assert words in shown
    assert "LOOK" in technician.follow("diagnose", KEYS, code=1)

    technician.follow("network --blank")
    technician.follow("network --home office network.toml", KEYS)
    shown = technician.follow("aim --home office --terminal", KEYS, ("focus", "^C"))
    assert "nothing is recognised, nothing is kept" in shown
    shown = technician.follow("test", KEYS, code=1)  # there is no lamp on this bench
    assert "not accepted yet: acceptance/report.pdf, and the label in label.pdf" in shown
    named = re.findall(
        r"`(\w+\.(?:pdf|html|json))`", GUIDE[GUIDE.index("## Acceptance") : GUIDE.index("## The network")]
    )
    assert set(named) == {path.name for path in (office.base / "acceptance").iterdir()}

    bring_papers(office, bench)
    technician.follow("deliver order", KEYS)
    bring_watchlist(office)
    technician.follow("deliver watchlist", KEYS)
    assert "a deployment" in technician.follow("status", KEYS) or "armed" in technician.terminal.seen
    technician.follow("deliver cancel", KEYS)
    technician.follow("receipts", KEYS)
    assert any("erasure" in path.name for path in (office.base / "receipts").iterdir())
    technician.follow("time", KEYS)
    technician.follow("log", KEYS)
    assert run("log", "verify", office.base / "unit-1.log.jsonl", "--identity", bench.identity).code == 0
    assert "no update was brought" in technician.follow("update --home", KEYS)

    technician.follow("decommission", KEYS, LABEL)
    assert "blank" in technician.follow("status", KEYS, LABEL)
    assert PASSPHRASE not in technician.terminal.seen
