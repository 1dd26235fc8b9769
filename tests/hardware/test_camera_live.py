"""On a bench, with a real camera: `pytest -m hardware tests/hardware/test_camera_live.py`."""

import os
import threading
import time
from pathlib import Path

import pytest

from overt.vision.capture import Stillness
from overt.vision.sources.base import FrameSource, SourceUnavailable
from overt.vision.sources.device import V4l2Camera
from overt.vision.sources.pi import PiCamera

pytestmark = pytest.mark.hardware
SIZE = (960, 544)
PICTURES = 100


def check_live(camera: FrameSource) -> None:
    """A hundred pictures: at a steady rate, stamped within half a second, never frozen, and the camera obeys."""
    never, still = threading.Event(), Stillness(1.0)
    camera.check()
    camera.open()
    try:
        first = camera.next(never)
        assert first is not None
        before = time.monotonic()
        for _ in range(PICTURES):
            frame = camera.next(never)
            assert frame is not None
            assert frame.y.shape == first.y.shape
            assert frame.small.shape == (SIZE[1], SIZE[0], 3)
            assert 0 <= time.time_ns() - frame.captured_ns < 5e8
            assert not still.frozen(frame.y, time.monotonic())
        rate = PICTURES / (time.monotonic() - before)
        assert 10 < rate < 70
    finally:
        camera.close()
    camera.open()
    assert camera.next(never) is not None
    camera.close()


def test_a_camera_with_a_device_file() -> None:
    device = Path(os.environ.get("OVERT_TEST_CAMERA", "/dev/video0"))
    if not device.is_char_device():
        pytest.skip(f"no camera at {device}: name it in OVERT_TEST_CAMERA")
    check_live(V4l2Camera(device, SIZE))


def test_the_raspberry_pis_camera() -> None:
    camera = PiCamera(SIZE)
    try:
        camera.check()
    except SourceUnavailable as error:
        pytest.skip(str(error))
    check_live(camera)
