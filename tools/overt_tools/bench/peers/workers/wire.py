"""How a peer's program talks with the bench: pictures in, one JSON line out for each. Standard library only.

On standard input: for each picture three little-endian uint32 (kind, width, height), then its RGB bytes; the kinds are
below. What a peer prints by itself goes to standard error.
"""

import json
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

STILL, PICTURE, END = 0, 1, 2
_HEADER = struct.Struct("<III")

# Libraries talk on standard output, some while they are being loaded: that is why this is done at once.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

Face = tuple[float, float, float, float, float]
"""Left, top, width, height in pixels, and the likeness to the listed person: the higher the likelier."""


def serve(
    versions: dict[str, str],
    enrol: Callable[[bytes, int, int], bool],
    find: Callable[[bytes, int, int], Any],
    compare: Callable[[Any], list[Face]],
) -> None:
    """Answer until told to end.

    Args:
        versions: What is measured.
        enrol: Takes a still of the listed person (RGB, width, height); tells whether it could be used.
        find: Finds the faces of a picture.
        compare: From what `find` gave: each face with its likeness.
    """
    answers.write(json.dumps({"versions": versions}) + "\n")
    while True:
        kind, width, height = _HEADER.unpack(_read(_HEADER.size))
        if kind == END:
            break
        picture = _read(width * height * 3)
        if kind == STILL:
            answers.write(json.dumps({"enrolled": enrol(picture, width, height)}) + "\n")
            continue
        began = time.process_time()
        found = find(picture, width, height)
        between = time.process_time()
        faces = compare(found)
        ended = time.process_time()
        answers.write(
            json.dumps({"find_s": between - began, "compare_s": ended - between, "faces": [list(f) for f in faces]})
            + "\n"
        )
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers.write(json.dumps({"peak_mb": peak_kb / 1024}) + "\n")


def _read(count: int) -> bytes:
    data = sys.stdin.buffer.read(count)
    if len(data) != count:
        raise SystemExit("the bench has gone")
    return data
