"""Footage in the place of a camera: sound files play at their own speed, spoilt ones get one clear error."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from overt.recognition.frame import Frame
from overt.vision.sources.base import SourceEnded, SourceError, SourceUnavailable
from overt.vision.sources.footage import FootageSource
from tests.vision.footage import make_sound, make_video

SIZE = (160, 96)
NEVER = threading.Event()


def play(path: Path, *, loop: bool = False, most: int = 100) -> list[Frame]:
    source = FootageSource(path, SIZE, loop=loop)
    source.check()
    source.open()
    frames = []
    try:
        while len(frames) < most:
            frame = source.next(NEVER)
            if frame is not None:
                frames.append(frame)
    except SourceEnded:
        pass
    source.close()
    return frames


def error_of(path: Path) -> SourceError:
    with pytest.raises(SourceError) as caught:
        FootageSource(path, SIZE).check()
    return caught.value


def test_every_picture_comes_once_in_order_with_its_luma_untouched(tmp_path: Path) -> None:
    frames = play(make_video(tmp_path / "a.mp4"))
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        assert (frame.height, frame.width) == (240, 320)
        assert abs(float(frame.y[:, :150].mean()) - (40 + 4 * number) * 219 / 255 - 16) < 3 or (
            abs(float(frame.y[:, :150].mean()) - (40 + 4 * number)) < 3
        )
        assert abs(float(frame.u.mean()) - 128) < 2
    lightness = [float(frame.y.mean()) for frame in frames]
    assert lightness == sorted(lightness)


def test_it_plays_at_its_own_speed_with_capture_times_to_match(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=15)
    before = time.time_ns()
    frames = play(path)
    took_s = (time.time_ns() - before) / 1e9
    assert 0.5 < took_s < 1.5
    steps_ms = np.diff([frame.captured_ns for frame in frames]) / 1e6
    assert abs(float(steps_ms.mean()) - 40) < 2
    assert frames[0].captured_ns >= before


def test_the_small_picture_is_the_whole_view_with_zeros_to_the_right_or_below(tmp_path: Path) -> None:
    frame = play(make_video(tmp_path / "a.mp4", frames=1))[0]
    assert frame.small.shape == (96, 160, 3)
    assert frame.scale == 2.5  # 240 lines into 96
    assert frame.small.flags.c_contiguous
    assert not frame.small[:, 128:].any()
    left, right = frame.small[:, :60].mean(), frame.small[:, 68:128].mean()
    assert 10 < right - left < 22


def test_a_view_smaller_than_the_detectors_input_is_not_enlarged(tmp_path: Path) -> None:
    frame = play(make_video(tmp_path / "a.mp4", frames=1, size=(128, 64)))[0]
    assert frame.scale == 1.0
    assert frame.small[:64, :128].all()
    assert not frame.small[64:].any()


def test_the_planes_are_the_decoders_own_memory(tmp_path: Path) -> None:
    frame = play(make_video(tmp_path / "a.mp4", frames=1))[0]
    assert not frame.y.flags.owndata
    assert not frame.u.flags.owndata


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mkv", "mpeg4", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj422p"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.h264", "libx264", "yuv420p"),
    ],
)
def test_other_containers_and_pixel_formats_play_too(name: str, codec: str, pixels: str, tmp_path: Path) -> None:
    frames = play(make_video(tmp_path / name, frames=4, codec=codec, pixels=pixels))
    assert len(frames) == 4
    assert frames[0].u.shape == (120, 160)
    assert frames[0].full_range == pixels.startswith("yuvj")


def test_odd_sizes_keep_their_last_line_and_column(tmp_path: Path) -> None:
    frame = play(make_video(tmp_path / "a.avi", frames=2, size=(321, 241), codec="mpeg4"))[0]
    assert frame.y.shape == (241, 321)
    assert frame.u.shape == frame.v.shape == (121, 161)


def test_looped_footage_starts_over_without_a_jump_in_time(tmp_path: Path) -> None:
    frames = play(make_video(tmp_path / "a.mp4", frames=5), loop=True, most=12)
    assert len(frames) == 12
    steps_ms = np.diff([frame.captured_ns for frame in frames]) / 1e6
    assert 30 < float(steps_ms.min()) <= float(steps_ms.max()) < 130
    assert float(frames[5].y.mean()) < float(frames[4].y.mean())


def test_it_starts_from_the_beginning_whenever_it_is_opened(tmp_path: Path) -> None:
    source = FootageSource(make_video(tmp_path / "a.mp4"), SIZE)
    starts = []
    for _ in range(2):
        source.open()
        first = source.next(NEVER)
        assert first is not None
        starts.append(float(first.y.mean()))
        source.next(NEVER)
        source.close()
        source.close()
    assert starts[0] == starts[1]


def test_a_wait_for_the_next_picture_can_be_cut_short(tmp_path: Path) -> None:
    source = FootageSource(make_video(tmp_path / "a.mp4", rate=1), SIZE)
    source.open()
    stop = threading.Event()
    assert source.next(stop) is not None
    threading.Timer(0.05, stop.set).start()
    before = time.monotonic()
    assert source.next(stop) is None
    assert time.monotonic() - before < 0.5
    source.close()


def test_missing_footage(tmp_path: Path) -> None:
    error = error_of(tmp_path / "none.mp4")
    assert isinstance(error, SourceUnavailable)
    assert error.exit_code == 3
    assert "No such file" in str(error)


def test_a_folder_a_pipe_and_a_device_are_no_footage(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "found a folder" in str(error_of(tmp_path))
    assert "found something else" in str(error_of(tmp_path / "pipe"))
    assert "found something else" in str(error_of(Path("/dev/zero")))


def test_a_text_file_is_no_footage(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("people crossing the square\n" * 100)
    assert "expected a video" in str(error_of(tmp_path / "a.mp4"))


def test_an_empty_file_is_no_footage(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert "expected a video" in str(error_of(tmp_path / "a.mp4"))


def test_a_playlist_that_points_elsewhere_is_no_footage(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mp4", frames=2)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile {video.name}\n")
    for name in ("list.m3u8", "list.ffconcat"):
        assert "expected a video" in str(error_of(tmp_path / name))


def test_a_recording_of_sound_only(tmp_path: Path) -> None:
    assert "no pictures" in str(error_of(make_sound(tmp_path / "a.mp4")))


def test_footage_without_a_single_picture(tmp_path: Path) -> None:
    data = make_video(tmp_path / "whole.mkv", frames=3).read_bytes()
    cluster = data.index(b"\x1f\x43\xb6\x75")  # Matroska's id of what holds the pictures
    (tmp_path / "a.mkv").write_bytes(data[:cluster])
    assert "expected a video" in str(error_of(tmp_path / "a.mkv"))


def test_a_recording_that_was_cut_short_before_its_index(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", frames=30).read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    assert "expected a video" in str(error_of(tmp_path / "a.mp4"))


def test_a_recording_that_breaks_off_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mkv", frames=10).read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    assert 1 <= len(play(tmp_path / "a.mkv")) < 10


def test_damage_in_the_middle_costs_some_pictures_and_nothing_else(tmp_path: Path) -> None:
    data = bytearray(make_video(tmp_path / "whole.mkv", frames=20, codec="mjpeg", pixels="yuvj420p").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 300] = bytes(300)
    (tmp_path / "a.mkv").write_bytes(data)
    assert 10 <= len(play(tmp_path / "a.mkv")) <= 20


@pytest.mark.parametrize("size", [(10, 10), (32, 2000)])
def test_pictures_too_small_to_hold_a_face(size: tuple[int, int], tmp_path: Path) -> None:
    error = str(error_of(make_video(tmp_path / "a.avi", frames=1, size=size, codec="mpeg4")))
    assert f"found {size[0]}x{size[1]}" in error


def test_absurdly_large_pictures_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", frames=1, codec="ffv1")
    data = bytearray(path.read_bytes())
    for side in (320, 240):
        while (old := side.to_bytes(4, "little")) in data[:400]:
            at = data.index(old)
            data[at : at + 4] = (20000).to_bytes(4, "little")
    path.write_bytes(data)
    assert "found none that can be decoded" in str(error_of(path))


def test_an_error_says_the_files_name_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "yard.mp4").write_bytes(b"\x00" * 4096)
    text = str(error_of(tmp_path / "yard.mp4"))
    assert "yard.mp4" in text
    assert "\n" not in text
