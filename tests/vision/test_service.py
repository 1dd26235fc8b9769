"""The daemon's conversation with the warden, over a real socket, with simulated engines and camera."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.protocol.messages import Began, Begin, Cleared, Effort, Progress, Recovered, Sighting, Stop, Trouble
from overt.protocol.vocabulary import Cause, Doubt
from overt.recognition.attention import SLOWER
from overt.recognition.errors import BadModel
from overt.vision.service import Service
from overt.vision.sources.base import SourceUnavailable
from tests.recognition.synthetic import Box, SimulatedDetector, SimulatedEmbedder, template_of
from tests.simulators.camera import CameraSimulator
from tests.simulators.warden import ORDER, WardenSimulator, gallery_of

LISTED, STRANGER = 1, 2
MODEL = "d" * 64


class Unit:
    """A vision daemon in a thread, with the warden simulator on the other side."""

    def __init__(self, run: Path) -> None:
        self.detector = SimulatedDetector()
        self.embedder = SimulatedEmbedder()
        self.camera = CameraSimulator(self._scene)
        self.locks = 0
        self.exit_code: int | None = None
        self.person = LISTED
        self._run = run
        self.service = Service(self.camera, self.detector, self.embedder, MODEL, self._lock, tick_s=0.25)
        self._thread = threading.Thread(target=self._serve)

    def start(self) -> None:
        self._thread.start()

    def ended(self) -> int | None:
        self._thread.join(10)
        assert not self._thread.is_alive(), "vision did not end"
        return self.exit_code

    def _serve(self) -> None:
        self.exit_code = self.service.run(self._run / "vision.sock")

    def _lock(self) -> None:
        self.locks += 1

    def _scene(self, number: int) -> dict[int, Box]:
        """One person walking from left to right, again and again."""
        box = (20.0 + 5 * (number % 90), 100.0, 112.0, 112.0)
        if number % 90 == 0:
            self.detector.show([])
            return {}
        self.detector.show([box])
        return {self.person: box}


@pytest.fixture
def warden(tmp_path: Path) -> Iterator[WardenSimulator]:
    with WardenSimulator(tmp_path) as simulator:
        yield simulator


@pytest.fixture
def unit(tmp_path: Path, warden: WardenSimulator) -> Iterator[Unit]:
    made = Unit(tmp_path)
    yield made
    made.service.signals.ask()
    made.camera.hanging.clear()
    made.ended()
    del warden


def maps() -> str:
    return Path("/proc/self/maps").read_text()


def test_it_says_who_it_is_and_leaves_the_camera_off_until_told_to_begin(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    hello = warden.accept()
    assert (hello.daemon, hello.model) == ("vision", MODEL)
    time.sleep(0.1)
    assert not unit.camera.is_open
    assert unit.camera.opened == 0


def test_it_waits_for_a_warden_that_comes_later(tmp_path: Path) -> None:
    unit = Unit(tmp_path)
    unit.start()
    time.sleep(0.3)
    with WardenSimulator(tmp_path) as warden:
        assert warden.accept().model == MODEL
        unit.service.signals.ask()
        assert unit.ended() == 0


def test_asked_to_end_while_it_waits_for_the_warden_it_ends(tmp_path: Path) -> None:
    unit = Unit(tmp_path)
    unit.start()
    unit.service.signals.ask()
    assert unit.ended() == 0


def test_a_listed_person_is_sighted_once_per_passage_and_a_stranger_never(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(9), template_of(LISTED))
    began = warden.wait_for(Began)
    assert began.order == ORDER
    sighting = warden.wait_for(Sighting)
    assert (sighting.order, sighting.entry) == (ORDER, 1)
    assert sighting.score > 0.9
    assert sighting.runner_up_score is not None
    assert began.captured_ns <= sighting.captured_ns <= sighting.decided_ns <= time.time_ns()
    progress = warden.wait_for(Progress)
    while progress.frames <= 5 or progress.frames_per_second <= 5:  # however slow this machine is at the moment
        progress = warden.wait_for(Progress)
    assert progress.frame_age_ms < 1000
    assert len(warden.of(Sighting)) == 1
    warden.stop()
    unit.person = STRANGER
    warden.begin(template_of(9), template_of(LISTED))
    warden.wait_for(Began)
    while warden.wait_for(Progress).templates_made < 2:
        pass
    assert len(warden.of(Sighting)) == 1
    cleared = warden.stop()
    assert cleared.templates_made > 0


def test_p3_told_to_stop_it_unmaps_the_gallery_switches_the_camera_off_and_counts(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.start()
    warden.accept()
    mapped_before = maps().count("memfd:gallery")
    warden.begin(template_of(LISTED))
    warden.wait_for(Sighting)
    assert maps().count("memfd:gallery") == mapped_before + 2  # the simulator's own mapping, and vision's
    cleared = warden.stop()
    assert cleared.order == ORDER
    assert cleared.frames > 0
    assert cleared.faces_seen >= 1
    assert cleared.templates_made == cleared.templates_wiped > 0
    time.sleep(0.1)
    assert maps().count("memfd:gallery") == mapped_before
    assert not unit.camera.is_open
    assert not unit.embedder.memory.any()


def test_p3_when_the_warden_dies_it_forgets_at_once_and_asks_to_be_started_anew(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Sighting)
    warden.forget()
    warden.hang_up()
    assert unit.ended() == 75
    assert "memfd:gallery" not in maps()
    assert not unit.camera.is_open


def test_asked_to_end_it_forgets_says_so_and_ends_well(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    unit.service.signals.ask()
    assert warden.wait_for(Cleared).order == ORDER
    assert unit.ended() == 0
    warden.forget()
    assert "memfd:gallery" not in maps()


def test_begin_while_recognising_clears_the_old_order_and_takes_the_new_gallery(
    unit: Unit, warden: WardenSimulator
) -> None:
    other = "0" * 63 + "2"
    unit.start()
    warden.accept()
    warden.begin(template_of(STRANGER))
    warden.wait_for(Began)
    warden.begin(template_of(LISTED), order=other)
    assert warden.wait_for(Cleared).order == ORDER
    assert warden.wait_for(Began).order == other
    assert warden.wait_for(Sighting).order == other
    assert unit.camera.opened == 1


@pytest.mark.parametrize("fault", ["none", "two", "unsealed", "other bytes", "not unit", "a plain file"])
def test_a_bad_gallery_is_refused_in_words_and_a_good_one_taken_afterwards(
    fault: str, unit: Unit, warden: WardenSimulator, tmp_path: Path
) -> None:
    unit.start()
    warden.accept()
    good = gallery_of(template_of(1))
    other = gallery_of(template_of(1), seal=fault != "unsealed")
    if fault == "other bytes":
        other.close()
        other = _bytes_as_gallery(b"\x00" * 4096)
    if fault == "not unit":
        other.close()
        other = gallery_of(np.full(128, 0.5, np.float32))
    (tmp_path / "plain").write_bytes(b"OVRTGAL1")
    with (tmp_path / "plain").open("rb") as plain:
        descriptors = {
            "none": [],
            "two": [good.descriptor, other.descriptor],
            "a plain file": [plain.fileno()],
        }.get(fault, [other.descriptor])
        warden.channel.send(Begin(order=ORDER, threshold=0.4), descriptors)
        trouble = warden.wait_for(Trouble)
    assert trouble.doubt is Doubt.VISION
    assert "expected" in trouble.detail or "refused" in trouble.detail
    assert not unit.camera.is_open
    good.close()
    other.close()
    warden.begin(template_of(LISTED))
    assert warden.wait_for(Recovered).doubt is Doubt.VISION
    warden.wait_for(Sighting)


def _bytes_as_gallery(data: bytes):  # noqa: ANN202 - a SecretFile
    from overt.runtime.memory import SecretFile

    file = SecretFile("gallery", len(data))
    view = file.view
    view[:] = data
    view.release()
    file.seal()
    return file


def test_a_message_it_does_not_know_changes_nothing(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    warden.channel._socket.send(b"\xc1 not msgpack")
    warden.channel.send(Cleared(order=ORDER, frames=0, faces_seen=0, templates_made=0, templates_wiped=0))
    warden.channel.send(Stop())
    warden.begin(template_of(LISTED))
    warden.wait_for(Sighting)


def test_told_to_spare_the_board_it_looks_less_often_and_as_often_as_before_when_told_so(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.start()
    warden.accept()
    warden.channel.send(Effort(step=2))
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    assert unit.service._session is not None
    attention = unit.service._session._recogniser._attention
    assert attention._pace == SLOWER[2], "what was said before it began holds from its beginning"
    warden.wait_for(Sighting)
    warden.channel.send(Effort(step=0))
    warden.wait_for(Progress)
    warden.wait_for(Progress)
    assert attention._pace == SLOWER[0]


def test_p10_a_camera_that_hangs_is_reported_and_the_process_asks_to_be_started_anew(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    unit.camera.hanging.set()
    trouble = warden.wait_for(Trouble)
    assert trouble.doubt is Doubt.CAMERA
    assert "no picture for 0.5 s" in trouble.detail
    assert unit.ended() == 75


def test_p10_the_watchdog_is_fed_only_while_pictures_are_looked_at(
    unit: Unit, warden: WardenSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[str] = []
    monkeypatch.setattr("overt.vision.service.notify", fed.append)
    unit.camera.patience_s = 60.0  # so that only the watchdog could notice
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Progress)
    warden.wait_for(Progress)
    assert "WATCHDOG=1" in fed
    unit.camera.hanging.set()
    warden.wait_for(Progress)
    warden.wait_for(Progress)
    fed.clear()
    for _ in range(3):
        warden.wait_for(Progress)
    assert fed == []


def test_p10_a_camera_that_is_unplugged_is_reported(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    unit.camera.broken = True
    assert warden.wait_for(Trouble).detail == "the simulated camera was unplugged"
    assert unit.ended() == 75


def test_p10_a_camera_that_cannot_be_opened_is_reported_before_the_gallery_is_touched(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.camera.refuses = SourceUnavailable("cannot use the simulated camera")
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    assert warden.wait_for(Trouble).doubt is Doubt.CAMERA
    assert unit.ended() == 75


def test_p10_a_frozen_picture_is_noticed_and_so_is_its_end(unit: Unit, warden: WardenSimulator) -> None:
    unit.camera.scene = lambda _: {}
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    unit.camera.frozen = True
    trouble = warden.wait_for(Trouble)
    assert trouble.doubt is Doubt.CAMERA
    assert "same picture" in trouble.detail
    unit.camera.frozen = False
    assert warden.wait_for(Recovered).doubt is Doubt.CAMERA
    warden.stop()


def test_p10_a_camera_that_is_not_there_is_told_before_any_order_and_so_is_that_it_has_come(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.camera.opens_locked = False
    unit.camera.missing = SourceUnavailable("expected a camera at /dev/video0, found none: is it plugged in?")
    unit.start()
    warden.accept()
    trouble = warden.wait_for(Trouble)
    assert (trouble.doubt, trouble.cause) == (Doubt.CAMERA, Cause.CAMERA_ABSENT)
    assert "/dev/video0" in trouble.detail
    unit.camera.missing = None
    assert warden.wait_for(Recovered).doubt is Doubt.CAMERA
    assert unit.camera.opened == 0, "it was looked for, and not switched on"


def test_p10_a_black_picture_is_noticed_and_so_is_its_end(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    unit.camera.black = True
    trouble = warden.wait_for(Trouble)
    assert (trouble.doubt, trouble.cause) == (Doubt.CAMERA, Cause.CAMERA_BLACK)
    unit.camera.black = False
    assert warden.wait_for(Recovered).doubt is Doubt.CAMERA
    warden.stop()


def test_p10_a_process_with_a_thread_stuck_in_a_driver_says_that_it_must_not_wait(
    unit: Unit, warden: WardenSimulator
) -> None:
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    assert not unit.service.stuck
    unit.camera.hanging.set()
    assert warden.wait_for(Trouble).cause is Cause.CAMERA_SILENT
    assert unit.ended() == 75
    assert unit.service.stuck


def test_the_end_of_footage_is_said_and_a_new_order_starts_it_over(unit: Unit, warden: WardenSimulator) -> None:
    unit.camera.ends_after = 5
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    trouble = warden.wait_for(Trouble)
    assert (trouble.doubt, trouble.detail) == (Doubt.CAMERA, "the footage has ended")
    assert warden.stop().frames == 5
    warden.begin(template_of(LISTED))
    assert warden.wait_for(Recovered).doubt is Doubt.CAMERA
    warden.wait_for(Began)


def test_p10_an_engine_that_fails_stops_recognition_and_leaves_nothing(unit: Unit, warden: WardenSimulator) -> None:
    def fail(*_: object) -> None:
        raise BadModel("the engine failed")

    unit.embedder.embed = fail  # type: ignore[method-assign]  # a fault, injected
    unit.start()
    warden.accept()
    warden.begin(template_of(LISTED))
    trouble = warden.wait_for(Trouble)
    assert trouble.doubt is Doubt.MODEL
    assert unit.ended() == 75
    warden.forget()
    assert "memfd:gallery" not in maps()


def test_p1_the_process_is_locked_in_before_the_first_order(unit: Unit, warden: WardenSimulator) -> None:
    unit.start()
    warden.accept()
    assert unit.locks == 1
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    warden.stop()
    warden.begin(template_of(LISTED))
    warden.wait_for(Began)
    assert unit.locks == 1


def test_p1_with_a_camera_that_must_be_opened_first_it_is_locked_in_before_the_gallery_is_mapped(
    unit: Unit, warden: WardenSimulator
) -> None:
    seen: list[tuple[bool, int]] = []
    unit.camera.opens_locked = False
    lock = unit.service._lock
    unit.service._lock = lambda: (seen.append((unit.camera.is_open, maps().count("memfd:gallery"))), lock())[1]
    unit.start()
    warden.accept()
    assert seen == []
    warden.begin(template_of(LISTED))
    warden.wait_for(Sighting)
    assert seen == [(True, 1)]  # the one mapping is the simulator's own
    warden.stop()
    assert unit.ended() == 75  # only a new process can open the camera again
