"""The footage that is measured on: the demonstration's scene, six people at once, nobody, and a chart of face sizes.

All of it is made from the two consented recordings of the demonstration (`overt_tools.scene`).
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from overt_tools.scene.backdrop import draw_backdrop
from overt_tools.scene.build import Studio, find_faces, scene_key
from overt_tools.scene.clips import digest, read_frames
from overt_tools.scene.errors import SceneError
from overt_tools.scene.matte import cut_head
from overt_tools.scene.notes import Notes, truth_of
from overt_tools.scene.plan import Options, Plan
from overt_tools.scene.render import NOISE, Renderer, Source
from overt_tools.scene.schedule import make_plan
from overt_tools.scene.sprite import Canvas, sprite_of
from overt_tools.scene.supply import supply
from overt_tools.scene.truth import save_truth, truth_path
from overt_tools.scene.video import encode

from .errors import BenchError
from .truth import WIDTHS, Chart, Footage, Shown, read_chart, read_scene

CROWD_SECONDS = 12.0
CROWD_SEEDS = (3, 7, 5)
CROWD_LATER = 25
"""Scenes of two people each, laid over one another, each so many pictures later: six people in view at once.

Chosen of 500 choices: the most pictures in which all six faces can be seen."""

PAGES, PAGE_PICTURES = 10, 5
"""The size chart's pages, and pictures of each: faces live and drift a little, and the last picture is judged."""
COLUMNS, ROWS = 6, 4

EMPTY_SECONDS = 30
"""So long nobody comes: a unit settles within the first five seconds, and they count."""
FLICKER = 0.03
"""Of a lamp on the mains, seen by a shutter that does not fit it."""
SKY_LEVELS, SKY = 8.0, 0.3
"""By how many grey levels the upper part of the picture, so much of it, grows lighter meanwhile."""

Tell = Callable[[str], None]
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reel:
    """Everything that is measured on: an ordinary street, six people at once, faces by size, nobody at all."""

    street: Footage
    crowd: Footage
    chart: Footage
    empty: Footage


def prepare(scene: Path, models: Path, cache: Path, folder: Path, tell: Tell) -> Reel:
    """Read the demonstration's scene; build all else unless it stands.

    Args:
        scene: The demonstration's footage.
        models: Built models.
        cache: Downloads.
        folder: Where what is built is kept.
        tell: Told what goes on.

    Raises:
        BenchError: The scene is missing, or the others cannot be built.
    """
    street = read_scene(scene, "street")
    try:
        studio = supply(models, cache, None, tell)
        folder.mkdir(parents=True, exist_ok=True)
        plan = crowd_plan(studio)
        key = hashlib.sha256(
            (scene_key(plan.options, studio) + digest(Path(__file__))).encode() + msgspec.json.encode(plan)
        ).hexdigest()
        crowd, chart, empty = folder / "crowd.mp4", folder / "chart.mp4", folder / "empty.mp4"
        standing = [_key_of(path) == key for path in (crowd, chart, empty)]
        if not all(standing):
            tell("building footage of six people at once and of nobody, and the chart of face sizes")
            sources = find_faces(plan, studio)
            build_crowd(crowd, plan, sources, key)
            build_chart(chart, plan, sources, key)
            build_empty(empty, plan, key)
    except (SceneError, OSError) as error:
        raise BenchError(f"the footage to measure on cannot be built: {error}") from error
    return Reel(street, read_scene(crowd, "crowd"), read_chart(chart), read_chart(empty, "empty"))


def crowd_plan(studio: Studio) -> Plan:
    """Lay scenes of two people over one another.

    Raises:
        SceneError: No plan was found.
    """
    options = Options(people=2, seconds=CROWD_SECONDS)
    plans = [make_plan(msgspec.structs.replace(options, seed=seed), studio.clips) for seed in CROWD_SEEDS]
    passages = [
        msgspec.structs.replace(
            passage,
            id=f"{passage.id}-{seed}",
            first=passage.first + number * CROWD_LATER,
            coat=(passage.coat + number) % 6,
        )
        for number, (seed, plan) in enumerate(zip(CROWD_SEEDS, plans, strict=True))
        for passage in plan.passages
    ]
    longer = CROWD_SECONDS + CROWD_LATER * (len(plans) - 1) / options.fps
    options = msgspec.structs.replace(options, seconds=longer)
    return Plan(options, plans[0].pillar, sorted(passages, key=lambda p: (p.first, p.id)), plans[0].strollers)


def build_crowd(path: Path, plan: Plan, sources: dict[str, Source], key: str) -> None:
    """Render and encode the crowd, and write its ground truth.

    Raises:
        SceneError: It cannot be rendered or written.
        OSError: Likewise.
    """
    notes = Notes()

    def pictures() -> Iterator[Picture]:
        for frame in Renderer(plan, sources).frames():
            notes.add(frame)
            yield frame.i420

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        count = encode(draft, pictures(), (plan.options.width, plan.options.height), plan.options.fps)
        truth = truth_of(plan, sources, notes, key=key, name=path.name, sha256=digest(draft), frames=count)
        truth_path(path).unlink(missing_ok=True)
        draft.replace(path)
        save_truth(truth_path(path), truth)


def build_chart(path: Path, plan: Plan, sources: dict[str, Source], key: str, pages: int = PAGES) -> None:
    """Render and encode the chart of face sizes, and write its truth.

    Raises:
        SceneError: It cannot be rendered or written.
        OSError: Likewise.
    """
    shown: list[list[Shown]] = []

    def pictures() -> Iterator[Picture]:
        for number, (picture, faces) in enumerate(chart_pictures(plan, sources, pages)):
            if number % PAGE_PICTURES == PAGE_PICTURES - 1:
                shown.append(faces)
            yield picture

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        count = encode(draft, pictures(), (plan.options.width, plan.options.height), plan.options.fps)
        judged = [PAGE_PICTURES * page + PAGE_PICTURES - 1 for page in range(len(shown))]
        chart = Chart(key, digest(draft), plan.options.fps, count, judged, shown)
        truth_path(path).unlink(missing_ok=True)
        draft.replace(path)
        truth_path(path).write_bytes(msgspec.json.encode(chart))


def chart_pictures(
    plan: Plan, sources: dict[str, Source], pages: int, seed: int = 4
) -> Iterator[tuple[Picture, list[Shown]]]:
    """Draw the chart: on each page every width of `WIDTHS` as often as any other, in a place of its own.

    Yields:
        (height * 3 / 2, width) uint8 I420, and the faces in it.
    """
    options, rng = plan.options, np.random.default_rng(seed)
    backdrop = Canvas.of_rgb(draw_backdrop(options.camera, plan.pillar, options.seed))
    ids = sorted(sources)
    readers = {id_: read_frames(sources[id_].path, sources[id_].track.first, pages * PAGE_PICTURES) for id_ in ids}
    for page in range(pages):
        widths = rng.permutation(np.resize(WIDTHS, COLUMNS * ROWS))
        places = _places(options, rng)
        drift = rng.uniform(-1.5, 1.5, (len(widths), 2))
        for step, frames in enumerate(zip(*(islice(readers[id_], PAGE_PICTURES) for id_ in ids), strict=True)):
            canvas, faces = backdrop.copy(), []
            for cell, width in enumerate(widths):
                who = (cell + page) % len(ids)
                at = places[cell] + drift[cell] * step
                source, index = sources[ids[who]], page * PAGE_PICTURES + step
                faces.append(_draw_face(canvas, source, frames[who], index, float(width), at))
            yield _grainy(canvas, rng), faces


def build_empty(path: Path, plan: Plan, key: str, seconds: int = EMPTY_SECONDS) -> None:
    """Render and encode the same street with nobody in it, and write its truth.

    Raises:
        SceneError: It cannot be written.
        OSError: Likewise.
    """
    options = plan.options
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        pictures = empty_pictures(plan, seconds * options.fps)
        count = encode(draft, pictures, (options.width, options.height), options.fps)
        chart = Chart(key, digest(draft), options.fps, count, [], [])
        truth_path(path).unlink(missing_ok=True)
        draft.replace(path)
        truth_path(path).write_bytes(msgspec.json.encode(chart))


def empty_pictures(plan: Plan, count: int, seed: int = 6) -> Iterator[Picture]:
    """Draw the street with nobody: a camera's noise, a lamp that flickers, a sky that grows lighter.

    Yields:
        (height * 3 / 2, width) uint8 I420.
    """
    options, rng = plan.options, np.random.default_rng(seed)
    backdrop = Canvas.of_rgb(draw_backdrop(options.camera, plan.pillar, options.seed))
    sky = np.zeros_like(backdrop.y, np.float32)
    sky[: int(SKY * options.height)] = SKY_LEVELS
    for number in range(count):
        canvas = backdrop.copy()
        gain = np.float32(1 + FLICKER * np.sin(2.4 * number))
        lit = (backdrop.y + sky * np.float32(number / count) - 16) * gain + 16
        canvas.y[...] = np.clip(np.round(lit), 16, 235)
        yield _grainy(canvas, rng)


def _places(options: Options, rng: np.random.Generator) -> NDArray[np.float64]:
    """One place in each cell of the picture: the middles of faces, pixels."""
    cell = np.array([options.width / COLUMNS, options.height / ROWS])
    grid = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), axis=-1).reshape(-1, 2)
    return np.asarray((grid + 0.5 + rng.uniform(-0.06, 0.06, grid.shape)) * cell, np.float64)


def _draw_face(
    canvas: Canvas, source: Source, frame: Picture, index: int, width: float, at: NDArray[np.float64]
) -> Shown:
    """Draw a head so that its face's box has the given width and its middle lies at a place."""
    face = source.track.face(index)
    left, top, wide, high = face.box
    scale = width / wide
    shrink = max(1, int(0.8 / scale))  # by whole pixels first, so that nothing aliases
    head = cut_head(frame, face, source.clip.ground, source.clip.gains, shrink)
    origin = np.array(head.origin, np.float64) + 0.5 * shrink - 0.5 - (left + wide / 2, top + high / 2)
    matrix = np.column_stack([np.eye(2) * scale * shrink, at + scale * origin])
    canvas.draw(sprite_of(head.rgb, head.alpha), matrix)
    box = (at[0] - width / 2, at[1] - scale * high / 2, width, scale * high)
    return Shown(_rounded(box), round(face.eyes * scale, 2), 1.0, "", listed=False)


def _rounded(box: tuple[Any, Any, Any, Any]) -> tuple[float, float, float, float]:
    left, top, width, height = (round(float(value), 1) for value in box)
    return left, top, width, height


def _grainy(canvas: Canvas, rng: np.random.Generator) -> Picture:
    """Add a camera's noise; returns I420."""
    high, wide = canvas.y.shape
    grain = np.clip(np.round(rng.normal(128, NOISE, (high, wide))), 0, 255).astype(np.uint8)
    i420 = np.empty((high * 3 // 2, wide), np.uint8)
    cv2.addWeighted(canvas.y, 1.0, grain, 1.0, -128, dst=i420[:high])
    i420[high:] = np.concatenate([canvas.u.reshape(-1, wide), canvas.v.reshape(-1, wide)])
    return i420


def _key_of(path: Path) -> str | None:
    """What standing footage was made from; None when there is none."""
    try:
        found = msgspec.json.decode(truth_path(path).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
    return str(found.get("key")) if path.exists() and isinstance(found, dict) else None
