"""From what the command line says to a source."""

from pathlib import Path

from overt.vision.sources.base import FrameSource, SourceError
from overt.vision.sources.device import RtspCamera, V4l2Camera, read_url
from overt.vision.sources.footage import FootageSource
from overt.vision.sources.pi import PiCamera

FORMS = "file:PATH, v4l2:DEVICE, rtsp://HOST/PATH, rtsp-file:PATH or picamera2"


def source_of(text: str, size: tuple[int, int], *, loop: bool = False) -> FrameSource:
    """Return the source that a text names. Nothing is switched on.

    Args:
        text: One of `FORMS`.
        size: Width and height of the detector's input in pixels.
        loop: Footage starts over at its end.

    Raises:
        SourceError: Not such a text, a missing file, or a password where other users of the machine can read it.
    """
    kind, _, rest = text.partition(":")
    if loop and kind != "file":
        raise SourceError("only footage can be looped: use --loop with file:PATH")
    if text == "picamera2":
        return PiCamera(size)
    if kind == "file" and rest:
        return FootageSource(Path(rest), size, loop=loop)
    if kind == "v4l2" and rest:
        return V4l2Camera(Path(rest), size)
    if kind == "rtsp-file" and rest:
        return RtspCamera(read_url(Path(rest)), size)
    if kind == "rtsp":
        if "@" in text:
            raise SourceError(
                "a password on the command line can be read by every user of this machine: put the address into a "
                "file that only this user can read, and give rtsp-file:PATH"
            )
        return RtspCamera(text, size)
    raise SourceError(f"expected a source as {FORMS}, found something else")
