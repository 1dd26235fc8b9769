"""Vision's side of vision.sock: speaks the real contract, maps the real memory file, sees whom it is told to see."""

import mmap
import os
import time
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from overt.protocol import gallery
from overt.protocol.messages import (
    Began,
    Begin,
    Cleared,
    Effort,
    Hello,
    Progress,
    Recovered,
    Sighting,
    Stop,
    ToVision,
    Trouble,
)
from overt.protocol.vocabulary import Cause, Doubt
from overt.runtime import memory
from overt.runtime.channel import Channel, ChannelClosed, close_all, connect_and_say
from tests.builders import MODEL

M = TypeVar("M", Begin, Stop, Effort)
_MS = 1_000_000


class VisionSimulator:
    """A vision process without a camera. It does nothing by itself: the test says what it sees."""

    def __init__(self, run: Path, model: str = MODEL) -> None:
        hello = Hello(daemon="vision", version="simulated", model=model)
        self._channel: Channel[ToVision] = connect_and_say(run / "vision.sock", ToVision, hello)  # type: ignore[arg-type]  # a union
        self._gallery: mmap.mmap | None = None
        self._descriptor = -1
        self.begin: Begin | None = None
        self.efforts: list[int] = []
        self.templates_made = 0
        self.faces_seen = 0

    # What the warden asks

    def wait_for_begin(self, timeout: float = 10.0) -> Begin:
        """Wait until the warden says to recognise; map the gallery and say that the first frame has come."""
        message, descriptors = self._next(Begin, timeout)
        assert len(descriptors) == 1, "a gallery comes with the order to begin"
        self._descriptor = descriptors[0]
        self._gallery = memory.map_sealed(self._descriptor)
        self.begin = message
        self._channel.send(Began(order=message.order, captured_ns=time.time_ns()))
        return message

    def wait_for_stop(self, timeout: float = 10.0, *, answer: bool = True) -> None:
        """Wait until the warden says to stop; forget everything and say so."""
        self._next(Stop, timeout)
        if answer:
            self.clear()

    def hears_nothing(self, seconds: float = 0.3) -> bool:
        """Say whether the warden asks for nothing for so long."""
        self._channel.set_timeout(seconds)
        try:
            _, descriptors = self._channel.receive()
        except (TimeoutError, BlockingIOError):
            return True
        close_all(descriptors)
        return False

    def wait_until_hung_up(self, timeout: float = 10.0) -> None:
        """Wait until the warden hangs up."""
        deadline = time.monotonic() + timeout
        while True:
            self._channel.set_timeout(max(0.01, deadline - time.monotonic()))
            try:
                _, descriptors = self._channel.receive()
                close_all(descriptors)
            except ChannelClosed:
                return

    # What vision says

    @property
    def templates(self) -> list[bytes]:
        """The templates in the gallery, as mapped."""
        assert self._gallery is not None
        view = memoryview(self._gallery)
        layout = gallery.read_layout(view)
        rows = bytes(view[layout.matrix_offset :])
        view.release()
        return [rows[start : start + 512] for start in range(0, len(rows), 512)]

    @property
    def gallery_is_wiped(self) -> bool:
        """Whether the memory file that is still mapped here holds zeros alone."""
        assert self._gallery is not None
        return not any(self._gallery[:])

    def see(self, entry: int = 0, **changes: object) -> Sighting:
        """Say that a track scored above the threshold."""
        now = time.time_ns()
        fields: dict[str, object] = {
            "order": self.begin.order if self.begin else "0" * 64,
            "entry": entry,
            "score": 0.71,
            "runner_up_score": 0.2,
            "captured_ns": now - 80 * _MS,
            "decided_ns": now - 5 * _MS,
            "track_ms": 900,
            "track_frames": 22,
            "face_px": 61.0,
            "quality": 0.8,
        }
        sighting = Sighting(**{**fields, **changes})  # type: ignore[arg-type]  # tests may change any field
        self._channel.send(sighting)
        return sighting

    def progress(self, **changes: int) -> None:
        """Say how far recognition is."""
        fields = {
            "frames": 250,
            "frames_dropped": 2,
            "frame_age_ms": 20,
            "faces_seen": self.faces_seen,
            "templates_made": self.templates_made,
            "templates_wiped": self.templates_made,
        }
        self._channel.send(Progress(frames_per_second=25.0, **{**fields, **changes}))

    def wait_for_effort(self, timeout: float = 10.0) -> int:
        """Wait until the warden says how often to look for faces."""
        return self._next(Effort, timeout)[0].step

    def trouble(self, doubt: Doubt = Doubt.CAMERA, cause: Cause = Cause.CAMERA_SILENT) -> None:
        """Say that it cannot see."""
        self._channel.send(Trouble(doubt=doubt, cause=cause, detail="simulated trouble"))

    def recovered(self, doubt: Doubt = Doubt.CAMERA) -> None:
        """Say that it can see again."""
        self._channel.send(Recovered(doubt=doubt))

    def say(self, message: object) -> None:
        """Say anything of the contract."""
        self._channel.send(message)  # type: ignore[arg-type]  # on purpose: tests also say what they should not

    def clear(self) -> None:
        """Forget the gallery and say so."""
        assert self.begin is not None
        self._unmap()
        self._channel.send(
            Cleared(
                order=self.begin.order,
                frames=250,
                faces_seen=self.faces_seen,
                templates_made=self.templates_made,
                templates_wiped=self.templates_made,
            )
        )
        self.begin = None

    def close(self) -> None:
        """Be gone, as a process that died: the kernel unmaps and hangs up."""
        self._unmap()
        self._channel.close()

    def __enter__(self) -> "VisionSimulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self, kind: type[M], timeout: float) -> tuple[M, list[int]]:
        self._channel.set_timeout(timeout)
        message, descriptors = self._channel.receive()
        while isinstance(message, Effort):
            self.efforts.append(message.step)
            if kind is Effort:
                break
            message, descriptors = self._channel.receive()
        assert isinstance(message, kind), f"expected {kind.__name__}, heard {type(message).__name__}"
        return message, descriptors

    def _unmap(self) -> None:
        if self._gallery is not None:
            self._gallery.close()
            os.close(self._descriptor)
            self._gallery = None
