"""The scores of an identification measured on stills: all that statistics, groups and reports are made from."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from overt.recognition.arrays import Floats

Truths = NDArray[np.bool_]

NO_FACE = -1.0
"""The score of a search for which no face was found, and of a probe whose own listed still failed: below any other."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """P searches for people who are listed, and I searches for people who are not.

    Subjects are the folders of the set and images their paths below its folder ("subject/image.jpg").

    Attributes:
        listed: Everyone on the watchlist, those whose still failed too.
        probe_subject: Whose image each probe is; P of them.
        probe_image: Which image.
        genuine: (P,) float32: cosine with the own entry; `NO_FACE` when there is none to compare.
        correct: (P,) bool: the best entry is the own one.
        best: (P,) float32: cosine with the best entry, whoever's it is; `NO_FACE` when no face was found.
        impostor_subject: Whose image each impostor search is; I of them.
        impostor_image: Which image.
        impostor: (I,) float32: cosine with the best entry; `NO_FACE` when no face was found.
        model_digest: Digest of the model set, as an order names it.
        data_set_digest: SHA-256 over the sorted lines "path sha256" of the images.
        listed_image: The still that each of `listed` is listed with; empty when not told.

    Raises:
        ValueError: Lengths or dtypes do not fit together.
    """

    listed: tuple[str, ...]
    probe_subject: tuple[str, ...] = field(repr=False)
    probe_image: tuple[str, ...] = field(repr=False)
    genuine: Floats = field(repr=False)
    correct: Truths = field(repr=False)
    best: Floats = field(repr=False)
    impostor_subject: tuple[str, ...] = field(repr=False)
    impostor_image: tuple[str, ...] = field(repr=False)
    impostor: Floats = field(repr=False)
    model_digest: str
    data_set_digest: str
    listed_image: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        probes, impostors = len(self.probe_subject), len(self.impostor_subject)
        shapes = {
            "probe_image": (len(self.probe_image), probes),
            "genuine": (self.genuine.size, probes),
            "correct": (self.correct.size, probes),
            "best": (self.best.size, probes),
            "impostor_image": (len(self.impostor_image), impostors),
            "impostor": (self.impostor.size, impostors),
            "listed_image": (len(self.listed_image or self.listed), len(self.listed)),
        }
        for name, (found, expected) in shapes.items():
            if found != expected:
                raise ValueError(f"expected {expected} of {name}, found {found}")
        dtypes = [array.dtype.name for array in (self.genuine, self.best, self.impostor, self.correct)]
        if dtypes != ["float32", "float32", "float32", "bool"]:
            raise ValueError(f"expected scores in float32 and truths in bool, found {', '.join(dtypes)}")
