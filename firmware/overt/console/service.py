"""The daemon: one serial line, one conversation at a time, one thread that talks to the warden meanwhile."""

import os
import queue
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from overt.console.counter import Clerk
from overt.console.registry import Registry
from overt.protocol.cable import frames
from overt.protocol.cable.frames import Frame, Framer
from overt.protocol.cable.talk import Answerer, Hello, Why, refusal
from overt.protocol.errors import NotReadable, ProtocolError
from overt.runtime import footprint, log
from overt.runtime.control import NoAnswer
from overt.runtime.ending import Ending
from overt.runtime.line import Line, LineLost, prepare
from overt.runtime.notify import notify
from overt.runtime.retry import Backoff

_TICK_S: Final = 1.0
_IDLE_S: Final = 600.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_MINUTE_S: Final = 60

Work = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the console works.

    Attributes:
        port: The serial line.
        baud: Its rate, for a UART.
        run: The folder of the warden's sockets.
        spool: A folder of its own.
    """

    port: Path
    baud: int
    run: Path
    spool: Path


def run(settings: Settings, registry: Registry) -> int:
    """Serve the line until told to stop. A line that is not there is waited for."""
    prepare()
    footprint.settle()
    notify("READY=1")
    log.event("console.ready", port=str(settings.port))
    backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
    told = ""
    with Ending() as ending, Conversation(Clerk(settings.run, settings.spool, registry)) as conversation:
        while not ending.asked:
            try:
                with Line(settings.port, settings.baud) as line:
                    log.event("console.line_open", port=str(settings.port))
                    told = ""
                    backoff.reset()
                    _serve(line, conversation, ending)
            except LineLost as error:
                if str(error) != told:
                    told = str(error)
                    log.event("console.line_lost", "warning", detail=told)
                conversation.forget()
                notify("WATCHDOG=1")
                ending.wait(backoff.next())
    log.event("console.stopped")
    return ending.exit_code


def _serve(line: Line, conversation: "Conversation", ending: Ending) -> None:
    framer = Framer()
    while not ending.asked:
        watched = [line.fileno(), ending.fileno(), conversation.fileno()]
        ready, _, _ = select.select(watched, [], [], _TICK_S)
        notify("WATCHDOG=1")
        if line.fileno() in ready:
            for frame in framer.feed(line.read()):
                for answer in conversation.take(frame):
                    line.write(frames.encode(answer))
        for answer in conversation.finished():
            line.write(frames.encode(answer))
        conversation.rest()


class Conversation:
    """What is being said. The warden is asked in a thread, so that meanwhile the line can hear 'still at work'."""

    def __init__(self, clerk: Clerk) -> None:
        self._clerk, self._answerer = clerk, Answerer()
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Callable[[], Frame | None]] = queue.SimpleQueue()
        self._turn = 0
        self._last_s = time.monotonic()
        self._thread = threading.Thread(target=self._labour, name="clerk", daemon=True)

    def __enter__(self) -> "Conversation":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._work.put(None)
        self._thread.join(_TICK_S)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        """Return a descriptor that is readable when something is finished."""
        return self._read

    def take(self, frame: Frame) -> list[Frame]:
        """Take a frame; return what to send at once."""
        self._last_s = time.monotonic()
        taken = self._answerer.take(frame)
        if isinstance(taken, Hello):
            self._begin(lambda turn, hello=taken: self._greet(turn, hello))  # type: ignore[misc]  # bound now
        elif isinstance(taken, bytes):
            self._begin(lambda turn, message=taken: self._ask(turn, message))  # type: ignore[misc]  # bound now
        return [taken] if isinstance(taken, Frame) else []

    def finished(self) -> list[Frame]:
        """Return what is to be sent now that the warden has answered."""
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            return []
        found = []
        while not self._done.empty():
            try:
                frame = self._done.get()()
            except NotReadable:  # the conversation has ended meanwhile
                frame = None
            if frame is not None:
                found.append(frame)
        return found

    def forget(self) -> None:
        """The line has gone: whoever was there has left. What has come of a document stays for when they are back."""
        self._answerer.forget()
        self._begin(lambda _: self._clerk.leave())

    def rest(self) -> None:
        """End a visit in which nothing has happened for long."""
        if time.monotonic() - self._last_s > _IDLE_S:
            self._last_s = time.monotonic()
            self.forget()
            footprint.settle()

    # Inside

    def _begin(self, work: Callable[[int], None]) -> None:
        self._turn += 1
        turn = self._turn
        self._work.put(lambda: work(turn))

    def _labour(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def _greet(self, turn: int, hello: Hello) -> None:
        if turn != self._turn:
            return  # another has begun since
        try:
            greeting = self._clerk.greet(hello.session)
        except NoAnswer as error:
            log.event("console.no_warden", "warning", detail=str(error))
            self._finish(turn, lambda: self._refuse(hello, Why.NO_WARDEN, 0))
        except ProtocolError:
            self._finish(turn, lambda: self._refuse(hello, Why.TOO_MANY, _MINUTE_S))
        else:
            self._finish(turn, lambda: self._answerer.welcome(hello, greeting))

    def _refuse(self, hello: Hello, why: Why, seconds: int) -> Frame:
        self._answerer.forget()
        return refusal(hello.frame, why, seconds)

    def _ask(self, turn: int, message: bytes) -> None:
        reply = self._clerk.answer(message)
        self._finish(turn, lambda: self._answerer.answer(reply))

    def _finish(self, turn: int, then: Callable[[], Frame | None]) -> None:
        self._done.put(lambda: then() if turn == self._turn else None)
        os.write(self._write, b"\0")
