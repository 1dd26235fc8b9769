"""Bad images of a real face, made from a good one, to be refused."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from overt.recognition.enrol import resize
from overt_provisioning.images import Image, read_image
from overt_provisioning.thumbnails import encode
from tests.provisioning.office import STILLS

GOOD, OTHER = "franck_01829.jpg", "franck_03979.jpg"
FACE = (slice(106, 485), slice(259, 517))
"""Rows and columns of the face in the good image, 576 x 720 pixels."""


def good() -> Image:
    return read_image(STILLS / GOOD)


def save(path: Path, image: Image) -> None:
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    path.write_bytes(encode(np.ascontiguousarray(even)))


def no_face() -> Image:
    return np.ascontiguousarray(good()[:, :200])


def several_faces() -> Image:
    return np.hstack([good(), read_image(STILLS / OTHER)])


def too_small() -> Image:
    return resize(good(), 110, 138)


def blurred() -> Image:
    small = resize(good(), 24, 30)
    return resize(small, 576, 720)


def turned() -> Image:
    """The nose comes near one eye when one half of the face is squeezed and the other stretched."""
    image, nose = good(), 388
    left = resize(np.ascontiguousarray(image[:, :nose]), 576, int(nose * 0.6))
    right = resize(np.ascontiguousarray(image[:, nose:]), 576, int((720 - nose) * 3))
    return np.hstack([left, right])


def tilted(degrees: float = 75) -> Image:
    image = good()
    angle, (rows, columns) = np.radians(degrees), np.indices(image.shape[:2], np.float32)
    y, x = rows - 296, columns - 388
    source_x = np.clip(np.cos(angle) * x + np.sin(angle) * y + 388, 0, 719).astype(int)
    source_y = np.clip(-np.sin(angle) * x + np.cos(angle) * y + 296, 0, 575).astype(int)
    return np.ascontiguousarray(image[source_y, source_x])


def on_its_side() -> Image:
    return np.ascontiguousarray(np.rot90(good()))


def on_its_head() -> Image:
    return np.ascontiguousarray(np.rot90(good(), 2))


def cut_off() -> Image:
    return np.ascontiguousarray(good()[:, : FACE[1].start + 195])


def light(gain: float, lift: float) -> Callable[[], Image]:
    return lambda: np.clip(good() * gain + lift, 0, 255).astype(np.uint8)


MADE: dict[str, tuple[Callable[[], Image], Iterable[str]]] = {
    "no-face.jpg": (no_face, ["no_face"]),
    "several.jpg": (several_faces, ["several_faces"]),
    "small.jpg": (too_small, ["too_small"]),
    "blurred.jpg": (blurred, ["blurred"]),
    "turned.jpg": (turned, ["turned"]),
    "tilted.jpg": (tilted, ["tilted"]),
    "side.jpg": (on_its_side, ["tilted"]),
    "head.jpg": (on_its_head, ["tilted"]),
    "cut.jpg": (cut_off, ["cut_off"]),
    "dark.jpg": (light(0.1, 0), ["too_dark", "too_flat"]),
    "bright.jpg": (light(2.4, 0), ["too_bright"]),
    "flat.jpg": (light(0.1, 110), ["too_flat"]),
}
"""What is made, and the reasons that fit."""
