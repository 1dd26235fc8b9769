"""The ground truth beside a scene's footage: who passes when, where each face is, and how much of it can be seen.

Written as JSON next to the footage, `scene.mp4` beside `scene.json`. Pixel coordinates count from the top left corner
of the picture's first pixel.
"""

from pathlib import Path
from typing import Literal

import msgspec

from overt.runtime.files import write_atomically

from .clips import Person, digest
from .errors import SceneError
from .plan import Plan

VERSION: Literal[1] = 1


class Sighting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One face in one frame.

    Attributes:
        frame: the frame's number, from 0.
        box: the face's left, top, width and height in pixels; may reach beyond the picture.
        eyes: pixels between the eyes.
        points: right eye, left eye, nose tip, right and left mouth corner (the person's right), x and y in turn.
        visible: the share of the box that is in the picture with nothing before it, 0 to 1.
        confident: the detector was sure of the face in the clip's frame that is shown.
    """

    frame: int
    box: tuple[float, float, float, float]
    eyes: float
    points: list[float]
    visible: float
    confident: bool


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frames `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of frames."""
        return self.last - self.first + 1


class Crossing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch in which something hides a part of a passage's face.

    Attributes:
        behind: the id of the passage or stroller in front, or "pillar".
        span: from the first to the last frame concerned.
        least_visible: the smallest visible share in it.
    """

    behind: str
    span: Span
    least_visible: float


class PassageTruth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person's passage through the view.

    Attributes:
        id: unique in the scene.
        person: who it really is.
        clip: the recording that the head comes from.
        listed: this person is on the demonstration's watchlist, so the passage is to raise an alert.
        clip_span: the frames of the recording that are shown.
        in_view: from the first to the last frame in which any of the face is in the picture.
        opportunity: the longest stretch in which the face is unobstructed and at least `least_eyes` pixels between
            the eyes: a recognition opportunity. None for a passage too far away.
        crossings: what hides the face on the way.
        sightings: the face in every frame in which any of its box is in the picture.
    """

    id: str
    person: Person
    clip: str
    listed: bool
    clip_span: Span
    in_view: Span
    opportunity: Span | None
    crossings: list[Crossing]
    sightings: list[Sighting]


class Truth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="overt-scene"):
    """The ground truth of a scene.

    Attributes:
        version: of this format.
        key: digest of all that the scene was made from; the same key means the same scene.
        footage: the footage's file name, in the same folder.
        sha256: the footage's digest.
        frames: how many it has.
        fps: how many a second.
        size: width and height in pixels.
        least_eyes: pixels between the eyes from which a face offers a recognition opportunity.
        pillar: first and last-but-one column of the pillar in the foreground.
        plan: what the scene was rendered from.
        passages: by their first frame.
    """

    version: Literal[1]
    key: str
    footage: str
    sha256: str
    frames: int
    fps: int
    size: tuple[int, int]
    least_eyes: float
    pillar: tuple[int, int]
    plan: Plan
    passages: list[PassageTruth]


def truth_path(footage: Path) -> Path:
    """Where the ground truth of a footage file lies."""
    return footage.with_suffix(".json")


def save_truth(path: Path, truth: Truth) -> None:
    """Write the ground truth, replacing what was there only when it is complete.

    Raises:
        OSError: the folder is missing, read-only or full.
    """
    write_atomically(path, msgspec.json.encode(truth) + b"\n", mode=0o644)


def load_truth(path: Path) -> Truth:
    """Read a ground truth file.

    Raises:
        SceneError: it is missing, or not a ground truth of this version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise SceneError(f"the ground truth {path} cannot be read: {error.strerror}; build the scene first") from error
    except msgspec.DecodeError as error:
        raise SceneError(
            f"{path} is not a scene's ground truth of version {VERSION} ({error}); build the scene again"
        ) from error


def check_footage(footage: Path) -> Truth:
    """Read the ground truth of a footage file and make sure that it is about this very file.

    Returns:
        The ground truth.

    Raises:
        SceneError: the footage or its ground truth is missing or damaged, or they don't belong together.
    """
    truth = load_truth(truth_path(footage))
    found = digest(footage)
    if found != truth.sha256:
        raise SceneError(
            f"{footage} is not the footage that its ground truth is about: "
            f"SHA-256 {truth.sha256} was expected, found {found}; build the scene again"
        )
    return truth
