"""Names for the kinds of array that go round in here."""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
"""Pixels."""
Floats = NDArray[np.float32]
"""Coordinates, scores, templates."""
Indices = NDArray[np.int32]
"""Entry indices."""

MATRIX_AXES = 2
"""Axes of a plane or a matrix: rows and columns."""
CHANNELS = 3
"""Colours of a pixel."""


def is_image(value: object) -> bool:
    """Tell whether a value is an (H, W, 3) array of uint8."""
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.shape[MATRIX_AXES:] == (CHANNELS,)
