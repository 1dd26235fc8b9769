"""Searches for listed people and for others, each with whose face it was: what groups of people are compared by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from overt.protocol.documents import Figures
from overt.recognition.arrays import Floats

from .labels import Labels
from .rates import at_or_above
from .statistics import People
from .trials import NO_FACE, Trials

NOBODY: Mapping[str, str] = {}
"""The labels of someone who gave none."""


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches for people of one kind: all listed, or none.

    Attributes:
        subject: Who was searched for, n of them.
        labels: How each described themselves: group by characteristic.
        scores: (n,) float32: a search raises an alert at a threshold when its score is at or above it.
    """

    subject: tuple[str, ...] = field(repr=False)
    labels: tuple[Mapping[str, str], ...] = field(repr=False)
    scores: Floats = field(repr=False)

    def people(self) -> int:
        """Return how many different people these are."""
        return len(set(self.subject))

    def inside(self, characteristic: str, group: str) -> "Searches":
        """Return the searches for one group."""
        return self._where(lambda labels: labels.get(characteristic) == group)

    def labelled(self, characteristic: str) -> "Searches":
        """Return the searches for people of whom a characteristic is known."""
        return self._where(lambda labels: characteristic in labels)

    def alerts(self, threshold: float) -> int:
        """Return how many raise an alert."""
        return int(at_or_above(self.scores, threshold).sum())

    def by_person(self, thresholds: Sequence[float], characteristic: str = "", groups: Sequence[str] = ()) -> People:
        """Gather the searches of each person.

        Args:
            thresholds: T of them.
            characteristic: To number the groups by; searches of people without are left out. Empty: all searches.
            groups: Its groups, in the order of their numbers.
        """
        number = {group: at for at, group in enumerate(groups)}
        keys = [
            (subject, number[labels[characteristic]] if characteristic else 0)
            if self._takes(labels, characteristic)
            else None
            for subject, labels in zip(self.subject, self.labels, strict=True)
        ]
        people = sorted({key for key in keys if key is not None})
        place = {key: at for at, key in enumerate(people)}
        rows = np.array([place[key] for key in keys if key is not None], np.int64)
        scores = self.scores[[key is not None for key in keys]]
        hits = [
            np.bincount(rows, at_or_above(scores, threshold).astype(np.float64), len(people))
            for threshold in thresholds
        ]
        return People(
            np.array([group for _, group in people], np.int64),
            np.stack(hits, axis=1),
            np.bincount(rows, minlength=len(people)).astype(np.float64),
        )

    @staticmethod
    def _takes(labels: Mapping[str, str], characteristic: str) -> bool:
        return not characteristic or characteristic in labels

    def _where(self, wanted: Callable[[Mapping[str, str]], bool]) -> "Searches":
        chosen = [at for at, labels in enumerate(self.labels) if wanted(labels)]
        return Searches(
            tuple(self.subject[at] for at in chosen), tuple(self.labels[at] for at in chosen), self.scores[chosen]
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was measured.

    Attributes:
        passages: Searches for people who are listed; an alert is right when it names them.
        faces: Searches for people who are not listed; each alert is false.
        stray_alerts: False alerts that belong to nobody who was measured.
    """

    passages: Searches
    faces: Searches
    stray_alerts: int = 0

    def figures(self, threshold: float) -> Figures:
        """Return the counts at a threshold, as an assurance report holds them."""
        return Figures(
            passages=self.passages.scores.size,
            recognised=self.passages.alerts(threshold),
            faces=self.faces.scores.size,
            false_alerts=self.faces.alerts(threshold) + self.stray_alerts,
        )

    def inside(self, characteristic: str, group: str) -> "Evidence":
        """Return what was measured of one group."""
        return Evidence(self.passages.inside(characteristic, group), self.faces.inside(characteristic, group))

    def groups(self, characteristic: str) -> list[str]:
        """Return the groups that the people measured put themselves in."""
        named = {labels.get(characteristic) for labels in (*self.passages.labels, *self.faces.labels)}
        return sorted(group for group in named if group is not None)


def from_trials(trials: Trials, labels: Labels) -> Evidence:
    """Return what an identification measured. A listed person who is taken for another entry is not recognised."""
    own = np.where(trials.correct, trials.genuine, np.float32(NO_FACE)).astype(np.float32)
    return Evidence(
        Searches(trials.probe_subject, tuple(labels.groups.get(image, NOBODY) for image in trials.probe_image), own),
        Searches(
            trials.impostor_subject,
            tuple(labels.groups.get(image, NOBODY) for image in trials.impostor_image),
            trials.impostor,
        ),
    )
