"""The daemon: the warden's socket, the capture thread, and the loop that looks at pictures between Begin and Stop."""

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

from overt import __version__
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import (
    Aim,
    Began,
    Begin,
    Effort,
    FromVision,
    Hello,
    Recovered,
    Stop,
    ToVision,
    Trouble,
)
from overt.protocol.vocabulary import Cause, Doubt, Engine
from overt.recognition.engine import Detector, Embedder
from overt.recognition.errors import RecognitionError
from overt.recognition.frame import Frame
from overt.runtime import channel as channels
from overt.runtime.channel import BadMessage, Channel, ChannelClosed, ChannelError
from overt.runtime.cli import OK, RESTART
from overt.runtime.log import event
from overt.runtime.notify import notify
from overt.vision.accelerator import Accelerated
from overt.vision.aiming import Aiming, LaneClosed
from overt.vision.capture import Blackness, Capture, Stillness
from overt.vision.session import Session, StillMapped
from overt.vision.sources.base import FrameSource, SourceEnded, SourceError

_SEND_S = 5.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.05, 1.0
_MAX_DETAIL = 200
_BLACK_FACTOR = 2.0  # a black view for twice as long as a frozen one: a passing lorry may cover it
_DOUBTS = {Cause.VISION_REFUSED: Doubt.VISION, Cause.MODEL_FAILED: Doubt.MODEL}  # all else is the camera's


class Restart(Exception):
    """The daemon has to be started anew: what it lost cannot be opened again by a process that is locked in."""


class Signals:
    """SIGTERM and SIGINT as something that the loop can wait for."""

    def __init__(self) -> None:
        self.asked = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the daemon is asked to end."""
        return self._wake

    def ask(self) -> None:
        """Ask the daemon to end."""
        self.asked = True
        os.eventfd_write(self._wake, 1)

    def install(self) -> None:
        """Catch the signals from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ask())

    def wait(self, seconds: float) -> bool:
        """Wait, or return early; tell whether the daemon is asked to end."""
        select.select([self], [], [], seconds)
        return self.asked


class Service:
    """The vision daemon, from its first word to the warden to its end.

    Attributes:
        stuck: A thread is stuck in a camera's driver: the process has to be left without waiting for anything.
    """

    def __init__(
        self,
        source: FrameSource,
        detector: Detector,
        embedder: Embedder,
        model: str,
        lock: Callable[[], None],
        *,
        tick_s: float = 1.0,
    ) -> None:
        """Make one; nothing is opened yet.

        Args:
            source: The camera.
            detector: Finds faces.
            embedder: Makes templates.
            model: The digest of the models.
            lock: Locks the process in (`sandbox.lock`).
            tick_s: Seconds between two looks at the camera's health, each with a `Progress`.
        """
        self.signals = Signals()
        self._source = source
        self._detector = detector
        self._embedder: Embedder | None = embedder
        self._model = model
        self._lock = lock
        self._tick_s = tick_s
        self._locked = False
        self._channel: Channel[ToVision]
        self._session: Session | None = None
        self._aiming: Aiming | None = None
        self._capture: Capture | None = None
        self._stillness, self._blackness = Stillness(None), Blackness(None)
        self._troubles: set[Doubt] = set()
        self._fed_frames = -1
        self._dropped_before = 0
        self._effort = 0
        self.stuck = False

    def run(self, socket: Path) -> int:
        """Serve the warden until it goes, the process is asked to end, or the camera is lost; return the exit code.

        Args:
            socket: Where the warden listens. Waited for.

        Raises:
            SandboxFailed: The process cannot be locked in.
        """
        if not self._connect(socket):
            return OK
        try:
            with self._channel:
                self._serve()
        except (ChannelClosed, TimeoutError):
            event("warden.gone", "warning")
            return OK if self.signals.asked else RESTART
        except Restart as reason:
            event("vision.restart", "warning", reason=str(reason))
            return RESTART
        finally:
            self._drop()
        return OK

    def _connect(self, socket: Path) -> bool:
        """Wait for the warden; tell whether it is there (otherwise the daemon was asked to end)."""
        pause = _FIRST_RETRY_S
        while True:
            try:
                self._channel = channels.connect(socket, ToVision)  # type: ignore[arg-type]  # a union is a type too
                self._channel.set_timeout(_SEND_S)
                return True
            except ChannelError as error:
                if pause == _FIRST_RETRY_S:
                    event("warden.awaited", detail=str(error))
                    notify("READY=1\nSTATUS=waiting for the warden")  # for days, on a blank unit
                notify("WATCHDOG=1")
                if self.signals.wait(pause):
                    return False
                pause = min(_LAST_RETRY_S, pause * 2)

    def _serve(self) -> None:
        notify("STATUS=waiting for an order")  # opens the supervisor's socket while that can be done
        if self._source.opens_locked:
            self._lock_in()
        self._send(Hello(daemon="vision", version=__version__, model=self._model))
        notify("READY=1")
        event("vision.ready", source=self._source.describe, model=self._model)
        self._check_camera()
        next_tick = time.monotonic() + self._tick_s
        while not self.signals.asked:
            self._wait(max(0.0, next_tick - time.monotonic()))
            if self.signals.asked:
                break
            if _readable(self._channel):
                self._receive()
            if self._capture is not None:
                self._look(self._capture)
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + self._tick_s
                self._tick()
        self._stop()

    def _wait(self, seconds: float) -> None:
        waited: list[Channel[ToVision] | Signals | int] = [self._channel, self.signals]
        if self._capture is not None:
            waited.append(self._capture.mailbox.fileno())
        select.select(waited, [], [], seconds)

    def _receive(self) -> None:
        try:
            message, descriptors = self._channel.receive()
        except BadMessage as error:
            event("message.refused", "warning", detail=str(error))
            return
        if isinstance(message, Begin):
            self._begin(message, descriptors)
            return
        if isinstance(message, Aim):
            self._aim(message, descriptors)
            return
        channels.close_all(descriptors)
        if isinstance(message, Effort):
            self._slow_down(message.step)
        if isinstance(message, Stop):
            aimed = self._aiming is not None
            self._stop()
            if aimed:
                raise Restart("the preview is over, and only a new process can recognise")
            if self._locked and not self._source.opens_locked:
                raise Restart("the camera is off, and only a new process can switch it on")

    def _aim(self, message: Aim, descriptors: list[int]) -> None:
        """Show what the lens sees, and give up for good what could recognise anyone in it."""
        if self._session is not None or self._aiming is not None or len(descriptors) != 1:
            channels.close_all(descriptors)
            event("aim.refused", "warning")
            return
        self._embedder = None
        self._aiming = Aiming(descriptors[0], message.seconds, self._detector)
        self._aiming.slow_down(self._effort)
        self._switch_on()
        self._lock_in()
        event("aim.begin")

    def _begin(self, begin: Begin, descriptors: list[int]) -> None:
        if self._session is not None:
            self._forget()
        if self._embedder is None:
            channels.close_all(descriptors)
            raise Restart("a technician was shown the view, and only a new process can recognise")
        if len(descriptors) != 1:
            channels.close_all(descriptors)
            self._trouble(
                Cause.VISION_REFUSED, f"expected one gallery with the order to begin, found {len(descriptors)}"
            )
            return
        try:
            if self._capture is None:
                self._switch_on()
            self._lock_in()
        except BaseException:
            channels.close_all(descriptors)
            raise
        try:
            self._session = Session(begin, descriptors[0], self._detector, self._embedder)
        except (OSError, ProtocolError, RecognitionError) as error:
            self._switch_off()
            self._trouble(Cause.VISION_REFUSED, f"the gallery was refused: {error}")
            if not self._source.opens_locked:
                raise Restart("the camera is off, and only a new process can switch it on") from error
            return
        self._session.slow_down(self._effort)
        self._fed_frames = -1
        self._dropped_before = self._capture.mailbox.dropped if self._capture else 0
        event("recognition.begin", order=begin.order)

    def _stop(self) -> None:
        if self._session is not None:
            self._forget()
        self._switch_off()

    def _forget(self) -> None:
        """Forget the order and everything that came of it, and say so."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            cleared = session.forget()
        except StillMapped as error:
            raise Restart(str(error)) from error
        event("recognition.cleared", order=session.order, frames=cleared.frames, faces=cleared.faces_seen)
        self._send(cleared)

    def _drop(self) -> None:
        """Forget without a word: nobody is there to hear it."""
        session, self._session = self._session, None
        try:
            if session is not None:
                session.forget()
        except StillMapped as error:
            event("gallery.mapped", "error", detail=str(error))  # the process is about to end, and the mapping with it
        self._switch_off()

    def _switch_on(self) -> None:
        capture = Capture(self._source)
        try:
            capture.start()
        except SourceError as error:
            self.stuck = not capture.stop()
            self._trouble(error.cause, str(error))
            raise Restart(str(error)) from error
        self._capture = capture
        limit_s = self._source.frozen_after_s
        self._stillness, self._blackness = Stillness(limit_s), Blackness(limit_s and limit_s * _BLACK_FACTOR)

    def _switch_off(self) -> None:
        aiming, self._aiming = self._aiming, None
        if aiming is not None:
            aiming.close()
        capture, self._capture = self._capture, None
        if capture is not None and not capture.stop():
            self.stuck = True
            event("camera.hung", "error", source=self._source.describe)

    def _look(self, capture: Capture) -> None:
        """Look at the newest picture, if there is one."""
        frame = capture.mailbox.take()
        if frame is None:
            return
        if self._aiming is not None:
            self._show(self._aiming, frame)
            return
        if self._session is None:
            return
        self._watch_view(frame)
        if not self._session.began:
            self._session.began = True
            for doubt in sorted(self._troubles - {Doubt.CAMERA}):
                self._recovered(doubt)
            self._send(Began(order=self._session.order, captured_ns=frame.captured_ns))
        try:
            sightings = self._session.process(frame)
        except RecognitionError as error:
            self._trouble(Cause.MODEL_FAILED, str(error))
            raise Restart(str(error)) from error
        for sighting in sightings:
            self._send(sighting)

    def _show(self, aiming: Aiming, frame: Frame) -> None:
        self._watch_view(frame)
        try:
            aiming.look(frame)
        except LaneClosed as reason:
            raise Restart(f"{reason}, and only a new process can recognise") from reason
        except RecognitionError as error:
            self._trouble(Cause.MODEL_FAILED, str(error))
            raise Restart(str(error)) from error

    def _watch_view(self, frame: Frame) -> None:
        now_s = time.monotonic()
        frozen, black = self._stillness.frozen(frame.y, now_s), self._blackness.black(frame.y, now_s)
        if black:
            self._trouble(Cause.CAMERA_BLACK, f"{self._source.describe} sees nothing but black")
        elif frozen:
            self._trouble(Cause.CAMERA_FROZEN, f"{self._source.describe} gives the same picture again and again")
        else:
            self._recovered(Doubt.CAMERA)

    def _tick(self) -> None:
        """Once a second: say how far, look after the camera, feed the watchdog."""
        capture, session = self._capture, self._session or self._aiming
        if capture is None or session is None:
            self._check_camera()
            notify("WATCHDOG=1")
            return
        engine = self._detector.engine if isinstance(self._detector, Accelerated) else Engine.CPU
        if isinstance(session, Aiming):
            try:
                session.require_open()
            except LaneClosed as reason:
                raise Restart(f"{reason}, and only a new process can recognise") from reason
        self._send(session.progress(capture.mailbox.dropped - self._dropped_before, engine))
        failure = capture.failure
        if capture.hung():
            self._lose_camera(
                Cause.CAMERA_SILENT, f"{self._source.describe} has given no picture for {self._source.patience_s:g} s"
            )
        elif isinstance(failure, SourceEnded):
            self._trouble(failure.cause, str(failure))
            notify("WATCHDOG=1")
        elif failure is not None:
            self._lose_camera(failure.cause, str(failure))
        elif session.frames != self._fed_frames:
            self._fed_frames = session.frames
            notify("WATCHDOG=1")

    def _check_camera(self) -> None:
        """While a camera is off, look whether it is there at all; footage was looked at when the process began."""
        if self._source.opens_locked or self._locked:
            return
        try:
            self._source.check()
        except SourceError as error:
            self._trouble(error.cause, str(error))
        else:
            self._recovered(Doubt.CAMERA)

    def _slow_down(self, effort: int) -> None:
        if effort != self._effort:
            event("effort.changed", step=effort)
        self._effort = effort
        session = self._session or self._aiming
        if session is not None:
            session.slow_down(effort)

    def _lose_camera(self, cause: Cause, detail: str) -> None:
        self._trouble(cause, detail)
        raise Restart(detail)

    def _trouble(self, cause: Cause, detail: str) -> None:
        doubt = _DOUBTS.get(cause, Doubt.CAMERA)
        if doubt not in self._troubles:
            self._troubles.add(doubt)
            event("trouble", "warning", doubt=doubt.value, detail=detail)
            self._send(Trouble(doubt=doubt, cause=cause, detail=_line(detail)))

    def _recovered(self, doubt: Doubt) -> None:
        if doubt in self._troubles:
            self._troubles.remove(doubt)
            event("recovered", doubt=doubt.value)
            self._send(Recovered(doubt=doubt))

    def _lock_in(self) -> None:
        if not self._locked:
            self._lock()
            self._locked = True

    def _send(self, message: FromVision) -> None:
        self._channel.send(message)


def _readable(channel: Channel[ToVision]) -> bool:
    return bool(select.select([channel], [], [], 0)[0])


def _line(text: str) -> str:
    """Make a text fit for the contract's one-line fields."""
    return "".join(c if c.isprintable() else " " for c in text)[:_MAX_DETAIL] or "unknown"
