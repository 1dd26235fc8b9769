"""What can go wrong between pixels and scores, as one family of errors."""

from enum import StrEnum


class RecognitionError(ValueError):
    """Pixels, a model or a gallery are not what they have to be."""


class BadFrame(RecognitionError):
    """A frame's planes do not fit together, or a crop lies outside them."""


class BadModel(RecognitionError):
    """A file is not the model that is expected, or the model gave something else than it promised."""


class NoAccelerator(RecognitionError):
    """An accelerator's library cannot be loaded, or does not take a model."""


class BadGallery(RecognitionError):
    """Templates to search in, or to search for, are not unit vectors of the right shape."""


class BadPoints(RecognitionError):
    """Five points that no face can have: not finite, or all in one place."""


class Unsuitable(StrEnum):
    """Why a face is not used. A closed list: it may be logged and shown."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    TOO_SMALL = "too_small"
    BLURRED = "blurred"
    TURNED = "turned"
    TILTED = "tilted"
    CUT_OFF = "cut_off"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    TOO_FLAT = "too_flat"


class EnrolmentRefused(RecognitionError):
    """A still cannot be enrolled.

    Attributes:
        reason: Why, from the closed list.
        boxes: The faces that were found, each left, top, width, height in pixels of the still: to show a person.
    """

    def __init__(
        self, reason: Unsuitable, detail: str, boxes: tuple[tuple[float, float, float, float], ...] = ()
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.boxes = boxes
