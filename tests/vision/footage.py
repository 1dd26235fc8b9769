"""Small pieces of footage, sound and spoilt, made with the real encoder."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 25


def make_video(
    path: Path,
    frames: int = 10,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = RATE,
    color_range: int | None = None,
) -> Path:
    """A grey ramp that gets lighter with every picture: luma 40 + 4 n on the left, 16 more on the right half."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "crf": "10", "bf": "0"}
        for number in range(frames):
            picture = picture_of(number, size, pixels)
            picture.pts, picture.time_base = number, Fraction(1, rate)
            if color_range is not None:
                picture.color_range = color_range
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def picture_of(number: int, size: tuple[int, int], pixels: str = "yuv420p") -> Any:
    width, height = size
    gray = np.full((height, width), 40 + 4 * number, np.uint8)
    gray[:, width // 2 :] += 16
    picture = av.VideoFrame.from_ndarray(gray, format="gray8")
    return picture.reformat(format=pixels, src_color_range="MPEG", dst_color_range="MPEG")


def make_sound(path: Path) -> Path:
    """A second of silence without pictures."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        for number in range(16):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1000), np.float32), format="fltp", layout="mono")
            sound.rate, sound.pts = 16000, number * 1000
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path
