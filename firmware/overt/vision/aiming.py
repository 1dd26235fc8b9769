"""Shows a technician what the lens sees, and matches nothing: there is a detector here, no embedder and no gallery."""

import socket
import time
import zlib
from typing import Final

from overt.protocol.cable import aim
from overt.protocol.cable.aim import Outline, View
from overt.protocol.light import Exposure
from overt.protocol.messages import Progress
from overt.protocol.vocabulary import Engine
from overt.recognition import survey
from overt.recognition.attention import SLOWER
from overt.recognition.detect import Detections, decode
from overt.recognition.engine import Detector
from overt.recognition.frame import Frame

INTERVAL_S: Final = 0.4
"""Between two pictures that are shown: enough to turn a lens by, and no film."""
UNREAD_S: Final = 30.0
"""Who has read nothing for so long has left."""
_MAX_RATE: Final = 1000.0
_MAX_PX: Final = 65535


class LaneClosed(Exception):
    """Nobody looks any more, or the time is up."""


class Aiming:
    """One technician's look through the lens. Nothing of it is kept here longer than a picture."""

    def __init__(self, lane: int, seconds: int, detector: Detector) -> None:
        """Take over the lane, which `close` closes.

        Raises:
            OSError: It is no socket.
        """
        self._lane = socket.socket(fileno=lane)
        self._lane.setblocking(False)
        self._detector = detector
        self._until_s = time.monotonic() + seconds
        self._due_s, self._peak, self._sent_s = 0.0, 0.0, time.monotonic()
        self._pace, self._looked_s = SLOWER[0], 0.0
        self._light: Exposure | None = None
        self._rate_from = (time.monotonic(), 0)
        self._captured_ns = 0
        self.frames = self.shown = self.faces = 0

    def require_open(self) -> None:
        """Demand that somebody looks, and not for too long.

        Raises:
            LaneClosed: Not so.
        """
        if time.monotonic() >= self._until_s:
            raise LaneClosed("the preview's time is up")
        try:
            if self._lane.recv(1) == b"":
                raise LaneClosed("the technician has left")
        except BlockingIOError:
            return
        except OSError as error:
            raise LaneClosed("the technician has left") from error
        raise LaneClosed("somebody spoke where only vision shows something")

    def slow_down(self, effort: int) -> None:
        """Look for faces less often, or more often again: an index of `attention.SLOWER`."""
        self._pace = SLOWER[effort]

    def look(self, frame: Frame) -> None:
        """Look for faces as often as recognition does in a busy street, and show a picture now and then.

        So the board is as warm as at work, and what it measures of itself meanwhile holds there. A reader that is
        slow misses some.

        Raises:
            LaneClosed: Nobody looks any more.
            RecognitionError: The engine failed.
        """
        self.require_open()
        self.frames += 1
        self._captured_ns = frame.captured_ns
        now_s = time.monotonic()
        if (now_s - self._looked_s) * 1000 < self._pace.busy_ms:
            return
        self._looked_s = now_s
        faces = decode(self._detector.detect(frame.small), self._detector.size, frame.scale)
        self.faces += len(faces)
        if now_s < self._due_s:
            return
        self._due_s = now_s + INTERVAL_S
        view = self._view(frame, faces)
        try:
            self._lane.send(aim.encode(view), socket.MSG_NOSIGNAL)
            self._sent_s = now_s
        except BlockingIOError:
            if now_s - self._sent_s > UNREAD_S:
                raise LaneClosed("nobody has looked for a while") from None
        except OSError as error:
            raise LaneClosed("the technician has left") from error

    def progress(self, dropped: int, engine: Engine) -> Progress:
        """Return the counters, with the rate since the last call. No template is ever made here."""
        now_s, (then_s, then_frames) = time.monotonic(), self._rate_from
        self._rate_from = (now_s, self.frames)
        age_ms = (time.time_ns() - self._captured_ns) // 1_000_000 if self._captured_ns else 0
        return Progress(
            frames=self.frames,
            frames_dropped=dropped,
            frames_per_second=min(_MAX_RATE, round((self.frames - then_frames) / max(now_s - then_s, 1e-3), 2)),
            frame_age_ms=max(0, age_ms),
            faces_seen=self.faces,
            templates_made=0,
            templates_wiped=0,
            engine=engine,
            light=self._light,
        )

    def close(self) -> None:
        """Hang up."""
        self._lane.close()
        self._detector.flush()

    def _view(self, frame: Frame, faces: Detections) -> View:
        self.shown += 1
        picture = survey.coarse(frame, faces, aim.PICTURE_WIDTH)
        sharp, light = survey.focus(frame), survey.exposure(frame)
        self._peak = max(self._peak, sharp)
        self._light = Exposure(mean=light.mean, dark=light.dark, bright=light.bright)
        return View(
            number=self.shown,
            width=frame.width,
            height=frame.height,
            picture_width=picture.shape[1],
            picture_height=picture.shape[0],
            picture=zlib.compress(picture.tobytes(), 6),
            outlines=tuple(_outlines(faces)),
            focus=sharp,
            focus_peak=self._peak,
            mean=light.mean,
            dark=light.dark,
            bright=light.bright,
        )


def _outlines(faces: Detections) -> list[Outline]:
    """Return where faces are, the largest first, as many as fit."""
    apart = survey.eyes_px(faces.points)
    found = [
        Outline(left=_px(box[0]), top=_px(box[1]), width=_px(box[2]), height=_px(box[3]), eyes_px=round(float(eyes), 1))
        for box, eyes in zip(faces.boxes, apart, strict=True)
    ]
    return sorted(found, key=lambda outline: -outline.eyes_px)[: aim.FACES_MOST]


def _px(value: float) -> int:
    return int(min(_MAX_PX, max(0, value)))
