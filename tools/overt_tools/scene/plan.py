"""The plan of a scene: who walks where, when and with which frames of which clip. Pure data."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from .clips import Person
from .errors import BadRequestError
from .view import Camera, Walk

# A recognition opportunity at a picture width of 1920: this many pixels between the eyes, or more. Smaller pictures
# show the same scene smaller, and the figure goes down with their width.
OPPORTUNITY_EYES = 35.0
# Of the face's box, this share must be visible for an opportunity.
OPPORTUNITY_VISIBLE = 0.97
# A passage of the listed volunteer offers at least this long an opportunity, in seconds.
OPPORTUNITY_SECONDS = 1.5
# Seconds before the first and after the last person, and between two passages of the volunteer.
LEAD, VOLUNTEER_GAP, PASSER_GAP = 2.0, 5.2, 2.5


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for.

    Attributes:
        people: passages of people who face the camera, in all; None for as many as fit.
        seconds: the footage's length.
        seed: every choice follows from it.
        width: of the picture in pixels, even.
        height: of the picture in pixels, even.
        fps: frames a second.
    """

    people: int | None = None
    seconds: float = 60.0
    seed: int = 1
    width: int = 1920
    height: int = 1080
    fps: int = 25

    def check(self) -> None:
        """Refuse a scene that cannot be.

        Raises:
            BadRequestError: an option is out of its range.
        """
        ranges = {
            "--seconds": (self.seconds, 2, 600),
            "--fps": (self.fps, 5, 60),
            "--size (width)": (self.width, 320, 3840),
            "--size (height)": (self.height, 180, 2160),
            "--people": (2 if self.people is None else self.people, 2, 100),
            "--seed": (self.seed, 0, 2**32 - 1),
        }
        for name, (value, least, most) in ranges.items():
            if not least <= value <= most:
                raise BadRequestError(f"{name} must lie between {least} and {most}, found {value}")
        if self.width % 4 or self.height % 4:
            raise BadRequestError(f"--size must be divisible by 4 both ways, found {self.width}x{self.height}")
        if not 1.3 <= self.width / self.height <= 2.2:  # noqa: PLR2004 - said in the message
            raise BadRequestError(
                f"--size must be between 1.3 and 2.2 times as wide as high, found {self.width}x{self.height}"
            )

    @property
    def frames(self) -> int:
        """The number of frames."""
        return round(self.seconds * self.fps)

    @property
    def lead(self) -> float:
        """Seconds with nobody who faces the camera, at either end; less in a very short scene."""
        return min(LEAD, self.seconds / 10)

    @property
    def camera(self) -> Camera:
        """The camera of this picture size."""
        return Camera(self.width, self.height)


class Passage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person's way through the view, once, with the face to the camera.

    Attributes:
        id: unique in the scene.
        person: who.
        clip: the clip that head comes from.
        listed: the person is on the demonstration's watchlist.
        clip_first: the first frame of the clip that is used.
        first: the scene's frame in which the walk begins, outside the view.
        frames: how long it takes.
        walk: the way over the floor.
        pace: steps a second.
        coat: which coat is worn.
    """

    id: str
    person: Person
    clip: str
    listed: bool
    clip_first: int
    first: int
    frames: int
    walk: Walk
    pace: float
    coat: int


class Stroller(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody drawn from behind, who walks away and has no face. The fields are those of a passage."""

    id: str
    first: int
    frames: int
    walk: Walk
    pace: float
    coat: int


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scene, before any pixel.

    Attributes:
        options: what was asked for.
        pillar: the first and last-but-one column of the pillar that stands before everything, even numbers.
        passages: by their first frame.
        strollers: by their first frame.
    """

    options: Options
    pillar: tuple[int, int]
    passages: list[Passage]
    strollers: list[Stroller]

    @property
    def least_eyes(self) -> float:
        """The inter-eye distance in pixels from which a face offers a recognition opportunity."""
        return OPPORTUNITY_EYES * self.options.width / 1920


def heads_of(walker: Passage | Stroller, options: Options) -> NDArray[np.float64]:
    """Where a walker's eyes are in each frame of the walk: (frames, 4), see `Camera.heads`."""
    share = np.linspace(0, 1, walker.frames)
    seconds = np.arange(walker.frames) / options.fps
    return options.camera.heads(walker.walk.at(share), seconds, walker.pace)


def longest_run(good: NDArray[np.bool_]) -> tuple[int, int] | None:
    """The longest unbroken run of true values: its first and last index, None when there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    if not len(edges):
        return None
    starts, ends = edges[::2], edges[1::2]
    best = int(np.argmax(ends - starts))
    return int(starts[best]), int(ends[best]) - 1
