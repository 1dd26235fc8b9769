"""What a technician who aims a unit is shown: a coarse picture, faces outlined, meters. Nothing to recognise by."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from overt.protocol import fields as f

PICTURE_WIDTH: Final = 160
"""Pixels. A face whose eyes are 28 px apart in a full-HD view has them 2 px apart here (docs/adr/0023)."""
PICTURE_MAX_BYTES: Final = 24 * 1024
FACES_MOST: Final = 32
Pixels = Annotated[int, Meta(ge=0, le=65535)]


class Outline(f.Value, frozen=True, kw_only=True):
    """Where a face is, in pixels of the full view, and how far apart its eyes are."""

    left: Pixels
    top: Pixels
    width: Pixels
    height: Pixels
    eyes_px: Annotated[float, Meta(ge=0.0, le=10000.0)]


class View(f.Value, frozen=True, kw_only=True):
    """What the lens sees at one moment.

    Attributes:
        number: Counts the pictures since the preview began.
        width: Of the full view.
        height: Of the full view.
        picture_width: Of the picture.
        picture_height: Of the picture.
        picture: Grey, one byte a pixel, row by row, compressed with zlib. Faces in it are coarse mosaics.
        outlines: Where faces are, the largest first.
        focus: How sharp the middle of the view is; its unit is arbitrary, and its largest value is the best focus.
        focus_peak: The sharpest since the preview began.
        mean: Mean brightness, 0 to 1.
        dark: Share of pixels without any light, 0 to 1.
        bright: Share of pixels that are burnt out, 0 to 1.
        templates_made: How many templates were made: none.
    """

    number: f.Count
    width: Pixels
    height: Pixels
    picture_width: Annotated[int, Meta(ge=1, le=PICTURE_WIDTH)]
    picture_height: Annotated[int, Meta(ge=1, le=2 * PICTURE_WIDTH)]
    picture: Annotated[bytes, Meta(max_length=PICTURE_MAX_BYTES)]
    outlines: Annotated[tuple[Outline, ...], Meta(max_length=FACES_MOST)]
    focus: Annotated[float, Meta(ge=0.0)]
    focus_peak: Annotated[float, Meta(ge=0.0)]
    mean: f.Fraction
    dark: f.Fraction
    bright: f.Fraction
    templates_made: f.Count = 0


encode = msgspec.msgpack.Encoder().encode
_view = msgspec.msgpack.Decoder(View)


def read_view(data: bytes) -> View:
    """Read a view.

    Raises:
        msgspec.DecodeError: It is none.
    """
    return _view.decode(data)
