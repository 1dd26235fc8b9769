"""What is known of the vision process, and what it has been asked for. One question at a time.

A camera that is lost is opened again: at once the first time, then after growing waits, in which the camera stays in
doubt. Vision regains some cameras only by being started anew (docs/adr/0002), so the wait outlives the process.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

from overt.protocol.messages import Cleared, Progress, Trouble
from overt.protocol.vocabulary import Cause, Doubt

STEADY_S: Final = 60.0  # a camera that has worked for so long is lost for the first time again
FIRST_WAIT_S: Final = 5.0
LONGEST_WAIT_S: Final = 60.0


class SightPort(Protocol):
    """The way to vision."""

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise."""

    def stop(self) -> None:
        """Tell vision to forget. `Sight.cleared` or `Sight.gone` is called before long."""

    def aim(self, seconds: int, lane: int) -> None:
        """Tell vision to show what it sees in a lane, and to match nothing."""

    def effort(self, step: int) -> None:
        """Tell vision how often to look for faces: 0 is as often as it wants to."""


class Sight:
    """Vision: absent, idle, asked to recognise, or asked to forget and not heard from yet."""

    def __init__(self, port: SightPort, now_s: Callable[[], float] = time.monotonic) -> None:
        self._port, self._now_s = port, now_s
        self._stopping = False
        self._effort = 0
        self._troubles: dict[Doubt, Cause] = {}
        self._lost: Cause | None = None  # why the camera was last lost, until vision is asked to try it again
        self._losses = 0
        self._again_s = 0.0
        self._begun_s = 0.0
        self.model: str | None = None
        self.progress: Progress | None = None
        self.begun = self.aiming = False

    @property
    def busy(self) -> bool:
        """Whether vision may still hold something of a deployment."""
        return self.begun or self._stopping or self.aiming

    @property
    def ready(self) -> bool:
        """Whether vision is there and holds nothing, so that it can be asked to recognise."""
        return self.model is not None and not self.busy

    @property
    def doubts(self) -> dict[Doubt, Cause]:
        """What vision cannot do, and why."""
        if self._lost is not None and (self.model is None or self._now_s() < self._again_s):
            return {**self._troubles, Doubt.CAMERA: self._lost}
        return dict(self._troubles)

    def came(self, model: str | None) -> None:
        """Vision has started, with this model."""
        self.model, self._troubles = model, {}
        if self._effort:
            self._port.effort(self._effort)

    def slow_down(self, effort: int) -> None:
        """Have vision look for faces less often, or more often again; one that comes later is told as well."""
        if effort != self._effort:
            self._effort = effort
            if self.model is not None:
                self._port.effort(effort)

    def doubt(self, trouble: Trouble) -> None:
        """Vision says that it cannot see."""
        if trouble.doubt is Doubt.CAMERA and trouble.cause is not Cause.FOOTAGE_OVER:
            self._lose(trouble.cause)
        self._troubles[trouble.doubt] = trouble.cause

    def recovered(self, doubt: Doubt) -> None:
        """Vision says that it can see again."""
        self._troubles.pop(doubt, None)
        if doubt is Doubt.CAMERA:
            self._lost = None

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise, unless it does, or has not forgotten the time before: then it is asked later."""
        if self.ready:
            self.begun, self.progress, self._begun_s = True, None, self._now_s()
            self._lost = None
            self._port.begin(order, threshold, descriptor)

    def aim(self, seconds: int, lane: int) -> None:
        """Have vision show what it sees. It stays busy until it is gone: it comes back able to recognise."""
        if self.ready:
            self.aiming, self.progress = True, None
            self._port.aim(seconds, lane)

    def stop(self) -> None:
        """Tell vision to forget. What it has seen and not said yet counts no more."""
        if self.begun or (self.aiming and not self._stopping):
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
        busy = self.begun or (self._stopping and not self.aiming)
        made = self.progress.templates_made if self.progress else 0
        self.model, self._troubles, self.progress = None, {}, None
        self.begun = self._stopping = self.aiming = False
        return (made, made) if busy else None

    def _lose(self, cause: Cause) -> None:
        now_s = self._now_s()
        if Doubt.CAMERA in self._troubles:
            return  # it is lost already
        self._losses = 1 if now_s - self._begun_s > STEADY_S else self._losses + 1
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (self._losses - 2)) if self._losses > 1 else 0.0
        if cause is Cause.CAMERA_BLACK:
            wait_s = LONGEST_WAIT_S  # it works; what is in front of it does not go away by opening it again
        self._lost, self._again_s = cause, now_s + wait_s
