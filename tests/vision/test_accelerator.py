"""An accelerator that works, refuses, hangs, crashes, lies or is missing: the same pictures are looked at."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.protocol.messages import Progress, Trouble
from overt.protocol.vocabulary import Engine
from overt.recognition.arrays import Bytes
from overt.recognition.engine import LiteRtDetector
from overt.vision import accelerator, models
from overt.vision.accelerator import Accelerated, disagrees
from tests.simulators.warden import WardenSimulator
from tests.vision import daemon
from tests.vision.daemon import MODELS
from tests.vision.footage import make_video
from tests.vision.memory_scan import count_in_memory

SOURCE = Path(__file__).parent / "delegates" / "delegate.c"
DETECTOR = MODELS / "yunet-640x352.tflite"
BEHAVIOURS = (
    "claims nothing",
    "computes zeros",
    "hangs at load",
    "crashes at load",
    "hangs when told",
    "crashes when told",
    "refuses",
    "hangs in a run",
)
COMPILER = shutil.which("cc")

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="no C compiler (cc): the delegates of these tests cannot be built"),
    pytest.mark.skipif(not DETECTOR.is_file(), reason=f"no models in {MODELS}: overt-tools models build"),
]

Build = Callable[[str], Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Compiles a delegate that behaves as is said."""

    def compiled(behaviour: str) -> Path:
        assert COMPILER is not None
        library, trigger = tmp_path / "delegate.so", tmp_path / "trigger"
        os.mkfifo(trigger)
        defines = [f"-DBEHAVIOUR={BEHAVIOURS.index(behaviour)}", f'-DTRIGGER="{trigger}"']
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-pthread", *defines, "-o", library, SOURCE], check=True, timeout=60
        )
        return library

    return compiled


@pytest.fixture(scope="module")
def cpu() -> LiteRtDetector:
    return LiteRtDetector(str(DETECTOR))


@pytest.fixture
def start(cpu: LiteRtDetector) -> Iterator[Callable[[Path | str], Accelerated]]:
    made: list[Accelerated] = []

    def started(library: Path | str) -> Accelerated:
        descriptor = os.open(DETECTOR, os.O_RDONLY | os.O_CLOEXEC)
        try:
            made.append(Accelerated(cpu, f"/proc/self/fd/{descriptor}", str(library)))
        finally:
            os.close(descriptor)
        return made[-1]

    yield started
    for one in made:
        if one._worker is not None:
            one._worker.close()


@pytest.fixture
def picture() -> Bytes:
    return np.random.default_rng(5).integers(0, 255, (352, 640, 3)).astype(np.uint8)


def lost(capsys: pytest.CaptureFixture[str]) -> list[str]:
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    return [found["detail"] for found in events if found["event"] == "accelerator.lost"]


def tell(library: Path) -> None:
    with (library.parent / "trigger").open("wb") as trigger:
        trigger.write(b"!")


def check_looks_by_itself(accelerated: Accelerated, cpu: LiteRtDetector, picture: Bytes) -> None:
    """It gives what the CPU gives, exactly, and says that it is the CPU."""
    assert disagrees(cpu.detect(picture), accelerated.detect(picture)) is None
    assert all(np.array_equal(one, other) for one, other in _pairs(accelerated, cpu, picture))
    assert accelerated.engine is Engine.FALLBACK
    accelerated.flush()


def _pairs(accelerated: Accelerated, cpu: LiteRtDetector, picture: Bytes) -> Iterator[tuple[object, object]]:
    expected, found = cpu.detect(picture), accelerated.detect(picture)
    assert set(found) == set(expected)
    return ((found[name], expected[name]) for name in expected)


def test_one_that_works_computes_in_a_process_of_its_own_that_is_locked_in(
    build: Build, start: Callable[[Path], Accelerated], cpu: LiteRtDetector, picture: Bytes
) -> None:
    accelerated = start(build("claims nothing"))
    assert accelerated.engine is Engine.ACCELERATOR
    assert accelerated.size == cpu.size
    for one, other in _pairs(accelerated, cpu, picture):
        assert np.allclose(one, other, atol=1e-3)  # type: ignore[call-overload]  # arrays
    assert accelerated._worker is not None
    child = Path(f"/proc/{accelerated._worker._process.pid}")
    status = dict(line.split(":\t", 1) for line in (child / "status").read_text().splitlines())
    assert (status["Seccomp"].strip(), status["NoNewPrivs"].strip()) == ("2", "1"), "locked in as its parent is"
    assert "delegate.so" in (child / "maps").read_text()
    assert "delegate.so" not in Path("/proc/self/maps").read_text()


def test_p1_nothing_of_a_picture_stays_in_the_memory_that_is_shared(
    build: Build, start: Callable[[Path], Accelerated], picture: Bytes
) -> None:
    accelerated = start(build("claims nothing"))
    accelerated.detect(picture)
    assert accelerated._worker is not None
    with accelerated._worker._memory.view as memory:
        assert not any(memory)
    accelerated.flush()
    assert accelerated.engine is Engine.ACCELERATOR


def test_p1_nothing_of_a_picture_stays_in_the_accelerators_process_once_it_has_to_forget(
    build: Build, start: Callable[[Path], Accelerated], picture: Bytes
) -> None:
    accelerated = start(build("claims nothing"))
    accelerated.detect(picture)
    assert accelerated._worker is not None
    pid = accelerated._worker._process.pid
    needles = [row[:16].astype(form).tobytes() for row in picture[::100] for form in (np.uint8, np.float32)]
    assert count_in_memory(pid, needles) > 0, "the search finds what is there"
    accelerated.flush()
    assert count_in_memory(pid, needles) == 0
    assert accelerated.engine is Engine.ACCELERATOR


@pytest.mark.parametrize("wrong", [0.0, 5.0, float("nan")])
def test_other_numbers_than_the_processors_are_no_agreement(wrong: float) -> None:
    expected = {"kps_8": np.full((10, 2), 2.0, np.float32)}
    rounded = {"kps_8": expected["kps_8"] + np.float32(0.01)}
    assert disagrees(expected, rounded) is None
    rounded["kps_8"][3, 1] = wrong
    assert disagrees(expected, rounded) == "kps_8"


def test_it_ends_with_its_parent(build: Build, start: Callable[[Path], Accelerated]) -> None:
    worker = start(build("claims nothing"))._worker
    assert worker is not None
    worker._line.shutdown(2)  # what the kernel does for a parent that died
    assert worker._process.wait(10) == 0


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("refuses", "no device"),
        ("crashes at load", "its process died"),
        ("hangs at load", "it hangs"),
        ("hangs in a run", "it hangs"),
        ("computes zeros", "something else in"),
    ],
)
def test_one_that_fails_at_its_start_leaves_everything_to_the_cpu(
    behaviour: str,
    words: str,
    build: Build,
    start: Callable[[Path], Accelerated],
    cpu: LiteRtDetector,
    picture: Bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if words == "it hangs":
        monkeypatch.setattr(accelerator, "READY_S", 1.5)
    accelerated = start(build(behaviour))
    (detail,) = lost(capsys)
    assert words in detail
    check_looks_by_itself(accelerated, cpu, picture)


@pytest.mark.parametrize("library", ["missing.so", "wrong.so", "libc.so.6"])
def test_a_library_that_is_missing_or_another_one_leaves_everything_to_the_cpu(
    library: str,
    start: Callable[[Path | str], Accelerated],
    cpu: LiteRtDetector,
    picture: Bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "wrong.so").write_bytes(b"this is no library")
    accelerated = start(library if library == "libc.so.6" else tmp_path / library)
    (detail,) = lost(capsys)
    assert detail.startswith("expected a LiteRT delegate in ")
    check_looks_by_itself(accelerated, cpu, picture)


@pytest.mark.parametrize(
    ("behaviour", "words"), [("hangs when told", "it hangs"), ("crashes when told", "its process died")]
)
def test_one_that_fails_in_the_middle_loses_no_picture(
    behaviour: str,
    words: str,
    build: Build,
    start: Callable[[Path], Accelerated],
    cpu: LiteRtDetector,
    picture: Bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    library = build(behaviour)
    accelerated = start(library)
    assert accelerated.engine is Engine.ACCELERATOR
    accelerated.detect(picture)
    tell(library)
    _wait_until_it_is_so(accelerated)
    check_looks_by_itself(accelerated, cpu, picture)
    (detail,) = lost(capsys)
    assert words in detail or "its process is gone" in detail


def _wait_until_it_is_so(accelerated: Accelerated) -> None:
    """Wait until its process has died or stopped."""
    assert accelerated._worker is not None
    process = accelerated._worker._process
    deadline = time.monotonic() + 10
    while process.poll() is None and " (stopped)" not in Path(f"/proc/{process.pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_p6_the_digest_that_an_order_names_is_the_same_on_the_accelerator_and_without_it(build: Build) -> None:
    chosen = models.choose(MODELS, (640, 352))
    alone = models.load(MODELS, chosen, 1)
    with_one = models.load(MODELS, chosen, 1, str(build("claims nothing")))
    assert alone.digest == with_one.digest == chosen.digest
    assert isinstance(with_one.detector, Accelerated)
    assert with_one.detector.engine is Engine.ACCELERATOR
    assert type(with_one.embedder) is type(alone.embedder), "templates are made by the processor alone"
    assert with_one.detector._worker is not None
    with_one.detector._worker.close()


def test_p6_the_accelerator_computes_the_file_that_was_checked_and_not_one_put_in_its_place(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    shutil.copytree(MODELS, folder)
    chosen = models.choose(folder, (640, 352))
    given: list[str] = []
    real = accelerator.Worker.__init__

    def swapped(self: accelerator.Worker, model_path: str, library: str, layout: accelerator.Layout) -> None:
        given.append(Path(model_path).resolve().name)
        (folder / chosen.detector.file).unlink()
        (folder / chosen.detector.file).write_bytes(b"another model")
        real(self, model_path, library, layout)

    monkeypatch.setattr(accelerator.Worker, "__init__", swapped)
    loaded = models.load(folder, chosen, 1, str(build("claims nothing")))
    assert isinstance(loaded.detector, Accelerated)
    assert loaded.detector.engine is Engine.ACCELERATOR, "it has loaded the one that was open"
    assert given == [chosen.detector.file]
    assert loaded.detector._worker is not None
    loaded.detector._worker.close()


@pytest.mark.slow
def test_the_running_daemon_goes_on_recognising_when_its_accelerator_dies_and_says_so(
    build: Build, tmp_path: Path
) -> None:
    library, clip = build("crashes when told"), make_video(tmp_path / "clip.mp4", frames=50, size=(640, 480))
    run = tmp_path / "run"
    run.mkdir()
    with WardenSimulator(run) as warden:
        process = daemon.start(run, f"file:{clip}", "--loop", "--size", "640x352", "--accelerator", str(library))
        try:
            warden.accept()
            row = np.eye(1, 128, dtype=np.float32)[0]
            warden.begin(row)
            assert warden.wait_for(Progress).engine is Engine.ACCELERATOR
            tell(library)
            while (progress := warden.wait_for(Progress)).engine is not Engine.FALLBACK:
                pass
            looked = progress.frames
            while warden.wait_for(Progress).frames <= looked:
                pass
            assert not warden.of(Trouble), "slower is no doubt"
            assert warden.stop().frames > looked
        finally:
            process.kill()
            _, words = process.communicate()
    assert '"event": "accelerator.lost"' in words
