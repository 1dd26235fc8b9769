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
from overt.runtime import cli
from overt.warden.inspection import Measured, judge
from overt_provisioning.common import read_identity
from overt_provisioning.unit.acceptance import in_words
from tests.provisioning import pictures
from tests.provisioning.office import PASSPHRASE, STILLS, Office, row, run, write_manifest
from tests.provisioning.test_unit_commands import Bench
from tests.provisioning.test_watchlist import needs_models
from tests.simulators.terminal import Terminal
from tests.stage import blocks
from tests.test_house import ROOT
from tests.vision.daemon import MODELS, start
from tests.warden.test_inspection import WELL

GUIDE = (ROOT / "docs" / "technician-guide.md").read_text()
SCENE = ROOT / "build" / "demo" / "scene.mp4"
LINES = [line for block in blocks("technician-guide.md") for line in block if line.startswith("overt-provision unit ")]
KEYS = ("Passphrase", PASSPHRASE)
NETWORK = ("1-4:", "1")
LABEL = ("1-2:", "1")
NO_SWITCH = ("lid a switch", "1")
VARYING = {"network", "up for", "time", "clock"}
"""What machines differ in: of these the row is compared, and not what it says."""


def pictures_in_guide() -> list[str]:
    """Every line of the guide that shows what a terminal shows."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    plain_blocks = [block.splitlines() for language, block in found if not language]
    return [line for block in plain_blocks if not block[0].startswith("overt-") for line in block]


def plain(line: str) -> str:
    """A line without what differs from one time to the next: figures, codes, how far a meter is."""
    line = re.sub(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", "CODE", re.sub(r"[█░]+", "█", line))
    line = re.sub(r"\d[\d,.:-]*", "9", line).rstrip()
    line = re.sub(r"(px between the eyes), .*", r"\1", line)
    row = re.match(r"(?:ok|LOOK) +([a-z' ]+?)  ", line)
    return line[: row.end()].rstrip() if row and row[1] in VARYING else re.sub(r" +│$", "", line)


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
        typed = f"{line} --port {self.bench.unit.cable.laptop}"
        return self.terminal.type(typed, *answers, code=code, within_s=180)


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


def enrol_guided(technician: AtUnit) -> None:
    """Answer every question of `enrol`; it is the unit's second enrolment, which ends as the first did."""
    answers = (
        *(KEYS, ("HOST:PORT", "broker.force.example:8883"), ("1-3:", "1"), ("called", "Market square")),
        *(("latitude and longitude", "52.1356, -0.4669"), ("1-2:", "1"), ("CHIP:LAMP:READBACK", "")),
        *(NO_SWITCH, NETWORK),
    )
    line = f"overt-provision unit enrol --home office --port {technician.bench.unit.cable.laptop}"
    shown = technician.terminal.type(line, *answers)
    assert "--latitude 52.1356 --longitude=-0.4669 --indicator pinctrl-bcm2711:17:27" in " ".join(shown.split())


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_models
@pytest.mark.skipif(not SCENE.is_file(), reason="the footage is not built: run `make footage`")
def test_the_guide_from_a_blank_unit_to_a_blank_unit(technician: AtUnit, office: Office) -> None:
    bench = technician.bench
    assert "blank, of no force: enrol it" in technician.follow("status", KEYS, LABEL)
    said = technician.follow(
        "enrol --home office --unit unit-1 --broker broker.force.example:8883 --site", KEYS, LABEL, NO_SWITCH, NETWORK
    )
    assert "they never leave it" in said
    assert f"its code, for the label, is {unit_code(read_identity(bench.identity).key)}" in said
    enrol_guided(technician)
    shown = technician.follow("status", KEYS)
    for words in ("unit-1 of test-force", "idle: no order, nothing is recognised", "lamp"):
        assert words in shown
    assert "LOOK" in technician.follow("diagnose", KEYS, code=1)

    technician.follow("network --blank")
    technician.follow("network --home office network.toml", KEYS)
    shown = technician.follow("aim --home office --terminal", KEYS, ("face 2", "^C"))
    assert "nothing is recognised, nothing is kept" in shown
    shown = technician.follow("test", KEYS, code=1)  # there is no lamp on this bench
    assert "not accepted yet: acceptance/report.pdf, and the label in label.pdf" in shown
    named = re.findall(
        r"`(\w+\.(?:pdf|html|json))`", GUIDE[GUIDE.index("## Acceptance") : GUIDE.index("## The network")]
    )
    assert set(named) == {path.name for path in (office.base / "acceptance").iterdir()}

    menu = (("1-5:", "4"), ("A folder to make", ""))
    technician.terminal.type("overt-provision unit", *menu, code=cli.BAD_INPUT)  # for it is there already
    seen = {plain(line) for line in technician.terminal.seen.splitlines()}
    seen |= {plain(f"ok    {check.part.value:<11}  {in_words(check)}") for check in judge(Measured(**WELL))}
    assert not [line for line in pictures_in_guide() if plain(line) not in seen]

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
