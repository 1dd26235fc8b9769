"""The real command in its own process, with the real models: what it opens, what it forgets, how it ends."""

import os
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.protocol.messages import Began, Progress, Trouble
from overt.protocol.vocabulary import Cause, Doubt
from overt.recognition.arrays import Floats
from tests.simulators.warden import ORDER, WardenSimulator
from tests.vision.daemon import MODELS, outcome, start
from tests.vision.footage import make_video
from tests.vision.memory_scan import count_in_memory

needs_models = pytest.mark.skipif(
    not (MODELS / "catalogue.toml").is_file(), reason="the models are not built: run `make models`"
)
Starter = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def warden(tmp_path: Path) -> Iterator[WardenSimulator]:
    with WardenSimulator(tmp_path) as simulator:
        yield simulator


@pytest.fixture
def vision(tmp_path: Path) -> Iterator[Starter]:
    started = []

    def begin(source: str, *options: str) -> "subprocess.Popen[str]":
        started.append(start(tmp_path, source, *options))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=50, size=(640, 480))


def unit_rows(count: int) -> Floats:
    rows = np.random.default_rng(11).normal(size=(count, 128)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@needs_models
def test_p1_the_running_daemon_has_no_network_and_no_file_open_for_writing(
    warden: WardenSimulator, vision: Starter, clip: Path
) -> None:
    process = vision(f"file:{clip}", "--loop")
    warden.accept()
    warden.begin(*unit_rows(3))
    warden.wait_for(Began)
    proc = Path(f"/proc/{process.pid}")
    for task in (proc / "task").iterdir():
        status = (task / "status").read_text()
        assert "\nSeccomp:\t2\n" in status
        assert "\nNoNewPrivs:\t1\n" in status
    for entry in (proc / "fd").iterdir():
        info = (proc / "fdinfo" / entry.name).read_text()
        flags = int(next(line.split()[1] for line in info.splitlines() if line.startswith("flags:")), 8)
        if stat.S_ISREG(entry.stat().st_mode) and "memfd:" not in str(entry.readlink()):
            assert flags & os.O_ACCMODE == os.O_RDONLY, entry.readlink()
    sockets = {str(entry.readlink())[8:-1] for entry in (proc / "fd").iterdir() if "socket:" in str(entry.readlink())}
    assert len(sockets) == 1  # the warden's
    for family in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6", "packet", "netlink"):
        table = proc / "net" / family
        if table.exists():
            assert not sockets & {word for line in table.read_text().splitlines() for word in line.split()}
    limits = (proc / "limits").read_text().splitlines()
    assert next(line.split()[4:6] for line in limits if line.startswith("Max core file size")) == ["0", "0"]
    assert proc.stat().st_uid == 0  # undumpable: its entries in /proc belong to root, whoever runs it


@needs_models
def test_p3_after_stop_no_template_of_the_watchlist_is_left_anywhere_in_its_memory(
    warden: WardenSimulator, vision: Starter, clip: Path
) -> None:
    process = vision(f"file:{clip}", "--loop")
    warden.accept()
    rows = unit_rows(50)
    needles = [row.tobytes()[at : at + 32] for row in rows[::25] for at in (0, 480)]
    warden.begin(*rows)
    warden.wait_for(Progress)
    assert count_in_memory(process.pid, needles) == len(needles)
    cleared = warden.stop()
    assert cleared.frames > 5
    assert count_in_memory(process.pid, needles) == 0
    assert "memfd:gallery" not in Path(f"/proc/{process.pid}/maps").read_text()
    assert not any("memfd:gallery" in str(fd.readlink()) for fd in Path(f"/proc/{process.pid}/fd").iterdir())
    warden.begin(*rows)
    warden.wait_for(Began)


@needs_models
def test_p3_when_the_warden_is_killed_it_is_gone_within_a_second(
    warden: WardenSimulator, vision: Starter, clip: Path
) -> None:
    process = vision(f"file:{clip}", "--loop")
    warden.accept()
    warden.begin(*unit_rows(3))
    warden.wait_for(Began)
    warden.hang_up()
    before = time.monotonic()
    assert process.wait(5) == 75
    assert time.monotonic() - before < 1


@needs_models
def test_it_is_ready_within_three_seconds_and_ends_well_when_asked(
    warden: WardenSimulator, vision: Starter, clip: Path
) -> None:
    before = time.monotonic()
    process = vision(f"file:{clip}")
    hello = warden.accept()
    assert time.monotonic() - before < 3
    assert hello.model is not None
    process.terminate()
    assert process.wait(5) == 0


@needs_models
def test_the_supervisor_hears_that_it_is_ready_and_that_pictures_move(
    warden: WardenSimulator, vision: Starter, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        vision(f"file:{clip}", "--loop")
        warden.accept()
        heard = [supervisor.recv(100), supervisor.recv(100)]
        assert heard[1] == b"READY=1"
        warden.begin(*unit_rows(1))
        warden.wait_for(Progress)
        assert supervisor.recv(100) == b"WATCHDOG=1"  # sent by a process that is locked in


@needs_models
def test_on_a_blank_unit_it_waits_and_the_supervisor_is_told_that_all_is_well(
    vision: Starter, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blank unit's warden listens for nobody but a technician, for days."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(5)
        process = vision(f"file:{clip}")
        heard = [supervisor.recv(100) for _ in range(4)]
        assert heard == [b"READY=1\nSTATUS=waiting for the warden", *[b"WATCHDOG=1"] * 3]
        assert process.poll() is None
        with WardenSimulator(tmp_path) as warden:
            assert warden.accept().model is not None


@needs_models
def test_footage_that_ends_is_reported_and_the_daemon_goes_on(
    warden: WardenSimulator, vision: Starter, tmp_path: Path
) -> None:
    process = vision(f"file:{make_video(tmp_path / 'short.mp4', frames=10)}")
    warden.accept()
    warden.begin(*unit_rows(1))
    assert warden.wait_for(Trouble).detail == "the footage has ended"
    cleared = warden.stop()
    assert cleared.order == ORDER
    assert 1 <= cleared.frames <= 10
    assert process.poll() is None


@needs_models
@pytest.mark.parametrize(
    ("source", "words"),
    [("v4l2:/dev/null-camera", "is it plugged in?"), ("picamera2", "picamera2 cannot be loaded")],
)
def test_p10_a_camera_that_is_not_there_is_a_doubt_that_says_so_and_the_daemon_waits_for_it(
    source: str, words: str, warden: WardenSimulator, vision: Starter
) -> None:
    if source == "picamera2" and shutil.which("rpicam-hello"):
        pytest.skip("there is a Raspberry Pi camera here")
    process = vision(source)
    warden.accept()
    trouble = warden.wait_for(Trouble)
    assert (trouble.doubt, trouble.cause) == (Doubt.CAMERA, Cause.CAMERA_ABSENT)
    assert words in trouble.detail
    assert process.poll() is None


@needs_models
@pytest.mark.parametrize(
    ("source", "options", "code", "words"),
    [
        ("file:none.mp4", (), 3, "No such file"),
        ("file:/", (), 2, "a folder"),
        ("rtsp://user:canary-secret@host/", (), 2, "every user of this machine"),
        ("rtsp-file:none", (), 3, "cannot read the camera's address"),
        ("picamera2", ("--loop",), 2, "only footage can be looped"),
        ("webcam", (), 2, "expected a source as"),
        ("file:x", ("--size", "1x1"), 2, "found only"),
        ("file:x", ("--size", "large"), 2, "expected a size like"),
    ],
)
def test_a_source_that_cannot_be_used_gets_one_clear_line(
    source: str, options: tuple[str, ...], code: int, words: str, tmp_path: Path
) -> None:
    found, said = outcome(tmp_path, source, *options)
    assert found == code
    assert words in said
    assert "Traceback" not in said
    assert "canary-secret" not in said


@needs_models
def test_p10_a_changed_model_is_refused_with_both_digests(clip: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(MODELS, models)
    embedder = models / "edgeface-s.tflite"
    data = bytearray(embedder.read_bytes())
    data[-1] ^= 1
    embedder.write_bytes(data)
    code, said = outcome(tmp_path, f"file:{clip}", models=models)
    assert code == 2
    assert said.count("sha256") == 1
    assert "found" in said
    assert len([word for word in said.replace(",", " ").replace(":", " ").split() if len(word) == 64]) == 2


@needs_models
def test_p10_a_missing_model_and_a_missing_catalogue_are_said(clip: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    code, said = outcome(tmp_path, f"file:{clip}", models=models)
    assert (code, "cannot read the catalogue" in said) == (3, True)
    shutil.copy(MODELS / "catalogue.toml", models)
    code, said = outcome(tmp_path, f"file:{clip}", models=models)
    assert (code, "cannot open the model" in said) == (3, True)
    (models / "catalogue.toml").write_text("nonsense")
    code, said = outcome(tmp_path, f"file:{clip}", models=models)
    assert (code, "expected a catalogue" in said) == (2, True)
