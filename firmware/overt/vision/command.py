"""`overt-camera vision`: the daemon's command line."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from overt.runtime.cli import BAD_INPUT, UNAVAILABLE, Failure, Parser

if TYPE_CHECKING:
    from overt.vision.sources.base import FrameSource

_MAX_THREADS = 4
_SIDES, _MAX_DIGITS = 2, 4

_DESCRIPTION = """Look for the people of one watchlist, while the warden says so.

The daemon waits for the warden at RUN/vision.sock, and recognises between its Begin and its Stop. Before it sees a
gallery it locks itself in: no network, no writing of files, no other programs.

sources:
  file:PATH         footage, played at its own speed
  v4l2:DEVICE       a camera with a device file, such as /dev/video0
  rtsp://HOST/PATH  a network camera without a password
  rtsp-file:PATH    a network camera whose address (with its password) is in a file
  picamera2         the Raspberry Pi's camera module"""


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Add the command `vision`."""
    parser = subparsers.add_parser(
        "vision",
        help="the daemon that sees: camera and matching",
        description=_DESCRIPTION,
        epilog="example:\n  overt-camera vision --run build/run --models build/models --source file:scene.mp4",
    )
    parser.add_argument("--run", type=Path, default=Path("/run/overt"), metavar="DIR", help="sockets (%(default)s)")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path("/usr/share/overt/models"),
        metavar="DIR",
        help="models and their catalogue (%(default)s)",
    )
    parser.add_argument("--source", required=True, help="where pictures come from: see above")
    parser.add_argument("--loop", action="store_true", help="start footage over when it ends")
    parser.add_argument(
        "--size", type=_size, metavar="WxH", help="the detector's input, as the catalogue has it (its first)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        choices=range(1, _MAX_THREADS + 1),
        default=max(1, min(_MAX_THREADS - 1, (os.cpu_count() or 1) - 1)),
        help="processor cores for inference; the capture needs one of its own (here %(default)s)",
    )
    parser.add_argument(
        "--accelerator",
        metavar="LIBRARY",
        help="LiteRT delegate that computes the detector, such as libedgetpu.so.1; the processor does when it fails",
    )
    parser.set_defaults(handler=_run)


def _check(source: "FrameSource") -> None:
    """Refuse footage that is not there. A camera that is not may come yet; meanwhile it is a doubt.

    Raises:
        SourceError: It cannot be used, and never will be.
    """
    from overt.runtime import log  # noqa: PLC0415 - for the daemon alone
    from overt.vision.sources.base import SourceUnavailable  # noqa: PLC0415 - as above

    try:
        source.check()
    except SourceUnavailable as error:
        if source.opens_locked:
            raise
        log.event("camera.absent", "error", detail=str(error))


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) != _SIDES or not all(
        side.isascii() and side.isdigit() and len(side) <= _MAX_DIGITS for side in sides
    ):
        raise argparse.ArgumentTypeError(f"expected a size like 640x352, found {text!r}")
    return int(sides[0]), int(sides[1])


def _run(chosen: argparse.Namespace) -> int:
    # NumPy's algebra starts a thread per core when it is loaded; the search of a watchlist needs none of them.
    os.putenv("OPENBLAS_NUM_THREADS", "1")
    from overt.runtime import footprint, log, memory  # noqa: PLC0415 - heavier than showing help

    footprint.return_large_blocks()
    # Pixels and engines are imported when this command runs, not when another one shows its help.
    from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - see above
    from overt.vision import models, sandbox  # noqa: PLC0415 - see above
    from overt.vision.service import Service  # noqa: PLC0415 - see above
    from overt.vision.sources.base import SourceError  # noqa: PLC0415 - see above
    from overt.vision.sources.choose import source_of  # noqa: PLC0415 - see above

    log.name_daemon("vision")
    try:
        memory.harden_process()
        sandbox.this_machine()
        chosen_set = models.choose(chosen.models, chosen.size)
        source = source_of(chosen.source, models.size_of(chosen_set), loop=chosen.loop)
        _check(source)
        loaded = models.load(chosen.models, chosen_set, chosen.threads, chosen.accelerator)
        service = Service(
            source,
            loaded.detector,
            loaded.embedder,
            loaded.digest,
            sandbox.lock,
            window_detector=loaded.window_detector,
        )
        del loaded  # the service alone holds the embedder, so that it can let go of it
        service.signals.install()
        footprint.settle()
        code = service.run(chosen.run / "vision.sock")
        if service.stuck:
            os._exit(code)  # whatever a library wants to tidy up at the end would wait for the camera
        return code
    except SourceError as error:
        raise Failure(str(error), error.exit_code) from error
    except models.ModelsMissing as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except RecognitionError as error:
        raise Failure(str(error), BAD_INPUT) from error
    except (memory.MemoryUnsafe, sandbox.SandboxFailed) as error:
        raise Failure(error.strerror or str(error), UNAVAILABLE) from error
