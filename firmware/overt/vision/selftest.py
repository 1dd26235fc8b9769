"""Whether vision can do its work here: be locked in, and compute what the catalogue says. No camera, and nobody."""

import ctypes
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overt.runtime import memory
from overt.runtime.children import command_of
from overt.runtime.selftest import Finding, Outcome, try_out
from overt.vision import sandbox

if TYPE_CHECKING:
    from overt.recognition.arrays import Floats
    from overt.recognition.catalogue import Artefact

_CHILD_S: Final = 60.0
_PR_GET_DUMPABLE: Final = 3  # linux/prctl.h


class NotLockedIn(Exception):
    """Something can be done that the lock has to forbid."""


def try_the_lock() -> Finding:
    """Have a child of this process lock itself in, and try what it may no longer do."""
    return try_out("lock", _lock_a_child_in, NotLockedIn, subprocess.TimeoutExpired)


def _lock_a_child_in() -> str:
    done = subprocess.run(
        command_of("overt.vision.selftest"), capture_output=True, text=True, timeout=_CHILD_S, check=False
    )
    number, _, said = done.stdout.partition(" ")
    if number.isdecimal() and int(number):
        raise OSError(int(number), said)
    if done.returncode or number != "0":
        raise NotLockedIn(said or f"expected an answer, found none: the process ended with {done.returncode}")
    return said


def main() -> int:
    """Lock this process in and say, in one line, the number of the system's error (0: none), and what was found."""
    try:
        found = _locked_in()
    except OSError as error:
        sys.stdout.write(f"{error.errno or errno.EIO} {error.strerror}")
        return 1
    except NotLockedIn as error:
        sys.stdout.write(f"none {error}")
        return 1
    sys.stdout.write(f"0 {found}")
    return 0


def _locked_in() -> str:
    memory.harden_process()
    if ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise NotLockedIn("expected a process that nobody can dump, found one that can be dumped")
    sandbox.lock()
    for what, attempt in (("network", _make_a_socket), ("disk", _write_a_file)):
        try:
            attempt()
        except PermissionError:
            continue
        raise NotLockedIn(f"expected no {what} after the lock, found that it can still be had")
    return "no network, no disk, no core dump"


def _make_a_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def _write_a_file() -> None:
    os.close(os.open(os.devnull, os.O_WRONLY))


def try_the_models(folder: Path) -> Iterator[Finding]:
    """Check the first set's files by their digests, load them, and compare what they compute with the catalogue.

    Args:
        folder: Holds the catalogue and the model files.
    """
    # The engine is loaded here, not when another command shows its help.
    from overt.recognition import pattern  # noqa: PLC0415 - see above
    from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - see above
    from overt.vision import models  # noqa: PLC0415 - see above

    try:
        chosen = models.choose(folder)
        loaded = models.load(folder, chosen, 1)
    except (RecognitionError, models.ModelsMissing) as error:
        yield Finding("models", Outcome.FAILS, str(error))
        return
    yield Finding("models", Outcome.WORKS, f"set {chosen.name}, digest {loaded.digest}")
    networks: list[tuple[str, Artefact | None, Callable[[], Floats]]] = [
        ("detector", chosen.detector, partial(pattern.detector_answer, loaded.detector)),
        ("embedder", chosen.embedder, partial(pattern.embedder_answer, loaded.embedder)),
    ]
    if loaded.window_detector is not None:
        networks[1:1] = [("windows", chosen.window_detector, partial(pattern.detector_answer, loaded.window_detector))]
    for name, artefact, answer in networks:
        if artefact is not None:
            yield try_out(name, partial(_compare, artefact, answer), RecognitionError)


def _compare(artefact: "Artefact", answer: "Callable[[], Floats]") -> str:
    from overt.recognition import pattern  # noqa: PLC0415 - loads NumPy

    return f"{artefact.name} computes what the catalogue says: {pattern.compare(artefact, answer()):.1g} away"


if __name__ == "__main__":
    sys.exit(main())
