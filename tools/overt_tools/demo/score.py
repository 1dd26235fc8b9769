"""What the demonstration achieved: alerts against the footage's ground truth. Pure."""

from collections.abc import Sequence

import msgspec

_SLACK_NS = 1_000_000_000
"""An alert belongs to a passage when its frame was captured within it, give or take a second."""


class Passage(msgspec.Struct, frozen=True):
    """One passage in the footage. Times in nanoseconds from the first frame."""

    id: int
    listed: bool
    first_ns: int
    last_ns: int


class AlertSeen(msgspec.Struct, frozen=True):
    """One alert as it arrived. `position_ns`: its captured frame, in nanoseconds from the footage's first frame."""

    position_ns: int
    entry: str
    latency_ms: float


class Score(msgspec.Struct, frozen=True):
    """The demonstration's result."""

    passages: int
    alerts: int
    missed: int
    false: int
    faces_seen: int
    latency_p50_ms: float
    latency_p99_ms: float

    @property
    def faultless(self) -> bool:
        """Every listed passage raised one alert and nothing else did."""
        return self.missed == 0 and self.false == 0

    def line(self) -> str:
        """Return the last line of the demonstration."""
        return (
            f"demo: passages={self.passages} alerts={self.alerts} missed={self.missed} false={self.false} "
            f"faces_seen={self.faces_seen} latency_p50_ms={self.latency_p50_ms:.0f} "
            f"latency_p99_ms={self.latency_p99_ms:.0f}"
        )


def score(
    passages: Sequence[Passage], alerts: Sequence[AlertSeen], enrolled: str, played_ns: int, faces_seen: int
) -> Score:
    """Count passages that raised an alert, passages that did not, and alerts that belong to none.

    Args:
        passages: The footage's ground truth, all passages.
        alerts: What arrived.
        enrolled: The reference of the listed volunteer's entry.
        played_ns: How much of the footage was played. A passage that was not played to its end cannot be missed: it is
            counted when it has raised its alert.
        faces_seen: The unit's own count.

    A second alert for one passage is false: the promise is once per passage.
    """
    listed = [passage for passage in passages if passage.listed and passage.last_ns <= played_ns]
    unfinished = [passage for passage in passages if passage.listed and passage.first_ns <= played_ns < passage.last_ns]
    found: set[int] = set()
    false = 0
    for alert in sorted(alerts, key=lambda seen: seen.position_ns):
        passage = _passage_of(alert, [*listed, *unfinished]) if alert.entry == enrolled else None
        if passage is None or passage.id in found:
            false += 1
        else:
            found.add(passage.id)
    latencies = sorted(alert.latency_ms for alert in alerts)
    return Score(
        passages=len(listed) + sum(1 for passage in unfinished if passage.id in found),
        alerts=len(alerts),
        missed=sum(1 for passage in listed if passage.id not in found),
        false=false,
        faces_seen=faces_seen,
        latency_p50_ms=percentile(latencies, 50),
        latency_p99_ms=percentile(latencies, 99),
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest-rank percentile of ordered values; 0 of none."""
    if not ordered:
        return 0.0
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def repeated(passages: Sequence[Passage], duration_ns: int, played_ns: int) -> list[Passage]:
    """Return the passages of footage that is played again and again, each with an id of its own."""
    rounds = max(1, -(-played_ns // duration_ns))
    return [
        Passage(
            id=len(passages) * number + index,
            listed=passage.listed,
            first_ns=passage.first_ns + number * duration_ns,
            last_ns=passage.last_ns + number * duration_ns,
        )
        for number in range(rounds)
        for index, passage in enumerate(passages)
    ]


def _passage_of(alert: AlertSeen, passages: Sequence[Passage]) -> Passage | None:
    around = [
        passage
        for passage in passages
        if passage.first_ns - _SLACK_NS <= alert.position_ns <= passage.last_ns + _SLACK_NS
    ]
    return min(
        around, key=lambda passage: abs(passage.first_ns + passage.last_ns - 2 * alert.position_ns), default=None
    )
