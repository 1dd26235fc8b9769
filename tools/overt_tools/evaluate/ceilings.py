"""From which threshold on a group of people has no more false alerts than an order allows."""

from fractions import Fraction

from overt.recognition.arrays import Floats

from .findings import Ceiling
from .rates import CONFIDENCE, interval, threshold_at
from .searches import Evidence


def ceilings(evidence: Evidence, characteristic: str, ceiling: float) -> tuple[Ceiling, ...]:
    """Return it for each group of a characteristic."""
    outcome = []
    for group in evidence.groups(characteristic):
        own = evidence.inside(characteristic, group)
        threshold = lowest(own.faces.scores, ceiling)
        passages = own.passages.scores.size
        recognised = None if threshold is None or not passages else own.passages.alerts(threshold) / passages
        outcome.append(
            Ceiling(
                group=group,
                threshold=threshold,
                shown=lowest_shown(own.faces.scores, ceiling),
                tpir=recognised,
                faces=own.faces.scores.size,
            )
        )
    return tuple(outcome)


def lowest(scores: Floats, ceiling: float) -> float | None:
    """Return the lowest threshold at which no more than a share of searches raise an alert; None without searches.

    Args:
        scores: (n,) float32: of searches for people who are not listed.
        ceiling: The share.
    """
    return threshold_at(scores, str(Fraction(str(ceiling)))) if scores.size else None


def lowest_shown(scores: Floats, ceiling: float, confidence: float = CONFIDENCE) -> float | None:
    """Return the lowest threshold at which the upper limit of the exact interval is within a share, if there is one.

    Args:
        scores: (n,) float32: of searches for people who are not listed.
        ceiling: The share.
        confidence: Of the interval.
    """
    most = -1
    for hits in range(int(Fraction(str(ceiling)) * scores.size) + 1):
        if interval(hits, scores.size, confidence)[1] > ceiling:
            break
        most = hits
    return threshold_at(scores, str(Fraction(most, scores.size))) if most >= 0 else None
