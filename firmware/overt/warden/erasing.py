"""Files that have to be gone for good: overwritten, removed, and the removal made durable."""

import os
import shutil
from pathlib import Path

from overt.runtime.files import erase_file, sync_folder


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
        erase_file(path)
    if folder.exists():
        shutil.rmtree(folder)
    sync_folder(folder.parent)
    return True
