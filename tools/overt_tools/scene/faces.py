"""Where the face lies in each frame of a stretch of a clip: detected now and then, joined up and smoothed."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from overt.runtime.files import write_atomically

from .errors import SceneError

# Bump when what is stored, or how it is found, changes.
REVISION = 1
# Faces move slowly beside the frame rate: every fourth frame is looked at.
EVERY = 4
# Below this detector score a frame is not counted as a recognition opportunity.
CONFIDENT = 0.8
# Gaussian smoothing, standard deviation in frames: of the points (detector jitter), and of the head's anchor, which
# holds the figure still while the head keeps its own small movements.
SMOOTH, ANCHOR_SMOOTH = 1.2, 14.0


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one picture.

    Attributes:
        box: left, top, width, height, in pixels.
        points: right eye, left eye, nose tip, right and left mouth corner (the person's right), (x, y) pixels.
        score: the detector's confidence, 0 to 1.
    """

    box: tuple[float, float, float, float]
    points: tuple[tuple[float, float], ...]
    score: float

    @property
    def middle(self) -> tuple[float, float]:
        """The point between the eyes."""
        (ax, ay), (bx, by) = self.points[:2]
        return (ax + bx) / 2, (ay + by) / 2

    @property
    def eyes(self) -> float:
        """The inter-eye distance in pixels."""
        return math.dist(self.points[0], self.points[1])

    @property
    def roll(self) -> float:
        """How far the line through the eyes is turned, in radians, clockwise."""
        (ax, ay), (bx, by) = self.points[:2]
        return math.atan2(by - ay, bx - ax)


# Finds the one face of an (h, w, 3) uint8 RGB picture, or nothing.
Finder: TypeAlias = Callable[[NDArray[np.uint8]], Face | None]


class Track(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The face in every frame of a stretch.

    Attributes:
        first: the number of the clip's frame that row 0 is about.
        rows: per frame: box (4), points (10), score, anchor (2), steady inter-eye distance: 18 numbers.
    """

    first: int
    rows: list[list[float]]

    def face(self, index: int) -> Face:
        """The face in frame `first + index`."""
        row = self.rows[index]
        points = tuple((row[4 + 2 * i], row[5 + 2 * i]) for i in range(5))
        return Face((row[0], row[1], row[2], row[3]), points, row[14])

    def anchor(self, index: int) -> tuple[float, float, float]:
        """The steady point between the eyes and the steady inter-eye distance: x, y, pixels."""
        row = self.rows[index]
        return row[15], row[16], row[17]


def follow(frames: Iterable[NDArray[np.uint8]], first: int, finder: Finder) -> Track:
    """Follow the one face through a stretch.

    Args:
        frames: the stretch's frames, (h, w, 3) uint8 RGB.
        first: the number of the first one in its clip.
        finder: the detector.

    Returns:
        The track. A frame in which nothing was found has score 0 and borrows its neighbours' place.

    Raises:
        SceneError: no face was found in the whole stretch.
    """
    seen: list[tuple[int, Face]] = []
    looked: list[tuple[int, float]] = []
    count = 0
    for index, frame in enumerate(frames):
        count = index + 1
        if index % EVERY:
            continue
        face = finder(frame)
        looked.append((index, face.score if face else 0.0))
        if face:
            seen.append((index, face))
    if not seen:
        raise SceneError(f"no face was found in the {count} frames from frame {first} on; is it the right clip?")
    at = np.arange(count)
    known = np.array([index for index, _ in seen])
    values = np.array([[*face.box, *np.ravel(face.points)] for _, face in seen])
    joined = np.stack([np.interp(at, known, column) for column in values.T], axis=1)
    joined = _smooth(joined, SMOOTH)
    score = np.interp(at, [index for index, _ in looked], [value for _, value in looked])
    middle = (joined[:, 4:6] + joined[:, 6:8]) / 2
    eyes = np.hypot(*(joined[:, 6:8] - joined[:, 4:6]).T)
    steady = _smooth(np.column_stack([middle, eyes]), ANCHOR_SMOOTH)
    rows = np.round(np.column_stack([joined, score, steady]), 2)
    return Track(first, rows.tolist())


def _smooth(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing along the first axis, (n, k) to (n, k); the ends are mirrored."""
    reach = min(int(3 * sigma) + 1, max(1, len(values) - 1))
    if len(values) == 1:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="reflect")
    return np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)


def load_track(path: Path) -> Track | None:
    """A track kept earlier; None when there is none or it cannot be used, in which case it is made anew."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Track)
    except (OSError, msgspec.DecodeError):
        return None


def keep_track(path: Path, track: Track) -> None:
    """Keep a track for the next time.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.encode(track), mode=0o644)
