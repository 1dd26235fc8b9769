"""Promise 1, attacked: one person who is listed and two who are not walk past a whole unit, one after another.

Then all of it is searched: every file of the unit's folders, every packet and message, every log, the memory of every
process, and what a crash leaves. That vision can neither write nor send, whatever it tries, is in
`tests/vision/test_sandbox.py`; the same search over real footage and models is in `tests/demo/test_demo.py`.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from overt.protocol import envelope
from overt.protocol.audit import Record, facts_of
from overt.protocol.messages import Progress
from overt.protocol.reports import Erasure, Health
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Kind, State
from tests.biometrics import has_template_text, image_in, templates_in
from tests.builders import make_cancellation, make_entry
from tests.promises.whole_unit import WholeUnit
from tests.recognition.synthetic import template_of, texture
from tests.simulators.warden import WardenSimulator
from tests.vision.daemon import ROOT
from tests.vision.memory_scan import count_in_memory, memory_of
from tests.vision.simulated_daemon import NOBODY, WAY

ROOT_USER = os.geteuid() == 0
looks_into_memory = pytest.mark.skipif(
    not ROOT_USER, reason="looking into another process's memory needs more rights: run the tests as root"
)
STRANGERS, LISTED = (7, 9), 8
ALIKE = 0.5  # cosine: of two pictures of one simulated person it is near 1, of two people near 0
FACES = [texture(person)[row].tobytes() for person in STRANGERS for row in range(0, 112, 8)]


@dataclass
class Walk:
    """What was seen of the unit while it recognised, and what it left behind."""

    unit: WholeUnit
    strangers_in_memory: dict[str, int]
    strangers_in_memory_after: dict[str, int]
    faces_in_memory: dict[str, int]
    listed_found: int
    files: dict[str, bytes]
    records: list[Record]


def strangers_in(data: bytes) -> int:
    """How many templates in some bytes are of a stranger's face, however noisy the picture was."""
    known = np.array([template_of(person) for person in STRANGERS])
    found = (np.frombuffer(template, "<f4") for template in templates_in(data))
    return sum(bool((known @ template > ALIKE).any()) for template in found)


def strangers_in_memory(unit: WholeUnit) -> dict[str, int]:
    if not ROOT_USER:
        return {}
    return {name: sum(map(strangers_in, memory_of(pid))) for name, pid in unit.pids().items()}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder, listed = tmp_path_factory.mktemp("p1"), template_of(LISTED).tobytes()
    unit = WholeUnit(folder)
    try:
        unit.start_vision(LISTED, *STRANGERS, NOBODY)
        order = unit.arm(make_entry(templates=(listed,)))
        unit.hear(lambda: frames(unit) > 3 * WAY)
        during = strangers_in_memory(unit)
        blind = ("warden", "uplink") if ROOT_USER else ()
        faces = {name: count_in_memory(unit.pids()[name], FACES) for name in blind}
        found = count_in_memory(unit.pids()["vision"], [listed]) if ROOT_USER else 0
        unit.deliver(Down.CANCEL, make_cancellation(unit.force, order.digest))
        unit.wait_for(State.IDLE)
        unit.hear(lambda: bool(certificates(unit)))
        after = strangers_in_memory(unit)
        roots = (folder, unit.run)
        files = {str(path): path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file()}
        yield Walk(unit, during, after, faces, found, files, unit.records())
    finally:
        unit.close()


def frames(unit: WholeUnit) -> int:
    healths = unit.on("health")
    return envelope.verify(healths[-1], Health, unit.identity.key).frames if healths else 0


def certificates(unit: WholeUnit) -> list[Erasure]:
    reports = [data for data in unit.on("receipt") if envelope.parse(data).kind is Kind.ERASURE]
    return [unit.erasure_in(data) for data in reports]


def test_p1_a_stranger_raises_no_alert_and_the_listed_person_does(walk: Walk) -> None:
    alerts = [walk.unit.alert_in(payload) for payload in walk.unit.on("alert")]
    assert {alert.entry for alert in alerts} == {"volunteer-1"}
    assert [alert.sequence for alert in alerts] == list(range(1, len(alerts) + 1))


def test_p1_the_search_finds_what_is_there() -> None:
    """A stranger's template, of a noisy picture, in the midst of other bytes."""
    noise = np.random.default_rng(3)
    shaken = template_of(STRANGERS[0]) + noise.normal(scale=0.02, size=128).astype(np.float32)
    shaken /= np.linalg.norm(shaken)
    assert strangers_in(noise.bytes(999) + shaken.astype("<f4").tobytes() + noise.bytes(999)) == 1
    assert strangers_in(template_of(LISTED).tobytes()) == 0


@looks_into_memory
def test_p1_the_search_finds_the_listed_persons_template_in_vision_while_it_is_needed(walk: Walk) -> None:
    assert walk.listed_found == 1


@looks_into_memory
@pytest.mark.parametrize("name", ["warden", "vision", "uplink"])
def test_p1_no_template_of_a_stranger_is_in_memory(name: str, walk: Walk) -> None:
    assert walk.strangers_in_memory[name] == 0, "the unit still recognises, and they have just gone"
    assert walk.strangers_in_memory_after[name] == 0


@looks_into_memory
def test_p1_no_picture_is_in_the_memory_of_whoever_is_not_vision(walk: Walk) -> None:
    assert walk.faces_in_memory == {"warden": 0, "uplink": 0}


def assert_clean(data: bytes) -> None:
    assert list(templates_in(data)) == []
    assert not has_template_text(data)
    assert not any(face in data for face in FACES)
    assert image_in(data) is None


def test_p1_no_file_holds_a_template_or_a_picture(walk: Walk) -> None:
    assert any(name.endswith("warden.db") for name in walk.files)
    assert any(name.endswith("vision.log") for name in walk.files)
    for data in walk.files.values():
        assert_clean(data)


def test_p1_no_packet_and_no_message_holds_a_template_or_a_picture(walk: Walk) -> None:
    assert len(walk.unit.said) > 20
    for data in walk.unit.said:
        assert_clean(data)


def test_p1_every_template_that_was_made_was_wiped_and_counted(walk: Walk) -> None:
    counted = [facts_of(record) for record in walk.records if record.event == "templates.wiped"]
    made = sum(int(fact["made"] or 0) for fact in counted)
    assert made == sum(int(fact["wiped"] or 0) for fact in counted)
    (certificate,) = certificates(walk.unit)
    assert (certificate.templates_made, certificate.templates_wiped) == (made, made)
    assert made >= 3, "one at least of each of the three people"


# Swap and core dumps


def vm_flags(pid: int, name: str) -> set[str]:
    """The kernel's flags of a mapping (proc_pid_smaps(5)): lo is locked, dd is kept out of core dumps."""
    regions = Path(f"/proc/{pid}/smaps").read_text().split("VmFlags:")
    flags = [after.splitlines()[0] for before, after in pairwise(regions) if name in before]
    assert flags, f"{name} is not mapped"
    return set.intersection(*(set(line.split()) for line in flags))


@dataclass
class Doomed:
    """Vision in the midst of recognition, allowed by its shell to leave a core of any size."""

    process: "subprocess.Popen[bytes]"
    folder: Path


def unlimited() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def crash(process: "subprocess.Popen[bytes]") -> bool:
    """End a process as a fault in it would; say whether the kernel wrote its memory down."""
    process.send_signal(signal.SIGSEGV)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGSEGV
    return os.WCOREDUMP(status)


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Doomed]:
    with WardenSimulator(tmp_path) as warden:
        command = [sys.executable, "-m", "tests.vision.simulated_daemon", str(tmp_path), str(STRANGERS[0])]
        (tmp_path / "here").mkdir()
        process = subprocess.Popen(
            command,
            cwd=tmp_path / "here",
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))},
            stderr=subprocess.DEVNULL,
            preexec_fn=unlimited,  # noqa: PLW1509 - no other thread runs here
        )
        try:
            warden.accept()
            warden.begin(template_of(LISTED))
            while warden.wait_for(Progress).templates_made < 1:
                pass
            yield Doomed(process, tmp_path / "here")
        finally:
            process.kill()
            process.wait()


def test_p1_a_crash_in_the_midst_of_recognition_leaves_no_core(doomed: Doomed) -> None:
    control = subprocess.Popen(["sleep", "60"], cwd=doomed.folder, preexec_fn=unlimited)  # noqa: PLW1509 - as above
    dumps = crash(control)
    for left in doomed.folder.iterdir():
        left.unlink()
    if not dumps:
        pytest.skip("this machine writes no cores at all, so it cannot be shown that vision leaves none")
    assert not crash(doomed.process)
    assert list(doomed.folder.iterdir()) == []


@looks_into_memory
def test_p1_the_gallery_is_locked_in_memory_and_left_out_of_dumps(doomed: Doomed) -> None:
    assert vm_flags(doomed.process.pid, "memfd:gallery") >= {"lo", "dd"}


@looks_into_memory
def test_p1_nothing_of_vision_can_be_swapped_out_where_that_may_be_asked_for(doomed: Doomed) -> None:
    """By a user too, where the supervisor allows it (`LimitMEMLOCK=infinity`)."""
    assert vm_flags(doomed.process.pid, "[heap]") >= {"lo"}
