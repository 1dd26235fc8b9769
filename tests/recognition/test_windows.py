"""Looking only where faces are followed finds there what the whole view does, and nothing of half a face."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overt.recognition.detect import OVERLAP_THRESHOLD, SCORE_THRESHOLD, Detections, decode
from overt.recognition.engine import LiteRtDetector
from overt.recognition.windows import MAX_WINDOWS, Corner, find_in_windows, windows_for

from .synthetic import Box, SimulatedWindows, detections, position_coded

VIEW, WINDOW = (960, 544), SimulatedWindows.size
MODELS = Path(__file__).parents[2] / "build" / "models"
boxes = st.tuples(
    st.floats(0, VIEW[0] - 1), st.floats(0, VIEW[1] - 1), st.floats(2, 83), st.floats(2, 83)
).map(lambda b: (b[0] - b[2] / 2, b[1] - b[3] / 2, b[2], b[3]))  # fmt: skip


def middle(box: Box) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


@given(faces=st.lists(boxes, max_size=12))
def test_every_face_is_well_inside_a_window_that_is_inside_the_view_or_the_whole_view_is_looked_at(
    faces: list[Box],
) -> None:
    corners = windows_for(faces, VIEW, WINDOW)
    assert len(corners) <= min(len(faces), MAX_WINDOWS)
    for x, y in corners:
        assert 0 <= x <= VIEW[0] - WINDOW[0]
        assert 0 <= y <= VIEW[1] - WINDOW[1]
    for face in faces if corners else []:
        assert any(_well_inside(middle(face), corner) for corner in corners)


def _well_inside(at: tuple[float, float], corner: Corner) -> bool:
    quarter = WINDOW[0] / 4
    return all(
        (edge == 0 or place >= edge + quarter) and (edge + WINDOW[0] == whole or place < edge + WINDOW[0] - quarter)
        for place, edge, whole in zip(at, corner, VIEW, strict=True)
    )


@pytest.mark.parametrize(
    ("faces", "view"),
    [
        ([], VIEW),
        ([(100.0, 100.0, 90.0, 60.0)], VIEW),
        ([(100.0, 100.0, 60.0, 90.0)], VIEW),
        ([(-80.0, 100.0, 60.0, 60.0)], VIEW),
        ([(100.0, 530.0, 60.0, 60.0)], VIEW),
        ([(100.0 + 90 * n, 100.0, 40.0, 40.0) for n in range(MAX_WINDOWS + 1)], VIEW),
        ([(10.0, 10.0, 40.0, 40.0)], (160, 96)),
    ],
    ids=["nobody", "too wide", "too high", "left the view", "below it", "a crowd", "a view smaller than a window"],
)
def test_the_whole_view_is_looked_at_instead(faces: list[Box], view: tuple[int, int]) -> None:
    assert windows_for(faces, view, WINDOW) == []


def test_faces_side_by_side_share_a_window() -> None:
    assert len(windows_for([(400, 200, 40, 40), (420, 210, 40, 40), (700, 200, 40, 40)], VIEW, WINDOW)) == 2


def _found(faces: list[Box], corners: list[Corner]) -> Detections:
    detector = SimulatedWindows(lambda: detections(faces), 1.0)
    return find_in_windows(detector, position_coded(VIEW), corners, SCORE_THRESHOLD, OVERLAP_THRESHOLD)


@given(faces=st.lists(boxes, min_size=1, max_size=6))
def test_each_face_in_a_window_is_found_once_and_where_it_is(faces: list[Box]) -> None:
    corners = windows_for(faces, VIEW, WINDOW)
    apart = all(
        abs(a[0] - b[0]) > 90 or abs(a[1] - b[1]) > 90 for i, a in enumerate(faces) for b in faces[:i]
    )  # fmt: skip
    if not corners or not apart:
        return
    found = _found(faces, corners)
    assert len(found) == len(faces)
    for face in faces:
        at = int(np.abs(found.boxes - np.array(face, np.float32)).sum(axis=1).argmin())
        assert found.boxes[at] == pytest.approx(face, abs=0.1)
        assert found.points[at] == pytest.approx(detections([face]).points[0], abs=0.1)


def test_a_face_seen_from_two_windows_is_one_face() -> None:
    face = (400.0, 200.0, 40.0, 40.0)
    assert len(_found([face], [(350, 150), (360, 160)])) == 1


def test_what_is_near_a_windows_edge_does_not_count_unless_the_view_ends_there() -> None:
    assert len(_found([(395.0, 200.0, 30.0, 30.0)], [(400, 150)])) == 0
    assert len(_found([(0.0, 200.0, 30.0, 30.0)], [(0, 150)])) == 1


def test_of_nobody_nobody_is_found() -> None:
    found = _found([], [(0, 0), (400, 100)])
    assert found.boxes.shape == (0, 4)
    assert found.points.shape == (0, 5, 2)


@pytest.mark.skipif(not (MODELS / "yunet-128x128.tflite").exists(), reason="models are not built (make models)")
def test_the_real_detector_finds_the_same_face_in_a_window_as_in_the_whole_view() -> None:
    from overt_tools.bench.listed import read_still

    stills = sorted((MODELS.parent / "cache").rglob("franck_0*.jpg"))
    if not stills:
        pytest.skip("the recordings are not fetched (make footage)")
    whole = LiteRtDetector(str(MODELS / "yunet-960x544.tflite"))
    window = LiteRtDetector(str(MODELS / "yunet-128x128.tflite"))
    for still in stills[:4]:
        picture = read_still(still)[..., ::-1]
        small = np.full((VIEW[1], VIEW[0], 3), 120, np.uint8)
        step = max(1, picture.shape[0] // 110)
        part = picture[::step, ::step][: VIEW[1] - 60, : VIEW[0] - 60]
        small[60 : 60 + part.shape[0], 60 : 60 + part.shape[1]] = part
        there = decode(whole.detect(small), VIEW, 1.0)
        assert len(there) == 1
        (box,) = there.boxes.tolist()
        corners = windows_for([tuple(box)], VIEW, WINDOW)
        here = find_in_windows(window, small, corners, SCORE_THRESHOLD, OVERLAP_THRESHOLD)
        assert len(here) == 1
        side = float(np.hypot(*there.boxes[0, 2:]))
        assert np.abs(here.boxes - there.boxes).max() < 0.08 * side
        assert np.abs(here.points - there.points).max() < 0.04 * side
