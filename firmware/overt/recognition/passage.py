"""One person's passage through the view: which shots to look at, and at most one sighting.

Looking is what costs time and touches a stranger's face, so it is done seldom: the first good shot at once, then one
that is clearly better, or one after a while (longer each time), and a handful in all. After a match, none.
"""

from dataclasses import dataclass, replace

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How seldom.

    Attributes:
        max_shots: Shots per passage; a face that comes back after it was lost has one more, `max_returns` times,
            because it may be another person's.
        max_returns: See there.
        better_by: A shot is clearly better when its quality (0..1) exceeds the best so far by this much.
        gap_ms: The least time between shots, even when clearly better.
        interval_ms: The time after which another shot is taken although no better; it doubles with every shot.
    """

    max_shots: int = 5
    max_returns: int = 3
    better_by: float = 0.08
    gap_ms: int = 100
    interval_ms: int = 400


@dataclass(frozen=True, slots=True)
class Passage:
    """What is remembered of a passage: numbers.

    Attributes:
        policy: How seldom to look.
        shots: How many were looked at.
        returns: How often the face came back after it was lost.
        owed: A shot is due at once because the face came back.
        best: Highest quality looked at.
        last_ns: When the last one was taken, nanoseconds.
        matched: A sighting was made; there will be no other.
    """

    policy: Policy
    shots: int = 0
    returns: int = 0
    owed: bool = False
    best: float = 0.0
    last_ns: int = 0
    matched: bool = False

    def may_want(self, now_ns: int) -> bool:
        """Tell whether any shot, however good, could be wanted now (so that none is prepared for nothing)."""
        return self.wants(2.0, now_ns)

    def wants(self, quality: float, now_ns: int) -> bool:
        """Tell whether to look at a shot that has passed the gates.

        Args:
            quality: `Quality.score`, 0..1.
            now_ns: When it was taken, nanoseconds.
        """
        if self.matched:
            return False
        if self.shots == 0 or self.owed:
            return True
        if self.shots >= self.policy.max_shots + self.returns:
            return False
        since_ms = (now_ns - self.last_ns) / _MS
        if since_ms >= self.policy.interval_ms * 2 ** (self.shots - 1):
            return True
        return quality >= self.best + self.policy.better_by and since_ms >= self.policy.gap_ms

    def looked(self, quality: float, now_ns: int, *, matched: bool) -> "Passage":
        """Return the passage after a shot was looked at."""
        return replace(
            self,
            shots=self.shots + 1,
            owed=False,
            best=max(self.best, quality),
            last_ns=now_ns,
            matched=self.matched or matched,
        )

    def returned(self) -> "Passage":
        """Return the passage after its face came back from being lost."""
        if self.matched or self.returns >= self.policy.max_returns:
            return self
        return replace(self, returns=self.returns + 1, owed=True)
