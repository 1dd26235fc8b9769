"""People made of numbers: textures instead of faces, and engines that implement the real interfaces on them."""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from overt.recognition.align import REFERENCE, SIZE
from overt.recognition.arrays import Bytes, Floats
from overt.recognition.detect import OUTPUTS, STRIDES, Detections
from overt.recognition.frame import Frame

Box = tuple[float, float, float, float]

VIEW = (640, 384)
SMALL = (320, 192)
SCALE = 2.0
PICTURE_NS = 40_000_000


def points_of(box: Box) -> Floats:
    """Five points such that the aligned face is the box's content."""
    x, y, w, h = box
    return np.asarray(REFERENCE * np.array([w / SIZE, h / SIZE], np.float32) + np.array([x, y], np.float32))


def detections(boxes: Sequence[Box], scores: Sequence[float] | None = None) -> Detections:
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array([points_of(box) for box in boxes], np.float32).reshape(-1, 5, 2),
        np.array(scores if scores is not None else [0.9] * len(boxes), np.float32),
    )


def encode(found: Detections, size: tuple[int, int] = SMALL, scale: float = SCALE) -> dict[str, Floats]:
    """The detector's outputs that `decode` turns into these faces: each in the cell of its centre, at stride 8."""
    outputs = {}
    for stride in STRIDES:
        cells = (size[0] // stride) * (size[1] // stride)
        for kind, numbers in OUTPUTS.items():
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, numbers), np.float32)
    for box, points, score in zip(found.boxes / scale, found.points / scale, found.scores, strict=True):
        x, y = (box[:2] + box[2:] / 2) / 8
        column, row = int(np.clip(x, 0, size[0] // 8 - 1)), int(np.clip(y, 0, size[1] // 8 - 1))
        cell = row * (size[0] // 8) + column
        outputs["cls_8"][0, cell] = outputs["obj_8"][0, cell] = score
        outputs["bbox_8"][0, cell] = [x - column, y - row, *np.log(box[2:] / 8)]
        outputs["kps_8"][0, cell] = (points / 8 - [column, row]).ravel()
    return outputs


class SimulatedDetector:
    """Sees the faces it was told of, as the real detector would put them."""

    size = SMALL

    def __init__(self) -> None:
        self.faces = detections([])
        self.runs = self.flushed = 0

    def show(self, boxes: Sequence[Box]) -> None:
        self.faces = detections(boxes)

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        assert small.shape == (SMALL[1], SMALL[0], 3)
        self.runs += 1
        return encode(self.faces)

    def flush(self) -> None:
        self.flushed += 1


class SimulatedWindows:
    """Sees, of the faces that there are, those whose middle is in the window that it is given."""

    size = (128, 128)

    def __init__(self, faces: Callable[[], Detections], scale: float = SCALE) -> None:
        """`faces`: in pixels of the full view; `scale`: of these, how many make one of the detector's input."""
        self._faces, self._scale = faces, scale
        self.runs = self.flushed = 0

    def detect(self, small: Bytes) -> Mapping[str, Floats]:
        assert small.shape == (self.size[1], self.size[0], 3)
        self.runs += 1
        coarse_x, fine, coarse_y = (int(value) for value in small[0, 0])
        corner = np.array([coarse_x * 4 + fine // 4, coarse_y * 4 + fine % 4], np.float32)
        found = self._faces().scaled(1 / self._scale)
        boxes = np.concatenate([found.boxes[:, :2] - corner, found.boxes[:, 2:]], axis=1)
        moved = Detections(boxes, found.points - corner, found.scores)
        middles = boxes[:, :2] + boxes[:, 2:] / 2
        return encode(moved.take(((middles >= 0) & (middles < self.size)).all(axis=1)), self.size, 1.0)

    def flush(self) -> None:
        self.flushed += 1


@functools.cache
def position_coded(size: tuple[int, int]) -> Bytes:
    """A picture whose every pixel says where it is."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return np.stack([x // 4, x % 4 * 4 + y % 4, y // 4], axis=-1).astype(np.uint8)


class SimulatedEmbedder:
    """Turns a texture into a template by a fixed random projection; keeps the last face until flushed."""

    dimension = 128

    def __init__(self) -> None:
        self._projection = np.random.default_rng(1).normal(size=(14 * 14 * 3, 128)).astype(np.float32)
        self.memory = np.zeros((SIZE, SIZE, 3), np.uint8)
        self.calls = 0
        self.failing = False

    def embed(self, faces: Bytes, out: Floats) -> None:
        for face, template in zip(faces, out, strict=True):
            self.calls += 1
            self.memory[...] = face
            blocks = face.reshape(14, 8, 14, 8, 3).mean(axis=(1, 3), dtype=np.float32)
            template[:] = (blocks - blocks.mean()).ravel() @ self._projection
            np.divide(template, np.linalg.norm(template), out=template)
            if self.failing:
                raise RuntimeError("the engine failed half-way")

    def flush(self) -> None:
        self.memory.fill(0)


@functools.cache
def texture(person: int) -> Bytes:
    """What a person looks like: 112 x 112 pixels of coloured blocks."""
    blocks = np.random.default_rng(1000 + person).integers(40, 216, (14, 14, 3), np.uint8)
    return np.asarray(blocks.repeat(8, axis=0).repeat(8, axis=1))


def template_of(person: int) -> Floats:
    out = np.zeros((1, 128), np.float32)
    SimulatedEmbedder().embed(texture(person)[None], out)
    return out[0]


def picture(people: Mapping[int, Box], number: int = 0, captured_ns: int = 0) -> Frame:
    """A frame with people's textures at their boxes, later ones in front; full-range BT.709 I420."""
    rgb = np.full((VIEW[1], VIEW[0], 3), 90, np.uint8)
    for person, (x, y, w, h) in people.items():
        rows, columns = np.arange(round(y), round(y + h)), np.arange(round(x), round(x + w))
        rows, columns = rows[(rows >= 0) & (rows < VIEW[1])], columns[(columns >= 0) & (columns < VIEW[0])]
        source = texture(person)
        row, column = ((rows - y) * SIZE / h).astype(int), ((columns - x) * SIZE / w).astype(int)
        rgb[np.ix_(rows, columns)] = source[np.ix_(row.clip(0, SIZE - 1), column.clip(0, SIZE - 1))]
    y_, u, v = i420(rgb)
    return Frame(number, captured_ns, y_, u, v, position_coded(SMALL), SCALE, full_range=True)


def i420(rgb: Bytes) -> tuple[Bytes, Bytes, Bytes]:
    """Full-range BT.709 planes, written out independently of the code under test; even sizes only."""
    r, g, b = (rgb[..., channel].astype(np.float32) for channel in range(3))
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    u = (b - y) / 1.8556 + 128
    v = (r - y) / 1.5748 + 128
    half = [plane.reshape(plane.shape[0] // 2, 2, plane.shape[1] // 2, 2).mean(axis=(1, 3)) for plane in (u, v)]
    return tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, *half))  # type: ignore[return-value]  # three planes
