"""What can be seen of one face in a frame that is being drawn: all that is laid over its box is taken off."""

from dataclasses import dataclass, field

import cv2

from .faces import Face
from .matte import Image
from .sprite import Patch


@dataclass(slots=True)
class Window:
    """What is left to be seen of one face: its box on the canvas and the coverage still free, 0 to 255."""

    face: Face
    left: int
    top: int
    area: float
    free: Image
    hidden: dict[str, float] = field(default_factory=dict)

    def cover(self, by: str, patch: Patch) -> None:
        """Take off what a patch covers."""
        rows = slice(max(self.top, patch.top), min(self.top + self.free.shape[0], patch.top + patch.cover.shape[0]))
        cols = slice(max(self.left, patch.left), min(self.left + self.free.shape[1], patch.left + patch.cover.shape[1]))
        if rows.start >= rows.stop or cols.start >= cols.stop:
            return
        mine = self.free[rows.start - self.top : rows.stop - self.top, cols.start - self.left : cols.stop - self.left]
        over = patch.cover[
            rows.start - patch.top : rows.stop - patch.top, cols.start - patch.left : cols.stop - patch.left
        ]
        before = float(mine.sum())
        cv2.multiply(mine, 255 - over, dst=mine, scale=1 / 255)
        taken = (before - float(mine.sum())) / 255 / self.area
        if taken > 0:
            self.hidden[by] = self.hidden.get(by, 0.0) + taken

    @property
    def visible(self) -> float:
        """The share of the box that is free."""
        return min(1.0, float(self.free.sum()) / 255 / self.area)
