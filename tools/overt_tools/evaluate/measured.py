"""What is kept of a measured still: plain numbers, as they lie in the cache."""

import msgspec
import numpy as np

from overt.recognition.arrays import Floats
from overt.recognition.quality import Light, Quality


class Pose(msgspec.Struct, frozen=True, array_like=True):
    """The quality of a face, flat. See `overt.recognition.quality.Quality` and `Light` for the units."""

    eyes: float
    yaw: float
    pitch: float
    roll: float
    clipped: float
    sharpness: float | None
    mean: float | None
    spread: float | None
    dark: float | None
    bright: float | None
    score: float

    def quality(self) -> Quality:
        """Return it as the gates take it."""
        light = None
        if self.mean is not None and self.spread is not None:
            light = Light(self.mean, self.spread, self.dark or 0.0, self.bright or 0.0)
        return Quality(self.eyes, self.yaw, self.pitch, self.roll, self.clipped, self.sharpness, light, self.score)


class Found(msgspec.Struct, frozen=True, array_like=True):
    """The subject of a still, if a face was found.

    Attributes:
        faces: How many faces were found.
        score: The detector's for the subject, 0..1.
        box: Left, top, width, height in pixels of the still; empty without a face.
        points: Ten numbers: x, y of the five points, as `detect.Detections` orders them; empty without a face.
        pose: Its quality; None without a face.
        problem: Why nothing could be looked for; None when it could.
    """

    faces: int = 0
    score: float = 0.0
    box: tuple[float, ...] = ()
    points: tuple[float, ...] = ()
    pose: Pose | None = None
    problem: str | None = None

    def corners(self) -> Floats:
        """Return the five points, (5, 2) float32."""
        return np.array(self.points, np.float32).reshape(5, 2)


class Measured(msgspec.Struct, frozen=True, array_like=True):
    """What a kind of look at a still gave.

    Attributes:
        template: Little-endian float32, unit length; empty when there is none.
        refused: Why the face would not have been used, from `errors.Unsuitable`; None when it would.
        found: The face, where the look has its own (a degraded picture); None where it is the still's own.
    """

    template: bytes = b""
    refused: str | None = None
    found: Found | None = None

    def vector(self) -> Floats | None:
        """Return the template (d,) float32, or None."""
        return np.frombuffer(self.template, "<f4").astype(np.float32) if self.template else None

    def __repr__(self) -> str:
        """Leave out the template."""
        return f"Measured(refused={self.refused!r})"
