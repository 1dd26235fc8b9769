"""A still's subject as a unit would see it: somewhere in a full-HD view, found, judged and embedded as there."""

import functools
from typing import Any

import av
import cv2
import numpy as np

from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import decode, overlaps
from overt.recognition.frame import Frame
from overt.vision.sources.convert import Converter

from .degrade import DEGRADE, EYES, cover, random_of, shrunk
from .engine import Engine
from .measured import Found, Measured

WIDTH, HEIGHT = 1920, 1080
_GREY, _WHITE, _CHROMA = 110, 235, 128  # luma and chroma of the view around the still, ITU-R BT.709 narrow range
_BT709, _NARROW = 1, 1  # ITU-T H.273 matrix coefficients; libavutil/pixfmt.h AVCOL_RANGE_MPEG
_SAME_PLACE = 0.2
"""Overlap from which a face that is found is the one that is there."""

TOO_SMALL = "the still's own face is smaller than that"

PREFIX = "view "


def kind_of(condition: str, level: str) -> str:
    """Return the kind of look, as `Laboratory.measure` takes it."""
    return f"{PREFIX}{condition} {level}"


def view(engine: Engine, rgb: Bytes, found: Found, kind: str) -> Measured:
    """Look at the subject of a still under a condition.

    Args:
        engine: What measures.
        rgb: (H, W, 3) uint8, the still.
        found: Its subject.
        kind: See `kind_of`.

    Returns:
        The template, and the face in full-HD pixels; `Found.problem` is `TOO_SMALL` when the still is too small.
    """
    if found.pose is None:
        return Measured(found=Found())
    _, condition, level = kind.split(" ")
    made = shrunk(rgb, found.corners(), float(level) if condition == "size" else EYES)
    if made is None:
        return Measured(found=Found(problem=TOO_SMALL))
    picture, points = made
    random = random_of(rgb.tobytes(), kind)
    if condition == "cover":
        picture = cover(picture, points, level)
    elif condition in DEGRADE:
        picture = DEGRADE[condition](picture, points, float(level), random)
    ground = _WHITE if condition == "backlight" else _GREY
    left, top = (2 * int(random.integers(0, (room - side) // 2)) for room, side in _room(picture))
    frame = frame_of(engine.detector.size, picture, left, top, ground)
    return _look(engine, frame, points + np.array([left, top], np.float32))


def _room(picture: Bytes) -> tuple[tuple[int, int], tuple[int, int]]:
    return (WIDTH, picture.shape[1]), (HEIGHT, picture.shape[0])


def _look(engine: Engine, frame: Frame, points: Floats) -> Measured:
    """Detect, take the face that is where the subject is, judge and embed it."""
    detections = decode(engine.detector.detect(frame.small), engine.detector.size, frame.scale)
    if not len(detections):
        return Measured(found=Found())
    # From brow to chin and ear to ear, about the five points.
    low, high = points.min(axis=0), points.max(axis=0)
    margin = (high - low) * np.array([0.5, 0.7], np.float32)
    place = np.concatenate([low - margin, high - low + 2 * margin]).astype(np.float32)
    shared = overlaps(place[None], detections.boxes)[0]
    index = int(np.argmax(shared))
    if shared[index] < _SAME_PLACE:
        return Measured(found=Found())
    found = engine.describe(frame, detections, index)
    if found.pose is None:
        return Measured(found=found)
    return Measured(template=engine.template(frame, found.corners()).tobytes(), found=found)


@functools.cache
def _converter(size: tuple[int, int]) -> Converter:
    return Converter(size, "a still")


def frame_of(size: tuple[int, int], picture: Bytes, left: int, top: int, ground: int) -> Frame:
    """Put a picture into a full-HD view as a camera gives it: I420, BT.709, narrow range."""
    height, width = (side + side % 2 for side in picture.shape[:2])
    even = cv2.copyMakeBorder(picture, 0, height - picture.shape[0], 0, width - picture.shape[1], cv2.BORDER_REPLICATE)
    small: Any = av.VideoFrame.from_ndarray(even, format="rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
    )
    planes = small.to_ndarray()
    view = np.full((HEIGHT * 3 // 2, WIDTH), _CHROMA, np.uint8)
    view[:HEIGHT] = ground
    view[top : top + height, left : left + width] = planes[:height, :width]
    for number in (0, 1):
        there = view[HEIGHT + number * HEIGHT // 4 :][: HEIGHT // 4].reshape(HEIGHT // 2, WIDTH // 2)
        here = planes[height:].reshape(2, height // 2, width // 2)[number]
        there[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2] = here
    whole: Any = av.VideoFrame.from_ndarray(view, format="yuv420p")
    whole.colorspace, whole.color_range = _BT709, _NARROW
    return _converter(size).frame(whole, 0)
