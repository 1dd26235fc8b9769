"""`overt-tools bench`: what Overt costs, where the time goes, and how it compares."""

import argparse
import os
from pathlib import Path

from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser

from .alone import Request, measure
from .errors import BenchError
from .peers.setup import PEERS

DEFAULT_WORK = Path("build/bench")
_BUILT = Path("build")

_KINDS = {
    "pipeline": (
        "CPU time a picture, by stage and by people in view",
        "Runs the unit's own pipeline over the demonstration's footage, six people at once, and a chart of face sizes.",
    ),
    "embed": (
        "each network: cost by its own file, and the rates it reaches",
        "Counts multiply-adds and bytes in each model file, times it, and compares with what the core can do at best.",
    ),
    "match": (
        "a search, by the length of the list",
        "Times the unit's own search in lists of 100 to 1,000,000 people who do not exist.",
    ),
    "latency": (
        "picture captured to alert at a subscriber",
        "Plays two deployments with the real daemons, a broker and a control room; takes some four minutes.",
    ),
    "memory": (
        "resident memory of a unit's processes",
        "Plays two deployments with the real daemons, a broker and a control room; takes some four minutes.",
    ),
    "peers": (
        "the same pictures through what else there is",
        "Sets up face_recognition, @vladmandic/human and CenterFace, and measures them and Overt, one core each.",
    ),
}


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `bench` with its commands."""
    bench = subparsers.add_parser(
        "bench",
        help="measure: cost, latency, memory, and peers on the same footage",
        description="Measures Overt on this machine, each part in a process of its own on one core, and compares it.",
        epilog="example:\n  overt-tools bench pipeline\n  overt-tools bench peers\n  overt-tools bench report --run",
    )
    commands = bench.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for name, (text, description) in _KINDS.items():
        command = commands.add_parser(
            name, help=text, description=description, epilog=f"example:\n  overt-tools bench {name} --json results.json"
        )
        _add_common(command)
        command.add_argument("--json", type=Path, metavar="FILE", help="write the results here too")
        command.set_defaults(handler=_measure, kind=name)
        if name in {"embed", "match"}:
            command.add_argument("--seconds", type=float, help="how long to repeat each (default: 3 and 1.5)")
        if name in {"latency", "memory"}:
            _add_minutes(command)
        if name == "peers":
            _add_peers(command)
    report = commands.add_parser(
        "report",
        help="write docs/benchmarks.md from results",
        description="Writes the page of figures, its plots and its data from the results that were kept.",
        epilog="example:\n  overt-tools bench report --run\n  overt-tools bench report --check",
    )
    _add_common(report)
    _add_minutes(report)
    _add_peers(report)
    report.add_argument("--run", action="store_true", help="measure everything first (about ten minutes)")
    report.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 if the page is not as its data"
    )
    report.add_argument("--docs", type=Path, default=Path("docs"), help="default: %(default)s")
    report.set_defaults(handler=_report)


def _add_common(command: Parser) -> None:
    command.add_argument("--models", type=Path, default=_BUILT / "models", help="built models (default: %(default)s)")
    command.add_argument(
        "--scene", type=Path, default=_BUILT / "demo" / "scene.mp4", help="footage (default: %(default)s)"
    )
    command.add_argument("--cache", type=Path, default=_BUILT / "cache", help="downloads (default: %(default)s)")
    command.add_argument("--work", type=Path, default=DEFAULT_WORK, help="working folder (default: %(default)s)")
    command.add_argument("--core", type=int, help="which core to measure on (default: the last)")


def _add_minutes(command: Parser) -> None:
    command.add_argument(
        "--minutes", type=int, default=2, help="how long six people are played to the daemons (default: %(default)s)"
    )


def _add_peers(command: Parser) -> None:
    names = ",".join(peer.name for peer in PEERS)
    command.add_argument("--peers", default=names, metavar="LIST", help="which peers (default: %(default)s)")
    command.add_argument("--thinner", type=int, default=1, metavar="N", help="a quick look: peers get one picture in N")
    command.add_argument("--fresh", action="store_true", help="measure peers again that were measured already")


def request_of(arguments: argparse.Namespace, name: str) -> Request:
    """Check the arguments and make a request of them.

    Raises:
        Failure: Something is missing or wrong.
    """
    for path, made_by in ((arguments.models, "make models"), (arguments.scene, "make footage")):
        if not path.exists() and (path == arguments.models or name not in {"embed", "match"}):
            raise Failure(f"expected {path}, found nothing: run '{made_by}'", UNAVAILABLE)
    available = sorted(os.sched_getaffinity(0))
    core = available[-1] if arguments.core is None else arguments.core
    if core not in available:
        raise Failure(f"expected --core among {', '.join(map(str, available))}, found {core}", BAD_INPUT)
    return Request(
        name=name,
        models=str(arguments.models),
        scene=str(arguments.scene),
        cache=str(arguments.cache),
        work=str(arguments.work),
        core=core,
        seconds=_positive("--seconds", getattr(arguments, "seconds", None)),
        minutes=int(_positive("--minutes", getattr(arguments, "minutes", 2)) or 2),
        peers=_chosen(getattr(arguments, "peers", "")),
        fresh=getattr(arguments, "fresh", False),
        thinner=int(_positive("--thinner", getattr(arguments, "thinner", 1)) or 1),
    )


def _positive(name: str, value: float | None) -> float | None:
    if value is not None and not 0 < value <= 600:  # noqa: PLR2004 - said in the message
        raise Failure(f"expected {name} above 0 and up to 600, found {value:g}", BAD_INPUT)
    return value


def _chosen(text: str) -> tuple[str, ...]:
    known = [peer.name for peer in PEERS]
    chosen = [name.strip() for name in text.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            raise Failure(f"expected peers among {', '.join(known)}, found {name!r}", BAD_INPUT)
    return tuple(chosen)


def _measure(arguments: argparse.Namespace) -> int:
    """Measure one thing, keep the results for the report, and show them."""
    name = "live" if arguments.kind in {"latency", "memory"} else arguments.kind
    request = request_of(arguments, name)
    outcome = measure(request)
    from rich.console import Console  # noqa: PLC0415 - help must be quick

    from .results import write  # noqa: PLC0415 - heavy, and help must be quick
    from .tables import show  # noqa: PLC0415 - heavy, and help must be quick

    try:
        write(kept(arguments.work, name), outcome)
        if arguments.json:
            write(arguments.json, outcome)
    except BenchError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    show(outcome, Console(width=None if os.isatty(1) else 160), part=arguments.kind if name == "live" else "")
    return OK


def kept(work: Path, name: str) -> Path:
    """Where the results of a measurement are kept for the report."""
    return work / "results" / f"{name}.json"


def _report(arguments: argparse.Namespace) -> int:
    """Write the page."""
    from .report import make  # noqa: PLC0415 - heavy, and help must be quick

    try:
        return make(arguments)
    except BenchError as error:
        raise Failure(str(error), UNAVAILABLE) from error
