"""A unit as it is on a bench: the real warden and the real console, as processes, at a cable that a test can pull."""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from overt.protocol.audit import Record
from overt.protocol.vocabulary import Role
from overt_provisioning.unit.session import Session, Technician
from overt_provisioning.unit.trust import Judge, Known
from overt_provisioning.unit.wire import Patience
from tests.builders import Force, Party, make_force
from tests.simulators.cable import Cable, Fault, whole
from tests.warden.bench import Bench

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(sys.executable).with_name("overt-camera"))
HASTY = Patience(resend=0.1, silence=2.0, away=20.0)


def technician_of(force: Force, party: Party | None = None) -> Technician:
    return Technician(force.charter, force.charter_data, (party or force[Role.TECHNICIAN]).signer)


class AtCable:
    """Processes and cable; what unit it is, subclasses say."""

    def __init__(self, folder: Path, state: Path, run: Path, fault: Fault = whole) -> None:
        self.folder, self.state, self.run = folder, state, run
        self.cable = Cable(folder, fault)
        self.spool = folder / "spool"
        self.spool.mkdir()
        self.home = folder / "laptop"
        self.home.mkdir()
        self.console_log = folder / "console.log"
        self.since = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def start_console(self) -> Callable[[], None]:
        """Start it; what is returned waits until it is there."""
        self.console, ready = self._launch_console(self.cable, self.spool)
        return ready

    @contextlib.contextmanager
    def second_cable(self) -> Iterator[Cable]:
        """The unit's other port (a UART beside the USB's), with a console of its own."""
        folder = self.folder / "second"
        folder.mkdir()
        with Cable(folder) as cable:
            console, ready = self._launch_console(cable, folder)
            ready()
            yield cable
            console.terminate()
            console.wait(10)

    def _launch_console(self, cable: Cable, spool: Path) -> tuple[subprocess.Popen[bytes], Callable[[], None]]:
        command = [PROGRAM, "console", "--port", str(cable.unit), "--run", str(self.run), "--spool", str(spool)]
        return self.launch(command, self.console_log, b"console.line_open")

    def launch(self, command: list[str], log: Path, sign: bytes) -> tuple[subprocess.Popen[bytes], Callable[[], None]]:
        before = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)
        self._processes.append(process)

        def ready() -> None:
            self.wait_until(lambda: sign in log.read_bytes()[before:] or process.poll() is not None)
            assert process.poll() is None, log.read_text()

        return process, ready

    def wait_until(self, true: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.console_log.read_text()
            time.sleep(0.01)

    def fresh_home(self) -> Path:
        """Another laptop's folder."""
        return Path(tempfile.mkdtemp(dir=self.folder))

    def session(
        self, technician: Technician, judge: Judge | None = None, told: list[str] | None = None, **more: Any
    ) -> Session:
        judge = judge or Judge(Known(self.home), confirm=lambda *_: True)
        tell = told.append if told is not None else lambda _: None
        return Session(self.cable.laptop, technician, judge, **{"patience": HASTY, "tell": tell, **more})

    def end(self) -> None:
        self.cable.close()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            assert process.wait(10) in {0, -9}, self.console_log.read_text()


class Enrolled(AtCable):
    """An enrolled unit whose parts are simulated."""

    def __init__(self, folder: Path, fault: Fault = whole) -> None:
        self.bench = Bench(folder)
        super().__init__(folder, self.bench.state, self.bench.run, fault)
        self.force = self.bench.force
        self.technician = technician_of(self.force)
        Known(self.home).keep(self.bench.ref.unit, self.bench.ref.key)

    def start(self) -> None:
        ready = self.start_console()
        self.bench.start()
        ready()

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return [(record.event, json.loads(record.facts)) for record in self.bench.records()]

    def refusals(self) -> int:
        """How many visits in a row were refused."""
        with contextlib.closing(sqlite3.connect(f"file:{self.state / 'warden.db'}?mode=ro", uri=True)) as database:
            return sum(count for (count,) in database.execute("SELECT failures FROM cable"))

    def records(self) -> list[Record]:
        return self.bench.records()

    def end(self) -> None:
        super().end()
        self.bench.close()

    def __enter__(self) -> "Enrolled":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class Blank(AtCable):
    """A unit that belongs to nobody yet, fresh from the workshop."""

    def __init__(self, folder: Path, fault: Fault = whole) -> None:
        state = folder / "state"
        state.mkdir()
        super().__init__(folder, state, Path(tempfile.mkdtemp(prefix="overt-test-")), fault)
        self.warden_log = folder / "warden.log"
        self.force = make_force()
        self.technician = technician_of(self.force)

    def start(self) -> None:
        command = [PROGRAM, "warden", "--state", str(self.state), "--run", str(self.run)]
        self.warden, ready = self.launch(command, self.warden_log, b"warden.ready")
        self.start_console()()
        ready()

    def end(self) -> None:
        super().end()
        shutil.rmtree(self.run, ignore_errors=True)

    def __enter__(self) -> "Blank":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
