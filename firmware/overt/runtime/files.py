"""The one atomic write. Nothing else opens a state file for writing."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write_atomically(path: Path, data: bytes | Iterable[bytes], mode: int = 0o600) -> None:
    """Replace a file's content so that a power cut leaves either the old bytes or the new.

    Temp file in the same folder, fsync, rename, fsync of the folder. What is too large for memory comes in parts.

    Args:
        path: The file.
        data: All of it, or its parts.
        mode: Who may read it, whatever the process's umask says.

    Raises:
        OSError: The folder is missing, read-only or full. The old file is untouched, and no temp file stays.
    """
    temp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    except BaseException:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder durable.

    Raises:
        OSError: The folder cannot be opened or synced.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
