"""The detector's outputs become faces: the right ones, once each, never absurd ones."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.recognition.detect import MAX_CANDIDATES, Detections, decode, nothing, overlaps, plausible, suppress
from overt.recognition.errors import BadModel

from .synthetic import SMALL, VIEW, Box, detections, encode

side = st.floats(12, 120)
boxes = st.builds(lambda x, y, s: (x, y, s, s), st.floats(0, VIEW[0] - 130), st.floats(0, VIEW[1] - 130), side)


def by_hand(
    outputs: dict[str, np.ndarray], stride: int, cell: int, width: int
) -> tuple[list[float], list[float], float]:
    """The published formula for one cell, in plain Python."""
    row, column = divmod(cell, width // stride)
    cls, obj = (min(1.0, max(0.0, float(outputs[f"{kind}_{stride}"].ravel()[cell]))) for kind in ("cls", "obj"))
    dx, dy, dw, dh = (float(n) for n in outputs[f"bbox_{stride}"].reshape(-1, 4)[cell])
    w, h = math.exp(dw) * stride, math.exp(dh) * stride
    box = [(column + dx) * stride - w / 2, (row + dy) * stride - h / 2, w, h]
    kps = outputs[f"kps_{stride}"].reshape(-1, 10)[cell]
    points = [(float(n) + (row if i % 2 else column)) * stride for i, n in enumerate(kps)]
    return box, points, math.sqrt(cls * obj)


@pytest.mark.parametrize(("stride", "cell"), [(8, 0), (8, 411), (16, 77), (32, 24)])
def test_one_cell_is_decoded_as_published(stride: int, cell: int) -> None:
    outputs = encode(nothing())
    outputs[f"cls_{stride}"].ravel()[cell] = 1.2
    outputs[f"obj_{stride}"].ravel()[cell] = 0.81
    outputs[f"bbox_{stride}"].reshape(-1, 4)[cell] = [0.4, 0.6, 1.1, 1.3]
    outputs[f"kps_{stride}"].reshape(-1, 10)[cell] = [-0.4, 0, 1.2, 0.1, 0.4, 0.7, -0.2, 1.4, 1.1, 1.5]
    found = decode(outputs, SMALL, 3.0)
    box, points, score = by_hand(outputs, stride, cell, SMALL[0])
    assert len(found) == 1
    np.testing.assert_allclose(found.boxes[0], np.array(box) * 3, rtol=1e-5)
    np.testing.assert_allclose(found.points[0].ravel(), np.array(points) * 3, rtol=1e-5)
    assert found.scores[0] == pytest.approx(score, rel=1e-6)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(boxes, max_size=6))
def test_what_was_encoded_is_decoded_best_first(placed: list[Box]) -> None:
    apart = [
        box for i, box in enumerate(placed) if all(abs(box[0] - b[0]) + abs(box[1] - b[1]) > 260 for b in placed[:i])
    ]
    scores = [0.95 - 0.04 * i for i in range(len(apart))]
    found = decode(encode(detections(apart, scores)), SMALL, 2.0)
    np.testing.assert_allclose(found.boxes, np.array(apart, np.float32).reshape(-1, 4), atol=0.05)
    np.testing.assert_allclose(found.points, detections(apart).points, atol=0.05)
    np.testing.assert_allclose(found.scores, np.array(scores, np.float32), atol=1e-5)


def test_scores_below_the_threshold_are_no_faces() -> None:
    outputs = encode(detections([(100, 100, 60, 60), (300, 100, 60, 60)], [0.69, 0.71]))
    assert decode(outputs, SMALL, 2.0, score_threshold=0.7).boxes[:, 0] == pytest.approx([300], abs=0.1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda o, c: o["bbox_8"].__setitem__((0, c, 2), np.nan),
        lambda o, c: o["bbox_8"].__setitem__((0, c, 2), 200.0),
        lambda o, c: o["bbox_8"].__setitem__((0, c, 2), 8.0),
        lambda o, c: o["bbox_8"].__setitem__((0, c, 3), -20.0),
        lambda o, c: o["bbox_8"].__setitem__((0, c, 0), 1e5),
        lambda o, c: o["kps_8"].__setitem__((0, c, 4), np.inf),
        lambda o, c: o["kps_8"].__setitem__((0, c, 4), 900.0),
        lambda o, c: o["kps_8"].__setitem__((0, c), 0.0),
        lambda o, c: o["cls_8"].__setitem__((0, c), np.nan),
    ],
)
def test_an_absurd_face_is_dropped_and_the_others_stay(spoil: object) -> None:
    outputs = encode(detections([(100, 100, 60, 60), (400, 100, 60, 60)]))
    cell = int(np.flatnonzero(outputs["cls_8"])[0])
    spoil(outputs, cell)  # type: ignore[operator]  # a lambda from the table
    assert decode(outputs, SMALL, 2.0).boxes[:, 0] == pytest.approx([400], abs=0.1)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_numbers_nothing_absurd_comes_out(seed: int) -> None:
    random = np.random.default_rng(seed)
    outputs = {
        name: (random.standard_cauchy(output.shape) * 3).astype(np.float32)
        for name, output in encode(nothing()).items()
    }
    outputs["bbox_16"][0, ::7] = np.nan
    found = decode(outputs, SMALL, 2.0)
    assert np.isfinite(found.boxes).all()
    assert np.isfinite(found.points).all()
    assert (found.boxes[:, 2:] >= 2).all()
    assert plausible(found, VIEW).all()


def test_a_missing_or_misshapen_output_is_named() -> None:
    outputs = encode(nothing())
    with pytest.raises(BadModel, match="960 x 1 numbers in cls_8"):
        decode({**outputs, "cls_8": np.zeros(7, np.float32)}, SMALL, 2.0)
    del outputs["kps_32"]
    with pytest.raises(BadModel, match="expected a detector output kps_32, found bbox_16"):
        decode(outputs, SMALL, 2.0)


def overlap_by_hand(a: Box, b: Box) -> float:
    w = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return w * h / (a[2] * a[3] + b[2] * b[3] - w * h)


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.lists(st.tuples(boxes, st.floats(0.5, 1)), max_size=14))
def test_suppression_keeps_the_best_of_each_heap_and_agrees_with_the_plain_algorithm(
    faces: list[tuple[Box, float]],
) -> None:
    candidates = detections([box for box, _ in faces], [score for _, score in faces])
    kept: list[int] = []
    for index in np.argsort(-candidates.scores, kind="stable").tolist():
        if all(overlap_by_hand(faces[index][0], faces[k][0]) <= 0.3 for k in kept):
            kept.append(index)
    result = suppress(candidates, 0.3)
    np.testing.assert_array_equal(result.boxes, candidates.boxes[kept])
    assert (np.diff(result.scores) <= 0).all()
    again = suppress(result, 0.3)
    np.testing.assert_array_equal(again.boxes, result.boxes)
    for a, b in itertools.combinations(result.boxes, 2):
        assert overlaps(a[None], b[None])[0, 0] <= 0.3


def test_suppression_is_bounded_however_many_candidates() -> None:
    n = 5 * MAX_CANDIDATES
    far = np.stack([np.arange(n) * 100, np.zeros(n), np.full(n, 50), np.full(n, 50)], 1).astype(np.float32)
    many = Detections(far, np.zeros((n, 5, 2), np.float32), np.linspace(0.1, 0.9, n).astype(np.float32))
    result = suppress(many)
    assert len(result) == MAX_CANDIDATES
    assert result.scores.min() > 0.7
