"""`overt-tools models`: build, verify and show the models."""

import argparse
import json
import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from overt.recognition import catalogue as cat
from overt.recognition.errors import RecognitionError
from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure, Parser
from overt_tools.fetch import DEFAULT_CACHE, FetchError

from .build import build, convert_all, load_catalogue
from .errors import ModelsError

DEFAULT_CATALOGUE = Path("models") / cat.FILE_NAME
DEFAULT_OUT = Path("build/models")


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `models` and its sub-commands."""
    parser = subparsers.add_parser(
        "models",
        help="build, verify and show the models",
        description="Fetch published models by digest, convert them for the unit, and compare them with the originals.",
        epilog="example:\n  overt-tools models build\n  overt-tools models verify",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    making = commands.add_parser(
        "build",
        help="make the model files that the catalogue pins",
        description="Fetch, check, convert, check again. A second run only checks. Nothing is written on a mismatch.",
        epilog="example:\n  overt-tools models build --out build/models",
    )
    making.add_argument(
        "--print-digests",
        action="store_true",
        help="convert and print digests beside the catalogue's, and write nothing; exit code 1 if they differ",
    )
    making.set_defaults(handler=_build)
    comparing = commands.add_parser(
        "verify",
        help="compare built files with their originals",
        description="Run the built files and their originals (ONNX Runtime, of the developer's extra) on noise and on "
        "frames and faces of the demonstration footage. Exit code 1 if they differ too much.",
        epilog="example:\n  overt-tools models verify --models build/models",
    )
    comparing.set_defaults(handler=_verify)
    asking = commands.add_parser(
        "answers",
        help="compute what units compare themselves with",
        description="Have every built network look at a picture of nobody, and print what it gives, as the catalogue "
        "has it. Exit code 1 if that is far from what the catalogue has.",
        epilog="example:\n  overt-tools models answers --models build/models",
    )
    asking.set_defaults(handler=_answers)
    showing = commands.add_parser(
        "show",
        help="list what the catalogue names",
        description="List sources, artefacts and model sets. A model set's digest is what an order names.",
        epilog="example:\n  overt-tools models show --json",
    )
    showing.set_defaults(handler=_show)
    for command in (making, comparing, asking, showing):
        command.add_argument("--catalogue", type=Path, default=DEFAULT_CATALOGUE, help="default: %(default)s")
        command.add_argument("--json", action="store_true", help="print one JSON object")
    for command in (making, comparing):
        command.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="kept downloads (default: %(default)s)")
    making.add_argument("--out", type=Path, default=DEFAULT_OUT, help="where the files go (default: %(default)s)")
    for command in (comparing, asking):
        command.add_argument("--models", type=Path, default=DEFAULT_OUT, help="built files (default: %(default)s)")


def _guarded(work: Callable[[], int]) -> int:
    """Turn the errors of this package and its neighbours into one line and an exit code."""
    try:
        return work()
    except FetchError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    except (ModelsError, RecognitionError) as error:
        raise Failure(str(error), BAD_INPUT) from error


def _progress(text: str) -> None:
    print(f"models: {text}", file=sys.stderr, flush=True)


def _build(arguments: argparse.Namespace) -> int:
    return _guarded(lambda: _print_digests(arguments) if arguments.print_digests else _make(arguments))


def _make(arguments: argparse.Namespace) -> int:
    made = build(arguments.catalogue, arguments.out, arguments.cache, _progress)
    chosen = load_catalogue(arguments.catalogue)[0].find_set()
    if arguments.json:
        print(json.dumps({"out": str(arguments.out), "built": made, "model_set": chosen.name, "digest": chosen.digest}))
    else:
        state = "built" if made else "up to date"
        print(f"models: {state} in {arguments.out}; model set {chosen.name}, digest {chosen.digest}")
    return OK


def _print_digests(arguments: argparse.Namespace) -> int:
    built = convert_all(arguments.catalogue, arguments.cache, _progress)
    differing = [one.artefact.name for one in built if one.sha256 != one.artefact.sha256]
    if arguments.json:
        rows = {one.artefact.name: {"built": one.sha256, "catalogue": one.artefact.sha256} for one in built}
        print(json.dumps({"artefacts": rows, "differing": differing}))
    else:
        for one in built:
            same = "as in the catalogue" if one.sha256 == one.artefact.sha256 else "the catalogue has another"
            print(f"{one.artefact.name:16} {one.sha256} {len(one.content):>10} bytes  {same}")
    return NEGATIVE if differing else OK


def _verify(arguments: argparse.Namespace) -> int:
    return _guarded(lambda: _compare(arguments))


def _compare(arguments: argparse.Namespace) -> int:
    from .verify import INTEGER_LIMIT, LIMIT, verify  # noqa: PLC0415 - loads NumPy and the engine, which the other commands do without

    catalogue, _ = load_catalogue(arguments.catalogue)
    differences = verify(catalogue, arguments.models, arguments.cache, _progress)
    if arguments.json:
        rows = [
            {"artefact": d.artefact, "inputs": d.inputs, "real": d.real, "absolute": d.absolute, "relative": d.relative}
            for d in differences
        ]
        print(
            json.dumps(
                {
                    "limit": LIMIT,
                    "integer_limit": INTEGER_LIMIT,
                    "within": all(d.within for d in differences),
                    "artefacts": rows,
                }
            )
        )
    else:
        limits = f"limit {LIMIT:g}, {INTEGER_LIMIT:g} for integers"
        print(f"largest difference from the original, {limits} (relative: to the output's largest number)")
        for d in differences:
            print(
                f"{d.artefact:16} absolute {d.absolute:.1e}  relative {d.relative:.1e} ({d.worst})  "
                f"on {d.inputs} pictures, {d.real} real  {'ok' if d.within else 'TOO FAR'}"
            )
    return OK if all(d.within for d in differences) else NEGATIVE


def _answers(arguments: argparse.Namespace) -> int:
    return _guarded(lambda: _print_answers(arguments))


def _print_answers(arguments: argparse.Namespace) -> int:
    from .answers import answers  # noqa: PLC0415 - loads NumPy and the engine, as above

    catalogue, _ = load_catalogue(arguments.catalogue)
    found = answers(catalogue, arguments.models)
    if arguments.json:
        rows = {one.artefact: {"answer": one.numbers, "within": one.within} for one in found}
        print(json.dumps({"artefacts": rows, "within": all(one.within for one in found)}))
    else:
        for one in found:
            state = f"{one.apart:.1e} from the catalogue's" if isfinite(one.apart) else "the catalogue has none"
            print(f"# {one.artefact}: {state}\nanswer = {list(one.numbers)}")
    return OK if all(one.within for one in found) else NEGATIVE


def _show(arguments: argparse.Namespace) -> int:
    return _guarded(lambda: _list(arguments))


def _list(arguments: argparse.Namespace) -> int:
    catalogue, _ = load_catalogue(arguments.catalogue)
    sets = [catalogue.find_set(entry.name) for entry in catalogue.model_set]
    if arguments.json:
        print(json.dumps(_as_json(catalogue, sets)))
        return OK
    for source in catalogue.source:
        print(f"source    {source.name:16} {source.package} {source.version} ({source.ecosystem}), {source.licence}")
    for artefact in catalogue.artefact:
        _, height, width, _ = artefact.input.shape
        what = f"{artefact.role}, {width}x{height} {artefact.input.colour}, {artefact.licence}"
        print(f"artefact  {artefact.name:16} {what}\n{'':26} {artefact.sha256}")
    for one in sets:
        print(f"model set {one.name:16} {' + '.join(part.name for part in one.artefacts)}\n{'':26} {one.digest}")
    return OK


def _as_json(catalogue: cat.Catalogue, sets: list[cat.ModelSet]) -> dict[str, Any]:
    return {
        "artefacts": [{"name": a.name, "file": a.file, "role": a.role, "sha256": a.sha256} for a in catalogue.artefact],
        "model_sets": [
            {
                "name": s.name,
                "detector": s.detector.name,
                "window_detector": None if s.window_detector is None else s.window_detector.name,
                "embedder": s.embedder.name,
                "digest": s.digest,
            }
            for s in sets
        ],
    }
