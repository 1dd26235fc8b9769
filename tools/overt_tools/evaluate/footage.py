"""`overt-tools evaluate footage`: a scene's passages against what the unit's recogniser makes of them."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overt.runtime.cli import UNAVAILABLE, Failure, Parser

DEFAULT_MODELS, DEFAULT_CACHE = Path("build/models"), Path("build/cache")


def add_footage(commands: "argparse._SubParsersAction[Parser]") -> Parser:
    """Register `footage`; the caller sets its handler."""
    parser = commands.add_parser(
        "footage",
        help="passages recognised in demonstration footage, against its ground truth",
        description=(
            "Runs the unit's recogniser over a scene of the demonstration, picture by picture, with the volunteer's "
            "stills enrolled as the demonstration enrols them, and compares with the ground truth beside the footage: "
            "passages recognised (TRR, exact interval), false alerts, second alerts, time from a recognition "
            "opportunity to its sighting, faces found by width, looks per passage, CPU time per picture."
        ),
        epilog=(
            "examples:\n  overt-tools evaluate footage build/demo/scene.mp4\n"
            "  overt-tools evaluate footage build/demo/scene.mp4 --json footage.json"
        ),
    )
    parser.add_argument("scene", type=Path, metavar="SCENE", help="the footage, scene.json beside scene.mp4")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON; - prints them in place of words")
    parser.add_argument(
        "--models", type=Path, default=DEFAULT_MODELS, metavar="DIR", help="built models (default: %(default)s)"
    )
    parser.add_argument(
        "--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help="downloads (default: %(default)s)"
    )
    return parser


def evaluate(arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Play the scene; return the figures and what to say of them.

    Raises:
        Failure: Footage, ground truth, models or stills are missing or damaged.
    """
    from overt_tools.bench.errors import BenchError  # noqa: PLC0415 - help must be quick
    from overt_tools.bench.listed import THRESHOLD, gallery_of, load_models, stills_of_volunteer  # noqa: PLC0415 - heavy
    from overt_tools.bench.truth import read_scene  # noqa: PLC0415 - heavy
    from overt_tools.scene.truth import load_truth, truth_path  # noqa: PLC0415 - heavy

    from .environment import environment  # noqa: PLC0415 - as above
    from .passages import Ledger  # noqa: PLC0415 - as above
    from .playing import play  # noqa: PLC0415 - as above
    from .progress import shown  # noqa: PLC0415 - as above

    try:
        footage = read_scene(arguments.scene, arguments.scene.name)
        truth = load_truth(truth_path(arguments.scene))
        models = load_models(arguments.models)
        stills = stills_of_volunteer(arguments.models, arguments.cache)
        gallery = gallery_of(stills, models.detector, models.embedder, entries=1)
    except BenchError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    ledger = Ledger(truth.passages, truth.fps)
    with shown("pictures", footage.count) as step:
        played = _play(play, footage, models, gallery, ledger, step)
    result = {
        "scene": arguments.scene.name,
        "sha256": footage.sha256,
        "model_digest": models.digest,
        "detector": list(models.detector.size),
        "threshold": THRESHOLD,
        **ledger.figures(),
        **played,
        "environment": environment(),
    }
    return result, words(result)


def _play(play: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as `play` takes them
    from overt.recognition.errors import RecognitionError  # noqa: PLC0415 - help must be quick

    try:
        return play(*arguments)
    except (OSError, RecognitionError) as error:
        raise Failure(f"the footage cannot be played to its end: {error}; build it again", UNAVAILABLE) from error


def words(result: dict[str, Any]) -> str:
    """Say what was found in a few lines."""
    low, high = result["trr_interval"] or (0.0, 1.0)
    trr = "-" if result["trr"] is None else f"{result['trr']:.3f} ({low:.3f} to {high:.3f})"
    waits, looks, cpu = result["to_sighting_ms"], result["looks_per_passage"], result["cpu_ms_per_frame"]
    seconds, looked = result["second_alerts"], result["frames_looked_at"]
    lines = [
        f"passages    {result['recognised']} of {result['passages']} recognised, TRR {trr}",
        f"missed      {', '.join(result['missed']) or 'none'}",
        f"alerts      {result['false_alerts']} false, {result['others']} other passages; {seconds} second in a passage",
        f"sighting    {_spread(waits)} ms after the opportunity begins (negative: before)",
        f"looks       {_spread(looks)} a passage, {result['templates_made']} in all",
        f"CPU         {cpu['mean']:.1f} ms a picture with decoding, {cpu['recognition']:.1f} without",
        f"no face     {result['false_detections']} boxes; {looked} of {result['frames']} pictures looked at",
    ]
    for row in result["found_by_width"]:
        share = row["found"] / row["shown"]
        lines.append(f"{row['width']:>4} px     {row['found']} of {row['shown']} faces found, {share:.3f}")
    return "\n".join(lines)


def _spread(values: dict[str, Any]) -> str:
    if values["median"] is None:
        return "-"
    return f"median {values['median']:g}, {values['least']:g} to {values['most']:g}"
