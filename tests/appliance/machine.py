"""A machine that a unit's disk image boots on: QEMU, a serial line for the technician, one that tells of the start."""

import contextlib
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FIRMWARE: Final = Path("/usr/share/OVMF")
_CODE, _VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"
_PTY: Final = re.compile(r"char device redirected to (/dev/pts/\d+)")


class Machine:
    """One machine and its disk, which outlives its power cuts."""

    def __init__(self, folder: Path, image: Path) -> None:
        """Give it a disk of its own.

        Args:
            folder: Where disk and logs lie.
            image: What its disk is a copy of.
        """
        self.folder, self.disk, self.told = folder, folder / "disk.img", folder / "console.log"
        self.port: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        shutil.copy(FIRMWARE / _VARIABLES, folder / "variables.fd")

    def power_on(self) -> Path:
        """Start it and return the technician's end of its serial line."""
        self.told.unlink(missing_ok=True)
        drive = "format=raw,if=pflash"
        command: list[str | Path] = [
            *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"),
            *("-m", "1536", "-nodefaults", "-display", "none"),
            *("-drive", f"{drive},readonly=on,file={FIRMWARE / _CODE}"),
            *("-drive", f"{drive},file={self.folder / 'variables.fd'}"),
            *("-drive", f"if=virtio,format=raw,file={self.disk}"),
            *("-serial", f"file:{self.told}", "-serial", "pty", "-device", "virtio-rng-pci"),
            *("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"),
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _PTY.search(line):
                self.port = Path(found[1])
                return self.port
        raise AssertionError("QEMU did not start")

    def cut_power(self) -> None:
        """Stop it in the middle of whatever it does: what was not synced is lost."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def wait_until_told(self, words: str, seconds: float, times: int = 1) -> str:
        """Wait until its console has these words so often, and return all that it told."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError):
                text = self.told.read_text(errors="replace")
                if text.count(words) >= times:
                    return text
            assert self._process is not None
            assert self._process.poll() is None, "the machine stopped by itself"
            time.sleep(0.5)
        tail = self.told.read_text(errors="replace")[-3000:] if self.told.exists() else ""
        raise AssertionError(f"expected the console to tell '{words}' within {seconds:g} s, found:\n{tail}")
