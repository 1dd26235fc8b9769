"""`bench match`: how long a search takes, by the length of the list."""

import msgspec
import numpy as np

from overt.recognition.match import Gallery, search_all

from .peak import Peak, measure_peak
from .statistics import Spread
from .timing import measure

SIZES = (100, 800, 2_000, 10_000, 20_000, 100_000, 1_000_000)
DEFAULT_SECONDS = 1.5


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One list.

    Attributes:
        entries: How many people are listed, one template each.
        dimension: Numbers in a template.
        bytes: Of the list's templates, all read in a search.
        ms: For one face.
        four_ms: For four faces of one picture, together.
        gb_s: Bytes of the list a second, by the median for one face.
        share_of_peak: Of what the core reads from memory; above 1 when the list lies in its caches.
    """

    entries: int
    dimension: int
    bytes: int
    ms: Spread
    four_ms: Spread
    gb_s: float
    share_of_peak: float


class Searches(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="match"):
    """Searches in lists of several lengths, and what the core can do at best."""

    peak: Peak
    searches: list[Search]


def invented(entries: int, dimension: int, seed: int = 11) -> Gallery:
    """Return a list of invented people: random directions, which belong to nobody.

    Args:
        entries: How many.
        dimension: Numbers in a template.
        seed: Of the choice.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((entries, dimension), np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return Gallery(matrix, np.arange(entries, dtype=np.int32))


def measure_searches(
    dimension: int, sizes: tuple[int, ...] = SIZES, seconds: float = DEFAULT_SECONDS, peak: Peak | None = None
) -> Searches:
    """Measure the unit's own search.

    Args:
        dimension: Numbers in a template, as the model set's embedder makes them.
        sizes: Lengths of lists.
        seconds: For each.
        peak: Of this core, when it was measured already.
    """
    peak = peak or measure_peak(min(1.0, seconds))
    searches = []
    for entries in sizes:
        gallery, faces = invented(entries, dimension), invented(4, dimension, seed=12).matrix
        ms = measure(lambda g=gallery, f=faces: search_all(g, f[:1]), seconds=seconds)  # type: ignore[misc]
        four_ms = measure(lambda g=gallery, f=faces: search_all(g, f), seconds=seconds)  # type: ignore[misc]
        size = int(gallery.matrix.nbytes)
        rate = size / ms.median / 1e6
        share = round(rate / peak.read_gb_s, 3)
        searches.append(Search(entries, dimension, size, ms, four_ms, round(rate, 2), share))
    return Searches(peak, searches)
