"""The Python packages that a unit runs with: fetched as wheels for its machine by the pinned list, and unpacked."""

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Literal

from .errors import PackageError, Unavailable

Arch = Literal["amd64", "arm64"]
MACHINES: dict[Arch, str] = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = range(36, 16, -1)  # of manylinux tags: Debian 12 has 2.36, 13 a later one, and both take older ones
_TIMEOUT_S = 600.0
_MAX_MEMBER = 512 * 1024 * 1024
_UNWANTED = re.compile(r"(^|/)(__pycache__|tests?)/|\.(pyi|pyc|c|h|hpp|pxd|pyx)$|\.data/(scripts|headers|data)/")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A fetched package.

    Attributes:
        path: of the file.
        name: as it calls itself.
        version: likewise.
        licence: likewise; "" when it says none.
        sha256: of the file.
    """

    path: Path
    name: str
    version: str
    licence: str
    sha256: str


def fetch_wheels(pins: Path, arch: Arch, python: str, folder: Path) -> list[Wheel]:
    """Fetch every package of a pinned list for a machine; each is checked by its hash.

    Args:
        pins: names, versions, hashes, and markers of what they are for.
        arch: Debian's name of the machine.
        python: version of Python there, as 3.11.
        folder: where wheels are kept from one time to the next, those of one machine and Python in each.

    Raises:
        Unavailable: one cannot be had, or is not what is pinned.
        PackageError: the list cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = for_machine(pins.read_text(encoding="utf-8"), arch, python)
    wanted = folder / "wanted.txt"
    wanted.write_text(chosen, encoding="utf-8")
    _download(wanted, pins, arch, python, folder)
    pinned = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", chosen))
    wheels = [wheel for path in sorted(folder.glob("*.whl")) if (wheel := _read(path)).sha256 in pinned]
    if not wheels:
        raise Unavailable(f"expected wheels in {folder}, found none that {pins} names")
    return wheels


def for_machine(pins: str, arch: Arch, python: str) -> str:
    """Return what of a pinned list a machine needs. pip heeds the markers for the Python that it runs in itself.

    Args:
        pins: the list, with markers.
        arch: Debian's name of the machine.
        python: version of Python there, as 3.11.

    Returns:
        The list, without markers.

    Raises:
        PackageError: it cannot be read.
    """
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - only a real build needs it

    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "platform_machine": MACHINES[arch],
        "sys_platform": "linux",
        "os_name": "posix",
    }
    chosen = []
    for entry in pins.replace("\\\n", " ").splitlines():
        text, *hashes = re.split(r"\s+(?=--hash=)", entry.strip())
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise PackageError(f"expected a pinned package, found {text!r}") from error
        if requirement.marker is None or requirement.marker.evaluate(there):
            chosen.append(" ".join([f"{requirement.name}{requirement.specifier}", *hashes]) + "\n")
    return "".join(chosen)


def _download(wanted: Path, pins: Path, arch: Arch, python: str, folder: Path) -> None:
    machine = MACHINES[arch]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [
        "--require-hashes",
        "--no-deps",
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        python,
    ]
    command += [part for tag in tags for part in ("--platform", tag)]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), "--requirement", str(wanted)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"expected the wheels of {pins} within {_TIMEOUT_S:.0f} s: is there a network?") from None
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no word why"]
        raise Unavailable(f"expected the wheels of {pins} for {arch}, cannot fetch them: {lines[-1].strip()}")


def _read(path: Path) -> Wheel:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.count("/") == 1 and n.endswith(".dist-info/METADATA"))
            said = HeaderParser().parsestr(archive.read(name).decode("utf-8"))
    except (zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        raise PackageError(f"expected a wheel in {path}, cannot read it: remove it and build again") from error
    licence = said["License-Expression"] or (said["License"] or "").splitlines()[:1] or ""
    licence = licence if isinstance(licence, str) else licence[0]
    classified = [
        line.rsplit(" :: ", 1)[-1] for line in said.get_all("Classifier", []) if line.startswith("License ::")
    ]
    return Wheel(path, said["Name"], said["Version"], licence or ", ".join(classified), digest)


def unpack(wheel: Wheel, into: Path) -> None:
    """Unpack what a unit needs of a wheel: no tests, headers, stubs or scripts.

    Raises:
        PackageError: it holds a path that leads out of the folder, or something absurdly large.
    """
    with zipfile.ZipFile(wheel.path) as archive:
        for entry in archive.infolist():
            target = _target(entry.filename)
            if target is None or entry.is_dir():
                continue
            if target.is_absolute() or ".." in target.parts or entry.file_size > _MAX_MEMBER:
                raise PackageError(f"expected only plain files in {wheel.path}, found {entry.filename}")
            place = into / target
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(entry))


def _target(name: str) -> PurePosixPath | None:
    if _UNWANTED.search(name):
        return None
    path = PurePosixPath(name)
    if path.parts and path.parts[0].endswith(".data"):  # <name>.data/purelib|platlib/...
        return PurePosixPath(*path.parts[2:])
    return path


def files_of(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, in one order on every machine."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
