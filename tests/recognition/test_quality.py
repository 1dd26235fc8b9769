"""A face's quality says what is wrong with it, and the gates keep bad ones out."""

import dataclasses
import math

import numpy as np
import pytest

from overt.recognition.align import REFERENCE
from overt.recognition.errors import Unsuitable
from overt.recognition.quality import Gates, Quality, assess

from .synthetic import picture, points_of, texture

BOX = np.array([100, 100, 112, 112], np.float32)
POINTS = points_of((100, 100, 112, 112))
FRAME = picture({})


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    centre = points.mean(axis=0)
    return ((points - centre) @ np.array([[c, s], [-s, c]]) + centre).astype(np.float32)


def test_a_frontal_face_is_straight_whole_and_good() -> None:
    quality = assess(FRAME, BOX, POINTS, texture(1))
    assert quality.inter_eye_px == pytest.approx(35.24, abs=0.01)
    assert quality.yaw == pytest.approx(0, abs=0.02)
    assert 0.4 < quality.pitch < 0.6
    assert quality.roll == pytest.approx(0, abs=0.5)
    assert quality.clipped == 0
    assert quality.score > 0.6
    assert Gates().passes(quality)


@pytest.mark.parametrize("degrees", [-120, -30, 10, 80])
def test_roll_is_measured_and_leaves_yaw_and_pitch_alone(degrees: float) -> None:
    straight, rolled = assess(FRAME, BOX, POINTS), assess(FRAME, BOX, turned(POINTS, degrees))
    assert rolled.roll == pytest.approx(straight.roll + degrees, abs=0.1)
    assert rolled.yaw == pytest.approx(straight.yaw, abs=1e-3)
    assert rolled.pitch == pytest.approx(straight.pitch, abs=1e-3)


@pytest.mark.parametrize(("shift", "sign"), [(20, 1), (-20, -1)])
def test_a_nose_near_one_eye_means_turned(shift: float, sign: int) -> None:
    points = POINTS.copy()
    points[2, 0] += shift
    quality = assess(FRAME, BOX, points)
    assert quality.yaw == pytest.approx(sign * 1.13, abs=0.1)
    assert Gates().reason(quality) is Unsuitable.TURNED


def test_a_nose_at_the_mouth_means_turned_down() -> None:
    points = POINTS.copy()
    points[2, 1] = points[3:, 1].mean()
    assert Gates().reason(assess(FRAME, BOX, points)) is Unsuitable.TURNED


def test_eyes_in_one_place_give_the_worst_quality_not_an_error() -> None:
    points = POINTS.copy()
    points[1] = points[0]
    quality = assess(FRAME, BOX, points)
    assert quality.score == 0
    assert Gates().reason(quality) is Unsuitable.TOO_SMALL


@pytest.mark.parametrize(("x", "clipped"), [(-28, 0.25), (-112, 1.0), (640 - 56, 0.5), (0, 0.0)])
def test_the_part_outside_the_view_is_measured(x: float, clipped: float) -> None:
    box = np.array([x, 100, 112, 112], np.float32)
    assert assess(FRAME, box, POINTS).clipped == pytest.approx(clipped, abs=1e-6)


def test_blur_lowers_sharpness_whatever_the_contrast() -> None:
    sharp = texture(3)
    smooth = sharp.astype(np.float32)
    for _ in range(12):
        smooth = (smooth + np.roll(smooth, 1, 0) + np.roll(smooth, 1, 1) + np.roll(smooth, -1, 0)) / 4
    pale = (128 + (sharp.astype(np.float32) - 128) / 2).astype(np.uint8)
    values = [assess(FRAME, BOX, POINTS, face).sharpness or 0 for face in (sharp, smooth.astype(np.uint8), pale)]
    assert values[1] < values[0] / 4
    assert values[2] == pytest.approx(values[0], rel=0.05)


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (np.full((112, 112, 3), 3, np.uint8), Unsuitable.TOO_DARK),
        (np.full((112, 112, 3), 250, np.uint8), Unsuitable.TOO_BRIGHT),
        (np.full((112, 112, 3), 128, np.uint8), Unsuitable.TOO_FLAT),
        (np.repeat(np.repeat(np.arange(112)[:, None, None] + 60, 112, 1), 3, 2).astype(np.uint8), Unsuitable.BLURRED),
    ],
)
def test_the_gates_name_what_is_wrong_with_the_picture(face: np.ndarray, reason: Unsuitable) -> None:
    assert Gates().reason(assess(FRAME, BOX, POINTS, face)) is reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"inter_eye_px": 15.9}, Unsuitable.TOO_SMALL),
        ({"clipped": 0.2}, Unsuitable.CUT_OFF),
        ({"roll": -41.0}, Unsuitable.TILTED),
        ({"yaw": -1.01}, Unsuitable.TURNED),
        ({"pitch": 0.2}, Unsuitable.TURNED),
        ({"sharpness": 0.0}, Unsuitable.BLURRED),
        ({}, None),
    ],
)
def test_each_gate_closes_at_its_limit(change: dict[str, float], reason: Unsuitable | None) -> None:
    good = assess(FRAME, BOX, POINTS, texture(1))
    assert Gates().reason(dataclasses.replace(good, **change)) is reason  # type: ignore[arg-type]  # floats by name


def test_quality_rises_with_size_and_falls_with_turning() -> None:
    sizes = [assess(FRAME, BOX, REFERENCE * scale).score for scale in (0.4, 0.8, 1.2, 1.6)]
    assert sizes == sorted(sizes)
    noses = []
    for shift in (0, 5, 10, 16):
        points = POINTS.copy()
        points[2, 0] += shift
        noses.append(assess(FRAME, BOX, points).score)
    assert noses == sorted(noses, reverse=True)
    assert all(0 <= score <= 1 for score in sizes + noses)


def test_quality_holds_numbers_only() -> None:
    quality = assess(FRAME, BOX, POINTS, texture(1))
    for field in dataclasses.fields(Quality):
        assert not isinstance(getattr(quality, field.name), np.ndarray)
