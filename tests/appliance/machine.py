"""A machine that a unit's disk image boots on: QEMU, a serial line for the technician, one that tells of the start."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FIRMWARE: Final = Path("/usr/share/OVMF")
_CODE, _VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"
DISK_BYTES: Final = 4 * 2**30
_KVM: Final = ("-accel", "kvm", "-cpu", "host", "-smp", "2")
_OWN_CLOCK: Final = ("-accel", "tcg,thread=single", "-icount", "shift=0", "-cpu", "max", "-smp", "1")
_BOTH_CORES: Final = ("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2")
_TPM: Final = ("-chardev", "socket,id=tpm,path=tpm.socket", "-tpmdev", "emulator,id=chip,chardev=tpm",
               "-device", "tpm-crb,tpmdev=chip")  # fmt: skip
_PTY: Final = re.compile(r"char device redirected to (/dev/pts/\d+)")


class Machine:
    """One machine and its disk, which outlives its power cuts."""

    def __init__(self, folder: Path, image: Path, *, own_clock: bool = False, tpm: bool = False) -> None:
        """Give it a disk of its own.

        Args:
            folder: Where disk and logs lie.
            image: What its disk is a copy of. Its disk is larger, as a real one would be.
            own_clock: Without KVM, let its time pass with what it computes, a nanosecond to an instruction. To itself
                it is as quick as a board and can watch people pass; seen from here all takes ten times as long.
            tpm: Give it one, which keeps what it knows beside the disk.
        """
        self.own_clock, self.tpm = own_clock, tpm
        self.folder, self.disk, self.told = folder, folder / "disk.img", folder / "console.log"
        self.port = folder / "ttyACM0"
        """The technician's end of its serial line."""
        self._process: subprocess.Popen[str]
        self._keeper: threading.Thread | None = None
        self._off, self._launching = threading.Event(), threading.Lock()
        subprocess.run(["cp", "--sparse=always", image, self.disk], check=True)
        os.truncate(self.disk, DISK_BYTES)
        shutil.copy(FIRMWARE / _VARIABLES, folder / "variables.fd")

    def power_on(self) -> None:
        """Start it; whenever it starts anew by itself, its serial line is gone for a moment, as USB is."""
        self.told.unlink(missing_ok=True)
        self._off.clear()
        self._launch()
        self._keeper = threading.Thread(target=self._keep_running)
        self._keeper.start()

    def _keep_running(self) -> None:
        """A reset ends QEMU, and it is started again: resetting within one process hangs now and then."""
        while self._ended() == 0 and not self._off.is_set():
            self._launch()

    def _ended(self) -> int:
        """Wait for its end; nothing of it is left open."""
        code = self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def _launch(self) -> None:
        drive = "format=raw,if=pflash"
        if self.tpm:
            self._start_tpm()
        command: list[str | Path] = [
            *("qemu-system-x86_64", "-machine", "q35", "-no-reboot"),
            *(_KVM if _has_kvm() else _OWN_CLOCK if self.own_clock else _BOTH_CORES),
            *("-m", "1536", "-nodefaults", "-display", "none"),
            *("-drive", f"{drive},readonly=on,file={FIRMWARE / _CODE}"),
            *("-drive", f"{drive},file={self.folder / 'variables.fd'}"),
            *("-drive", f"if=virtio,format=raw,file={self.disk}"),
            *("-chardev", f"file,id=told,path={self.told},append=on", "-serial", "chardev:told"),
            *("-serial", "pty", "-device", "virtio-rng-pci"),
            *(_TPM if self.tpm else ()),
            *("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"),
        ]
        with self._launching:
            if self._off.is_set():
                return
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            assert self._process.stdout is not None
            self.port.unlink(missing_ok=True)
            found = next(filter(None, map(_PTY.search, self._process.stdout)))
            self.port.symlink_to(found[1])

    def _start_tpm(self) -> None:
        """It ends with the machine that speaks to it."""
        (self.folder / "tpm").mkdir(exist_ok=True)
        words = [
            "--tpmstate",
            f"dir={self.folder / 'tpm'}",
            "--ctrl",
            "type=unixio,path=tpm.socket",
            "--terminate",
            "--daemon",
        ]
        subprocess.run(["swtpm", "socket", "--tpm2", *words], cwd=self.folder, check=True)

    def cut_power(self) -> None:
        """Stop it in the middle of whatever it does: what it had not written yet is lost."""
        with self._launching:
            self._off.set()
            if self._keeper is not None:
                self._process.kill()
        if self._keeper is not None:
            self._keeper.join()
            self._ended()
            self._keeper = None

    def wait_until_told(self, words: str, seconds: float, times: int = 1) -> str:
        """Wait until its console has these words so often, and return all that it told."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(FileNotFoundError):
                text = self.told.read_text(errors="replace")
                if text.count(words) >= times:
                    return text
            assert self._process.poll() in {None, 0}, "the machine stopped by itself"
            time.sleep(0.5)
        tail = self.told.read_text(errors="replace")[-3000:] if self.told.exists() else ""
        raise AssertionError(f"expected the console to tell '{words}' within {seconds:g} s, found:\n{tail}")

    def copy_kept(self, folder: Path) -> None:
        """Copy what the data partition of a machine that is off holds into a new folder."""
        folder.mkdir()
        self._debugfs(f"rdump / {folder}")

    def put(self, path: Path, name: str, user: int) -> None:
        """Write a file into the data partition of a machine that is off, as one of its users would."""
        assert self._keeper is None, "it is off"
        self._debugfs(f"write {path} {name}", f"sif {name} uid {user}", f"sif {name} mode 0100600")

    def _debugfs(self, *commands: str) -> None:
        """Mend the partition as a start would, then do these."""
        table = subprocess.run(["sgdisk", "-p", self.disk], check=True, capture_output=True, text=True).stdout
        start = re.search(r"^\s*4\s+(\d+)", table, re.MULTILINE)
        assert start is not None, table
        with _attached(self.disk, int(start[1]) * 512) as part:
            mended = subprocess.run(["e2fsck", "-fy", part], check=False, capture_output=True, text=True)
            assert mended.returncode in {0, 1}, mended.stdout + mended.stderr
            for command in commands:
                done = subprocess.run(
                    ["debugfs", "-w", "-R", command, part], check=True, capture_output=True, text=True
                )
                assert len(done.stderr.splitlines()) <= 1, done.stderr  # its own version


def _has_kvm() -> bool:
    """Say whether this processor itself runs machines: a KVM without its help does not run their firmware."""
    backed = any(Path("/sys/module", name).exists() for name in ("kvm_intel", "kvm_amd"))
    return backed and os.access("/dev/kvm", os.R_OK | os.W_OK)


@contextlib.contextmanager
def _attached(disk: Path, offset: int) -> Iterator[str]:
    """Have a part of a disk as a device."""
    words = ["losetup", "--find", "--show", f"--offset={offset}", disk]
    device = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    try:
        yield device
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
