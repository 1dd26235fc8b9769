"""A still is enrolled when it shows one good face; otherwise it is refused with the reason."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.enrol import enrol, find_faces, frame_from_rgb, resize
from overt.recognition.errors import BadFrame, EnrolmentRefused, Unsuitable

from .synthetic import SMALL, Box, SimulatedEmbedder, detections, encode, template_of, texture

FRAME_MARK = 250


class StillDetector:
    """Finds whatever stands on grey: as the real one, it sees only the small picture."""

    size = SMALL

    def __init__(self) -> None:
        self.flushed = 0

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        """A face is a rectangle of textured columns, found by where the small picture is neither grey nor black."""
        textured = (np.ptp(small.astype(int), axis=2) > 12) & (small.max(axis=2) > 0)
        boxes: list[Box] = []
        columns = np.flatnonzero(textured.any(axis=0))
        for run in np.split(columns, np.flatnonzero(np.diff(columns) > 4) + 1):
            rows = np.flatnonzero(textured[:, run].any(axis=1)) if len(run) else run
            if len(rows) > 5:
                boxes.append((float(run[0]), float(rows[0]), len(run), len(rows)))
        return encode(detections(boxes), scale=1.0)

    def flush(self) -> None:
        self.flushed += 1


def still(people: Mapping[int, Box], size: tuple[int, int] = (600, 400), back: int = 120) -> Bytes:
    rgb = np.full((size[1], size[0], 3), back, np.uint8)
    for person, (x, y, w, h) in people.items():
        rows, columns = (np.arange(int(h)) * 112 // int(h)), (np.arange(int(w)) * 112 // int(w))
        patch = texture(person)[np.ix_(rows, columns)]
        rgb[int(y) : int(y + h), int(x) : int(x + w)] = patch[: size[1] - int(y), : size[0] - int(x)]
    return rgb


@pytest.mark.parametrize("size", [(600, 400), (301, 453), (2400, 1800)])
def test_one_good_face_is_enrolled_whatever_the_size_of_the_still(size: tuple[int, int]) -> None:
    side = min(size) // 2
    detector, embedder = StillDetector(), SimulatedEmbedder()
    enrolled = enrol(still({5: (side // 3, side // 2, side, side)}, size), detector, embedder)
    assert enrolled.template.shape == (128,)
    assert enrolled.template.dtype == np.float32
    assert np.linalg.norm(enrolled.template) == pytest.approx(1, abs=1e-5)
    assert float(enrolled.template @ template_of(5)) > 0.7
    assert float(enrolled.template @ template_of(6)) < 0.4
    assert enrolled.quality.inter_eye_px == pytest.approx(35.24 / 112 * side, rel=0.1)


def test_nothing_is_left_in_the_engines() -> None:
    detector, embedder = StillDetector(), SimulatedEmbedder()
    enrol(still({5: (100, 100, 200, 200)}), detector, embedder)
    assert not embedder.memory.any()
    assert detector.flushed == 1


def refusal(rgb: Bytes) -> tuple[Unsuitable, str]:
    embedder = SimulatedEmbedder()
    with pytest.raises(EnrolmentRefused, match="expected") as caught:
        enrol(rgb, StillDetector(), embedder)
    assert embedder.calls == 0
    return caught.value.reason, str(caught.value)


def test_a_still_without_a_face_is_refused() -> None:
    reason, text = refusal(still({}))
    assert reason is Unsuitable.NO_FACE
    assert text == "expected exactly one face, found none: use another image"


def test_a_still_with_two_faces_is_refused() -> None:
    reason, text = refusal(still({1: (20, 100, 180, 180), 2: (330, 120, 160, 160)}))
    assert reason is Unsuitable.SEVERAL_FACES
    assert "found 2" in text


def test_a_tiny_face_in_the_background_does_not_count() -> None:
    rgb = still({1: (20, 60, 300, 300), 2: (500, 20, 40, 40)})
    assert len(find_faces(rgb, StillDetector())[1]) == 2
    enrolled = enrol(rgb, StillDetector(), SimulatedEmbedder())
    likeness = [float(enrolled.template @ template_of(who)) for who in range(5)]
    assert max(likeness) == likeness[1] > 0.6  # the mean with a mirror image, whose template here is another's


def test_a_small_face_is_refused_with_what_is_needed() -> None:
    reason, text = refusal(still({1: (200, 200, 70, 70)}))
    assert reason is Unsuitable.TOO_SMALL
    assert "at least 30 pixels between the eyes, found 2" in text


def test_a_blurred_face_is_refused() -> None:
    gradient = np.linspace(0, 60, 220)[None, :, None] + np.linspace(0, 60, 220)[:, None, None] + [30, 60, 90]
    rgb = np.full((400, 600, 3), 120, np.uint8)
    rgb[100:320, 100:320] = gradient
    assert refusal(rgb)[0] is Unsuitable.BLURRED


def test_a_dark_face_is_refused() -> None:
    rgb = still({1: (100, 100, 200, 200)})
    rgb[100:300, 100:300] = rgb[100:300, 100:300] // 10 + np.array([0, 3, 18], np.uint8)
    assert refusal(rgb)[0] in {Unsuitable.TOO_DARK, Unsuitable.TOO_FLAT}


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((400, 600), np.uint8),
        np.zeros((400, 600, 4), np.uint8),
        np.zeros((400, 600, 3), np.float32),
        np.zeros((40, 600, 3), np.uint8),
        np.zeros((64, 10_001, 3), np.uint8),
        b"not an image",
    ],
)
def test_what_is_no_image_of_a_usable_size_is_refused(image: object) -> None:
    with pytest.raises(BadFrame, match="expected an image"):
        enrol(image, StillDetector(), SimulatedEmbedder())  # type: ignore[arg-type]  # deliberately wrong


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(64, 700), st.integers(64, 500), st.sampled_from([1.0, 0.5]))
def test_a_still_fits_the_detector_with_one_scale_and_black_around(width: int, height: int, fill: float) -> None:
    rgb = np.full((height, width, 3), (200, 100, 50), np.uint8)
    frame = frame_from_rgb(rgb, SMALL, fill)
    assert (frame.width, frame.height) == (width, height)
    assert frame.small.shape == (SMALL[1], SMALL[0], 3)
    columns, rows = (
        min(SMALL[0], max(1, round(width / frame.scale))),
        min(SMALL[1], max(1, round(height / frame.scale))),
    )
    assert (frame.small[:rows, :columns] == (50, 100, 200)).all()
    assert not frame.small[rows:].any()
    assert not frame.small[:, columns:].any()
    assert columns <= SMALL[0] * fill + 1
    assert rows <= SMALL[1] * fill + 1


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(64, 300), st.integers(64, 300), st.integers(5, 300), st.integers(5, 300))
def test_scaling_keeps_a_gradient_where_it_is(height: int, width: int, rows: int, columns: int) -> None:
    image = (np.arange(height)[:, None] * 0.4 + np.arange(width)[None, :] * 0.4).astype(np.float32)
    scaled = resize(np.repeat(np.rint(image)[..., None], 3, 2).astype(np.uint8), rows, columns)[..., 0].astype(float)
    wanted_rows = (np.arange(rows) + 0.5) * height / rows - 0.5
    wanted_columns = (np.arange(columns) + 0.5) * width / columns - 0.5
    wanted = wanted_rows[:, None] * 0.4 + wanted_columns[None, :] * 0.4
    inner = np.s_[rows // 8 : rows - rows // 8, columns // 8 : columns - columns // 8]
    edge = 0.4 * (height / rows + width / columns)
    assert np.abs(scaled - wanted)[inner].max(initial=0) <= 1.6 + edge / 2
