"""Which alerts belong to which passages. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from overt.protocol.reports import Alert

from .passages import Passage


@dataclass(slots=True)
class Outcome:
    """What came of some passages.

    Attributes:
        recognised: Of listed testers: the right alert came. By place in the passages.
        stopped: Of testers who are not listed: a false alert came. By place in the passages.
        stray: False alerts in nobody's passage, or only in those of listed testers.
        repeated: Right alerts that came once more for the same passage.
        ambiguous: False alerts of the testers stopped who were not alone: the nearest in time was taken.
    """

    recognised: set[int] = field(default_factory=set)
    stopped: set[int] = field(default_factory=set)
    stray: int = 0
    repeated: int = 0
    ambiguous: int = 0


def match(passages: Sequence[Passage], alerts: Iterable[Alert], slack: timedelta) -> Outcome:
    """Hold alerts against passages.

    An alert that names the entry of a listed tester who passed that unit then is right. Any other is false: it is that
    of the tester, not listed, who passed nearest in time; of nobody if nobody did.

    Args:
        passages: Under one order.
        alerts: Under the same.
        slack: By how much clocks and notes may differ.
    """
    outcome = Outcome()
    for alert in sorted(alerts, key=lambda one: (one.captured, one.unit, one.sequence)):
        around = [
            at for at, one in enumerate(passages) if one.unit == alert.unit and _within(one, alert.captured, slack)
        ]
        right = [at for at in around if passages[at].entry == alert.entry]
        if right:
            _recognise(outcome, right, passages, alert.captured)
        else:
            _stop(outcome, [at for at in around if not passages[at].entry], passages, alert.captured)
    return outcome


def _recognise(outcome: Outcome, right: list[int], passages: Sequence[Passage], when: datetime) -> None:
    fresh = [at for at in right if at not in outcome.recognised]
    if fresh:
        outcome.recognised.add(min(fresh, key=lambda at: _distance(passages[at], when)))
    else:
        outcome.repeated += 1


def _stop(outcome: Outcome, others: list[int], passages: Sequence[Passage], when: datetime) -> None:
    fresh = [at for at in others if at not in outcome.stopped]
    if not fresh:
        outcome.stray += 1
        return
    outcome.ambiguous += len(others) > 1
    outcome.stopped.add(min(fresh, key=lambda at: _distance(passages[at], when)))


def _within(passage: Passage, when: datetime, slack: timedelta) -> bool:
    return passage.first - slack <= when <= passage.last + slack


def _distance(passage: Passage, when: datetime) -> timedelta:
    return max(passage.first - when, when - passage.last, timedelta(0))
