"""A guide's commands, played in an empty folder as they stand in it, with a unit's warden when they need one."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.test_house import ROOT

BIN = Path(sys.executable).parent
PAPERS = ("impact-assessment", "equality-assessment", "policy")


def blocks(guide: str) -> list[list[str]]:
    """The commands of a guide in `docs`, block by block."""
    found = re.findall(r"```\n(.*?)```", (ROOT / "docs" / guide).read_text(), re.DOTALL)
    return [block.strip().splitlines() for block in found]


class Stage:
    """An empty folder, and the unit's warden when it runs. The sockets' folder has a short name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = Path(tempfile.mkdtemp(prefix="overt-test-"))
        (folder / "run").symlink_to(self.run)
        self.warden: subprocess.Popen[bytes] | None = None
        self.said = ""

    def type(self, *lines: str, code: int = 0) -> str:
        """Type lines, each of which has to end with this exit code. Return what they said."""
        said = ""
        for line in lines:
            command = ["bash", "-c", f'PATH="{BIN}:$PATH"; {line}']
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
            said += done.stdout + done.stderr
            assert done.returncode == code, (line, done.stdout, done.stderr)
        self.said += said
        return said

    def start(self) -> None:
        command = [str(BIN / "overt-camera"), "warden", "--state", "unit", "--run", "run"]
        self.warden = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.DEVNULL)
        self.until(
            lambda: not subprocess.run(self._status(), cwd=self.folder, capture_output=True, check=False).returncode
        )

    def stop(self) -> None:
        if self.warden is not None:
            self.warden.terminate()
            assert self.warden.wait(10) == 0
            self.warden = None

    def close(self) -> None:
        """Leave no process and no folder behind, however the play ended."""
        if self.warden is not None:
            self.warden.kill()
            self.warden.wait()
        shutil.rmtree(self.run, ignore_errors=True)

    def status(self) -> dict[str, object]:
        found = json.loads(subprocess.run(self._status(), cwd=self.folder, capture_output=True, check=True).stdout)
        return dict(found)

    def until(self, wished: Callable[[], bool], within_s: float = 15) -> None:
        deadline = time.monotonic() + within_s
        while not wished():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _status(self) -> list[str]:
        return [str(BIN / "overt-camera"), "status", "--run", "run", "--json"]

    def fill_in_the_order(self, recipient: str, model: str | None = None) -> None:
        """What an officer writes into the form; without a model the one of the form's catalogue."""
        (self.folder / "papers").mkdir()
        for name in PAPERS:
            (self.folder / "papers" / f"{name}.pdf").write_bytes(name.encode())
        form = self.folder / "order.toml"
        text = form.read_text().replace("age1…", recipient)
        if model is not None:
            text = text.replace('catalogue = "models/catalogue.toml"', f'model = "{model}"')
        form.write_text(text)
