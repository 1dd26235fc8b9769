"""Stills as people hand them in: every common kind, upright, and nothing else is ever decoded."""

import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest

from overt_provisioning.images import StillProblem, orientation, read_image
from tests.provisioning.office import with_orientation

HEIGHT, WIDTH = 64, 96


def picture() -> np.ndarray:
    """An image of which every quarter is known: red, green / blue, white."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2, 0] = 255
    image[: HEIGHT // 2, WIDTH // 2 :, 1] = 255
    image[HEIGHT // 2 :, : WIDTH // 2, 2] = 255
    image[HEIGHT // 2 :, WIDTH // 2 :] = 255
    return image


def encoded(image: np.ndarray, codec: str, layout: str) -> bytes:
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = image.shape[1], image.shape[0], layout
    context.time_base = 1  # type: ignore[assignment] # a still has no time, and the encoder wants one
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=layout)
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def jpeg(image: np.ndarray) -> bytes:
    return encoded(image, "mjpeg", "yuvj444p")


KINDS = {"jpg": ("mjpeg", "yuvj444p"), "png": ("png", "rgb24"), "bmp": ("bmp", "bgr24"), "tif": ("tiff", "rgb24")}


def near(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Alike, but for what lossy compression does at the edges."""
    return found.shape == wanted.shape and float(np.abs(found.astype(int) - wanted).mean()) < 8


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_image_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "still"  # the name does not matter, what is in it does
    path.write_bytes(encoded(picture(), *KINDS[kind]))
    found = read_image(path)
    assert found.dtype == np.uint8
    assert near(found, picture())


@pytest.mark.parametrize(
    ("value", "undo"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (4, lambda image: image[::-1]),
        (5, lambda image: image.transpose(1, 0, 2)),
        (6, lambda image: np.rot90(image, 3)),
        (7, lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
        (8, lambda image: np.rot90(image, 1)),
    ],
)
def test_a_photograph_is_turned_upright_as_its_camera_says(value: int, undo: object, tmp_path: Path) -> None:
    """Exif 2.32, 4.6.4, table 4: for each value, where the 0th row and column of the stored image are."""
    path = tmp_path / "still.jpg"
    path.write_bytes(with_orientation(jpeg(picture()), value))
    assert near(read_image(path), undo(picture()))  # type: ignore[operator] # one of the functions above


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_makes_no_sense_is_taken_as_upright(value: int) -> None:
    assert orientation(with_orientation(jpeg(picture()), value)) == 1


def test_a_damaged_exif_part_is_taken_as_upright() -> None:
    whole = with_orientation(jpeg(picture()), 6)
    for end in range(2, 60):
        assert orientation(whole[:end]) in {1, 6}
    looped = b"\xff\xd8\xff\xe1" + struct.pack(">H", 0) + b"\xff\xe1" * 8
    assert orientation(looped) == 1


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "something else"),
        (b"not an image", "something else"),
        (b"%PDF-1.7", "something else"),
        (b"\x00\x00\x00\x18ftypmp42", "something else"),
        (b"#EXTM3U\nfile:///etc/passwd", "something else"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "something else"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "something else"),
        (b"\xff\xd8\xff", "cut short"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "cannot read it"),
        (b"BM" + b"\xff" * 200, "cannot read it"),
        (b"II*\x00" + b"\xff" * 200, "cannot read it"),
        (b"RIFF\x00\x00\x00\x00WEBP" + b"\xff" * 40, "cannot read it"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, word: str, tmp_path: Path) -> None:
    path = tmp_path / "still.jpg"
    path.write_bytes(content)
    with pytest.raises(StillProblem, match=word):
        read_image(path)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_is_cut_short_is_refused_and_not_mended(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    whole = encoded(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), *KINDS[kind])
    path = tmp_path / "still"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StillProblem):
        read_image(path)


def test_an_image_of_absurd_size_is_refused_before_memory_is_had_for_it(tmp_path: Path) -> None:
    header = struct.pack(">II", 30_000, 30_000) + b"\x08\x02\x00\x00\x00"
    chunk = b"IHDR" + header
    path = tmp_path / "still.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    with pytest.raises(StillProblem, match="million pixels"):
        read_image(path)


def test_a_file_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "still.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(StillProblem, match="64 MiB"):
        read_image(path)


def test_a_missing_file_a_folder_and_a_link_to_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("none", "folder", "link"):
        with pytest.raises(StillProblem, match="expected an image file"):
            read_image(tmp_path / name)
