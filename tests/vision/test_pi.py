"""The Raspberry Pi's camera, with picamera2 simulated: strides, times, deadlines."""

import sys
import threading
import time
from collections.abc import Iterator

import pytest

from overt.vision.sources.base import SourceUnavailable
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
    with pytest.raises(SourceUnavailable, match="gave no picture"):
        camera.next(NEVER)


def test_without_a_camera_the_error_says_where_to_look(camera: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera2.Picamera2, "cameras", ())
    with pytest.raises(SourceUnavailable, match="ribbon cable"):
        camera.check()


def test_it_is_closed_once_and_stops_when_told(camera: PiCamera) -> None:
    camera.open()
    device = camera._camera
    told = threading.Event()
    told.set()
    assert camera.next(told) is None
    camera.close()
    camera.close()
    assert device.log == ["start", "close"]
