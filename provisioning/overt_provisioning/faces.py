"""The templates enrolled so far, for telling who is listed already, and who is not the person they are listed as."""

import msgspec
import numpy as np

from overt.protocol.limits import TEMPLATE_VALUES

SAME_PERSON = 0.6
"""Cosine from which two entries' templates are taken for the same person's: well above the next figure."""
OTHER_PERSON = 0.32
"""Cosine below which two images are taken for two people's. SFace's authors say 0.363 (OpenCV's face recognition
tutorial); centred templates tell most pairs right at 0.288 where published ones do at 0.332 (development half of LFW),
so 0.363 becomes 0.32."""


class Nearest(msgspec.Struct, frozen=True):
    """What a template is like.

    Attributes:
        other: The reference of the nearest face of anyone else; None when there is none.
        likeness: The cosine with it, -1 when there is none.
        own: The greatest cosine with images of the same reference; None when there are none.
    """

    other: str | None
    likeness: float
    own: float | None


class Faces:
    """Templates by reference, in one matrix: a search is one product with all of them.

    One of 20,000 entries is compared with all others in 0.2 ms, and so a whole list of 20,000 in 2 s (one core of a
    2-core x86-64 virtual machine, NumPy 2.4; `tests/provisioning/test_watchlist_speed.py` measures it).
    """

    def __init__(self) -> None:
        self._matrix = np.zeros((64, TEMPLATE_VALUES), np.float32)
        self._owners = np.zeros(64, np.int64)
        self._count = 0
        self._numbers: dict[str, int] = {}
        self._references: list[str] = []

    def add(self, reference: str, template: bytes) -> None:
        """Remember a template."""
        if self._count == len(self._matrix):
            self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
            self._owners = np.concatenate([self._owners, np.zeros_like(self._owners)])
        if reference not in self._numbers:
            self._numbers[reference] = len(self._references)
            self._references.append(reference)
        self._matrix[self._count] = np.frombuffer(template, "<f4")
        self._owners[self._count] = self._numbers[reference]
        self._count += 1

    def nearest(self, template: bytes, reference: str) -> Nearest:
        """Return the nearest face of anyone but this reference, and how like the reference's own images it is."""
        if not self._count:
            return Nearest(None, -1.0, None)
        owners = self._owners[: self._count]
        scores = self._matrix[: self._count] @ np.frombuffer(template, "<f4")
        own = None
        if reference in self._numbers:
            mine = owners == self._numbers[reference]
            own = float(scores[mine].max())
            scores[mine] = -np.inf
        best = int(np.argmax(scores))
        if np.isneginf(scores[best]):
            return Nearest(None, -1.0, own)
        return Nearest(self._references[owners[best]], float(scores[best]), own)
