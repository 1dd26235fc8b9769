"""From the detector's outputs to faces: boxes, five points and scores, each face once.

The detector is YuNet (Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023): anchor-free, one prior
per cell of the strides 8, 16 and 32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from overt.recognition.arrays import Floats
from overt.recognition.errors import BadModel

STRIDES = (8, 16, 32)
"""Pixels of the detector's input per cell, for each of its three levels."""

OUTPUTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Kinds of output, with the numbers per cell; an output is called kind_stride."""

SCORE_THRESHOLD = 0.7
OVERLAP_THRESHOLD = 0.3
MAX_CANDIDATES = 400
"""More candidates than this are not compared with each other: the best are kept, so time and memory stay bounded."""

_LARGEST = 4.0
"""A box may be so many times as wide and high as the detector's input; a larger one is absurd."""


@dataclass(frozen=True, slots=True)
class Detections:
    """N faces of one picture, best first.

    Attributes:
        boxes: (N, 4) float32: left, top, width, height in full-view pixels; may reach outside the view.
        points: (N, 5, 2) float32: x, y in full-view pixels of right eye, left eye, nose, right and left corner of the
            mouth. Right and left are the person's own, so the right eye is on the left in the picture.
        scores: (N,) float32, 0..1.
    """

    boxes: Floats = field(repr=False)
    points: Floats = field(repr=False)
    scores: Floats

    def __len__(self) -> int:
        return int(self.scores.shape[0])

    def take(self, which: "np.ndarray[tuple[int, ...], np.dtype[np.bool_ | np.intp]]") -> "Detections":
        """Return the faces that a mask or an index array selects."""
        return Detections(self.boxes[which], self.points[which], self.scores[which])

    def scaled(self, factor: float) -> "Detections":
        """Return the same faces in a picture so many times as large."""
        return Detections(self.boxes * np.float32(factor), self.points * np.float32(factor), self.scores)


def nothing() -> Detections:
    """Return the detections of a picture without faces."""
    return Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


def decode(
    outputs: Mapping[str, Floats],
    input_size: tuple[int, int],
    scale: float,
    score_threshold: float = SCORE_THRESHOLD,
    overlap_threshold: float = OVERLAP_THRESHOLD,
) -> Detections:
    """Turn the detector's outputs into faces, absurd ones dropped and each face once.

    With stride s and cell (r, c): score = sqrt(cls * obj), both clamped to 0..1; centre = ((c + dx) s, (r + dy) s);
    size = (exp(dw) s, exp(dh) s); point = ((c + px) s, (r + py) s). Source: the reference post-processing of YuNet's
    authors, which `tests/recognition` compares with.

    Args:
        outputs: For each stride s "cls_s", "obj_s", "bbox_s", "kps_s", with 1, 1, 4 and 10 float32 per cell, cells in
            row order, in whatever shape.
        input_size: Width and height of the detector's input in pixels, multiples of 32.
        scale: Full-view pixels per input pixel.
        score_threshold: Lower scores are no faces.
        overlap_threshold: See `suppress`.

    Raises:
        BadModel: An output is missing or has another size.
    """
    return suppress(read_candidates(outputs, input_size, score_threshold), overlap_threshold).scaled(scale)


def read_candidates(
    outputs: Mapping[str, Floats], input_size: tuple[int, int], score_threshold: float = SCORE_THRESHOLD
) -> Detections:
    """Turn the detector's outputs into faces in pixels of its input, absurd ones dropped, one face perhaps many times.

    See `decode` for the arguments and what is raised.
    """
    boxes, points, scores = [], [], []
    for stride in STRIDES:
        columns, rows = input_size[0] // stride, input_size[1] // stride
        level = {kind: _output(outputs, f"{kind}_{stride}", rows * columns, n) for kind, n in OUTPUTS.items()}
        with np.errstate(invalid="ignore"):
            product = np.clip(level["cls"], 0, 1) * np.clip(level["obj"], 0, 1)
            kept = np.flatnonzero(product[:, 0] >= score_threshold**2)
        cell = np.stack([kept % columns, kept // columns], axis=1).astype(np.float32)
        box = level["bbox"][kept]
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.exp(box[:, 2:]) * stride
            corner = (cell + box[:, :2]) * stride - size / 2
        boxes.append(np.concatenate([corner, size], axis=1))
        points.append((level["kps"][kept].reshape(-1, 5, 2) + cell[:, None, :]) * stride)
        scores.append(np.sqrt(product[kept, 0]))
    found = Detections(np.concatenate(boxes), np.concatenate(points), np.concatenate(scores))
    return found.take(plausible(found, input_size))


def _output(outputs: Mapping[str, Floats], name: str, cells: int, numbers: int) -> Floats:
    try:
        output = outputs[name]
    except KeyError:
        raise BadModel(f"expected a detector output {name}, found {', '.join(sorted(outputs)) or 'none'}") from None
    if output.size != cells * numbers:
        raise BadModel(f"expected {cells} x {numbers} numbers in {name}, found shape {output.shape}")
    return output.reshape(cells, numbers)


def plausible(found: Detections, size: tuple[int, int]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Tell which faces can be real: finite, not absurdly large, centred in the picture, with their eyes apart.

    Args:
        found: Faces in the pixels of a picture.
        size: Width and height of that picture.

    Returns:
        (N,) bool.
    """
    limit = np.array(size, np.float32)
    finite = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.points).all(axis=(1, 2))
    finite &= np.isfinite(found.scores)
    boxes = np.where(finite[:, None], found.boxes, 0)
    points = np.where(finite[:, None, None], found.points, 0)
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    fits = ((boxes[:, 2:] >= 1) & (boxes[:, 2:] <= _LARGEST * limit)).all(axis=1)
    inside = ((centre >= 0) & (centre <= limit)).all(axis=1)
    # All five points lie within the box enlarged by its own size on every side, and the eyes are not one point.
    around = np.abs(points - centre[:, None, :]) <= 1.5 * boxes[:, None, 2:]
    apart = np.abs(points[:, 0] - points[:, 1]).sum(axis=1) > 0.02 * boxes[:, 2]
    return np.asarray(finite & fits & inside & around.all(axis=(1, 2)) & apart)


def overlaps(a: Floats, b: Floats) -> Floats:
    """Return the intersection over union of every box of `a` with every box of `b`.

    Args:
        a: (N, 4) float32: left, top, width, height.
        b: (M, 4) likewise.

    Returns:
        (N, M) float32, 0..1.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    side = np.maximum(high - low, 0)
    shared = side[..., 0] * side[..., 1]
    union = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None, :] - shared
    return np.asarray(shared / np.maximum(union, np.float32(1e-9)), np.float32)


def suppress(found: Detections, overlap_threshold: float = OVERLAP_THRESHOLD) -> Detections:
    """Keep each face once: the best-scored first, dropping all that overlap it by more than the threshold (greedy NMS).

    Args:
        found: Candidates in any order; beyond `MAX_CANDIDATES` only the best are looked at.
        overlap_threshold: Intersection over union, 0..1.

    Returns:
        The kept ones, best first; equal scores keep their order.
    """
    order = np.argsort(-found.scores, kind="stable")[:MAX_CANDIDATES]
    found = found.take(order)
    clash = overlaps(found.boxes, found.boxes) > overlap_threshold
    free = np.ones(len(found), np.bool_)
    kept = []
    for index in range(len(found)):
        if free[index]:
            kept.append(index)
            free &= ~clash[index]
    return found.take(np.array(kept, np.intp))
