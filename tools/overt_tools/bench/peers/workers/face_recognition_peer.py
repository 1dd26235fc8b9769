"""`face_recognition` (dlib) as its documentation uses it: HOG, one upsampling, tolerance 0.6."""

from importlib.metadata import version
from typing import Any

import dlib
import face_recognition
import numpy as np
from wire import serve

_listed: list[Any] = []


def _picture(data: bytes, width: int, height: int) -> Any:  # noqa: ANN401 - an array of an untyped library's making
    return np.frombuffer(data, np.uint8).reshape(height, width, 3)


def enrol(data: bytes, width: int, height: int) -> bool:
    """Take a still."""
    found = face_recognition.face_encodings(_picture(data, width, height))
    _listed.extend(found[:1])
    return bool(found)


def find(data: bytes, width: int, height: int) -> Any:  # noqa: ANN401 - the library is untyped
    """Find faces."""
    picture = _picture(data, width, height)
    return picture, face_recognition.face_locations(picture)


def compare(found: Any) -> list[tuple[float, float, float, float, float]]:  # noqa: ANN401 - the library is untyped
    """Encode and compare: likeness is one less the distance, so the tolerance of 0.6 is a likeness of 0.4."""
    picture, places = found
    faces = []
    for (top, right, bottom, left), code in zip(places, face_recognition.face_encodings(picture, places), strict=True):
        likeness = 1 - float(min(face_recognition.face_distance(_listed, code), default=1))
        faces.append((float(left), float(top), float(right - left), float(bottom - top), likeness))
    return faces


if __name__ == "__main__":
    serve({"face_recognition": version("face_recognition"), "dlib": dlib.__version__}, enrol, find, compare)
