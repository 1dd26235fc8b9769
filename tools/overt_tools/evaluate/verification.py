"""Verification: do two stills show one person? Accuracy over folds, and TAR at FAR.

The protocol of Labeled Faces in the Wild (Huang et al., 2007): for each fold the threshold is chosen on the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overt.recognition.arrays import Floats

from . import rates
from .laboratory import PROBE, Laboratory, unreadable
from .measured import Measured
from .pairs import Pair
from .stills import StillSet
from .trials import NO_FACE, Truths


def pair_scores(pairs: Sequence[Pair], measured: Mapping[str, Measured]) -> Floats:
    """Return (n,) float32: the cosine of each pair; `NO_FACE` where an image has no face."""
    scores = np.full(len(pairs), NO_FACE, np.float32)
    for number, pair in enumerate(pairs):
        a, b = measured[pair.image_a].vector(), measured[pair.image_b].vector()
        if a is not None and b is not None:
            scores[number] = np.clip(a @ b, -1, 1)
    return scores


def best_threshold(scores: Floats, same: Truths) -> float:
    """Return the threshold that tells most pairs right when "same" means at or above it.

    Candidates lie half-way between neighbouring scores, and outside all; of equally good ones the middle one is taken.

    Args:
        scores: (n,) float32.
        same: (n,) bool.
    """
    levels = np.unique(scores).astype(np.float64)
    cuts = np.concatenate([[levels[0] - 1], (levels[:-1] + levels[1:]) / 2, [levels[-1] + 1]])
    ordered_same, ordered_other = np.sort(scores[same]), np.sort(scores[~same])
    right = same.sum() - np.searchsorted(ordered_same, cuts, side="left")
    right += np.searchsorted(ordered_other, cuts, side="left")
    best = np.flatnonzero(right == right.max())
    return float(cuts[best[(len(best) - 1) // 2]])


def accuracies(scores: Floats, same: Truths, folds: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Return, for each fold, the accuracy on it at the threshold chosen on all others, and that threshold.

    Args:
        scores: (n,) float32.
        same: (n,) bool.
        folds: The fold of each pair.
    """
    of = np.array(folds)
    outcome = {}
    for fold in sorted(set(folds)):
        inside = of == fold
        threshold = best_threshold(scores[~inside], same[~inside])
        outcome[fold] = (float((rates.at_or_above(scores[inside], threshold) == same[inside]).mean()), threshold)
    return outcome


def figures(scores: Floats, same: Truths, folds: Sequence[str]) -> dict[str, Any]:
    """Return the rates of a verification, as the JSON has them."""
    by_fold = accuracies(scores, same, folds)
    accuracy = np.array([value for value, _ in by_fold.values()])
    genuine, other = scores[same], scores[~same]
    threshold = {point: rates.threshold_at(other, point) for point in rates.POINTS}
    accepted = {point: int(rates.at_or_above(genuine, threshold[point]).sum()) for point in rates.POINTS}
    return {
        "pairs": scores.size,
        "same": genuine.size,
        "different": other.size,
        "accuracy": float(accuracy.mean()),
        "accuracy_standard_error": float(accuracy.std(ddof=1) / np.sqrt(accuracy.size)),
        "folds": {fold: {"accuracy": value, "threshold": at} for fold, (value, at) in by_fold.items()},
        "tar": {point: accepted[point] / genuine.size for point in rates.POINTS},
        "tar_interval": {point: rates.interval(accepted[point], genuine.size) for point in rates.POINTS},
        "accepted": accepted,
        "threshold": threshold,
        "false_accepts": {point: int(rates.at_or_above(other, threshold[point]).sum()) for point in rates.POINTS},
        "false_accepts_allowed": {point: rates.allowed(point, other.size) for point in rates.POINTS},
    }


def evaluate(laboratory: Laboratory, stills: StillSet, pairs: Sequence[Pair]) -> tuple[Floats, Truths, dict[str, Any]]:
    """Measure a verification.

    Args:
        laboratory: What measures.
        stills: The set.
        pairs: Of its images.

    Returns:
        Scores and truths of the pairs, and what the JSON says of them.

    Raises:
        CannotMeasureError: Models, cache or workers fail.
    """
    images = sorted({image for pair in pairs for image in (pair.image_a, pair.image_b)})
    measured = laboratory.measure(stills, images, PROBE)
    found = laboratory.found(stills, images)
    scores = pair_scores(pairs, measured)
    same: Truths = np.array([pair.same for pair in pairs], np.bool_)
    result = {
        **figures(scores, same, [pair.fold for pair in pairs]),
        "images": len(images),
        "images_without_face": [image for image in images if not measured[image].template],
        "unreadable": unreadable(found, images),
        "model_digest": laboratory.models.digest,
        "data_set_digest": stills.digest,
        "ms_per_face": laboratory.ms_per_face(stills, images),
    }
    return scores, same, result
