"""Measures the stills of a set, each once: from the cache, or by worker processes that hold the models."""

import ctypes
import os
import resource
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from overt.runtime.workers import SPAWN

from .cache import Cache
from .engine import Engine, ModelFiles, code_revision
from .errors import CannotMeasureError
from .measured import Found, Measured
from .pictures import BadPictureError, read_picture
from .progress import shown
from .stills import StillSet
from .views import PREFIX, view

FOUND, PROBE, LISTED = "found", "probe", "listed"
"""Kinds of look at a still: where the subject is; its template as of a face in the stream; as of a listed person."""

_SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_AHEAD = 4  # tasks handed to each worker before its answers are awaited
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_REVISION = 1  # of how this package looks at a still: whoever changes that raises it
_TIMED = 40
"""Faces that are timed anew in each run."""


class Task(NamedTuple):
    """One image to look at, in one way."""

    sha256: str
    path: Path
    kind: str
    found: bytes | None  # what is known of its subject, encoded; None: to be found first


class Laboratory:
    """A model set, a cache and as many processes as are wanted."""

    def __init__(self, models: ModelFiles, cache: Cache, jobs: int = 1) -> None:
        """Make one.

        Args:
            models: What measures.
            cache: Where what was measured is kept.
            jobs: Processes.
        """
        self.models = models
        self._cache = cache
        self._jobs = jobs
        self._code = code_revision()
        self._own: Engine | None = None

    @property
    def engine(self) -> Engine:
        """This process's own engine, loaded when first needed."""
        if self._own is None:
            self._own = Engine(self.models)
        return self._own

    def found(self, stills: StillSet, images: Sequence[str]) -> dict[str, Found]:
        """Find the subjects of images."""
        rows = self._rows(stills, images, FOUND)
        return {image: msgspec.msgpack.decode(rows[stills.sha256[image]], type=Found) for image in images}

    def measure(self, stills: StillSet, images: Sequence[str], kind: str) -> dict[str, Measured]:
        """Look at images in one way.

        Args:
            stills: The set.
            images: Which of its images.
            kind: `PROBE`, `LISTED`, or a kind of `conditions`.

        Raises:
            CannotMeasureError: Models, cache or workers fail.
        """
        rows = self._rows(stills, images, kind)
        return {image: msgspec.msgpack.decode(rows[stills.sha256[image]], type=Measured) for image in images}

    def ms_per_face(self, stills: StillSet, images: Sequence[str]) -> float | None:
        """Return the median time of align and embed, measured now on a sample of faces, in milliseconds."""
        sample = images[:: max(1, len(images) // _TIMED)][:_TIMED]
        found = self.found(stills, sample)
        return self.engine.ms_per_face(
            [(read_picture(stills.folder / image), found[image]) for image in sample if found[image].pose]
        )

    def _what(self, kind: str) -> str:
        """Name what is done, so that whatever changes the outcome changes the name."""
        models = self.models
        with_what = models.detector_sha256 if kind == FOUND else models.digest
        return f"{kind} {with_what} {models.preprocessing} {self._code} {_REVISION}"

    def _rows(self, stills: StillSet, images: Sequence[str], kind: str) -> Mapping[str, bytes]:
        """Return what is known or found out, encoded, by image digest."""
        by_digest = {stills.sha256[image]: stills.folder / image for image in images}
        rows = self._cache.find(self._what(kind), by_digest)
        missing = {digest: path for digest, path in by_digest.items() if digest not in rows}
        if not missing:
            return rows
        known = {} if kind == FOUND else self._cache.find(self._what(FOUND), missing)
        tasks = [Task(digest, path, kind, known.get(digest)) for digest, path in missing.items()]
        words = {FOUND: "finding faces", PROBE: "templates of faces", LISTED: "templates of listed people"}
        with shown(words.get(kind, kind), len(tasks)) as step:
            try:
                for task, outcome in self._outcomes(tasks):
                    self._cache.keep({self._what(made): value for made, value in outcome.items()}, task.sha256)
                    rows[task.sha256] = outcome[kind]
                    step()
            finally:
                self._cache.flush()
        return rows

    def _outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, dict[str, bytes]]]:
        if self._jobs == 1:
            for task in tasks:
                yield task, work(self.engine, task)
            return
        pool = ProcessPoolExecutor(
            self._jobs,
            mp_context=SPAWN,
            initializer=_start,
            initargs=(os.getpid(), self.models),
        )
        waiting: deque[tuple[Task, Future[dict[str, bytes]]]] = deque()
        try:
            with _single_threaded():
                for task in tasks:
                    waiting.append((task, pool.submit(_work, task)))
                    if len(waiting) > self._jobs * _AHEAD:
                        yield _done(waiting)
                while waiting:
                    yield _done(waiting)
        except BrokenProcessPool as error:
            raise CannotMeasureError("a worker process died (out of memory?): try again with --jobs 1") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def work(engine: Engine, task: Task) -> dict[str, bytes]:
    """Do a task.

    Returns:
        What was made, encoded, by kind: that of the task, and `FOUND` when it was made on the way.
    """
    try:
        rgb = read_picture(task.path)
    except BadPictureError as error:
        return _encoded(task.kind, Found(problem=str(error)), Measured(), fresh=True)
    found = engine.find(rgb) if task.found is None else msgspec.msgpack.decode(task.found, type=Found)
    if task.kind == FOUND:
        measured = Measured()
    elif task.kind == PROBE:
        measured = engine.probe(rgb, found)
    elif task.kind == LISTED:
        measured = engine.listed(rgb, found)
    elif task.kind.startswith(PREFIX):
        measured = view(engine, rgb, found, task.kind)
    else:
        raise CannotMeasureError(f"expected a kind of look, found {task.kind!r}")
    return _encoded(task.kind, found, measured, fresh=task.found is None)


def _encoded(kind: str, found: Found, measured: Measured, *, fresh: bool) -> dict[str, bytes]:
    outcome = {FOUND: msgspec.msgpack.encode(found)} if fresh else {}
    return outcome if kind == FOUND else {**outcome, kind: msgspec.msgpack.encode(measured)}


def _done(waiting: deque[tuple[Task, "Future[dict[str, bytes]]"]]) -> tuple[Task, dict[str, bytes]]:
    task, future = waiting.popleft()
    return task, future.result()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Have the workers that start meanwhile compute on one processor each."""
    before = {name: os.environ.get(name) for name in _SINGLE_THREADED}
    os.environ.update(_SINGLE_THREADED)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


_engine: Engine | None = None
"""A worker's own."""


def _start(parent: int, models: ModelFiles) -> None:
    global _engine  # noqa: PLW0603 - a worker's only way to keep its engine between calls
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise CannotMeasureError("the command that started this worker is gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _engine = Engine(models)


def _work(task: Task) -> dict[str, bytes]:
    assert _engine is not None  # noqa: S101 - the initializer ran, or the pool is broken
    return work(_engine, task)


def unreadable(found: Mapping[str, Found], images: Iterable[str]) -> list[str]:
    """Return which images are no whole pictures, or no usable ones."""
    return sorted(image for image in images if found[image].problem is not None)
