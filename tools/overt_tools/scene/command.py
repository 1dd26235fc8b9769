"""`overt-tools scene`: build the demonstration footage, show what is in it, check it."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure, Parser

from .build import Progress, build, scene_key, up_to_date
from .clips import CLIPS
from .errors import BadRequestError, SceneError
from .plan import Options
from .schedule import make_plan
from .supply import supply
from .truth import Truth, check_footage, load_truth, truth_path

DEFAULT_OUT = Path("build/demo/scene.mp4")


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `scene` with its commands."""
    scene = subparsers.add_parser(
        "scene",
        help="demonstration footage: people crossing a street, with ground truth",
        description=(
            "Builds footage of two real people, cut out of consented recordings, who walk through a drawn street: "
            "a volunteer, to be put on a blue watchlist, and a passer-by. The ground truth lies beside it as JSON."
        ),
        epilog="example:\n  overt-tools scene build --seconds 60\n  overt-tools scene show build/demo/scene.mp4",
    )
    commands = scene.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    _add_build(commands)
    for name, handler, text in (
        ("show", _show, "show who passes when, from the ground truth"),
        ("check", _check, "check that footage and ground truth are whole and belong together; exit 1 if not"),
    ):
        parser = commands.add_parser(
            name, help=text, description=text.capitalize() + ".", epilog=f"example:\n  overt-tools scene {name}"
        )
        parser.add_argument(
            "footage", type=Path, nargs="?", default=DEFAULT_OUT, help="the footage (default: %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.set_defaults(handler=handler)


def _add_build(commands: "argparse._SubParsersAction[Parser]") -> None:
    """Register `scene build`."""
    standard = Options()
    parser = commands.add_parser(
        "build",
        help="build the footage and its ground truth",
        description="Builds the footage and its ground truth; if they stand already, made from the same, says so.",
        epilog="example:\n  overt-tools scene build --seconds 60 --seed 1 --out build/demo/scene.mp4",
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the footage to write (default: %(default)s)")
    parser.add_argument(
        "--people", type=int, metavar="N", help="passages of people who face the camera (default: as many as fit)"
    )
    parser.add_argument("--seconds", type=float, default=standard.seconds, help="length (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=standard.seed, help="of all choices (default: %(default)s)")
    parser.add_argument("--size", type=_size, default=(standard.width, standard.height), metavar="WxH",
                        help="of the picture in pixels (default: 1920x1080)")  # fmt: skip
    parser.add_argument("--fps", type=int, default=standard.fps, help="frames a second (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"), help="downloads (default: %(default)s)")
    parser.add_argument("--clips", type=Path, metavar="FOLDER", help="take the recordings from here, fetch nothing")
    parser.add_argument("--models", type=Path, default=Path("build/models"), help="models (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(handler=_build)


def _size(text: str) -> tuple[int, int]:
    """Read 1920x1080."""
    try:
        width, height = (int(part) for part in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT as in 1920x1080, found {text!r}") from None
    return width, height


def _build(arguments: argparse.Namespace) -> int:
    """Run `scene build`."""
    width, height = arguments.size
    options = Options(arguments.people, arguments.seconds, arguments.seed, width, height, arguments.fps)
    began = time.monotonic()
    with _failures():
        make_plan(options, CLIPS)  # refuses what cannot be before anything is fetched
        studio = supply(arguments.models, arguments.cache, arguments.clips, _tell)
        truth = up_to_date(arguments.out, scene_key(options, studio))
        fresh = truth is None
        if truth is None:
            with _progress() as report:
                truth = build(arguments.out, options, studio, report)
    seconds = time.monotonic() - began
    if arguments.json:
        print(
            json.dumps({"footage": str(arguments.out), "built": fresh, "seconds": round(seconds, 2), **_summary(truth)})
        )
    elif fresh:
        print(f"{arguments.out}: built in {seconds:.0f} s: {_sentence(truth)}")
    else:
        print(f"{arguments.out}: up to date: {_sentence(truth)}")
    return OK


def _tell(words: str) -> None:
    print(f"scene: {words}", file=sys.stderr, flush=True)


def _show(arguments: argparse.Namespace) -> int:
    """Run `scene show`."""
    with _failures():
        truth = load_truth(truth_path(arguments.footage))
    if arguments.json:
        print(json.dumps(_summary(truth)))
        return OK
    print(_sentence(truth))
    for passage in _summary(truth)["passages"]:
        chance = passage["opportunity"]
        near = f"{chance[0]:5.1f} to {chance[1]:5.1f} s" if chance else "none (too far)"
        print(
            f"  {passage['id']:<13} {passage['clip']:<7} {'listed' if passage['listed'] else '-':<7}"
            f"in view {passage['in_view'][0]:5.1f} to {passage['in_view'][1]:5.1f} s   opportunity {near:<18}"
            f"   {passage['eyes'][0]:.0f} to {passage['eyes'][1]:.0f} px between the eyes"
            f"   behind: {', '.join(passage['behind']) or 'nothing'}"
        )
    return OK


def _check(arguments: argparse.Namespace) -> int:
    """Run `scene check`."""
    try:
        truth = check_footage(arguments.footage)
    except SceneError as error:
        if arguments.json:
            print(json.dumps({"footage": str(arguments.footage), "sound": False, "reason": str(error)}))
        else:
            print(f"not sound: {error}")
        return NEGATIVE
    if arguments.json:
        print(json.dumps({"footage": str(arguments.footage), "sound": True, **_summary(truth)}))
    else:
        print(f"sound: {_sentence(truth)}")
    return OK


def _summary(truth: Truth) -> dict[str, Any]:
    """The ground truth without its frames, times in seconds."""

    def seconds(frame: int) -> float:
        return round(frame / truth.fps, 2)

    return {
        "frames": truth.frames,
        "fps": truth.fps,
        "size": list(truth.size),
        "sha256": truth.sha256,
        "passages": [
            {
                "id": p.id,
                "person": p.person,
                "clip": p.clip,
                "listed": p.listed,
                "in_view": [seconds(p.in_view.first), seconds(p.in_view.last)],
                "opportunity": [seconds(p.opportunity.first), seconds(p.opportunity.last)] if p.opportunity else None,
                "eyes": [min(s.eyes for s in p.sightings), max(s.eyes for s in p.sightings)],
                "behind": sorted({crossing.behind for crossing in p.crossings}),
            }
            for p in truth.passages
        ],
    }


def _sentence(truth: Truth) -> str:
    """The scene in one line."""
    listed = sum(passage.listed for passage in truth.passages)
    return (
        f"{truth.frames / truth.fps:.0f} s, {truth.size[0]}x{truth.size[1]} at {truth.fps} fps, "
        f"{listed} passages of the listed volunteer, {len(truth.passages) - listed} of a passer-by"
    )


@contextmanager
def _failures() -> Iterator[None]:
    """What cannot be built, in the command line's terms."""
    try:
        yield
    except BadRequestError as error:
        raise Failure(str(error), BAD_INPUT) from error
    except SceneError as error:
        raise Failure(str(error), UNAVAILABLE) from error


_WORDS = {"faces": "looking for the faces in the recordings", "frames": "rendering the footage"}


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal; otherwise a line every few seconds."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import Progress as Bars  # noqa: PLC0415 - as above

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks = {step: bars.add_task(words, total=None, start=False) for step, words in _WORDS.items()}

        def report(progress: Progress) -> None:
            bars.start_task(tasks[progress.step])
            bars.update(tasks[progress.step], completed=progress.done, total=progress.total)

        yield report


class _Lines:
    """Progress as lines on standard error, none sooner than this many seconds after the last."""

    every = 4.0

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            print(f"scene: {_WORDS[progress.step]}: {progress.done} of {progress.total}", file=sys.stderr, flush=True)
