"""A frame is what it says, and a crop shows the right colours."""

import dataclasses

import numpy as np
import pytest

from overt.recognition.errors import BadFrame
from overt.recognition.frame import Frame, crop_rgb

from .synthetic import i420, picture


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 200 // height + 20, columns * 200 // width + 20, np.full((height, width), 90)], -1).astype(
        np.uint8
    )


def test_a_crop_has_the_colours_of_the_picture() -> None:
    rgb = smooth(120, 160)
    y, u, v = i420(rgb)
    frame = Frame(0, 0, y, u, v, np.zeros((32, 32, 3), np.uint8), 5.0, full_range=True)
    crop = crop_rgb(frame, 31, 17, 95, 80)
    assert crop.shape == (63, 64, 3)
    assert np.abs(crop.astype(int) - rgb[17:80, 31:95]).max() <= 5


@pytest.mark.parametrize(("full_range", "white", "black"), [(True, 255, 0), (False, 235, 16)])
def test_white_is_white_and_black_is_black_in_either_range(full_range: bool, white: int, black: int) -> None:
    y = np.full((4, 4), white, np.uint8)
    y[:, 2:] = black
    grey = np.full((2, 2), 128, np.uint8)
    frame = Frame(0, 0, y, grey, grey, np.zeros((32, 32, 3), np.uint8), 1.0, full_range=full_range)
    crop = crop_rgb(frame, 0, 0, 4, 4)
    assert (crop[:, :2] == 255).all()
    assert (crop[:, 2:] == 0).all()


@pytest.mark.parametrize(("matrix", "code"), [("bt709", (63, 102, 240)), ("bt601", (82, 90, 240))])
def test_red_is_red_with_either_matrix(matrix: str, code: tuple[int, int, int]) -> None:
    y, u, v = (np.full(shape, value, np.uint8) for shape, value in zip(((2, 2), (1, 1), (1, 1)), code, strict=True))
    frame = Frame(0, 0, y, u, v, np.zeros((32, 32, 3), np.uint8), 1.0, matrix=matrix)  # type: ignore[arg-type]  # given as text
    red = crop_rgb(frame, 0, 0, 1, 1)[0, 0].astype(int)
    assert np.abs(red - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize(
    "change",
    [
        {"y": np.zeros((4, 4), np.float32)},
        {"y": np.zeros(4, np.uint8)},
        {"y": np.zeros((0, 4), np.uint8)},
        {"u": np.zeros((3, 2), np.uint8)},
        {"v": np.zeros((2, 2, 1), np.uint8)},
        {"small_copy": np.zeros((4, 4), np.uint8)},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"matrix": "bt2020"},
    ],
)
def test_planes_that_do_not_fit_together_are_refused(change: dict[str, object]) -> None:
    grey = np.zeros((2, 2), np.uint8)
    good = Frame(0, 0, np.zeros((4, 4), np.uint8), grey, grey, np.zeros((2, 2, 3), np.uint8), 2.0)
    with pytest.raises(BadFrame, match="expected"):
        dataclasses.replace(good, **change)  # type: ignore[arg-type]  # deliberately wrong


@pytest.mark.parametrize("box", [(-1, 0, 4, 4), (0, 0, 0, 4), (5, 0, 4, 4), (0, 0, 641, 4), (0, 380, 4, 390)])
def test_a_crop_outside_the_view_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadFrame, match="expected a crop within 640x384"):
        crop_rgb(picture({}), *box)


def test_a_frame_does_not_print_its_pixels() -> None:
    assert "array" not in repr(picture({1: (10, 10, 100, 100)}))
