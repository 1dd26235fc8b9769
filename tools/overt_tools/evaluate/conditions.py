"""Recognition against conditions: real stills made worse step by step, at the threshold of the unspoilt ones."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overt.recognition.arrays import Floats
from overt.recognition.match import Gallery, search_all
from overt.recognition.quality import Gates

from . import rates
from .degrade import EYES
from .draw import Draw, draw, shuffled
from .identification import gallery_of, identify
from .laboratory import LISTED, Laboratory
from .measured import Found, Measured, Pose
from .stills import StillSet, subject_of
from .trials import Trials
from .views import TOO_SMALL, kind_of

POINT = "0.003"
"""The FPIR whose threshold is used."""

REFERENCE = ("none", "0")
"""Nothing done: what every other level is compared with."""

LEVELS: dict[str, tuple[str, ...]] = {
    "size": ("10", "12", "14", "16", "18", "20", "22", "25", "28", "32", "36", "40"),
    "blur": ("0.5", "1", "1.5", "2", "2.5", "3", "4"),
    "motion": ("2", "4", "6", "8", "11", "14"),
    "exposure": ("-5", "-4", "-3", "-2", "-1", "1", "2", "3"),
    "backlight": ("1", "2", "3", "4", "5"),
    "noise": ("400", "100", "50", "25", "12", "6"),
    "tilt": ("5", "10", "15", "20", "25", "30", "40"),
    "jpeg": ("80", "50", "30", "20", "10", "5"),
    "h264": ("20", "26", "32", "38", "44"),
    "cover": ("mask", "scarf", "sunglasses", "cap", "half"),
}
"""What is done, and how much of it."""

UNITS = {
    "size": "pixels between the eyes",
    "blur": "Gaussian blur, standard deviation in pixels",
    "motion": "blur along a line, pixels",
    "exposure": "stops above or below right",
    "backlight": "stops by which the face is darker than the background",
    "noise": "electrons that make white",
    "tilt": "degrees",
    "jpeg": "JPEG quality",
    "h264": "H.264 constant rate factor",
    "cover": "part covered",
    "yaw": "place of the nose between the eyes, 0 the middle, 1 below an eye",
    "pitch": "place of the nose from eyes (0) to mouth (1)",
}
"""What a level is measured in."""

_YAW_BINS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.2)
_PITCH_BINS = (0.4, 0.48, 0.51, 0.54, 0.57, 0.6, 0.63, 0.66, 0.75)


@dataclass(frozen=True, slots=True)
class Step:
    """What a level did to some probes.

    Attributes:
        level: How much.
        probes: How many were looked at.
        found: How many faces the detector found.
        passed: How many of those the unit's gates let through.
        hits: How many raise an alert with their own entry, gates aside.
        passed_hits: How many do and pass the gates.
        mean_score: Mean score against the own entry, of the faces that were found; None without any.
        sharpness: Median sharpness of the faces that were found; None without any.
    """

    level: str
    probes: int
    found: int
    passed: int
    hits: int
    passed_hits: int
    mean_score: float | None
    sharpness: float | None

    def figures(self) -> dict[str, Any]:
        """Return it as the JSON has it."""
        share = {
            "detection": self.found,
            "passing_gates": self.passed,
            "tpir": self.hits,
            "tpir_with_gates": self.passed_hits,
        }
        return {
            "level": self.level,
            "probes": self.probes,
            **{name: count / self.probes if self.probes else None for name, count in share.items()},
            "tpir_interval": rates.interval(self.hits, self.probes) if self.probes else None,
            "mean_score": self.mean_score,
            "median_sharpness": self.sharpness,
        }


def sample(chosen: Draw, found: Mapping[str, Found], eyes: float, count: int, seed: int) -> list[str]:
    """Choose probes by lot among those whose own face is large enough to be shrunk to a size.

    Args:
        chosen: Whose probes.
        found: Their subjects.
        eyes: Pixels between the eyes.
        count: How many at most.
        seed: Of the lot.
    """
    able = [image for image in chosen.probes if (pose := found[image].pose) is not None and pose.eyes >= eyes]
    return shuffled(able, seed)[:count]


def evaluate(laboratory: Laboratory, stills: StillSet, size: int, seed: int, count: int) -> dict[str, Any]:
    """Measure recognition against all conditions.

    Args:
        laboratory: What measures.
        stills: The set.
        size: Of the watchlist.
        seed: Of the draw.
        count: Probes to spoil at each level.

    Returns:
        What the JSON says.

    Raises:
        EvaluateError: The set is too small, or models, cache or workers fail.
    """
    chosen = draw(stills.by_subject(), size, seed)
    trials = identify(laboratory, stills, chosen)
    threshold = rates.threshold_at(trials.impostor, POINT)
    images = sample(chosen, laboratory.found(stills, chosen.probes), EYES, count, seed)
    listed = laboratory.measure(stills, list(chosen.listed.values()), LISTED)
    subjects = tuple(chosen.listed)
    judge = Judge(subjects, {subject: listed[chosen.listed[subject]] for subject in subjects}, threshold)

    def step(condition: str, level: str) -> Step:
        return judge.step(level, laboratory.measure(stills, images, kind_of(condition, level)))

    reference = step(*REFERENCE)
    steps = {condition: [step(condition, level) for level in levels] for condition, levels in LEVELS.items()}
    steps |= poses(trials, laboratory.found(stills, trials.probe_image), threshold)
    return {
        "watchlist": size,
        "seed": seed,
        "probes": len(images),
        "eyes": EYES,
        "threshold": threshold,
        "fpir": POINT,
        "tpir_of_the_stills": rates.identified(trials, threshold) / trials.genuine.size,
        "reference": reference.figures(),
        "conditions": {
            name: {"unit": UNITS[name], "steps": [one.figures() for one in several]} for name, several in steps.items()
        },
        "model_digest": trials.model_digest,
        "data_set_digest": trials.data_set_digest,
    }


class Judge:
    """Tells which of the looks at probes would be right alerts."""

    def __init__(self, subjects: Sequence[str], listed: Mapping[str, Measured], threshold: float) -> None:
        """Make one.

        Args:
            subjects: Everyone listed.
            listed: What was measured of their stills.
            threshold: From which a score is an alert.
        """
        templates = {n: vector for n, name in enumerate(subjects) if (vector := listed[name].vector()) is not None}
        self._gallery: Gallery | None = gallery_of(templates)
        self._entry = {subject: number for number, subject in enumerate(subjects)}
        self._templates = templates
        self._threshold = threshold
        self._gates = Gates()

    def step(self, level: str, looks: Mapping[str, Measured]) -> Step:
        """Sum up what a level did.

        Args:
            level: Its name.
            looks: What was measured of each probe, by image. Those that were too small for it do not count.
        """
        counted = {image: look for image, look in looks.items() if look.found and look.found.problem != TOO_SMALL}
        seen = {image: look.found.pose for image, look in counted.items() if look.found and look.found.pose}
        passed = {image for image, pose in seen.items() if self._gates.passes(pose.quality())}
        hits = {image for image in seen if self._is_hit(image, counted[image].vector())}
        scores = [score for image in seen if (score := self._own(image, counted[image].vector())) is not None]
        return Step(
            level=level,
            probes=len(counted),
            found=len(seen),
            passed=len(passed),
            hits=len(hits),
            passed_hits=len(hits & passed),
            mean_score=float(np.mean(scores)) if scores else None,
            sharpness=_median(list(seen.values()), lambda pose: pose.sharpness),
        )

    def _is_hit(self, image: str, template: Floats | None) -> bool:
        if self._gallery is None or template is None:
            return False
        match = search_all(self._gallery, template[None])[0]
        return match.entry == self._entry[subject_of(image)] and match.score >= self._threshold

    def _own(self, image: str, template: Floats | None) -> float | None:
        own = self._templates.get(self._entry[subject_of(image)])
        return None if own is None or template is None else float(own @ template)


def _median(poses_seen: Sequence[Pose], of: Callable[[Pose], float | None]) -> float | None:
    values = [value for pose in poses_seen if (value := of(pose)) is not None]
    return float(np.median(values)) if values else None


def poses(trials: Trials, found: Mapping[str, Found], threshold: float) -> dict[str, list[Step]]:
    """Sort the probes, as they are, by how far their faces are turned.

    Args:
        trials: The scores.
        found: The probes' subjects.
        threshold: From which a score is an alert.
    """
    hit = trials.correct & rates.at_or_above(trials.genuine, threshold)
    seen = {n: pose for n, image in enumerate(trials.probe_image) if (pose := found[image].pose) is not None}
    gates = Gates()
    passes = {n for n, pose in seen.items() if gates.passes(pose.quality())}

    def bins(edges: Sequence[float], of: Callable[[Pose], float]) -> list[Step]:
        steps = []
        for low, high in itertools.pairwise(edges):
            inside = [n for n, pose in seen.items() if low <= of(pose) < high]
            hits = [n for n in inside if hit[n]]
            steps.append(
                Step(
                    level=f"{low:g} to {high:g}",
                    probes=len(inside),
                    found=len(inside),
                    passed=len(passes.intersection(inside)),
                    hits=len(hits),
                    passed_hits=len(passes.intersection(hits)),
                    mean_score=float(trials.genuine[inside].mean()) if inside else None,
                    sharpness=_median([seen[n] for n in inside], lambda pose: pose.sharpness),
                )
            )
        return steps

    return {"yaw": bins(_YAW_BINS, lambda pose: abs(pose.yaw)), "pitch": bins(_PITCH_BINS, lambda pose: pose.pitch)}
