"""Groups of people compared on an identification of stills."""

import argparse
import shlex
from collections.abc import Mapping
from typing import Any

from .equal import Measurement
from .groups import thresholds_of
from .labels import Labels
from .searches import from_trials
from .trials import Trials

NOT_SHOWN = (
    (
        "Stills are not a street. Light, distance, movement and crowding are those of the pictures, and so is who is "
        "in them: only a trial with testers in the place shows how it goes there."
    ),
    "Whoever is not in the set, or labelled wrongly in it, is not seen by this measurement.",
    "False alerts were counted per face of a list of this length. On a longer list there are more.",
)


def measurement(
    arguments: argparse.Namespace, trials: Trials, labels: Labels, result: Mapping[str, Any]
) -> Measurement:
    """Return what an identification measured of groups.

    Args:
        arguments: The command's.
        trials: The scores.
        labels: What people said of themselves.
        result: What the JSON says.
    """
    evidence = from_trials(trials, labels)
    listed, folder = len(trials.listed), arguments.images.resolve()
    name = "/".join(folder.parts[-2:])
    return Measurement(
        evidence=evidence,
        characteristics=labels.characteristics,
        thresholds=thresholds_of(evidence, arguments.threshold),
        exactly=False,
        title=arguments.title or f"Equal treatment: {listed:,} people listed, stills in {name}",
        kind="stills",
        how=_how(trials, result),
        not_shown=NOT_SHOWN,
        watchlist=listed,
        model_set=str(result["model_set"]),
        model_digest=trials.model_digest,
        data_set_digest=trials.data_set_digest,
        labels=arguments.cohorts,
        command=_command(arguments),
        environment=result["environment"],
    )


def _how(trials: Trials, result: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        (
            f"{len(trials.listed):,} people were drawn by lot from a set of stills and listed with one picture each, "
            "as an office lists people. Other pictures of them were then looked at as a camera does, to see whether "
            "the right alert came, and all pictures of everyone else, to see how many raised a false one."
        ),
        (
            f"Of {result['failed_to_enrol']:,} listed people the picture could not be used: they count as not "
            f"recognised. In {result['probes_without_face']:,} pictures of listed people and "
            f"{result['impostors_without_face']:,} of others no face was found."
        ),
        "Which groups people belong to was read from a file of labels. Nothing was inferred from a picture.",
    )


def _command(arguments: argparse.Namespace) -> str:
    """Write the command with the names of files alone: where they lie is nobody's business."""
    parts = ["overt-tools", "evaluate", "identification", arguments.images.resolve().name]
    parts += ["--watchlist-size", str(arguments.watchlist_size), "--seed", str(arguments.seed)]
    parts += ["--cohorts", arguments.cohorts.name, "--ceiling", f"{arguments.ceiling:g}"]
    parts += [part for threshold in arguments.threshold for part in ("--threshold", f"{threshold!r}")]
    parts += ["--limit", str(arguments.limit)] if arguments.limit else []
    return shlex.join([*parts, *(["--model-set", arguments.model_set] if arguments.model_set else [])])
