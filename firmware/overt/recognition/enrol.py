"""From a still to a template: exactly one face, good enough, through the same steps as the camera's pictures."""

import functools
from dataclasses import dataclass, field

import numpy as np

from overt.recognition.align import align
from overt.recognition.arrays import Bytes, Floats, is_image
from overt.recognition.detect import Detections, decode, plausible, suppress
from overt.recognition.engine import Detector, Embedder
from overt.recognition.errors import BadFrame, BadModel, EnrolmentRefused, Unsuitable
from overt.recognition.frame import LUMA_WEIGHTS, Frame
from overt.recognition.quality import Gates, Quality, assess

ENROLMENT_GATES = Gates(
    min_inter_eye_px=30.0,
    max_yaw=0.8,
    min_pitch=0.3,
    max_pitch=0.8,
    max_clipped=0.1,
    min_sharpness=0.1,
    min_mean=25.0,
    min_spread=6.0,
)
"""Stricter than for the camera: a still is chosen, and it is matched against for the whole deployment."""

OTHER_FACE = 0.25
"""A second face less than this times as wide as the largest is taken for a face in the background."""

MIN_SIDE, MAX_SIDE = 64, 10_000
"""Sides of a still in pixels."""

SIDEWAYS = 0.01
"""A face that the detector is surer of by this after a quarter turn stands on its side or on its head.

Measured on 105 faces (11 stills, 94 of LFW) and turned copies: upright ones lose at least 0.029 of the score by any
quarter turn; from a tilt of about 60 degrees on, where templates become useless, they gain 0.02 to 0.1. The five points
do not tell: the detector fits an upright face to a lying one.
"""

SURELY_UPRIGHT = 0.94
"""Score from which a face needs no such look: lying ones reached 0.913, three in four upright ones are above."""

Box = tuple[float, float, float, float]

_FILLS = (1.0, 0.5, 0.25)
"""How much of the detector's view the still is made to fill. A face that fills a large still is found at the less."""

_WHY = {
    Unsuitable.TOO_SMALL: "expected at least {gates.min_inter_eye_px:.0f} pixels between the eyes, found "
    "{quality.inter_eye_px:.0f}: use a larger image",
    Unsuitable.CUT_OFF: "expected the whole face in the image, found {quality.clipped:.0%} outside it",
    Unsuitable.TILTED: "expected an upright face, found it turned by {quality.roll:.0f} degrees: turn the image",
    Unsuitable.TURNED: "expected a face seen from the front, found it turned away: use another image",
    Unsuitable.TOO_DARK: "expected an evenly lit face, found it too dark: use another image",
    Unsuitable.TOO_BRIGHT: "expected an evenly lit face, found it too bright: use another image",
    Unsuitable.TOO_FLAT: "expected a face with contrast, found next to none: use another image",
    Unsuitable.BLURRED: "expected a sharp face, found it blurred: use another image",
}
_LYING = "expected an upright face, found it on its side or on its head: turn the image"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One still's outcome.

    Attributes:
        template: (dimension of the embedder,) float32, length 1.
        quality: Of the face it was made from.
        box: Where that face is: left, top, width, height in pixels of the still.
    """

    template: Floats = field(repr=False)
    quality: Quality
    box: Box


def enrol(rgb: Bytes, detector: Detector, embedder: Embedder, gates: Gates = ENROLMENT_GATES) -> Enrolled:
    """Make a template from a still.

    Args:
        rgb: (H, W, 3) uint8, RGB, upright.
        detector: Finds faces.
        embedder: Makes templates.
        gates: What the face must fulfil.

    Raises:
        EnrolmentRefused: No face, several faces, or a face that is not good enough; `reason` says which.
        BadFrame: Not an image of a usable size.
        RecognitionError: The engine failed.
    """
    frame, found = find_faces(rgb, detector)
    found = _without_background(found)
    boxes = tuple(_box(box) for box in found.boxes)
    if len(found) != 1:
        reason = Unsuitable.SEVERAL_FACES if len(found) else Unsuitable.NO_FACE
        raise EnrolmentRefused(
            reason, f"expected exactly one face, found {len(found) or 'none'}: use another image", boxes
        )
    box, points = found.boxes[0], found.points[0]
    aligned = align(frame, points)
    try:
        quality = assess(frame, box, points, aligned)
        why = gates.reason(quality)
        if why is not None:
            raise EnrolmentRefused(why, _WHY[why].format(gates=gates, quality=quality), boxes)
        if found.scores[0] < SURELY_UPRIGHT and not _stands_upright(rgb, boxes[0], detector):
            raise EnrolmentRefused(Unsuitable.TILTED, _LYING, boxes)
        return Enrolled(listed_template(frame, points, embedder), quality, boxes[0])
    finally:
        aligned.fill(0)
        embedder.flush()
        detector.flush()


def listed_template(frame: Frame, points: Floats, embedder: Embedder) -> Floats:
    """Make the template of a listed person from a face in a still: the mean of the face's and its mirror image's.

    A network sees a face and its mirror image a little differently; their mean is nearer to the person's other pictures
    (docs/accuracy.md). A still has time for that; a passing face is embedded once.

    Args:
        frame: The still, see `frame_from_rgb`.
        points: (5, 2) float32: the face's points, full-view pixels.
        embedder: Makes templates.

    Returns:
        (embedder.dimension,) float32, length 1.

    Raises:
        BadPoints: See `align.similarity`.
        BadModel: The engine failed.
    """
    faces = np.repeat(align(frame, points)[None], 2, axis=0)
    faces[1] = faces[1, :, ::-1].copy()
    templates = np.zeros((2, embedder.dimension), np.float32)
    try:
        embedder.embed(faces, templates)
        mean = templates.sum(axis=0)
        length = np.float32(np.linalg.norm(mean))
        if not length > 0:
            raise BadModel("expected a face and its mirror image to have templates alike, found opposite ones")
        return np.asarray(mean / length, np.float32)
    finally:
        faces.fill(0)
        templates.fill(0)


def _box(box: Floats) -> Box:
    left, top, width, height = (float(value) for value in box)
    return left, top, width, height


def find_faces(rgb: Bytes, detector: Detector) -> tuple[Frame, Detections]:
    """Find every face of a still, at several scales.

    Returns:
        The still as a frame, and its faces in the still's pixels.

    Raises:
        BadFrame: Not an image of a usable size.
    """
    first = frame_from_rgb(rgb, detector.size)
    parts = []
    for fill in _FILLS:
        frame = first if fill == 1 else frame_from_rgb(rgb, detector.size, fill)
        parts.append(decode(detector.detect(frame.small), detector.size, frame.scale))
    every = Detections(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.points for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    return first, suppress(every.take(plausible(every, (first.width, first.height))))


def _without_background(found: Detections) -> Detections:
    if not len(found):
        return found
    widths = found.boxes[:, 2]
    return found.take(np.asarray(widths >= OTHER_FACE * widths.max()))


def _stands_upright(rgb: Bytes, box: Box, detector: Detector) -> bool:
    """Tell whether the detector is surer of a face as it stands than after any quarter turn."""
    left, top, width, height = box
    side = max(4, round(2 * max(width, height)))
    x, y = round(left + width / 2 - side / 2), round(top + height / 2 - side / 2)
    rows, columns = slice(max(0, y), min(rgb.shape[0], y + side)), slice(max(0, x), min(rgb.shape[1], x + side))
    around = np.zeros((side, side, 3), np.uint8)
    around[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x] = rgb[rows, columns]
    # Half of the view: a face of a quarter of it is found best.
    fitted = resize(around, min(detector.size) // 2, min(detector.size) // 2)[..., ::-1]
    small = np.zeros((detector.size[1], detector.size[0], 3), np.uint8)
    scores = []
    for turns in range(4):
        small[: fitted.shape[0], : fitted.shape[1]] = np.rot90(fitted, turns)
        found = decode(detector.detect(small), detector.size, 1.0)
        scores.append(float(found.scores.max(initial=0.0)))
    return max(scores[1:]) <= scores[0] + SIDEWAYS


def frame_from_rgb(rgb: Bytes, detector_size: tuple[int, int], fill: float = 1.0) -> Frame:
    """Make a frame of a still: full-range BT.709 planes, and the small picture by averaging over areas.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        detector_size: Width and height of the detector's input in pixels.
        fill: How much of that the still fills at most, 0..1; the rest stays black.

    Raises:
        BadFrame: Not an image of a usable size.
    """
    if not is_image(rgb):
        raise BadFrame(f"expected an image (H, W, 3) of uint8, found {getattr(rgb, 'shape', type(rgb).__name__)}")
    height, width = rgb.shape[:2]
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise BadFrame(f"expected an image with sides of {MIN_SIDE} to {MAX_SIDE} pixels, found {width}x{height}")
    y, u, v = _planes(rgb)
    scale = max(width / detector_size[0], height / detector_size[1]) / fill
    small = functools.cache(functools.partial(_small_of, rgb, detector_size, scale))
    return Frame(0, 0, y, u, v, small, scale, full_range=True, matrix="bt709")


def _small_of(rgb: Bytes, detector_size: tuple[int, int], scale: float) -> Bytes:
    small = np.zeros((detector_size[1], detector_size[0], 3), np.uint8)
    columns = min(detector_size[0], max(1, round(rgb.shape[1] / scale)))
    rows = min(detector_size[1], max(1, round(rgb.shape[0] / scale)))
    small[:rows, :columns] = resize(rgb, rows, columns)[..., ::-1]
    return small


def _planes(rgb: Bytes) -> tuple[Bytes, Bytes, Bytes]:
    """Turn RGB into full-range I420 planes (ITU-R BT.709-6, section 3), chroma averaged over 2 x 2 pixels."""
    kr, kb = LUMA_WEIGHTS["bt709"]
    luma: Floats = np.asarray(rgb @ np.array([kr, 1 - kr - kb, kb], np.float32), np.float32)
    planes: list[Floats] = [luma]
    for channel, weight in ((2, kb), (0, kr)):
        difference: Floats = (rgb[..., channel] - luma) * np.float32(0.5 / (1 - weight)) + np.float32(128)
        height, width = difference.shape
        even = np.pad(difference, ((0, height % 2), (0, width % 2)), mode="edge")
        planes.append((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25))
    y, u, v = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes)
    return y, u, v


def resize(image: Bytes, rows: int, columns: int) -> Bytes:
    """Scale an image: bilinear when enlarging, a triangle as wide as the scale when reducing (no aliasing).

    Args:
        image: (H, W, C) uint8.
        rows: Wanted height.
        columns: Wanted width.

    Returns:
        (rows, columns, C) uint8.
    """
    # Whole-pixel averaging first keeps the products below small for a large still.
    factor = max(1, min(image.shape[0] // rows, image.shape[1] // columns) // 2)
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    reduced = blocks.mean(axis=(1, 3), dtype=np.float32)
    down = _weights(reduced.shape[0], rows, image.shape[0] / factor / rows)
    across = _weights(reduced.shape[1], columns, image.shape[1] / factor / columns)
    scaled = np.einsum("rh,hwc->rwc", down, reduced, optimize=True)
    scaled = np.einsum("cw,rwk->rck", across, scaled, optimize=True)
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)


def _weights(source: int, target: int, ratio: float) -> Floats:
    """Return (target, source) float32 weights of a linear resampling; each row sums to 1."""
    centres = (np.arange(target) + 0.5) * ratio - 0.5
    distance = np.abs(np.arange(source)[None, :] - np.clip(centres, 0, source - 1)[:, None])
    weights = np.maximum(0, 1 - distance / max(ratio, 1.0))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
