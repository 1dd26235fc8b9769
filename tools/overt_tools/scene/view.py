"""The scene's geometry: a pinhole camera over a flat floor, and where a walker's head is in its picture.

Lengths on the floor are metres: x to the right of the camera's axis, z away from it. The camera looks level, with the
narrow lens that is used over a zone of recognition. Sizes of people in the picture are counted in inter-eye distances.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

# The mean inter-pupillary distance of adults is 63 mm (Dodgson 2004, "Variation and extrema of human
# interpupillary distance", SPIE 5291).
EYES_M = 0.063
# A horizontal field of view of 25 degrees.
FOCAL_PER_WIDTH = 0.5 / math.tan(math.radians(12.5))
HORIZON = 0.24  # of the picture's height, from the top
CAMERA_M = 2.0  # above the floor
EYE_LEVEL_M = 1.64  # of a walker's eyes above the floor
EYES_TO_FLOOR = EYE_LEVEL_M / EYES_M  # the same, in inter-eye distances
# Half of a walker's width with a coat on, with room for the head's sway.
HALF_WIDTH_M = 0.29

Point: TypeAlias = tuple[float, float]


class Walk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A walker's way over the floor: a quadratic Bezier curve of (x, z) points in metres."""

    start: Point
    bend: Point
    end: Point

    def at(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """The places at shares 0 to 1 of the way, (n,) to (n, 2)."""
        t = share[:, None]
        a, b, c = (np.asarray(point, np.float64) for point in (self.start, self.bend, self.end))
        way: NDArray[np.float64] = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
        return way

    def length(self) -> float:
        """The way's length in metres."""
        places = self.at(np.linspace(0, 1, 40))
        return float(np.hypot(*np.diff(places, axis=0).T).sum())


@dataclass(frozen=True, slots=True)
class Camera:
    """The camera: its picture's width and height in pixels."""

    width: int
    height: int

    @property
    def focal(self) -> float:
        """The focal length in pixels."""
        return FOCAL_PER_WIDTH * self.width

    def half_view(self, z: float) -> float:
        """How far the view reaches to each side at distance z, in metres."""
        return z * self.width / 2 / self.focal

    def eyes_at(self, z: float) -> float:
        """The inter-eye distance in pixels of a face at distance z."""
        return self.focal * EYES_M / z

    def floor_row(self, z: float) -> float:
        """The row of the picture in which the floor at distance z lies."""
        return HORIZON * self.height + self.focal * CAMERA_M / z

    def heads(self, places: NDArray[np.float64], seconds: NDArray[np.float64], pace: float) -> NDArray[np.float64]:
        """Where a walker's eyes are, with the bob of walking.

        Args:
            places: on the floor, (n, 2) metres.
            seconds: since the walk began, (n,).
            pace: steps a second.

        Returns:
            (n, 4): x and y of the point between the eyes, inter-eye distance (all pixels), distance z (metres).
        """
        x, z = places.T
        # The head rises about 4 cm and sways about 3 cm from step to step.
        up = 0.02 * np.cos(2 * np.pi * pace * seconds)
        aside = 0.015 * np.sin(np.pi * pace * seconds)
        column = self.width / 2 + self.focal * (x + aside) / z
        row = HORIZON * self.height + self.focal * (CAMERA_M - EYE_LEVEL_M - up) / z
        return np.column_stack([column, row, self.focal * EYES_M / z, z])
