"""Cameras of every kind, as far as they go without hardware: a network camera is simulated on a real connection."""

import importlib.util
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overt.protocol.messages import Began, Progress, Trouble
from overt.protocol.vocabulary import Doubt
from overt.vision.sources.base import SourceError, SourceUnavailable
from overt.vision.sources.choose import source_of
from overt.vision.sources.convert import crop_padding, fitted
from overt.vision.sources.device import RtspCamera, V4l2Camera, read_url
from overt.vision.sources.footage import FootageSource
from overt.vision.sources.pi import PiCamera, choose_mode, i420_planes
from tests.simulators.rtsp import RtspSimulator
from tests.simulators.warden import WardenSimulator
from tests.vision.daemon import MODELS, start
from tests.vision.footage import make_video

SIZE = (320, 192)
PASSWORD = "canary-secret"
NEVER = threading.Event()


@pytest.fixture
def network_camera() -> Iterator[RtspSimulator]:
    with RtspSimulator(PASSWORD) as simulator:
        yield simulator


def address(simulator: RtspSimulator, password: str = PASSWORD) -> str:
    return f"rtsp://viewer:{password}@127.0.0.1:{simulator.port}/stream"


def read_until_it_fails(camera: RtspCamera) -> None:
    for _ in range(100):
        camera.next(NEVER)


def test_a_network_camera_gives_pictures_as_they_come(network_camera: RtspSimulator) -> None:
    camera = RtspCamera(address(network_camera), SIZE)
    camera.open()
    frames = [camera.next(NEVER) for _ in range(5)]
    camera.close()
    camera.close()
    for frame in frames:
        assert frame is not None
        assert (frame.width, frame.height) == (640, 480)
        assert frame.small.shape == (192, 320, 3)
        assert abs(frame.captured_ns - time.time_ns()) < 5e9
        assert 40 < float(frame.y[:, :300].mean()) < 220


def test_a_network_camera_that_goes_away_is_an_error_without_its_password(network_camera: RtspSimulator) -> None:
    camera = RtspCamera(address(network_camera), SIZE)
    camera.open()
    assert camera.next(NEVER) is not None
    network_camera.unplug()
    with pytest.raises(SourceUnavailable) as caught:
        read_until_it_fails(camera)
    assert PASSWORD not in repr(caught.value)
    assert "127.0.0.1" in str(caught.value)
    camera.close()


def test_a_wrong_password_and_a_camera_that_is_not_there_are_said_without_the_password(
    network_camera: RtspSimulator,
) -> None:
    wrong = RtspCamera(address(network_camera, "canary-wrong"), SIZE)
    with pytest.raises(SourceUnavailable, match=r"cannot reach the camera at 127\.0\.0\.1") as caught:
        wrong.open()
    assert "canary" not in str(caught.value) + repr(caught.value.__cause__) + repr(wrong.__dict__["_place"])
    network_camera.close()
    with pytest.raises(SourceUnavailable, match="refused"):
        RtspCamera(address(network_camera), SIZE).open()


@pytest.mark.skipif(not (MODELS / "catalogue.toml").is_file(), reason="the models are not built: run `make models`")
def test_p1_a_network_cameras_connection_is_the_only_one_and_losing_it_means_a_new_process(
    network_camera: RtspSimulator, tmp_path: Path
) -> None:
    credential = tmp_path / "camera-address"
    credential.write_text(address(network_camera) + "\n")
    with WardenSimulator(tmp_path) as warden:
        process = start(tmp_path, f"rtsp-file:{credential}")
        try:
            warden.accept()
            assert b"canary" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
            warden.begin(np.eye(1, 128, dtype=np.float32)[0])
            warden.wait_for(Began)
            assert warden.wait_for(Progress).frames > 0
            assert "\nSeccomp:\t2\n" in Path(f"/proc/{process.pid}/status").read_text()
            descriptors = Path(f"/proc/{process.pid}/fd").iterdir()
            assert len([fd for fd in descriptors if "socket:" in str(fd.readlink())]) == 2  # the warden's, the camera's
            network_camera.unplug()
            assert warden.wait_for(Trouble).doubt is Doubt.CAMERA
            assert process.wait(5) == 75
            assert process.stderr is not None
            assert PASSWORD not in process.stderr.read()
        finally:
            process.kill()
            process.communicate()


def test_a_device_that_is_no_camera_is_refused() -> None:
    with pytest.raises(SourceUnavailable, match="is it plugged in"):
        V4l2Camera(Path("/dev/no-such-camera"), SIZE).check()
    camera = V4l2Camera(Path("/dev/null"), SIZE)
    with pytest.raises(SourceUnavailable, match="cannot use the camera /dev/null"):
        camera.open()


def test_each_kind_of_source_has_its_form(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", frames=1)
    (tmp_path / "address").write_text("rtsp://user:secret@camera.example/1\n")
    assert isinstance(source_of(f"file:{video}", SIZE, loop=True), FootageSource)
    assert isinstance(source_of("v4l2:/dev/video0", SIZE), V4l2Camera)
    assert isinstance(source_of("rtsp://camera.example/1", SIZE), RtspCamera)
    assert isinstance(source_of("picamera2", SIZE), PiCamera)
    hidden = source_of(f"rtsp-file:{tmp_path / 'address'}", SIZE)
    assert hidden.describe == "the camera at camera.example:554"


@pytest.mark.parametrize("text", ["", "file:", "v4l2:", "http://camera/", "rtsp://", "rtsp://[", "picamera", "rtsp:x"])
def test_other_texts_are_no_sources(text: str) -> None:
    with pytest.raises(SourceError, match="expected"):
        source_of(text, SIZE)


@pytest.mark.parametrize(
    "content", [b"", b"two words", b"rtsp://a\nrtsp://b", b"rtsp://\xff", b"rtsp://" + b"a" * 3000, b"rtsp://a\x00"]
)
def test_a_file_that_holds_no_address_is_refused_without_repeating_it(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "address").write_bytes(content)
    with pytest.raises(SourceError, match="expected one address") as caught:
        read_url(tmp_path / "address")
    assert len(str(caught.value)) < 300


def test_without_picamera2_the_error_says_how_to_get_it() -> None:
    if importlib.util.find_spec("picamera2"):
        pytest.skip("picamera2 is installed here")
    with pytest.raises(SourceUnavailable, match="apt install python3-picamera2"):
        PiCamera(SIZE).check()


def test_padded_planes_are_cropped_by_their_stride() -> None:
    width, height, stride = 6, 4, 8
    luma = np.full((height, stride), 255, np.uint8)
    luma[:, :width] = np.arange(24).reshape(4, 6)
    u, v = np.full((2, 4), 254, np.uint8), np.full((2, 4), 253, np.uint8)
    u[:, :3], v[:, :3] = 7, 9
    buffer = np.concatenate([luma.ravel(), u.ravel(), v.ravel()])
    y, got_u, got_v = i420_planes(buffer, (width, height), stride)
    assert y.tolist() == np.arange(24).reshape(4, 6).tolist()
    assert (got_u.tolist(), got_v.tolist()) == ([[7] * 3] * 2, [[9] * 3] * 2)
    assert np.shares_memory(y, buffer)


def test_a_buffer_too_small_for_its_picture_is_refused() -> None:
    with pytest.raises(SourceError, match="expected 30 bytes"):
        crop_padding(np.zeros(29, np.uint8), 8, 6, 4)
    with pytest.raises(SourceError, match="expected"):
        crop_padding(np.zeros(100, np.uint8), 4, 6, 4)


def test_one_sensor_mode_is_chosen_the_smallest_that_covers_view_and_rate() -> None:
    modes = [
        {"size": (640, 480), "fps": 120.0, "bit_depth": 10},
        {"size": (2304, 1296), "fps": 56.0, "bit_depth": 10},
        {"size": (4608, 2592), "fps": 14.0, "bit_depth": 10},
    ]
    assert choose_mode(modes)["size"] == (2304, 1296)
    assert choose_mode(modes[:1])["size"] == (640, 480)
    with pytest.raises(SourceUnavailable):
        choose_mode([])


@pytest.mark.parametrize(
    ("view", "size", "expected"),
    [
        ((1920, 1080), (960, 544), (960, 540, 2.0)),
        ((1080, 1920), (960, 544), (306, 544, 1920 / 544)),
        ((320, 240), (960, 544), (320, 240, 1.0)),
    ],
)
def test_the_view_is_fitted_into_the_detectors_input(
    view: tuple[int, int], size: tuple[int, int], expected: tuple[int, int, float]
) -> None:
    assert fitted(*view, size) == pytest.approx(expected)
