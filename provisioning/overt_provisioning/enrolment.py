"""Enrols many stills, on several processors: each worker holds the models and gives back a template or a reason.

Two workers enrol 11.7 stills of 250 x 250 pixels a second, one enrols 6.1 (2-core x86-64 virtual machine, LFW).
A worker never outlives the command, takes no notice of Ctrl-C (the command does), and cannot leave a core dump.
"""

import ctypes
import os
import resource
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from overt.runtime.workers import SPAWN
from overt_provisioning.stills import Enroller, ModelProblem, Still, find_models

FEWEST_FOR_WORKERS = 24
"""Images from which starting workers (about a second) pays, be it one: see `_SINGLE_THREADED`."""
MOST_WORKERS = 8
_SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker computes on one processor: NumPy's own threads spend twice the processor time and gain nothing here."""
_AHEAD = 4
"""Images handed to each worker before its answers are awaited: bounds what is in memory."""
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_own: Enroller | None = None
"""A worker's engine. One per process, made when it starts."""


class EnrolmentBroken(Exception):
    """A worker died. The message says what to do."""


def usable_workers() -> int:
    """Return how many workers this machine can feed."""
    return max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0))))


def enrol_all(
    models: Path, digest: str, paths: Iterable[Path | None], *, count: int, workers: int, pictures: bool
) -> Iterator[Still | None]:
    """Enrol stills and yield what became of each, in order; None for None.

    Args:
        models: The folder of built models.
        digest: Of the model set.
        paths: The stills.
        count: How many there are.
        workers: Processes to use at most.
        pictures: Whether small pictures are wanted.

    Raises:
        ModelProblem: The models are missing or changed.
        EnrolmentBroken: A worker died.
    """
    find_models(models, digest)
    if count < FEWEST_FOR_WORKERS:
        enroller = Enroller(models, digest, pictures=pictures)
        yield from (enroller.enrol(path) if path else None for path in paths)
        return
    yield from _with_workers(models, digest, paths, workers, pictures=pictures)


def _with_workers(
    models: Path, digest: str, paths: Iterable[Path | None], workers: int, *, pictures: bool
) -> Iterator[Still | None]:
    pool = ProcessPoolExecutor(
        workers,
        mp_context=SPAWN,
        initializer=_start,
        initargs=(os.getpid(), models, digest, pictures),
    )
    waiting: deque[Future[Still] | None] = deque()
    before = {name: os.environ.get(name) for name in _SINGLE_THREADED}
    os.environ.update(_SINGLE_THREADED)  # inherited by workers, which start as they are needed
    try:
        for path in paths:
            waiting.append(pool.submit(_enrol, path) if path else None)
            if len(waiting) > workers * _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    except BrokenProcessPool as error:
        raise EnrolmentBroken("an enrolment process died (out of memory?): try again with --workers 1") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _result(future: Future[Still] | None) -> Still | None:
    return future.result() if future else None


def _start(parent: int, models: Path, digest: str, pictures: bool) -> None:
    global _own  # noqa: PLW0603 - a worker's only way to keep its engine between calls
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise ModelProblem("the command that started this worker is gone")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _own = Enroller(models, digest, pictures=pictures)


def _enrol(path: Path) -> Still:
    assert _own is not None  # noqa: S101 - the initializer ran, or the pool is broken
    return _own.enrol(path)
