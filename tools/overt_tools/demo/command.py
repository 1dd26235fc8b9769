"""`overt-tools demo`."""

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from overt.runtime.cli import BAD_INPUT, UNAVAILABLE, Failure, Parser

if TYPE_CHECKING:
    from overt.recognition.catalogue import Catalogue


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="a whole deployment on this machine, from a new force to the erasure certificate",
        description=(
            "Makes a demonstration force, unit, order and encrypted watchlist, starts a broker, the unit's daemons\n"
            "and a control room, and plays footage to the unit as its camera. The listed person is a volunteer.\n"
            "On a terminal it goes on until Ctrl-C or until the order ends; otherwise it plays the footage once."
        ),
        epilog="example:\n  overt-tools demo --models build/models --scene build/demo/scene.mp4",
    )
    built = Path("build")
    parser.add_argument("--models", type=Path, default=built / "models", help="built models (default: %(default)s)")
    parser.add_argument(
        "--scene", type=Path, default=built / "demo" / "scene.mp4", help="footage (default: %(default)s)"
    )
    parser.add_argument(
        "--stills",
        type=Path,
        default=None,
        help="the volunteer's stills (default: as the footage's package brought them)",
    )
    parser.add_argument("--cache", type=Path, default=built / "cache", help="downloads (default: %(default)s)")
    parser.add_argument(
        "--work", type=Path, default=built / "demo" / "work", help="working folder (default: %(default)s)"
    )
    parser.add_argument(
        "--broker", choices=("auto", "mosquitto", "embedded"), default="auto", help="default: %(default)s"
    )
    parser.add_argument("--port", type=int, default=0, help="the broker's port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--minutes", type=int, default=20, help="the order's window (default: %(default)s)")
    parser.add_argument("--threshold", type=float, default=0.5, help="the order's threshold (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="play the footage once, on a terminal too")
    parser.set_defaults(handler=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    for path, made_by in ((arguments.models, "make models"), (arguments.scene, "make footage")):
        if not path.exists():
            raise Failure(f"expected {path}, found nothing: run '{made_by}'", UNAVAILABLE)
    if not 1 <= arguments.minutes <= 24 * 60:
        raise Failure(f"expected a window of 1 to 1440 minutes, found {arguments.minutes}", BAD_INPUT)
    known = _check_models(arguments.models)
    from overt_tools.demo import terminal  # noqa: PLC0415 - help must be quick
    from overt_tools.demo.deployment import Plan, run  # noqa: PLC0415 - heavy, and help must be quick

    arguments.work.parent.mkdir(parents=True, exist_ok=True)
    with _alone(arguments.work.parent / "demo.lock"), terminal.taken():
        return run(
            Plan(
                models=arguments.models.resolve(),
                scene=arguments.scene.resolve(),
                stills=(arguments.stills or _fetch_stills(known, arguments.cache)).resolve(),
                work=arguments.work.resolve(),
                broker=arguments.broker,
                port=arguments.port,
                minutes=arguments.minutes,
                threshold=arguments.threshold,
                once=arguments.once or not sys.stdout.isatty(),
            )
        )


def _check_models(folder: Path) -> "Catalogue":
    """Return the catalogue of the built models, once the files are what it says."""
    from overt.recognition import catalogue  # noqa: PLC0415 - help must be quick
    from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - help must be quick

    try:
        known = catalogue.parse((folder / catalogue.FILE_NAME).read_bytes())
        for artefact in known.find_set().artefacts:
            artefact.check((folder / artefact.file).read_bytes())
    except OSError as error:
        raise Failure(f"expected built models, cannot read {error.filename}: run 'make models'", UNAVAILABLE) from error
    except RecognitionError as error:
        raise Failure(f"the models in {folder} are not those of the catalogue: {error}", UNAVAILABLE) from error
    return known


def _fetch_stills(known: "Catalogue", cache: Path) -> Path:
    """Return the folder of the volunteer's stills, fetching them when they are not there yet."""
    from overt_tools.fetch import FetchError, fetch  # noqa: PLC0415 - help must be quick

    try:
        fetched = fetch(known.find_source("footage"), cache, lambda text: print(text, flush=True))
    except FetchError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    return next(path.parent for path in fetched.files.values() if path.name.startswith("franck_"))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock that keeps two demonstrations out of one folder. The kernel frees it when the holder dies."""
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            raise Failure(
                f"another demonstration (process {holder}) uses {path.parent}: end it, or give --work another folder",
                UNAVAILABLE,
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
