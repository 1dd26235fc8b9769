"""Meters for a technician, and a copy in which nobody can be recognised."""

import numpy as np
import pytest

from overt.recognition import survey
from overt.recognition.arrays import Bytes
from overt.recognition.detect import Detections, nothing
from overt.recognition.frame import Frame


def frame_of(y: Bytes, *, full_range: bool = True) -> Frame:
    half = np.full(((y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2), 128, np.uint8)
    return Frame(0, 0, y, half, half, np.zeros((8, 8, 3), np.uint8), 1.0, full_range=full_range)


def checks(period: int, size: tuple[int, int] = (480, 640)) -> Bytes:
    rows, columns = np.indices(size) // period
    return ((rows + columns) % 2 * 200 + 20).astype(np.uint8)


def blurred(y: Bytes) -> Bytes:
    soft = y.astype(np.float32)
    for axis in (0, 1):
        soft = sum(np.roll(soft, shift, axis) for shift in range(-2, 3)) / 5  # type: ignore[assignment]  # of arrays
    return soft.astype(np.uint8)


def test_a_sharper_picture_has_more_focus() -> None:
    assert survey.focus(frame_of(checks(8))) > 2 * survey.focus(frame_of(blurred(checks(8))))
    assert survey.focus(frame_of(np.full((480, 640), 90, np.uint8))) == 0.0


@pytest.mark.parametrize(("level", "dark", "bright"), [(16, 1.0, 0.0), (126, 0.0, 0.0), (235, 0.0, 1.0)])
def test_the_exposure_meter_knows_the_range_of_the_camera(level: int, dark: float, bright: float) -> None:
    found = survey.exposure(frame_of(np.full((480, 640), level, np.uint8), full_range=False))
    assert (found.dark, found.bright) == (dark, bright)
    assert found.mean == pytest.approx((level - 16) / 219)


def test_a_face_in_the_coarse_copy_is_a_mosaic_of_a_few_cells() -> None:
    y = np.random.default_rng(3).integers(0, 255, (1080, 1920)).astype(np.uint8)
    box = np.array([[600.0, 300.0, 480.0, 600.0]], np.float32)
    faces = Detections(box, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))
    picture = survey.coarse(frame_of(y), faces, 160)
    assert picture.shape == (90, 160)
    inside = picture[25:75, 50:90]
    assert len(np.unique(inside.reshape(-1, inside.shape[1]), axis=0)) <= survey.MOSAIC_CELLS
    assert len(np.unique(inside, axis=1).T) <= survey.MOSAIC_CELLS
    assert len(np.unique(survey.coarse(frame_of(y), nothing(), 160))) > 1


@pytest.mark.parametrize("size", [(480, 640), (719, 1277), (90, 100), (3, 5)])
def test_the_coarse_copy_is_never_wider_than_was_asked_for(size: tuple[int, int]) -> None:
    assert survey.coarse(frame_of(checks(2, size)), nothing(), 160).shape[1] <= 160
