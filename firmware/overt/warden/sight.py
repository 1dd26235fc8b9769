"""What is known of the vision process, and what it has been asked for. One question at a time."""

from typing import Protocol

from overt.protocol.messages import Cleared, Progress
from overt.protocol.vocabulary import Doubt


class SightPort(Protocol):
    """The way to vision."""

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise."""

    def stop(self) -> None:
        """Tell vision to forget. `Sight.cleared` or `Sight.gone` is called before long."""


class Sight:
    """Vision: absent, idle, asked to recognise, or asked to forget and not heard from yet."""

    def __init__(self, port: SightPort) -> None:
        self._port = port
        self._stopping = False
        self.model: str | None = None
        self.doubts: frozenset[Doubt] = frozenset()
        self.progress: Progress | None = None
        self.begun = False

    @property
    def busy(self) -> bool:
        """Whether vision may still hold something of a deployment."""
        return self.begun or self._stopping

    @property
    def ready(self) -> bool:
        """Whether vision is there and holds nothing, so that it can be asked to recognise."""
        return self.model is not None and not self.busy

    def came(self, model: str | None) -> None:
        """Vision has started, with this model."""
        self.model, self.doubts = model, frozenset()

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise, unless it does, or has not forgotten the time before: then it is asked later."""
        if self.ready:
            self.begun, self.progress = True, None
            self._port.begin(order, threshold, descriptor)

    def stop(self) -> None:
        """Tell vision to forget. What it has seen and not said yet counts no more."""
        if self.begun:
            self.begun, self._stopping = False, True
            self._port.stop()

    def cleared(self, counts: Cleared) -> tuple[int, int]:
        """Vision says that it has forgotten. Returns the templates that it made and wiped."""
        self.begun = self._stopping = False
        self.progress = None
        return counts.templates_made, counts.templates_wiped

    def gone(self) -> tuple[int, int] | None:
        """Vision is gone, and its memory with it: everything that it made is wiped.

        Returns:
            The templates that it last said it had made, twice; None when it held nothing of a deployment.
        """
        busy, made = self.busy, self.progress.templates_made if self.progress else 0
        self.model, self.doubts, self.progress = None, frozenset(), None
        self.begun = self._stopping = False
        return (made, made) if busy else None
