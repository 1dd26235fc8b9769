"""The package for a Raspberry Pi: installed under emulation, and testing itself there, on two kinds of machine.

QEMU's user emulation has no filter of system calls, so there the self-test has to say that vision's lock is not there.
An emulated board, with the processor of a Pi 4 or a Pi 5 and a kernel of its own, has everything.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.appliance.debian import CACHE, NAMES, build, clean, emulation_needed, inside, install, keys, needed, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

PROCESSORS: Final = {"12": "cortex-a72", "13": "cortex-a76"}  # of a Pi 4 and a Pi 5
BOARD_S: Final = 900
LEFT_OUT: Final = (
    "./tmp/overt.deb",
    "./var/lib/apt/lists/*",
    "./var/cache/*",
    "./usr/share/doc/*",
    "./usr/share/locale/*",
)
START: Final = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo "on $(uname -m)"
overt-camera selftest --json
echo "selftest ended with $?"
python3 -I /lines_of_a_board.py
poweroff -f
"""


@pytest.fixture(scope="module", params=NAMES)
def release(request: pytest.FixtureRequest) -> str:
    """Of Debian: Raspberry Pi OS counts likewise."""
    return str(request.param)


@pytest.fixture(scope="module")
def installed(release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clean system for a board, with the package."""
    needed("mmdebstrap", "dpkg-deb", "chroot")
    emulation_needed()
    folder = tmp_path_factory.mktemp("arm64")
    with clean(folder, release, "arm64") as root:
        install(root, build(folder / "package", "arm64", release))
        yield root


def test_p10_under_user_emulation_all_computes_as_it_should_and_the_missing_lock_is_said(installed: Path) -> None:
    assert inside(installed, "uname", "-m").stdout == "aarch64\n"
    done = inside(installed, "overt-camera", "selftest", "--json")
    said = json.loads(done.stdout)
    outcomes = {check["part"]: check["outcome"] for check in said["checks"]}
    assert outcomes.pop("lock") == "not here"
    assert len(outcomes) == 8
    assert set(outcomes.values()) == {"works"}, said
    assert said["machine"] == "aarch64"
    assert not said["fit"]
    assert done.returncode == 3


def test_installed_under_emulation_it_makes_its_keys_and_its_files_are_whole(installed: Path) -> None:
    made = inside(installed, "runuser", "-u", "overt-warden", "--", "overt-camera", "identity", "--unit", "unit-1")
    assert made.returncode == 0, made.stderr
    assert json.loads((installed / "var/lib/overt/identity.json").read_text())["unit"] == "unit-1"
    assert inside(installed, "dpkg", "--verify", "overt-camera").stdout == ""
    for library in (installed / "usr/lib/overt").rglob("*.so*"):
        assert library.read_bytes()[18:20] == b"\xb7\x00", f"{library} is for another machine"  # EM_AARCH64


@pytest.fixture(scope="module")
def told(installed: Path, release: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What an emulated board tells from its start to its end."""
    needed("qemu-system-aarch64", "cpio", "mmdebstrap")
    kernel, memory = kernel_of(release), tmp_path_factory.mktemp("board") / "system.cpio"
    start = installed / "start"
    start.write_text(START)
    start.chmod(0o755)
    shutil.copy(Path(__file__).with_name("lines_of_a_board.py"), installed)
    pack(installed, memory)
    done = subprocess.run(
        ["qemu-system-aarch64", "-machine", "virt", "-cpu", PROCESSORS[release], "-smp", "2", "-m", "4096",
         "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", memory,
         "-append", "console=ttyAMA0 rdinit=/start quiet panic=-1"],
        capture_output=True, text=True, timeout=BOARD_S, check=False,
    )  # fmt: skip
    assert "on aarch64" in done.stdout, done.stdout[-3000:] + done.stderr[-1000:]
    return done.stdout


def test_on_an_emulated_board_everything_works(told: str) -> None:
    said = object_in(told, "fit")
    assert said["fit"], said
    assert len(said["checks"]) == 9
    assert "selftest ended with 0" in told


def test_p8_on_an_emulated_board_a_lamp_without_current_is_not_lit_and_its_line_is_held(told: str) -> None:
    """libgpiod and a kernel for real; the board's lines lead nowhere, so nothing ever flows."""
    said = object_in(told, "lit")
    assert said["lit"] is False
    assert said["held"] == {"used": True, "consumer": "overt", "driven": True}
    assert said["taken"].startswith("cannot use lines 0 and 1 of 9030000.pl061: [Errno 16]")
    assert said["let go of"]["used"] is False


def object_in(told: str, first: str) -> dict[str, Any]:
    """The JSON object with that first name among the lines that a machine told."""
    found = re.search(rf'^\{{"{first}".*\}}', told, re.MULTILINE)
    assert found is not None, told[-3000:]
    return dict(json.loads(found[0]))


def kernel_of(release: str) -> Path:
    """Debian's own kernel for boards, unpacked and not installed."""
    kept = CACHE / f"linux-{release}-arm64"
    if not kept.exists():
        folder = kept.with_suffix(".new")
        done = run("mmdebstrap", "--variant=extract", "--architectures=arm64", "--include=linux-image-arm64",
                   *keys(release), NAMES[release], folder)  # fmt: skip
        if done.returncode:
            pytest.skip(f"no kernel for boards to be had: {(done.stderr.strip().splitlines() or ['no word why'])[-1]}")
        next((folder / "boot").glob("vmlinuz-*")).rename(kept)
        run("rm", "-rf", folder)
    return kept


def pack(root: Path, into: Path) -> None:
    """Put a system into one file that a kernel has as its memory: what is mounted in it stays out."""
    leave = [word for path in LEFT_OUT for word in ("-path", path, "-prune", "-o")]
    listed = subprocess.run(["find", ".", "-xdev", *leave, "-print0"], cwd=root, check=True, capture_output=True)
    with into.open("wb") as file:
        subprocess.run(
            ["cpio", "--null", "--create", "--format=newc", "--quiet"],
            cwd=root, input=listed.stdout, stdout=file, check=True,
        )  # fmt: skip
