"""The one atomic write, and the one removal for good. Nothing else opens a state file for writing."""

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


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


def erase_file(path: Path) -> None:
    """Overwrite and remove a file, durably. A disk that takes no writes takes removals.

    On flash the old blocks may survive the overwriting.

    Raises:
        OSError: It could not be removed.
    """
    with contextlib.suppress(OSError), open(path, "r+b", opener=_no_link) as file:
        overwrite(file)
    path.unlink()
    sync_folder(path.parent)


def overwrite(file: BinaryIO) -> None:
    """Overwrite a file with random bytes, durably.

    Raises:
        OSError: It could not be written.
    """
    file.write(os.urandom(os.fstat(file.fileno()).st_size))
    file.flush()
    os.fsync(file.fileno())


def _no_link(path: str, flags: int) -> int:
    """Open what is there: what a link points to is not ours to overwrite."""
    return os.open(path, flags | os.O_NOFOLLOW)
