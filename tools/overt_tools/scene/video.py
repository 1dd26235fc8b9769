"""Encode frames to an MP4 file that is cheap to decode."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import SceneError

# Quality and speed of x264. "ultrafast" with "fastdecode" leaves out what costs a decoder time: CABAC, B-frames and
# the deblocking filter. A key frame a second lets a reader start anywhere.
PRESET, CRF = "ultrafast", "22"
BT709, LIMITED = 1, 1  # AVCOL_SPC_BT709 and AVCOL_RANGE_MPEG of libavutil/pixfmt.h


def encode(path: Path, frames: Iterable[NDArray[np.uint8]], size: tuple[int, int], fps: int) -> int:
    """Write an H.264 video.

    Args:
        path: the file to write; it must not be in use.
        frames: I420, (height * 3 / 2, width) uint8, BT.709 limited range.
        size: width and height.
        fps: frames a second.

    Returns:
        The number of frames written.

    Raises:
        SceneError: the file cannot be written. What was written of it is left to the caller to remove.
    """
    import av  # noqa: PLC0415 - heavy, and needed here only

    count = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            stream = container.add_stream("libx264", rate=fps)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            context = stream.codec_context
            context.thread_count, context.gop_size = 2, fps
            context.colorspace = context.color_primaries = context.color_trc = BT709
            context.color_range = LIMITED
            stream.options = {"preset": PRESET, "crf": CRF, "tune": "fastdecode", "forced-idr": "1"}
            for picture in frames:
                frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
                frame.colorspace, frame.color_range, frame.pts = BT709, LIMITED, count
                container.mux(stream.encode(frame))
                count += 1
            container.mux(stream.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise SceneError(
            f"the footage {path.name} cannot be written ({error.strerror}); "
            "free some disk space, or choose another --out"
        ) from error
    return count
