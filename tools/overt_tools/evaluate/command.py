"""`overt-tools evaluate`: measure recognition on labelled sets of stills."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from overt.runtime.cli import BAD_INPUT, OK, UNAVAILABLE, Failure, Parser
from overt.runtime.files import write_atomically

from . import equal, footage, words
from .errors import CannotMeasureError, EvaluateError
from .trial import command as trial_command

DEFAULT_MODELS, DEFAULT_CACHE = Path("build/models"), Path("build/evaluate")
DEFAULT_SIZE, DEFAULT_SEED = 800, 1


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `evaluate` and its sub-commands."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure recognition on labelled sets of stills",
        description=(
            "Measures recognition on sets of stills of people who consented or were published for that, through the "
            "steps that an office and a unit take. Images lie as <subject>/<image>.jpg. What is measured of an image "
            "is kept below --cache, and a run that was interrupted goes on where it ended."
        ),
        epilog=(
            "examples:\n  overt-tools evaluate verification images --pairs pairs.csv\n"
            "  overt-tools evaluate identification images --watchlist-size 800 --seed 1 --json figures.json"
        ),
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    _add_verification(commands)
    _add_identification(commands)
    _add_conditions(commands)
    footage.add_footage(commands).set_defaults(handler=_guarded(_footage))
    trial_command.add_parser(commands).set_defaults(handler=_guarded(_trial))


def _add_verification(commands: "argparse._SubParsersAction[Parser]") -> None:
    parser = commands.add_parser(
        "verification",
        help="accuracy over folds, and TAR at FAR, on pairs of images",
        description=(
            "Compares pairs of images. For each fold the threshold is chosen on all other folds (the protocol of LFW); "
            "a pair with an image in which no face is found counts as told to be of two people."
        ),
        epilog="example:\n  overt-tools evaluate verification images --pairs pairs.csv --json verification.json",
    )
    parser.add_argument(
        "--pairs", type=Path, required=True, metavar="CSV", help="columns fold, image_a, image_b, same (1 or 0)"
    )
    _add_common(parser)
    parser.set_defaults(handler=_guarded(_verification))


def _add_identification(commands: "argparse._SubParsersAction[Parser]") -> None:
    parser = commands.add_parser(
        "identification",
        help="TPIR at FPIR on a watchlist drawn from the set",
        description=(
            "Draws a watchlist from the subjects with two or more images, lists each with one image, looks for up to "
            "three others of each, and for everyone else. A probe without a face, or of someone whose listed still has "
            "none, is a miss; an impostor without one is a search without alert. The threshold for an FPIR is the "
            "lowest at which at most that share of the impostor searches score at or above it."
        ),
        epilog=(
            "examples:\n"
            "  overt-tools evaluate identification images --watchlist-size 800 --seed 1 --json figures.json\n"
            "  overt-tools evaluate identification images --cohorts cohorts.csv --report report.html --pdf report.pdf\n"
            "  overt-tools evaluate identification images --cohorts cohorts.csv --evaluator 'A laboratory' \\\n"
            "      --assure assurance.json --home office --passphrase-file passphrase"
        ),
    )
    _add_draw(parser)
    parser.add_argument(
        "--cohorts", type=Path, metavar="CSV", help="labels: columns image, subject and one per characteristic"
    )
    _add_common(parser)
    equal.add_threshold(parser)
    equal.add_options(parser)
    parser.set_defaults(handler=_guarded(_identification))


def _add_conditions(commands: "argparse._SubParsersAction[Parser]") -> None:
    parser = commands.add_parser(
        "conditions",
        help="recognition against size, blur, pose, light, compression and covering",
        description=(
            "Spoils probes of a drawn watchlist step by step, puts them into a full-HD view and takes them through the "
            "steps of a unit: how many are found, pass the quality gates and are recognised, at the threshold for an "
            "FPIR of 0.3 % on the unspoilt set. Poses are those of the probes as they are."
        ),
        epilog="example:\n  overt-tools evaluate conditions images --probes 400 --json conditions.json --plots figures",
    )
    _add_draw(parser)
    parser.add_argument(
        "--probes", type=_at_least_one, default=400, metavar="N", help="to spoil at each step (default: %(default)s)"
    )
    _add_common(parser)
    parser.set_defaults(handler=_guarded(_conditions))


def _add_draw(parser: Parser) -> None:
    parser.add_argument(
        "--watchlist-size", type=int, default=DEFAULT_SIZE, metavar="N", help="subjects to list (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="S", help="of the draw (default: %(default)s)"
    )


def _add_common(parser: Parser) -> None:
    parser.add_argument("images", type=Path, metavar="IMAGES", help="the folder of <subject>/<image>.jpg")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON; - prints them in place of words")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write plots (SVG and PNG) into this folder")
    parser.add_argument(
        "--models", type=Path, default=DEFAULT_MODELS, metavar="DIR", help="built models (default: %(default)s)"
    )
    parser.add_argument("--model-set", metavar="NAME", help="of the catalogue (default: its first)")
    parser.add_argument(
        "--cache",
        type=Path,
        default=DEFAULT_CACHE,
        metavar="DIR",
        help="where measurements are kept (default: %(default)s)",
    )
    parser.add_argument("--jobs", type=_at_least_one, default=1, metavar="N", help="processes (default: %(default)s)")
    parser.add_argument("--limit", type=_at_least_one, metavar="N", help="take the first N subjects only: a quick look")


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, found {text!r}")
    return int(text)


def _guarded(work: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Turn the errors of this package and of recognition into one line and an exit code."""

    def guarded(arguments: argparse.Namespace) -> int:
        from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - help must be quick

        try:
            return work(arguments)
        except CannotMeasureError as error:
            raise Failure(str(error), UNAVAILABLE) from error
        except (EvaluateError, RecognitionError) as error:
            raise Failure(str(error), BAD_INPUT) from error

    return guarded


def _verification(arguments: argparse.Namespace) -> int:
    from . import verification  # noqa: PLC0415 - help must be quick
    from .pairs import read_pairs  # noqa: PLC0415 - as above
    from .stills import read_set  # noqa: PLC0415 - as above
    from .workplace import laboratory  # noqa: PLC0415 - as above

    stills = read_set(arguments.images, arguments.limit)
    pairs = read_pairs(arguments.pairs, stills.sha256, quick=arguments.limit is not None)
    with laboratory(arguments) as place:
        scores, same, result = verification.evaluate(place, stills, pairs)
        result = {**result, **_circumstances(place.models, arguments)}
    if arguments.plots:
        from . import plots  # noqa: PLC0415 - heavy

        plots.verification(arguments.plots, scores, same, result)
    return _told(arguments, result, words.of_verification(result))


def _identification(arguments: argparse.Namespace) -> int:
    from . import identification  # noqa: PLC0415 - help must be quick
    from .cohorts import measurement  # noqa: PLC0415 - as above
    from .labels import read_labels  # noqa: PLC0415 - as above
    from .stills import read_set  # noqa: PLC0415 - as above
    from .workplace import laboratory  # noqa: PLC0415 - as above

    equal.check_options(arguments, labelled=arguments.cohorts is not None)
    stills = read_set(arguments.images, arguments.limit)
    labels = read_labels(arguments.cohorts, stills.sha256) if arguments.cohorts else None
    with laboratory(arguments) as place:
        trials, result = identification.evaluate(place, stills, arguments.watchlist_size, arguments.seed, labels)
        result = {**result, **_circumstances(place.models, arguments)}
    if arguments.plots:
        from . import plots  # noqa: PLC0415 - heavy

        plots.identification(arguments.plots, trials, result)
    text = words.of_identification(result)
    if labels is not None:
        report, told = equal.conclude(arguments, measurement(arguments, trials, labels, result))
        result = {**result, "groups": {**result["groups"], **equal.as_json(report)}}
        text = f"{text}\n{told}"
    return _told(arguments, result, text)


def _conditions(arguments: argparse.Namespace) -> int:
    from . import conditions  # noqa: PLC0415 - help must be quick
    from .stills import read_set  # noqa: PLC0415 - as above
    from .workplace import laboratory  # noqa: PLC0415 - as above

    stills = read_set(arguments.images, arguments.limit)
    with laboratory(arguments) as place:
        result = conditions.evaluate(place, stills, arguments.watchlist_size, arguments.seed, arguments.probes)
        result = {**result, **_circumstances(place.models, arguments)}
    if arguments.plots:
        from . import plots  # noqa: PLC0415 - heavy

        plots.conditions(arguments.plots, result)
    return _told(arguments, result, words.of_conditions(result))


def _footage(arguments: argparse.Namespace) -> int:
    return _told(arguments, *footage.evaluate(arguments))


def _trial(arguments: argparse.Namespace) -> int:
    return _told(arguments, *trial_command.evaluate(arguments))


def _circumstances(models: Any, arguments: argparse.Namespace) -> dict[str, Any]:  # noqa: ANN401 - loaded when needed
    from .environment import environment  # noqa: PLC0415 - help must be quick

    return {
        "model_set": models.name,
        "preprocessing": models.preprocessing,
        "limited_to": arguments.limit,
        "environment": environment(),
    }


def _told(arguments: argparse.Namespace, result: Mapping[str, Any], text: str) -> int:
    content = json.dumps(result, indent=1) + "\n"
    if arguments.json == "-":
        sys.stdout.write(content)
        return OK
    if arguments.json:
        try:
            Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(Path(arguments.json), content.encode(), mode=0o644)
        except OSError as error:
            raise Failure(f"cannot write {arguments.json}: {error.strerror}; choose another --json") from error
    print(text)
    return OK
