"""The place: a paved street before a row of shop fronts, drawn, slightly out of focus as a long lens shows it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .matte import Image
from .view import CAMERA_M, HORIZON, Camera

Floats = NDArray[np.float32]

FACADE_Z = 27.0  # metres to the fronts
_STONE = (150.0, 143.0, 132.0)
_PAVING = (136.0, 132.0, 126.0)


def draw_backdrop(camera: Camera, pillar: tuple[int, int], seed: int) -> Image:
    """Draw the place.

    Args:
        camera: the camera.
        pillar: first and last-but-one column of the pillar in the foreground.
        seed: of its texture.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    rng = np.random.default_rng([seed, 77])
    foot = round(camera.floor_row(FACADE_Z))
    picture = np.zeros((camera.height, camera.width, 3), np.float32)
    picture[:foot] = _facade(camera, foot, rng)
    picture[foot:] = _floor(camera, foot, rng)
    _pillar(picture, camera, pillar, rng)
    return np.asarray(np.clip(picture * _vignette(camera)[..., None], 0, 255), np.uint8)


def _facade(camera: Camera, foot: int, rng: np.random.Generator) -> Floats:
    """Stone piers, shop windows with something dim and warm inside, a fascia above and a plinth below."""
    wide, metre = camera.width, camera.focal / FACADE_Z
    wall = np.empty((foot, wide, 3), np.float32)
    wall[:] = _STONE
    wall *= (1 + 0.05 * _cloud(rng, (foot, wide), 0.25 * metre) + 0.05 * _cloud(rng, (foot, wide), 1.5 * metre))[
        ..., None
    ]
    for course in np.arange(foot, 0, -0.45 * metre):
        wall[max(0, int(course) - max(1, int(0.02 * metre))) : int(course)] *= 0.86
    bay = 3.1 * metre
    start = -rng.uniform(0.2, 0.8) * bay
    top, sill = foot - 2.75 * metre, foot - 0.45 * metre
    for index in range(int(wide / bay) + 2):
        left = start + index * bay + 0.35 * metre
        right = left + bay - 0.7 * metre
        door = index % 3 == 1
        _window(wall, (left, top, right, foot - 0.05 * metre if door else sill), metre, rng)
    fascia = slice(max(0, int(top - 0.55 * metre)), max(0, int(top - 0.08 * metre)))
    wall[fascia] = wall[fascia] * 0.25 + np.array([48.0, 56.0, 54.0], np.float32)
    shade = max(1, int(0.25 * metre))
    below = slice(max(0, fascia.stop), min(foot, fascia.stop + shade))
    wall[below] *= np.linspace(0.7, 1.0, below.stop - below.start, dtype=np.float32)[:, None, None]
    wall *= np.linspace(0.86, 1.04, foot, dtype=np.float32)[:, None, None]
    wall[-max(1, int(0.12 * metre)) :] *= 0.72
    return np.asarray(cv2.GaussianBlur(wall, (0, 0), 0.0028 * wide), np.float32)


def _window(wall: Floats, box: tuple[float, float, float, float], metre: float, rng: np.random.Generator) -> None:
    """One shop window or door: a frame, dark glass, blurred goods and lamps, a reflection of the sky."""
    left, top, right, bottom = (int(v) for v in box)
    frame = max(1, int(0.07 * metre))
    _fill(wall, (left, top, right, bottom), (54, 56, 58))
    x0, x1 = max(0, left + frame), min(wall.shape[1], right - frame)
    y0, y1 = max(0, top + frame), max(1, bottom - frame)
    if x1 - x0 < 4 or y1 - y0 < 4:  # noqa: PLR2004 - nothing of it in the view
        return
    glass = np.empty((y1 - y0, x1 - x0, 3), np.float32)
    glass[:] = np.array([58.0, 62.0, 66.0]) + rng.uniform(-5, 5)
    for _ in range(7):  # goods: long low shelves, nothing round
        wide, high = rng.uniform(0.3, 0.9) * metre, rng.uniform(0.15, 0.35) * metre
        x, y = rng.uniform(0, x1 - x0), (y1 - y0) * rng.uniform(0.35, 0.95)
        _fill(
            glass,
            (int(x), int(y - high), int(x + wide), int(y)),
            rng.uniform(60, 135) * (np.array([1.0, 0.94, 0.86]) + rng.uniform(-0.14, 0.14, 3)),
        )
    for x in np.arange(rng.uniform(0.2, 0.6) * metre, x1 - x0, 0.8 * metre):
        _fill(glass, (int(x), int(0.16 * metre), int(x + 0.35 * metre), int(0.24 * metre)), (250, 226, 178))
    glass = cv2.GaussianBlur(glass, (0, 0), 0.07 * metre)
    glass += np.linspace(42, 0, y1 - y0, dtype=np.float32)[:, None, None] * np.array([0.8, 0.95, 1.1], np.float32)
    wall[y0:y1, x0:x1] = glass
    post = (x0 + x1) // 2
    _fill(wall, (post - frame // 2, y0, post + frame // 2 + 1, y1), (54, 56, 58))


def _floor(camera: Camera, foot: int, rng: np.random.Generator) -> Floats:
    """Paving slabs in perspective, worn and stained, more out of focus with distance."""
    rows = np.arange(foot, camera.height, dtype=np.float32)[:, None] + 0.5
    z = camera.focal * CAMERA_M / (rows - HORIZON * camera.height)
    columns = np.arange(camera.width, dtype=np.float32)[None] + 0.5
    x = (columns - camera.width / 2) * z / camera.focal
    z = np.broadcast_to(z, x.shape).astype(np.float32)
    course = np.floor(z / 0.6)
    across = x / 0.9 + 0.5 * np.mod(course, 2)
    tone = rng.normal(0, 1, (97, 89)).astype(np.float32)
    slab = tone[np.mod(course, 97).astype(int), np.mod(np.floor(across), 89).astype(int)]
    joint = np.minimum(np.mod(across, 1), 1 - np.mod(across, 1)) * 0.9
    gap = np.minimum(np.mod(z / 0.6, 1), 1 - np.mod(z / 0.6, 1)) * 0.6
    pixel = z / camera.focal  # metres across one pixel; along the floor it is that much longer
    lines = _edge(joint, 0.006, pixel) * _edge(gap, 0.006, pixel * z / CAMERA_M)
    stains = _cloud(rng, x.shape, 0.12 * camera.width)
    grit = cv2.GaussianBlur(rng.normal(0, 1, x.shape).astype(np.float32), (0, 0), 0.0009 * camera.width) * 2
    light = (1 + 0.035 * slab + 0.06 * stains + 0.03 * grit) * (0.72 + 0.28 * lines)
    light = light * np.linspace(0.9, 1.04, x.shape[0], dtype=np.float32)[:, None]
    floor = np.asarray(_PAVING, np.float32) * light[..., None].astype(np.float32)
    blurred = cv2.GaussianBlur(floor, (0, 0), 0.002 * camera.width)
    near = np.linspace(0, 1, x.shape[0], dtype=np.float32)[:, None, None]
    mixed = blurred * (1 - near) + cv2.GaussianBlur(floor, (0, 0), 0.0006 * camera.width) * near
    mixed[: max(2, int(0.02 * camera.height))] *= 0.82  # the fronts' own shadow
    return np.asarray(cv2.GaussianBlur(mixed, (0, 0), 0.0008 * camera.width), np.float32)


def _pillar(picture: Floats, camera: Camera, columns: tuple[int, int], rng: np.random.Generator) -> None:
    """A cast-iron column close to the camera, round in its shading; its edges are the columns given."""
    left, right = columns
    across = np.linspace(-1, 1, right - left, dtype=np.float32)[None]
    light = 0.45 + 0.55 * np.sqrt(np.clip(1 - (across + 0.35) ** 2 / 1.9, 0, 1))
    flutes = 1 + 0.06 * np.cos(across * 22)
    grain = 1 + 0.02 * _cloud(rng, (camera.height, right - left), 0.02 * camera.width)
    picture[:, left:right] = np.array([74.0, 82.0, 84.0], np.float32) * (light * flutes * grain)[..., None]
    high = camera.height
    for low, up, factor in ((0.80, 0.815, 1.18), (0.86, 1.0, 0.9)):
        picture[int(low * high) : int(up * high), left:right] *= factor


def _vignette(camera: Camera) -> Floats:
    """The lens's fall-off towards the corners."""
    x = np.linspace(-1, 1, camera.width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, camera.height, dtype=np.float32)[:, None]
    return np.asarray(1.02 - 0.11 * (0.7 * x**2 + 0.3 * y**2), np.float32)


def _edge(distance: Floats, half: float, pixel: NDArray[np.floating]) -> Floats:
    """0 on a joint, 1 beside it; joints thinner than a pixel fade instead of flickering."""
    clear = (distance - half) / np.maximum(pixel, 1e-6) + 0.5
    return np.asarray(np.clip(clear, 1 - np.clip(2 * half / pixel, 0, 1), 1), np.float32)


def _fill(picture: Floats, box: tuple[int, int, int, int], colour: object) -> None:
    """Fill the part of a box that lies in the picture."""
    left, top, right, bottom = box
    picture[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = np.asarray(colour, np.float32)


def _cloud(rng: np.random.Generator, size: tuple[int, int], grain: float) -> Floats:
    """Smooth noise of mean 0 and deviation about 1, its blotches `grain` pixels wide."""
    rows, columns = max(2, int(size[0] / max(grain, 1))), max(2, int(size[1] / max(grain, 1)))
    coarse = rng.normal(0, 1, (rows, columns)).astype(np.float32)
    cloud: Floats = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return cloud
