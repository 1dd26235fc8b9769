"""The product's own face detector, as the scene needs it: the one face of a clip's frame."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import SceneError
from .faces import Face, Finder


def detector_finder(model: Path) -> Finder:
    """Make a finder from a LiteRT detector.

    Args:
        model: the detector's file.

    Raises:
        SceneError: it is missing, or no detector.
    """
    # Heavy, and not needed when the faces are known already.
    from overt.recognition.detect import decode  # noqa: PLC0415 - see above
    from overt.recognition.engine import LiteRtDetector  # noqa: PLC0415 - see above
    from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - see above

    if not model.is_file():
        raise SceneError(f"the face detector {model} is missing; build the models first (overt-tools models build)")
    try:
        detector = LiteRtDetector(str(model))
    except RecognitionError as error:
        raise SceneError(str(error)) from error

    def find(rgb: NDArray[np.uint8]) -> Face | None:
        wide, high = detector.size
        scale = max(rgb.shape[1] / wide, rgb.shape[0] / high)
        size = (min(wide, round(rgb.shape[1] / scale)), min(high, round(rgb.shape[0] / scale)))
        small = np.zeros((high, wide, 3), np.uint8)
        small[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_LINEAR)[..., ::-1]
        found = decode(detector.detect(small), detector.size, scale)
        if not len(found):
            return None
        left, top, width, height = (float(value) for value in found.boxes[0])
        points = tuple((float(x), float(y)) for x, y in found.points[0])
        return Face((left, top, width, height), points, float(found.scores[0]))

    return find
