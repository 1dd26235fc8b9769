"""Other programs that make parts of an image."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from .errors import ImageError, Unavailable

PACKAGES: Final[Mapping[str, str]] = {
    "mmdebstrap": "mmdebstrap",
    "mksquashfs": "squashfs-tools",
    "sgdisk": "gdisk",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "grub-mkstandalone": "grub-common",
    "grub-editenv": "grub-common",
    "rauc": "rauc",
    "chroot": "coreutils",
    "unshare": "util-linux",
}
"""Debian's package for each program."""


def require(*names: str) -> None:
    """Say what is missing before anything is begun.

    Raises:
        Unavailable: A program is not here, or this is not root.
    """
    missing = sorted({PACKAGES[name] for name in names if shutil.which(name) is None})
    if missing:
        raise Unavailable(f"expected the programs {', '.join(names)}; install the Debian packages {' '.join(missing)}")
    if os.geteuid() != 0:
        raise Unavailable("expected root, who alone can install packages into a system: run it again with sudo")


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        ImageError: It failed; the message has its last words.
    """
    words: Sequence[str] = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=cwd, env=dict(environment) if environment else None
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise ImageError(f"{words[0]} failed with exit code {done.returncode}: {' / '.join(last)}")
    return done.stdout
