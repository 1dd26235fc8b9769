"""A face comes out upright and of one size, whatever its place, turn and size in the picture."""

import cmath
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.recognition.align import REFERENCE, SIZE, align, shrink, similarity
from overt.recognition.errors import BadPoints
from overt.recognition.frame import Frame

from .synthetic import i420, picture, points_of, texture

turns = st.floats(-math.pi, math.pi)
scales = st.floats(0.05, 20)
shifts = st.floats(-2000, 2000)


def moved(points: np.ndarray, turn: complex, shift: complex) -> np.ndarray:
    z = (points[:, 0] + 1j * points[:, 1]) * turn + shift
    return np.stack([z.real, z.imag], 1).astype(np.float32)


@settings(deadline=None, derandomize=True)
@given(turns, scales, shifts, shifts)
def test_a_known_turn_scale_and_shift_is_found_back(angle: float, scale: float, dx: float, dy: float) -> None:
    there = cmath.rect(scale, angle)
    points = moved(REFERENCE.astype(np.float64), there, complex(dx, dy))
    turn, shift = similarity(points)
    np.testing.assert_allclose(moved(points.astype(np.float64), turn, shift), REFERENCE, atol=0.02 + 0.01 / scale)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_it_is_the_least_squares_answer_and_never_mirrors(seed: int) -> None:
    """Against Umeyama's own formula, by singular value decomposition."""
    random = np.random.default_rng(seed)
    points = (REFERENCE * random.uniform(0.3, 4) + random.normal(0, 15, (5, 2))).astype(np.float32)
    source, target = points.astype(np.float64), REFERENCE.astype(np.float64)
    ps, pt = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(pt.T @ ps / 5)
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / ps.var(0).sum()
    turn, shift = similarity(points)
    np.testing.assert_allclose([[turn.real, -turn.imag], [turn.imag, turn.real]], scale * rotation, atol=1e-6)
    moved_mean = scale * rotation @ source.mean(0)
    np.testing.assert_allclose([shift.real, shift.imag], target.mean(0) - moved_mean, atol=1e-4)


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.where(REFERENCE > 90, np.inf, REFERENCE)]
)
def test_points_that_no_face_has_are_refused(points: np.ndarray) -> None:
    with pytest.raises(BadPoints, match="expected five points"):
        similarity(points.astype(np.float32))


@pytest.mark.parametrize("side", [56, 112, 168, 224, 336])
@pytest.mark.parametrize("corner", [(0, 0), (41, 27), (230, 40)])
def test_an_upright_face_of_any_size_comes_out_as_it_is(side: int, corner: tuple[int, int]) -> None:
    box = (*corner, side, side)
    got = align(picture({1: box}), points_of(box)).astype(int)
    assert got.shape == (SIZE, SIZE, 3)
    wanted = texture(1).astype(int)
    centres = np.arange(4, SIZE, 8)  # of the texture's blocks, away from the edges between them
    luma = np.array([0.2126, 0.7152, 0.0722])
    difference = ((got - wanted) @ luma)[np.ix_(centres, centres)]
    assert np.abs(difference).mean() < 6


@pytest.mark.parametrize("degrees", [-50, -20, 15, 90, 180])
def test_a_turned_face_comes_out_upright(degrees: float) -> None:
    rows, columns = np.mgrid[0:300, 0:300].astype(np.float64)
    back = cmath.rect(0.8, math.radians(-degrees))  # picture pixels per aligned pixel: 1.25
    aligned = ((columns + 1j * rows) - (150 + 150j)) * back + (56 + 56j)
    inside = (np.abs(aligned.real - 55.5) < 56) & (np.abs(aligned.imag - 55.5) < 56)
    value = 128 + 60 * np.sin(aligned.real / 6) * np.cos(aligned.imag / 9)
    rgb = np.repeat(np.where(inside, value, 90)[..., None], 3, axis=2).astype(np.uint8)
    y, u, v = i420(rgb)
    frame = Frame(0, 0, y, u, v, np.zeros((32, 32, 3), np.uint8), 10.0, full_range=True)
    points = moved(REFERENCE - 56, 1 / back, 150 + 150j)
    got = align(frame, points).astype(float)
    gy, gx = np.mgrid[0:SIZE, 0:SIZE]
    wanted = 128 + 60 * np.sin(gx / 6) * np.cos(gy / 9)
    assert np.abs(got - wanted[..., None])[3:-3, 3:-3].max() < 6


def test_a_large_face_is_averaged_not_sampled() -> None:
    """A fine checker-board must become grey: sampling every eighth pixel would show black and white."""
    rows, columns = np.mgrid[0:960, 0:960]
    rgb = np.repeat((((rows + columns) % 2) * 255)[..., None], 3, axis=2).astype(np.uint8)
    y, u, v = i420(rgb)
    frame = Frame(0, 0, y, u, v, np.zeros((32, 32, 3), np.uint8), 30.0, full_range=True)
    got = align(frame, points_of((30, 30, 900, 900))).astype(int)
    assert np.abs(got - 127).max() <= 3


def test_what_lies_outside_the_view_is_black() -> None:
    rgb = np.full((200, 200, 3), 200, np.uint8)
    y, u, v = i420(rgb)
    for full_range, code in ((True, y), (False, np.full_like(y, 188))):
        frame = Frame(0, 0, code, u, v, np.zeros((32, 32, 3), np.uint8), 7.0, full_range=full_range)
        half = align(frame, points_of((-56, 0, 112, 112))).astype(int)
        assert np.abs(half[:, 60:] - 200).max() <= 2
        assert (half[:, :50] == 0).all()
        assert (align(frame, points_of((900, 900, 112, 112))) == 0).all()


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_shrinking_averages(factor: int, rows: int, columns: int, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(0, 256, (rows * factor, columns * factor), np.uint8)
    wanted = plane.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(shrink(plane, factor), wanted, rtol=1e-5)
