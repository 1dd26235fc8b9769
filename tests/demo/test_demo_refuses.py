"""Bad input to the demonstration: one clear line, an exit code, nothing started, nothing left."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.test_house import ROOT

MODELS, SCENE = ROOT / "build" / "models", ROOT / "build" / "demo" / "scene.mp4"
TOOL = Path(sys.executable).parent / "overt-tools"
needs_models = pytest.mark.skipif(not (MODELS / "catalogue.toml").exists(), reason="needs the models: 'make models'")
needs_scene = pytest.mark.skipif(not SCENE.exists(), reason="needs the footage: 'make footage'")


def demo(work: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(TOOL), "demo", "--work", str(work / "work"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=ROOT)


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def running_in(work: Path) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(work) in command:
            found.append(command)
    return found


def test_missing_footage(tmp_path: Path) -> None:
    done = demo(tmp_path, "--scene", tmp_path / "none.mp4", "--models", tmp_path)
    assert_refused(done, 3, "none.mp4", "make footage")


def test_missing_models(tmp_path: Path) -> None:
    done = demo(tmp_path, "--models", tmp_path / "none")
    assert_refused(done, 3, "none", "make models")


@needs_models
@needs_scene
def test_a_changed_model_file_is_named_with_both_digests(tmp_path: Path) -> None:
    shutil.copytree(MODELS, tmp_path / "models")
    with (tmp_path / "models" / "edgeface-s.tflite").open("ab") as file:
        file.write(b"x")
    done = demo(tmp_path, "--models", tmp_path / "models", "--scene", SCENE)
    assert_refused(done, 3, "edgeface-s.tflite", "expected", "found")
    assert not (tmp_path / "work").exists()


@needs_models
@needs_scene
@pytest.mark.parametrize("damage", ["cut", "text", "other"])
def test_damaged_footage(tmp_path: Path, damage: str) -> None:
    shutil.copy(SCENE.with_suffix(".json"), tmp_path / "scene.json")
    content = {"cut": SCENE.read_bytes()[:200_000], "text": b"not a video", "other": bytes(10_000)}[damage]
    (tmp_path / "scene.mp4").write_bytes(content)
    done = demo(tmp_path, "--scene", tmp_path / "scene.mp4")
    assert_refused(done, 3, "scene.mp4", "make footage")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("minutes", ["0", "1441", "soon"])
def test_an_absurd_window(tmp_path: Path, minutes: str) -> None:
    (tmp_path / "models").mkdir()
    done = demo(tmp_path, "--minutes", minutes, "--models", tmp_path / "models", "--scene", tmp_path / "models")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@needs_models
@needs_scene
def test_two_at_once_in_one_folder_the_second_is_told_who_is_there(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as lock:
        lock.write("4711")
        lock.flush()
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        assert_refused(demo(tmp_path), 3, "4711", "--work")
    assert not (tmp_path / "work").exists()


@needs_models
@needs_scene
def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = demo(tmp_path, "--port", str(port))
    assert_refused(done, 3, str(port), "taken")
    assert running_in(tmp_path) == []
    assert not (tmp_path / "work" / "office").exists(), "keys are removed"


@pytest.mark.slow
@needs_models
@needs_scene
@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", [0.4, 1.5, 3.0, 5.0, 8.0, 14.0])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ended_at_any_moment_no_process_is_left_and_the_next_one_starts_clean(
    tmp_path: Path, after: float, number: signal.Signals
) -> None:
    command = [str(TOOL), "demo", "--work", str(tmp_path / "work")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(after)
    running.send_signal(number)
    output, _ = running.communicate(timeout=60)
    deadline = time.monotonic() + 5
    while running_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running_in(tmp_path) == []
    assert "Traceback" not in output
    if number is not signal.SIGKILL:
        assert not (tmp_path / "work" / "office").exists(), output
    again = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert again.stdout is not None
    for line in again.stdout:
        if "RECOGNISING" in line:
            break
    again.send_signal(signal.SIGINT)
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert output.strip().splitlines()[-1].startswith("demo: ")


@pytest.mark.slow
@needs_models
@needs_scene
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
@pytest.mark.parametrize("kilobytes", [60, 150, 250, 400, 600])
def test_a_full_disk_is_one_clear_line_whenever_it_fills(tmp_path: Path, kilobytes: int) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(small)], check=True)
    try:
        done = demo(small, "--once")
        if done.returncode != 0:
            assert done.returncode in (1, 3)
            assert "Traceback" not in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert running_in(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)
