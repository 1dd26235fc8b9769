"""What a site survey is told about the size of faces."""

import pytest

from overt.recognition.advice import GOOD_EYES_PX, MINIMUM_EYES_PX, FaceSize, judge_size
from overt.recognition.quality import Gates


@pytest.mark.parametrize(
    ("eyes", "size"),
    [
        (0.0, FaceSize.TOO_SMALL),
        (MINIMUM_EYES_PX - 0.1, FaceSize.TOO_SMALL),
        (MINIMUM_EYES_PX, FaceSize.ENOUGH),
        (GOOD_EYES_PX, FaceSize.GOOD),
        (200.0, FaceSize.GOOD),
    ],
)
def test_a_size_is_too_small_enough_or_good(eyes: float, size: FaceSize) -> None:
    assert judge_size(eyes) is size


def test_what_is_enough_passes_the_gates() -> None:
    assert Gates().min_inter_eye_px <= MINIMUM_EYES_PX < GOOD_EYES_PX
