"""One walker in one frame, and the drawing of the parts that are not cut from a clip."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .faces import Face, Track
from .figure import Drawing, Outfit
from .matte import Image
from .plan import Passage, Stroller
from .sprite import Canvas, Patch


@dataclass(frozen=True, slots=True)
class Actor:
    """One walker in one frame: where, in which phase of the step, and for a passage the clip's frame."""

    walker: Passage | Stroller
    head: NDArray[np.float64]  # x, y, inter-eye distance, z
    step: float  # radians
    frame: Image | None
    index: int


def draw_part(
    canvas: Canvas, drawing: Drawing, actor: Actor, *, lean: float = 0.0, shift: float = 0.0, stretch: float = 1.0
) -> Patch | None:
    """Draw one part of a figure.

    Args:
        canvas: the frame.
        drawing: the part.
        actor: whose.
        lean: sideways shift per length downwards.
        shift: sideways, in inter-eye distances.
        stretch: of lengths below the hip, for legs.
    """
    x, y, eyes, _ = actor.head
    sprite, scale = drawing.at(eyes)
    left, top = drawing.origin
    unit = eyes / scale
    hip = 13.0
    across = eyes * (left + shift + lean * top)
    down = eyes * (hip + (top - hip) * stretch) if stretch != 1.0 else eyes * top
    return canvas.draw(sprite, np.array([[unit, unit * lean, x + across], [0, unit * stretch, y + down]]))


def draw_legs(canvas: Canvas, wear: Outfit, actor: Actor) -> tuple[Patch | None, Patch | None]:
    """Both legs, the one behind first: seen from the front, a swinging leg is lifted and looks shorter."""
    swing = float(np.sin(actor.step))
    sides = ((-1.45, swing), (1.45, -swing)) if swing >= 0 else ((1.45, -swing), (-1.45, swing))
    far, near = (draw_part(canvas, wear.leg, actor, shift=shift, stretch=1.0 - 0.07 * lift) for shift, lift in sides)
    return far, near


def placed_face(track: Track, actor: Actor) -> Face:
    """The clip's face, moved to its place in the picture."""
    face = track.face(actor.index)
    anchor_x, anchor_y, steady = track.anchor(actor.index)
    x, y, eyes, _ = actor.head
    scale = eyes / steady
    points = tuple((float(x + scale * (px - anchor_x)), float(y + scale * (py - anchor_y))) for px, py in face.points)
    left, top, wide, high = face.box
    box = (x + scale * (left - anchor_x), y + scale * (top - anchor_y), scale * wide, scale * high)
    return Face((float(box[0]), float(box[1]), float(box[2]), float(box[3])), points, face.score)
