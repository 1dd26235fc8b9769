"""Making the Debian package out of its files: the same bytes every time."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from overt import __version__

from .errors import PackageError, Unavailable
from .tree import LIBRARY
from .wheels import Arch, files_of

NAME = "overt-camera"
SCRIPTS = ("postinst", "prerm", "postrm")
_DEPENDS = "python3 (>= {python}), python3 (<< {next}), systemd (>= 252), udev, libgomp1"
_CONTROL = """Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: The Overt authors <overt@overt.invalid>
Installed-Size: {size}
Depends: {depends}
{recommends}Section: misc
Priority: optional
Description: camera for overt, lawful, time-limited face recognition
 Finds and compares faces on the device against one authorised watchlist, and
 sends only alert metadata to a control room. It recognises nothing without a
 signed order that is in force, and only while its lamp is proven lit.
"""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of Debian that a package is for.

    Attributes:
        python: its version of Python, which the package's own libraries are built for, and which it depends on.
        suffix: of the package's version, so that one for the next release is newer.
        recommends: what of the system's own packages goes with it.
    """

    python: str
    suffix: str
    recommends: str

    @property
    def version(self) -> str:
        """Of the package."""
        return f"{__version__}{self.suffix}"

    @property
    def depends(self) -> str:
        """What it cannot be without: this Python, and no later one."""
        major, minor = self.python.split(".")
        return _DEPENDS.format(python=self.python, next=f"{major}.{int(minor) + 1}")


RELEASES: Final[dict[str, Release]] = {
    # Raspberry Pi OS 12 builds picamera2's parts for NumPy 1, and they cannot be loaded beside the package's own.
    "12": Release("3.11", "", ""),
    "13": Release("3.13", "+deb13", "Recommends: python3-picamera2\n"),
}
"""By their number."""


def make(root: Path, repository: Path, arch: Arch, release: Release, out: Path, epoch: int) -> Path:
    """Add the control files to a laid-out tree, and write the package.

    Args:
        root: from `tree.lay_out`.
        repository: what the maintainer scripts are taken from.
        arch: of the package.
        release: of Debian that it is for.
        out: folder for it.
        epoch: Unix time that every file in it gets.

    Returns:
        The package's path.

    Raises:
        Unavailable: `dpkg-deb` is not there.
        PackageError: it failed.
    """
    if shutil.which("dpkg-deb") is None:
        raise Unavailable("expected dpkg-deb on PATH, found none: build on Debian, or install the package dpkg")
    files = list(files_of(root))
    control = root / "DEBIAN"
    control.mkdir()
    size = sum(path.stat().st_size for path in files) // 1024
    text = _CONTROL.format(
        name=NAME, version=release.version, arch=arch, size=size, depends=release.depends, recommends=release.recommends
    )
    (control / "control").write_text(text, encoding="utf-8")
    (control / "conffiles").write_text("/etc/overt/camera.conf\n", encoding="utf-8")
    sums = [f"{hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest()}  {p.relative_to(root)}\n" for p in files]
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    for name in SCRIPTS:
        source = (repository / "firmware" / "debian" / name).read_text(encoding="utf-8")
        (control / name).write_text(source.replace("@LIBRARY@", f"/{LIBRARY}"), encoding="utf-8")
        (control / name).chmod(0o755)
    _settle(root, epoch)
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"{NAME}_{release.version}_{arch}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--threads-max=1", "--build", str(root), str(package)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise PackageError(f"dpkg-deb failed: {(done.stderr.strip().splitlines() or ['no word why'])[-1]}")
    return package


def _settle(root: Path, epoch: int) -> None:
    """Give every file and folder one time, and modes that do not depend on who builds."""
    for path in [root, *root.rglob("*")]:
        if path.is_symlink():
            continue
        private = path.is_dir() or (os.access(path, os.X_OK) and path.suffix != ".so")
        path.chmod(0o755 if private else 0o644)
        os.utime(path, (epoch, epoch))
