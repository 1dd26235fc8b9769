"""Clean Debian systems to install packages into, of this machine's kind and of another that QEMU emulates."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / "build" / "cache"
HANDED_OVER: Final = "/tmp/overt.deb"  # noqa: S108 - inside the clean system
NAMES: Final = {"12": "bookworm", "13": "trixie"}
BASE: Final = "systemd,udev,python3,libgomp1,dbus,systemd-sysv"
_EMULATORS: Final = Path("/proc/sys/fs/binfmt_misc")
_EMULATOR: Final = "qemu-aarch64"
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def needed(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(programs)}; missing: {', '.join(missing) or 'root'}")


def emulation_needed() -> None:
    """Have the kernel start programs for aarch64 with QEMU, as Debian's packages would at the start of a machine."""
    needed("qemu-aarch64-static", "update-binfmts")
    if not (_EMULATORS / "status").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", _EMULATORS)
    if not (_EMULATORS / _EMULATOR).exists():
        run("update-binfmts", "--enable", _EMULATOR)
    if not (_EMULATORS / _EMULATOR).exists():
        pytest.skip(f"this kernel starts no programs for another machine: no {_EMULATORS / _EMULATOR}")


def build(out: Path, arch: str, release: str, **options: object) -> Path:
    """Build the package."""
    command = [ROOT / ".venv" / "bin" / "overt-tools", "package", "build", "--arch", arch, "--debian", release]
    done = run(*command, "--out", out, cwd=ROOT, **options)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.deb"))


def fetched(name: str, *options: str) -> list[Path]:
    """The wheels of a pinned list that only a test needs.

    Args:
        name: Of the list in requirements/.
        options: For another Python than this one.
    """
    wheels = CACHE / "wheels" / name
    done = run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *(*options, "--dest", wheels, "--requirement", ROOT / "requirements" / f"{name}.txt"),
    )
    if done.returncode:
        pytest.skip(f"{name} is not to be had: {(done.stderr.strip().splitlines() or ['no word why'])[-1]}")
    return sorted(wheels.glob("*.whl"))


@contextlib.contextmanager
def clean(folder: Path, release: str, arch: str = "amd64", more: str = "") -> Iterator[Path]:
    """A clean system below a folder.

    Args:
        folder: Where it is laid.
        release: Of Debian.
        arch: Its machine.
        more: Packages that it has besides, and the name that it is kept under.
    """
    needed("mmdebstrap", "mount")
    root = folder / f"debian-{release}-{arch}"
    root.mkdir()
    assert run("tar", "-xf", _kept(release, arch, more), "-C", root).returncode == 0
    assert run("mount", "-t", "proc", "proc", root / "proc").returncode == 0
    try:
        yield root
    finally:
        run("umount", root / "proc")


def _kept(release: str, arch: str, more: str) -> Path:
    """One that was made before, or now: minutes where it has to be emulated."""
    name, _, packages = more.partition(":")
    kept = CACHE / f"debian-{'-'.join(filter(None, (release, arch, name)))}.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = kept.with_suffix(f".{os.getpid()}.tar")
        include = ",".join(filter(None, (BASE, packages)))
        options = ("--variant=minbase", f"--architectures={arch}", f"--include={include}", *keys(release))
        done = run("mmdebstrap", *options, NAMES[release], new)
        if done.returncode:
            new.unlink(missing_ok=True)
            pytest.skip(f"no clean Debian to be had: {(done.stderr.strip().splitlines() or ['no word why'])[-1]}")
        new.rename(kept)
    return kept


def keys(release: str) -> list[str]:
    """What a release that is newer than this machine's is checked by."""
    key = Path(f"/usr/share/keyrings/debian-archive-{NAMES[release]}-stable.gpg")
    return [f"--keyring={key}"] if key.exists() else []


def inside(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return run("chroot", root, *command, env=_ENVIRONMENT)


def install(root: Path, package: Path) -> None:
    shutil.copy(package, root / HANDED_OVER[1:])
    done = inside(root, "dpkg", "-i", HANDED_OVER)
    assert done.returncode == 0, done.stdout + done.stderr
