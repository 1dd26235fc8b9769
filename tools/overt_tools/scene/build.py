"""Build a scene: fetch, plan, find the faces, render, encode, write the ground truth; or see that all that is done."""

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from overt.runtime.files import sync_folder

from .clips import Clip, Stretch, digest, read_frames
from .errors import SceneError
from .faces import EVERY, REVISION, Face, Finder, Track, follow, keep_track, load_track
from .notes import Notes, truth_of
from .plan import Options, Passage, Plan
from .render import WORKERS, Rendered, Renderer, Source
from .schedule import clip_index, make_plan
from .truth import Truth, check_footage, save_truth, truth_path
from .video import encode


@dataclass(frozen=True, slots=True)
class Studio:
    """What a scene is made from.

    Attributes:
        clips: the recordings.
        folder: where their files lie.
        finder: makes the face detector; called only when it is needed.
        finder_key: tells this detector from others, for the cache.
        cache: where found faces are kept for the next time; None keeps nothing.
    """

    clips: tuple[Clip, ...]
    folder: Path
    finder: Callable[[], Finder]
    finder_key: str
    cache: Path | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What is going on.

    Attributes:
        step: "faces" or "frames".
        done: how much of it.
        total: how much there is.
    """

    step: str
    done: int
    total: int


Report = Callable[[Progress], None]


def scene_key(options: Options, studio: Studio) -> str:
    """Digest of all that a scene follows from: options, clips, detector, and this package's own code.

    Raises:
        SceneError: a clip is missing.
    """
    parts = [msgspec.json.encode(options).decode(), studio.finder_key, *(repr(clip) for clip in studio.clips)]
    parts += [digest(studio.folder / clip.file) for clip in studio.clips]
    parts += [digest(path) for path in sorted(Path(__file__).parent.glob("*.py")) if path.name != "command.py"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def up_to_date(output: Path, key: str) -> Truth | None:
    """The ground truth of a scene that stands already and was made from the same things, else None."""
    try:
        truth = check_footage(output)
    except SceneError:
        return None
    return truth if truth.key == key else None


def build(output: Path, options: Options, studio: Studio, report: Report = lambda _: None) -> Truth:
    """Build a scene, or leave it if it is up to date.

    Args:
        output: the footage's path; its ground truth goes beside it.
        options: what is asked for.
        studio: what to make it from.
        report: told of progress now and then.

    Returns:
        The ground truth.

    Raises:
        SceneError: the scene cannot be made; nothing is left behind of it, and what stood there before still does.
    """
    key = scene_key(options, studio)
    standing = up_to_date(output, key)
    if standing is not None:
        return standing
    plan = make_plan(options, studio.clips)
    sources = find_faces(plan, studio, report)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as folder:
            draft, notes = Path(folder) / output.name, Notes()
            frames = _watched(Renderer(plan, sources).frames(), notes, options.frames, report)
            count = encode(draft, frames, (options.width, options.height), options.fps)
            truth = truth_of(plan, sources, notes, key=key, name=output.name, sha256=digest(draft), frames=count)
            save_truth(truth_path(draft), truth)
            _put_in_place(draft, output)
    except OSError as error:
        raise SceneError(
            f"the scene cannot be written to {output.parent} ({error.strerror}); free some disk space there, "
            "or choose another --out"
        ) from error
    return truth


def _put_in_place(draft: Path, output: Path) -> None:
    """Move both finished files to where they belong, so that footage is never beside a truth about another file.

    Raises:
        OSError: the folder cannot be written.
    """
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    truth_path(output).unlink(missing_ok=True)
    draft.replace(output)
    truth_path(draft).replace(truth_path(output))
    sync_folder(output.parent)


def find_faces(plan: Plan, studio: Studio, report: Report = lambda _: None) -> dict[str, Source]:
    """Find the face in all frames of the clips that a plan uses.

    Returns:
        For each passage, by id, where its head comes from.

    Raises:
        SceneError: a clip cannot be read, or shows no face.
    """
    clips = {clip.name: clip for clip in studio.clips}
    mine = threading.local()  # a detector serves one thread only

    def find(rgb: NDArray[np.uint8]) -> Face | None:
        if not hasattr(mine, "finder"):
            mine.finder = studio.finder()
        found: Face | None = mine.finder(rgb)
        return found

    sources: dict[str, Source] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        tracks = pool.map(lambda p: _track(clips[p.clip], _stretch(p, plan.options.fps), studio, find), plan.passages)
        for passage in plan.passages:
            report(Progress("faces", len(sources), len(plan.passages)))
            clip = clips[passage.clip]
            sources[passage.id] = Source(clip, studio.folder / clip.file, next(tracks))
    report(Progress("faces", len(plan.passages), len(plan.passages)))
    return sources


def _track(clip: Clip, stretch: Stretch, studio: Studio, find: Finder) -> Track:
    """The face in one stretch: kept from an earlier time, or found now and kept."""
    path = studio.folder / clip.file
    kept = _kept_at(studio, path, stretch)
    track = load_track(kept) if kept else None
    if track is None or track.first != stretch.first or len(track.rows) != stretch.length:
        track = follow(read_frames(path, stretch.first, stretch.length), stretch.first, find)
        if kept:
            try:
                keep_track(kept, track)
            except OSError as error:
                raise SceneError(
                    f"found faces cannot be kept in {kept.parent} ({error.strerror}); free some disk space there, "
                    "or choose another --cache"
                ) from error
    return track


def _stretch(passage: Passage, fps: int) -> Stretch:
    """The frames of the clip that a passage shows."""
    return Stretch(passage.clip_first, passage.clip_first + clip_index(passage.frames - 1, fps))


def _kept_at(studio: Studio, path: Path, stretch: Stretch) -> Path | None:
    """Where the faces of a stretch are kept."""
    if studio.cache is None:
        return None
    name = f"{digest(path)} {stretch.first} {stretch.last} {studio.finder_key} {REVISION} {EVERY}"
    return studio.cache / "faces" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


def _watched(frames: Iterator[Rendered], notes: Notes, total: int, report: Report) -> Iterator[NDArray[np.uint8]]:
    """The frames' pictures, with notes taken and progress told."""
    for frame in frames:
        notes.add(frame)
        report(Progress("frames", frame.number + 1, total))
        yield frame.i420
