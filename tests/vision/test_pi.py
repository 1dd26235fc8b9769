"""The Raspberry Pi's camera, with picamera2 simulated: strides, times, deadlines."""

import atexit
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol.vocabulary import Cause
from overt.vision.capture import Capture
from overt.vision.sources.base import SourceError, SourceUnavailable
from overt.vision.sources.pi import PiCamera
from tests.simulators import picamera2

SIZE = (960, 544)
NEVER = threading.Event()


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[PiCamera]:
    monkeypatch.setitem(sys.modules, "picamera2", picamera2)
    made = PiCamera(SIZE)
    yield made
    made.close()


def test_padding_at_the_end_of_lines_never_reaches_a_picture(camera: PiCamera) -> None:
    camera.check()
    camera.open()
    frame = camera.next(NEVER)
    assert frame is not None
    assert (frame.width, frame.height) == (1920, 1080)
    assert set(frame.y[0]) == {60, 180}
    assert set(frame.u.ravel()) == set(frame.v.ravel()) == {128}
    assert frame.small.shape == (544, 960, 3)
    assert frame.scale == 2.0
    assert int(frame.small[:540].max()) < 200
    assert not frame.small[540:].any()
    assert int(frame.small[:540, :470].max()) < int(frame.small[:540, 490:].min())


def test_capture_times_are_the_sensors_and_every_request_is_given_back(camera: PiCamera) -> None:
    camera.open()
    frame = camera.next(NEVER)
    assert frame is not None
    assert 25e6 < time.time_ns() - frame.captured_ns < 1e9
    assert camera._camera.released == 1


def test_a_camera_that_does_not_answer_in_time_is_lost(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    camera.open()
    monkeypatch.setattr(picamera2.Picamera2, "answers", False)
    with pytest.raises(SourceUnavailable, match="gave no picture") as caught:
        camera.next(NEVER)
    assert caught.value.cause is Cause.CAMERA_SILENT


def test_without_a_camera_the_error_says_where_to_look(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "cameras", ())
    with pytest.raises(SourceUnavailable, match="ribbon cable"):
        camera.check()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise ValueError('numpy.dtype size changed')", "for another NumPy than .* the package for Debian 13"),
        ("import no_such_part", "No module named 'no_such_part'.*: on Raspberry Pi OS, apt install"),
    ],
)
def test_a_picamera2_that_cannot_be_loaded_is_told_by_its_cause(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first is Raspberry Pi OS 12, whose parts of it are built for NumPy 1."""
    (tmp_path / "picamera2.py").write_text(text)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SourceUnavailable, match=said):
        PiCamera(SIZE).check()


def test_a_camera_on_usb_is_not_taken_for_one_on_the_ribbon_cable(
    camera: PiCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "cameras", (picamera2.USB,))
    with pytest.raises(SourceUnavailable, match="only cameras on USB: use v4l2"):
        camera.check()
    with pytest.raises(SourceUnavailable, match="only cameras on USB"):
        camera.open()
    monkeypatch.setattr(picamera2.Picamera2, "cameras", (picamera2.USB, picamera2.RIBBON))
    camera.check()
    camera.open()
    assert camera._camera.log[0] == "open imx708_wide"


def test_one_that_another_program_uses_is_said_so(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "busy", True)
    with pytest.raises(SourceUnavailable, match="another program"):
        camera.open()


def test_many_pictures_can_be_taken_with_few_buffers(camera: PiCamera) -> None:
    camera.open()
    assert all(camera.next(NEVER) is not None for _ in range(20))
    assert camera._camera.out == 0


@pytest.mark.parametrize("stream", ["main", "lores"])
def test_a_format_that_the_camera_has_adjusted_is_refused_and_not_read_as_another(
    camera: PiCamera, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "adjusted", {stream: {"format": "NV12"}})
    with pytest.raises(SourceError, match=r"expected pictures in YUV420.*NV12"):
        camera.open()
    assert camera._camera is None


@pytest.mark.parametrize(
    ("stream", "size", "words"),
    [
        ("main", (48, 32), "found 48x32"),
        ("main", (9000, 6000), "found 9000x6000"),
        ("lores", (2, 2), "found 2x2"),
        ("lores", (1920, 1080), "expected a small copy within"),
    ],
)
def test_a_size_that_the_camera_has_adjusted_to_something_useless_is_refused(
    camera: PiCamera, monkeypatch: pytest.MonkeyPatch, stream: str, size: tuple[int, int], words: str
) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "adjusted", {stream: {"size": size}})
    with pytest.raises(SourceError, match=words):
        camera.open()


def test_a_smaller_view_than_was_asked_for_is_taken_as_it_is(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "adjusted", {"main": {"size": (1280, 720)}, "lores": {"size": (640, 360)}})
    camera.open()
    frame = camera.next(NEVER)
    assert frame is not None
    assert (frame.width, frame.height, frame.scale) == (1280, 720, 2.0)
    assert frame.small.shape == (544, 960, 3)
    assert not frame.small[360:].any()
    assert not frame.small[:, 640:].any()


def test_a_buffer_that_is_too_short_is_refused_and_given_back(
    camera: PiCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera.open()
    monkeypatch.setattr(picamera2.Picamera2, "cut", 1000)
    with pytest.raises(SourceError, match=r"expected .* bytes"):
        camera.next(NEVER)
    assert camera._camera.out == 0


def test_a_camera_without_a_raw_mode_is_refused_in_words(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "modes", ({"format": "MJPEG"}, {"format": "YUYV"}))
    with pytest.raises(SourceUnavailable, match="raw mode"):
        camera.open()


def test_one_that_disappears_in_the_middle_is_lost_and_can_be_let_go_of(
    camera: PiCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera.open()
    monkeypatch.setattr(picamera2.Picamera2, "vanishes", True)
    with pytest.raises(SourceUnavailable, match="took a picture back"):
        camera.next(NEVER)
    camera.close()


def test_a_camera_does_not_keep_the_process_from_ending(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[object] = []
    monkeypatch.setattr(atexit, "unregister", left.append)
    camera.open()
    assert left == [camera._camera.close]


def test_one_that_hangs_while_it_starts_is_given_up_in_time(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(picamera2.Picamera2, "hangs", stuck)
    capture = Capture(camera)
    with pytest.raises(SourceUnavailable, match="did not open within") as caught:
        capture.start(patience_s=0.1)
    assert caught.value.cause is Cause.CAMERA_SILENT
    stuck.set()
    capture.stop()


def test_it_is_closed_once_and_stops_when_told(camera: PiCamera) -> None:
    camera.open()
    device = camera._camera
    told = threading.Event()
    told.set()
    assert camera.next(told) is None
    camera.close()
    camera.close()
    assert device.log == ["open imx708_wide", "start", "close"]
