"""Files that have to be gone for good: overwritten, removed, and the removal made durable."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from overt.runtime.files import sync_folder


def erase_folder(folder: Path) -> bool:
    """Overwrite and remove a folder of files, or whatever was put in its place; say whether there was anything.

    On flash the old blocks may survive the overwriting: what matters has to be ciphertext, and its key sealed.

    Raises:
        OSError: Something could not be removed.
    """
    if not os.path.lexists(folder):
        return False
    found = [path for path in (folder, *folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
    for path in sorted(found, key=lambda path: path.name not in {"key.sealed", "loan.json"}):  # keys first
        # A disk that takes no writes takes removals. What a link points to is not ours to overwrite.
        with contextlib.suppress(OSError), open(path, "r+b", opener=_no_link) as file:
            overwrite(file)
        path.unlink()
        sync_folder(path.parent)
    if folder.exists():
        shutil.rmtree(folder)
    sync_folder(folder.parent)
    return True


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def overwrite(file: BinaryIO) -> None:
    """Overwrite a file with random bytes, durably.

    Raises:
        OSError: It could not be written.
    """
    file.write(os.urandom(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())
