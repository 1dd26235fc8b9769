"""Which listed people were missed, and what was unusual about their images."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import rates
from .measured import Found, Pose
from .trials import NO_FACE, Trials

ANOTHER_PERSON = 0.2
"""Score below which two images of one subject more often than not show two people: the label is worth a look."""

_NEAR = 0.1  # below the threshold


def misses(trials: Trials, found: Mapping[str, Found], threshold: float) -> dict[str, Any]:
    """Describe the probes that raise no alert with their own entry.

    Args:
        trials: The scores.
        found: The subjects of probes and listed stills.
        threshold: From which a score is an alert.

    Returns:
        How many, how many of each kind (a probe may be of several), and each with its scores.
    """
    still = dict(zip(trials.listed, trials.listed_image, strict=True))
    hit = trials.correct & rates.at_or_above(trials.genuine, threshold)
    rows, kinds = [], Counter[str]()
    for number in np.flatnonzero(~hit).tolist():
        image, subject = trials.probe_image[number], trials.probe_subject[number]
        score, best = float(trials.genuine[number]), float(trials.best[number])
        of = _kinds(score, best, found[image].pose, found[still[subject]].pose, threshold)
        kinds.update(of)
        rows.append({"image": image, "listed": still[subject], "score": score, "best": best, "kinds": of})
    rows.sort(key=lambda row: str(row["image"]))
    return {"count": len(rows), "kinds": dict(kinds.most_common()), "images": rows}


def _kinds(score: float, best: float, probe: Pose | None, listed: Pose | None, threshold: float) -> list[str]:
    checks = {
        "no face in the probe": probe is None,
        "no face in the listed still": listed is None,
        "another entry scored higher": best > score > NO_FACE,
        "less than 0.1 below the threshold": score >= threshold - _NEAR,
        "perhaps another person": NO_FACE < score < ANOTHER_PERSON,
    }
    for what, pose in (("probe", probe), ("listed still", listed)):
        if pose is not None:
            checks |= {f"{trait} {what}": true for trait, true in _traits(pose).items()}
    return [kind for kind, true in checks.items() if true]


def _traits(pose: Pose) -> dict[str, bool]:
    """Say what is unusual: about one face in ten, fifty and fifty of LFW."""
    return {
        "turned": abs(pose.yaw) > 0.5,  # noqa: PLR2004 - see above
        "looking up or down": not 0.48 <= pose.pitch <= 0.65,  # noqa: PLR2004 - see above
        "blurred": pose.sharpness is not None and pose.sharpness < 0.25,  # noqa: PLR2004 - see above
    }
