"""One deployment's recognition, from the mapped gallery to nothing left. No sockets and no threads."""

import mmap
import os
import time
import traceback

import numpy as np

from overt.protocol import gallery as layouts
from overt.protocol import limits
from overt.protocol.messages import Begin, Cleared, Progress, Sighting
from overt.protocol.vocabulary import Engine
from overt.recognition.attention import SLOWER
from overt.recognition.engine import Detector, Embedder
from overt.recognition.frame import Frame
from overt.recognition.match import Gallery
from overt.recognition.pipeline import Recogniser
from overt.recognition.pipeline import Sighting as Seen
from overt.runtime import memory

_MS = 1_000_000
_MAX_RATE = 1000.0


class StillMapped(RuntimeError):
    """The gallery could not be unmapped: something refers to it yet. Only the end of the process forgets it now."""


class Session:
    """Recognises the people of one gallery until told to forget them."""

    def __init__(
        self,
        begin: Begin,
        descriptor: int,
        detector: Detector,
        embedder: Embedder,
        window_detector: Detector | None = None,
    ) -> None:
        """Map the gallery, check it, and search it where it lies.

        Args:
            begin: The warden's message.
            descriptor: The memory file that came with it. It is closed by `forget`, or at once when this fails.
            detector: Finds faces.
            embedder: Makes templates.
            window_detector: See `Recogniser`.

        Raises:
            MemoryUnsafe: The gallery is not sealed, or cannot be locked.
            OSError: Not a memory file.
            Malformed: Not a gallery.
            BadGallery: Its templates are not unit vectors of the embedder's length.
        """
        self.order = begin.order
        self.began = False
        self._descriptor = descriptor
        try:
            self._map: mmap.mmap = memory.map_sealed(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        try:
            self._recogniser = Recogniser(
                detector, embedder, _view(self._map), begin.threshold, window_detector=window_detector
            )
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # its frames refer to the mapped gallery
            self._unmap()
            raise
        self._forgotten = False
        self._last_ns = 0
        self._rate_from = (time.monotonic(), 0)

    @property
    def frames(self) -> int:
        """How many pictures were looked at."""
        return self._recogniser.counters.frames

    def process(self, frame: Frame) -> list[Sighting]:
        """Look at one picture; return what the warden has to hear.

        Raises:
            RecognitionError: The engine failed, or the picture does not fit it.
        """
        try:
            result = self._recogniser.process(frame)
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # its frames may refer to the gallery, or hold a template
            raise
        self._last_ns = frame.captured_ns
        decided_ns = time.time_ns()
        return [self._message(seen, decided_ns) for seen in result.sightings]

    def slow_down(self, effort: int) -> None:
        """Look for faces less often, or more often again: an index of `attention.SLOWER`."""
        self._recogniser.change_pace(SLOWER[effort])

    def progress(self, dropped: int, engine: Engine = Engine.CPU) -> Progress:
        """Return the counters, with the rate since the last call.

        Args:
            dropped: Pictures that nobody looked at, since the beginning.
            engine: What computes the detector.
        """
        counters = self._recogniser.counters
        now_s, (then_s, then_frames) = time.monotonic(), self._rate_from
        self._rate_from = (now_s, counters.frames)
        rate = (counters.frames - then_frames) / max(now_s - then_s, 1e-3)
        age_ms = (time.time_ns() - self._last_ns) // _MS if self._last_ns else 0
        return Progress(
            frames=counters.frames,
            frames_dropped=dropped,
            frames_per_second=min(_MAX_RATE, round(rate, 2)),
            frame_age_ms=max(0, age_ms),
            faces_seen=counters.faces_seen,
            templates_made=counters.templates_made,
            templates_wiped=counters.templates_wiped,
            engine=engine,
        )

    def forget(self) -> Cleared:
        """Wipe, unmap and close everything; say what had been. Calling it twice is fine.

        Raises:
            StillMapped: The gallery is mapped yet.
        """
        counters = self._recogniser.counters
        if not self._forgotten:
            try:
                self._recogniser.close()
            finally:
                self._unmap()
                self._forgotten = True
        return Cleared(
            order=self.order,
            frames=counters.frames,
            faces_seen=counters.faces_seen,
            templates_made=counters.templates_made,
            templates_wiped=counters.templates_wiped,
        )

    def _message(self, seen: Seen, decided_ns: int) -> Sighting:
        return Sighting(
            order=self.order,
            entry=seen.entry,
            score=min(1.0, max(-1.0, seen.score)),
            runner_up_score=seen.runner_up_score,
            captured_ns=seen.captured_ns,
            decided_ns=decided_ns,
            track_ms=max(0, seen.track_ms),
            track_frames=seen.track_frames,
            face_px=seen.face_px,
            quality=min(1.0, max(0.0, seen.quality)),
        )

    def _unmap(self) -> None:
        os.close(self._descriptor)
        try:
            self._map.close()
        except BufferError as error:
            raise StillMapped("expected nothing to refer to the gallery any more, something does") from error


def _view(mapped: mmap.mmap) -> Gallery:
    """Return the gallery in a memory file, without copying it.

    Raises:
        Malformed: Not a gallery.
        BadGallery: Its templates are not unit vectors.
    """
    with memoryview(mapped) as data:
        layout = layouts.read_layout(data)
    entry = np.frombuffer(mapped, "<i4", layout.templates, layout.index_offset)
    values = layout.templates * limits.TEMPLATE_VALUES
    matrix = np.frombuffer(mapped, "<f4", values, layout.matrix_offset)
    return Gallery(matrix.reshape(layout.templates, limits.TEMPLATE_VALUES), entry)
