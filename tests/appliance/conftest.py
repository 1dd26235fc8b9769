"""A bench's image, and machines that start from it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overt_tools.image.programs import PACKAGES
from tests.appliance.machine import FIRMWARE, ROOT, Machine
from tests.appliance.technician import START_S, STILLS, Technician


def made(*command: str | Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bench's image of the firmware as it is here."""
    missing = [name for name in (*PACKAGES, "qemu-system-x86_64", "openssl") if shutil.which(name) is None]
    if missing or os.geteuid() != 0 or not (FIRMWARE / "OVMF_CODE_4M.fd").exists():
        pytest.skip(
            f"needs root, QEMU with OVMF, and what builds images; missing: {', '.join(missing) or 'root or OVMF'}"
        )
    folder = tmp_path_factory.mktemp("image")
    tools = ROOT / ".venv" / "bin" / "overt-tools"
    if not STILLS.is_dir():
        pytest.skip("the demonstration's recordings are not here: run 'make footage'")
    footage = folder / "bench.mp4"
    made(tools, "scene", "build", "--out", footage, "--seconds", "60", "--fps", "5", "--size", "1280x720")
    made(tools, "package", "build", "--arch", "amd64", "--out", folder)
    for name in ("update", "stranger"):
        made("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "3650", "-subj", "/CN=updates of a bench",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")  # fmt: skip
    made(tools, "image", "build", "--package", next(folder.glob("*.deb")), "--keyring", folder / "update.pem",
         "--out", folder, "--cable", "ttyS1", "--console", "ttyS0", "--bench", footage)  # fmt: skip
    return folder / "overt.img"


def unsquash(system: Path, root: Path) -> None:
    """Take a slot's system apart into a new folder."""
    made("unsquashfs", "-q", "-n", "-d", root, system)


def squash(root: Path, out: Path) -> None:
    """Put one together again, quickly rather than small."""
    words = ("-comp", "gzip", "-Xcompression-level", "1", "-noappend", "-quiet", "-no-progress")
    made("mksquashfs", root, out, *words)


@pytest.fixture
def technician(image: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Technician]:
    """At a machine of their own."""
    with enrolled(Machine(tmp_path, image, own_clock=getattr(request, "param", False))) as made:
        yield made


@contextmanager
def enrolled(machine: Machine) -> Iterator[Technician]:
    """Switch a machine on for the first time, and enrol it; cut its power in the end."""
    try:
        machine.power_on()
        machine.wait_until_told("console.ready", START_S)
        made = Technician(machine, machine.folder / "work")
        made.enrol()
        yield made
    finally:
        machine.cut_power()
