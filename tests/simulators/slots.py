"""A unit's two slots in memory, with the interface of those on its disk. A bundle is the text `compatible version`."""

from pathlib import Path

from overt.console.slots import Release, SlotsProblem, Verdict, other


class SimulatedSlots:
    """Two slots, what the loader would start next, and what happened."""

    def __init__(self, kind: str | None = "overt-amd64", running: str | None = "A") -> None:
        """Start in one slot.

        Args:
            kind: Which bundles it takes; None: it has no slots.
            running: The slot that runs.
        """
        self.kind, self.running, self.next = kind, running, running
        self.held: dict[str, str] = {}
        self.good: set[str] = set()
        self.restarts = 0

    def compatible(self) -> str | None:
        """See `Slots`."""
        return self.kind

    def booted(self) -> str | None:
        """See `Slots`."""
        return self.running

    def inspect(self, bundle: Path) -> Release:
        """See `Slots`."""
        words = bundle.read_text().split()
        if len(words) != 2:
            raise SlotsProblem("signature verification failed")
        return Release(compatible=words[0], version=words[1])

    def install(self, bundle: Path) -> None:
        """See `Slots`."""
        assert self.running is not None
        slot = other(self.running)
        self.good.discard(slot)
        self.held[slot] = bundle.read_text()
        self.next = slot

    def mark(self, verdict: Verdict) -> None:
        """See `Slots`."""
        assert self.running is not None
        if verdict is Verdict.GOOD:
            self.good.add(self.running)
        else:
            self.good.discard(self.running)
            self.next = other(self.running)

    def restart(self) -> None:
        """See `Slots`."""
        self.restarts += 1

    def start(self) -> None:
        """The machine starts with what the loader has."""
        self.running = self.next
