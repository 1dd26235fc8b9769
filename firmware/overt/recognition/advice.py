"""What a site survey should reach: how large faces must be in the view for recognition to work there.

Measured on LFW, shrunk and looked at in a full-HD view (docs/accuracy.md, "Recognition against conditions"): of the
listed faces that are recognised at their best, a single look recognises 97 % at `MINIMUM_EYES_PX`, and all at
`GOOD_EYES_PX`. A passage has several looks; a crowd, low light and movement leave fewer and worse ones. Survey for the
good size where people are nearest, and count on nothing beyond where they have the minimum.
"""

from enum import StrEnum

MINIMUM_EYES_PX = 20.0
"""Pixels between the eyes, in the full view, that people must reach somewhere in the zone of recognition."""

GOOD_EYES_PX = 28.0
"""From so many on, more pixels make recognition no better."""


class FaceSize(StrEnum):
    """What a face's size in the view is worth."""

    TOO_SMALL = "too_small"
    ENOUGH = "enough"
    GOOD = "good"


def judge_size(inter_eye_px: float) -> FaceSize:
    """Say what a face's size is worth.

    Args:
        inter_eye_px: Distance of the eyes in full-view pixels, as `quality.Quality` has it.
    """
    if inter_eye_px >= GOOD_EYES_PX:
        return FaceSize.GOOD
    return FaceSize.ENOUGH if inter_eye_px >= MINIMUM_EYES_PX else FaceSize.TOO_SMALL
