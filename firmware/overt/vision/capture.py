"""Capture in a thread of its own: the newest picture wins, and a camera that hangs or freezes is noticed."""

import contextlib
import os
import threading
import time
import zlib

from overt.protocol.vocabulary import Cause
from overt.recognition.arrays import Bytes
from overt.recognition.frame import Frame
from overt.vision.sources.base import FrameSource, SourceError, SourceUnavailable

_SAMPLE_STEP = 16
_JOIN_S = 1.0
_BLACK = 32  # of 255, where black is 16 and a sensor's noise about 4: nobody is recognised in such light
_BRIGHT_SHARE = 0.01  # a lamp in the view is enough for it not to be black


class Mailbox:
    """Room for one picture between the capture and the inference. Neither waits for the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._signal = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.dropped = 0

    def fileno(self) -> int:
        """Return the descriptor that is readable while there is news, for `select`."""
        return self._signal

    def put(self, frame: Frame) -> None:
        """Leave a picture, replacing one that nobody took."""
        with self._lock:
            self.dropped += self._frame is not None
            self._frame = frame
        self.wake()

    def skip(self) -> None:
        """Count a picture that came too late even for the mailbox."""
        with self._lock:
            self.dropped += 1

    def wake(self) -> None:
        """Make the reader look."""
        with contextlib.suppress(OSError):  # full (it is awake anyway) or closed (nobody reads any more)
            os.eventfd_write(self._signal, 1)

    def take(self) -> Frame | None:
        """Take the picture, if there is one."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._signal)
        with self._lock:
            frame, self._frame = self._frame, None
        return frame

    def close(self) -> None:
        """Forget the picture and close the descriptor."""
        self.take()
        os.close(self._signal)


class Stillness:
    """Notices a frozen picture: a real sensor never gives the same luma twice."""

    def __init__(self, limit_s: float | None) -> None:
        """Make one that calls a picture frozen when it has stayed the same for `limit_s` seconds (None: never)."""
        self._limit_s = limit_s
        self._seen: int | None = None
        self._since_s = 0.0

    def frozen(self, y: Bytes, now_s: float) -> bool:
        """Look at a picture's luma, (H, W) uint8, at a time in seconds; tell whether it is frozen by now."""
        if self._limit_s is None:
            return False
        seen = zlib.crc32(y[::_SAMPLE_STEP, ::_SAMPLE_STEP].tobytes())
        if seen != self._seen:
            self._seen, self._since_s = seen, now_s
        return now_s - self._since_s >= self._limit_s


class Blackness:
    """Notices a picture with nothing in it: a cap on the lens, a cover, a night without a lamp."""

    def __init__(self, limit_s: float | None) -> None:
        """Make one that calls a view black when it has been so for `limit_s` seconds (None: never)."""
        self._limit_s = limit_s
        self._since_s: float | None = None

    def black(self, y: Bytes, now_s: float) -> bool:
        """Look at a picture's luma, (H, W) uint8, at a time in seconds; tell whether it is black by now."""
        sample = y[::_SAMPLE_STEP, ::_SAMPLE_STEP]
        if self._limit_s is None or int((sample > _BLACK).sum()) > _BRIGHT_SHARE * sample.size:
            self._since_s = None
            return False
        self._since_s = now_s if self._since_s is None else self._since_s
        return now_s - self._since_s >= self._limit_s


class Capture:
    """Runs a source in a thread, from opening to closing, and keeps the newest picture."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._stop = threading.Event()
        self._opened = threading.Event()
        self._failure: SourceError | None = None
        self._last_s = time.monotonic()
        self.mailbox = Mailbox()
        # A daemon: a thread stuck in a camera's driver must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)

    def start(self, patience_s: float | None = None) -> None:
        """Open the source and begin.

        Args:
            patience_s: How long opening may take; the source's own patience by default.

        Raises:
            SourceError: It cannot be opened, or not in time.
        """
        self._thread.start()
        patience_s = self._source.patience_s * 2 if patience_s is None else patience_s
        if not self._opened.wait(patience_s):
            message = f"{self._source.describe} did not open within {patience_s:g} s"
            raise SourceUnavailable(message, Cause.CAMERA_SILENT)
        if self._failure is not None:
            raise self._failure

    @property
    def failure(self) -> SourceError | None:
        """Why there will be no more pictures; None while all is well."""
        return self._failure

    def hung(self) -> bool:
        """Tell whether the source should have given a picture, or an error, long ago."""
        return self._failure is None and time.monotonic() - self._last_s > self._source.patience_s

    def stop(self) -> bool:
        """Switch the source off; tell whether it obeyed (if not, only the end of the process will)."""
        self._stop.set()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            self.mailbox.take()
            return False
        self.mailbox.close()
        return True

    def _run(self) -> None:
        try:
            self._source.open()
            self._last_s = time.monotonic()
            self._opened.set()
            while not self._stop.is_set():
                frame = self._source.next(self._stop)
                self._last_s = time.monotonic()
                if frame is not None:
                    self.mailbox.put(frame)
                elif not self._stop.is_set():
                    self.mailbox.skip()
        except SourceError as error:
            self._failure = error
        finally:
            if self._failure is None and not self._stop.is_set():  # whatever a library threw: there is no camera now
                self._failure = SourceUnavailable(f"{self._source.describe} failed in a way that nobody expected")
            self._source.close()
            self._opened.set()
            self.mailbox.wake()
