"""Render a plan: the frames, and what can be seen of each face in them.

Each frame is composed from the far end to the near one. A face's visible share is measured on the pixels that are
really drawn: everything laid over its box is taken off.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .actor import Actor, draw_legs, draw_part, placed_face
from .backdrop import draw_backdrop
from .clips import Clip, read_frames
from .faces import CONFIDENT, Face, Track
from .figure import outfit
from .matte import Image, cut_head
from .plan import Passage, Plan, Stroller, heads_of
from .schedule import clip_index
from .sprite import Canvas, Patch, Sprite, sprite_of
from .truth import Sighting
from .window import Window

# Frames being composed at once. OpenCV's own threads would only compete with them and with the encoder.
WORKERS, AHEAD = 2, 6
# The camera's noise, standard deviation in grey levels: little enough to vanish in most of the encoder's blocks.
NOISE = 1.1
# A head, wherever it leans, reaches no further from its steady place than this many inter-eye distances.
REACH = 3.0


@dataclass(frozen=True, slots=True)
class Source:
    """Where the head of a passage comes from: the clip, its file, and the face in its frames."""

    clip: Clip
    path: Path
    track: Track


@dataclass(frozen=True, slots=True)
class Rendered:
    """A finished frame.

    Attributes:
        number: from 0.
        i420: (height * 3 / 2, width) uint8, BT.709 limited range.
        sightings: for each passage in view, by id.
        hidden_by: for each passage in view, the shares of its face's box that each thing in front of it hides.
    """

    number: int
    i420: Image
    sightings: dict[str, Sighting]
    hidden_by: dict[str, dict[str, float]]


class Renderer:
    """Renders the frames of a plan."""

    def __init__(self, plan: Plan, sources: Mapping[str, Source]) -> None:
        """Draw all that stays the same.

        Args:
            plan: the scene.
            sources: for each passage, by id.
        """
        options = plan.options
        self._plan, self._sources = plan, sources
        self._backdrop = Canvas.of_rgb(draw_backdrop(options.camera, plan.pillar, options.seed))
        rng = np.random.default_rng([options.seed, 5])
        grain = rng.normal(128, NOISE, (options.height + 128, options.width + 128))
        self._grain = np.clip(np.round(grain), 0, 255).astype(np.uint8)
        self._grain_at = rng.integers(0, 128, (options.frames, 2))
        self._walkers: list[Passage | Stroller] = [*plan.passages, *plan.strollers]
        self._heads = {walker.id: heads_of(walker, options) for walker in self._walkers}

    def frames(self) -> Iterator[Rendered]:
        """All frames in order.

        Raises:
            SceneError: a clip cannot be read to the end.
        """
        cv2.setNumThreads(1)
        readers: dict[str, Iterator[Image]] = {}
        shown: dict[str, tuple[int, Image]] = {}
        waiting: deque[Future[Rendered]] = deque()
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for number in range(self._plan.options.frames):
                    actors = self._actors(number, readers, shown)
                    waiting.append(pool.submit(self._compose, number, actors))
                    if len(waiting) >= AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _actors(
        self, number: int, readers: dict[str, Iterator[Image]], shown: dict[str, tuple[int, Image]]
    ) -> list[Actor]:
        """Who is on stage, from the far end to the near one; advances the clips."""
        actors = []
        for walker in self._walkers:
            step = number - walker.first
            if not 0 <= step < walker.frames:
                continue
            frame, index = None, 0
            if isinstance(walker, Passage):
                index = clip_index(step, self._plan.options.fps)
                frame = self._clip_frame(walker, index, readers, shown)
            phase = np.pi * walker.pace * step / self._plan.options.fps
            actors.append(Actor(walker, self._heads[walker.id][step], phase, frame, index))
        return sorted(actors, key=lambda actor: -actor.head[3])

    def _clip_frame(
        self, passage: Passage, index: int, readers: dict[str, Iterator[Image]], shown: dict[str, tuple[int, Image]]
    ) -> Image:
        """The clip's frame that a passage shows now."""
        source = self._sources[passage.id]
        if passage.id not in readers:
            count = clip_index(passage.frames - 1, self._plan.options.fps) + 1
            readers[passage.id] = read_frames(source.path, passage.clip_first, count)
            shown[passage.id] = (0, next(readers[passage.id]))
        while shown[passage.id][0] < index:
            shown[passage.id] = (shown[passage.id][0] + 1, next(readers[passage.id]))
        return shown[passage.id][1]

    def _compose(self, number: int, actors: list[Actor]) -> Rendered:
        """One frame."""
        canvas = self._backdrop.copy()
        windows: dict[str, Window] = {}
        for actor in actors:
            for patch in self._draw(canvas, actor):
                for window in windows.values():
                    window.cover(actor.walker.id, patch)
            if isinstance(actor.walker, Passage):
                window_here = self._window(actor, actor.walker)
                if window_here is not None:
                    windows[actor.walker.id] = window_here
        self._pillar(canvas, windows)
        sightings = {id_: _sighting(number, window.face, window.visible) for id_, window in windows.items()}
        return Rendered(number, self._expose(number, canvas), sightings, {i: w.hidden for i, w in windows.items()})

    def _draw(self, canvas: Canvas, actor: Actor) -> Iterator[Patch]:
        """Draw one walker; gives what is laid over others (the shadow hides nothing)."""
        wear = outfit(actor.walker.coat)
        draw_part(canvas, wear.shadow, actor)
        sway = 0.01 * np.sin(actor.step)
        for patch in (
            *draw_legs(canvas, wear, actor),
            draw_part(canvas, wear.coat, actor, lean=sway),
            self._head(canvas, actor),
            draw_part(canvas, wear.collar, actor, lean=sway) if isinstance(actor.walker, Passage) else None,
        ):
            if patch is not None:
                yield patch

    def _head(self, canvas: Canvas, actor: Actor) -> Patch | None:
        """Draw the head: cut from the clip, or under a hood from behind."""
        if actor.frame is None or not isinstance(actor.walker, Passage):
            return draw_part(canvas, outfit(actor.walker.coat).hood, actor)
        x, _, eyes, _ = actor.head
        if not -REACH * eyes < x < self._plan.options.width + REACH * eyes:
            return None  # still, or already, beyond the edge
        source = self._sources[actor.walker.id]
        anchor_x, anchor_y, steady = source.track.anchor(actor.index)
        scale = eyes / steady
        shrink = 2 if scale < 0.55 else 1  # noqa: PLR2004 - half the clip's size and a little is plenty then
        head = cut_head(actor.frame, source.track.face(actor.index), source.clip.ground, source.clip.gains, shrink)
        sprite: Sprite = sprite_of(head.rgb, head.alpha)
        half = 0.5 * shrink - 0.5
        matrix = np.array(
            [
                [scale * shrink, 0, actor.head[0] + scale * (head.origin[0] + half - anchor_x)],
                [0, scale * shrink, actor.head[1] + scale * (head.origin[1] + half - anchor_y)],
            ]
        )
        return canvas.draw(sprite, matrix)

    def _window(self, actor: Actor, passage: Passage) -> Window | None:
        """The face's box, if any of it is in the picture."""
        face = placed_face(self._sources[passage.id].track, actor)
        x, y, wide, high = face.box
        left, top = max(0, round(x)), max(0, round(y))
        right = min(self._plan.options.width, round(x + wide))
        bottom = min(self._plan.options.height, round(y + high))
        if right <= left or bottom <= top:
            return None
        area = float((round(x + wide) - round(x)) * (round(y + high) - round(y)))
        return Window(face, left, top, area, np.full((bottom - top, right - left), 255, np.uint8))

    def _pillar(self, canvas: Canvas, windows: Mapping[str, Window]) -> None:
        """The pillar stands before everybody: put its columns back."""
        left, right = self._plan.pillar
        for here, there in ((canvas.y, self._backdrop.y), (canvas.u, self._backdrop.u), (canvas.v, self._backdrop.v)):
            step = canvas.y.shape[1] // here.shape[1]
            here[:, left // step : right // step] = there[:, left // step : right // step]
        patch = Patch(left, 0, np.full((canvas.y.shape[0], right - left), 255, np.uint8))
        for window in windows.values():
            window.cover("pillar", patch)

    def _expose(self, number: int, canvas: Canvas) -> Image:
        """The camera's part: slow drift of exposure, and noise; returns I420."""
        seconds = number / self._plan.options.fps
        gain = 1 + 0.010 * np.sin(seconds * 0.37) + 0.005 * np.sin(seconds * 1.19)
        top, left = self._grain_at[number]
        high, wide = canvas.y.shape
        grain = self._grain[top : top + high, left : left + wide]
        i420 = np.empty((high * 3 // 2, wide), np.uint8)
        cv2.addWeighted(canvas.y, gain, grain, 1.0, 16 * (1 - gain) - 128, dst=i420[:high])
        i420[high:] = np.concatenate([canvas.u.reshape(-1, wide), canvas.v.reshape(-1, wide)])
        return i420


def _sighting(number: int, face: Face, visible: float) -> Sighting:
    """A face of a frame as ground truth."""
    left, top, wide, high = (round(value, 1) for value in face.box)
    points = [round(value, 1) for point in face.points for value in point]
    sure = face.score >= CONFIDENT
    return Sighting(number, (left, top, wide, high), round(face.eyes, 2), points, round(visible, 3), sure)
