"""Documents that come along with a message, in a memory file."""

import os

from overt.runtime import log
from overt.warden.watchlist import SEALED_MAX_BYTES


def read_document(descriptors: list[int]) -> bytes | None:
    """Read a document out of the one memory file that came with a message; None when that is not what came.

    Of one that is too large so much is read as shows it.
    """
    if len(descriptors) != 1:
        log.event("document.without_file", "warning", files=len(descriptors))
        return None
    try:
        size = min(os.fstat(descriptors[0]).st_size, SEALED_MAX_BYTES + 1)
        return os.pread(descriptors[0], size, 0)
    except OSError as error:
        log.event("document.unreadable", "warning", detail=str(error))
        return None
