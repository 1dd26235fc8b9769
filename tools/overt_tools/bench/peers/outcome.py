"""What the comparison with peers gives."""

import msgspec

from ..finding import FoundBySize, Recognition
from ..statistics import Spread


class Contender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One peer, or Overt.

    Attributes:
        name: Short.
        title: What it is, with its versions.
        how: What it was made to do.
        threshold: Likeness from which it says that two faces are one person's; its own recommendation.
        enrolled: Of the volunteer's stills, how many it could use.
        pictures: How many it looked at.
        ms: CPU milliseconds a picture with six people walking, decoding excluded.
        decoded_ms: The same with the decoding that it needs, on average.
        find_ms: Of it, finding faces, on average; the rest is embedding and comparing. None when both are one call.
        empty_ms: CPU milliseconds a picture of an empty street, decoding excluded, on average.
        by_size: Faces found on the size chart, by width.
        walking: Faces found on people who walk, by width.
        false_detections: Boxes that are no face, over all pictures.
        recognition: Passages, of the street and the crowd.
        peak_mb: The most memory that its process took.
    """

    name: str
    title: str
    how: str
    threshold: float
    enrolled: int
    pictures: int
    ms: Spread
    decoded_ms: float
    find_ms: float | None
    empty_ms: float
    by_size: list[FoundBySize]
    walking: list[FoundBySize]
    false_detections: int
    recognition: Recognition
    peak_mb: float


class Peers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="peers"):
    """The comparison.

    Attributes:
        every: Peers look at one picture in so many of the street, of the crowd and of the empty street.
        sample: How many pictures those are: street, crowd, chart, empty street.
        contenders: Those that could be measured, Overt first.
        missing: Those that could not, and why.
    """

    every: tuple[int, int, int]
    sample: tuple[int, int, int, int]
    contenders: list[Contender]
    missing: dict[str, str]
