"""An enrolled unit in a folder, its force, and the real warden as a process."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol import envelope, sealing
from overt.protocol.audit import Record, first_broken
from overt.protocol.authority import Checked
from overt.protocol.documents import Entry, Order, UnitRef
from overt.protocol.reports import Alert, Erasure, Receipt, Status
from overt.protocol.topics import Down
from overt.protocol.vocabulary import State
from overt.runtime import control
from overt.warden.config import UnitConfig
from overt.warden.enrolment import make_identity
from tests.builders import FORCE, SITE, UNIT, Force, make_force, make_order, make_watchlist
from tests.simulators.devices import World
from tests.simulators.uplink import UplinkSimulator
from tests.simulators.vision import VisionSimulator

ROOT = Path(__file__).parent.parent.parent


class Enrolled:
    """A unit's state folder, and the force that it belongs to."""

    def __init__(self, folder: Path, force: Force | None = None) -> None:
        self.state = folder / "state"
        self.force = force or make_force()
        self.identity = make_identity(self.state, UNIT)
        self.ref = UnitRef(unit=UNIT, key=self.identity.key)
        (self.state / "charter.json").write_bytes(self.force.charter_data)
        config = UnitConfig(unit=UNIT, force=FORCE, site=SITE)
        (self.state / "unit.json").write_bytes(msgspec.json.encode(config))

    def order(self, **changes: Any) -> Checked[Order]:
        return make_order(self.force, self.ref, **changes)

    def sealed_watchlist(self, order: Checked[Order], recipient: str, *entries: Entry, **changes: Any) -> bytes:
        return sealing.seal(make_watchlist(self.force, order.digest, *entries, **changes), [recipient])

    def alert_in(self, payload: bytes) -> Alert:
        plain = sealing.unseal(payload, self.force.room_identity)
        return envelope.verify(plain, Alert, self.identity.key)

    def receipt_in(self, data: bytes) -> Receipt:
        return envelope.verify(data, Receipt, self.identity.key)

    def erasure_in(self, data: bytes) -> Erasure:
        return envelope.verify(data, Erasure, self.identity.key)

    def everything_on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in sorted(self.state.rglob("*")) if path.is_file())

    def left_of_deployments(self) -> list[Path]:
        return [path for path in (self.state / "deployments").rglob("*") if path.is_file()]


class Bench(Enrolled):
    """The same with a running warden."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.run = Path(tempfile.mkdtemp(prefix="overt-test-"))  # a socket's path is short
        self.world = World(folder)
        self.log = folder / "warden.log"
        self.process: subprocess.Popen[bytes] | None = None

    # The process

    def start(self, module: str = "tests.simulators.warden_unit", arguments: Sequence[str] = ()) -> None:
        """Start the warden with simulated parts."""
        self.launch([sys.executable, "-m", module, *map(str, (self.state, self.run, self.folder)), *arguments])

    def start_fitted(self) -> None:
        """Start the warden as on a unit, with the parts that its enrolment names."""
        program = Path(sys.executable).with_name("overt-camera")
        self.launch([str(program), "warden", "--state", str(self.state), "--run", str(self.run)])

    def launch(self, command: list[str], *, pass_fds: Sequence[int] = ()) -> None:
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, pass_fds=pass_fds)
        deadline = time.monotonic() + 15
        while b"warden.ready" not in self.log.read_bytes()[before:]:
            if self.process.poll() is not None:
                raise ConnectionError(f"the warden ended at its start: {self.log.read_text()}")
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.run, ignore_errors=True)

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The technician's cable

    def deliver(self, leaf: Down, data: bytes) -> Receipt:
        return self.receipt_in(control.deliver(self.run, leaf, data)[1])

    def status(self) -> Status:
        return envelope.verify(control.ask_status(self.run)[1], Status, self.identity.key)

    def wait_for(self, state: State, timeout: float = 8.0) -> Status:
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            if status.state is state:
                return status
            assert time.monotonic() < deadline, f"expected {state.value}, found {status}; {self.log.read_text()}"
            time.sleep(0.02)

    def wait_until(self, holds: Callable[[Status], bool], timeout: float = 8.0) -> Status:
        deadline = time.monotonic() + timeout
        while not holds(status := self.status()):
            assert time.monotonic() < deadline, f"{status}; {self.log.read_text()}"
            time.sleep(0.02)
        return status

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def records(self) -> list[Record]:
        """The audit log as it is on the disk now, whose chain holds."""
        database = sqlite3.connect(f"file:{self.state / 'warden.db'}?mode=ro", uri=True, timeout=5)
        try:
            found = [Record(*row) for row in database.execute("SELECT * FROM audit ORDER BY position")]
        finally:
            database.close()
        assert first_broken(found) is None
        return found

    # A whole deployment

    def vision(self, **options: Any) -> VisionSimulator:
        return VisionSimulator(self.run, **options)

    def uplink(self, **options: Any) -> UplinkSimulator:
        return UplinkSimulator(self.run, **options)

    def arm(self, *entries: Entry, **changes: Any) -> Checked[Order]:
        """Deliver an order and its watchlist."""
        order = self.order(**changes)
        receipt = self.deliver(Down.ORDER, order.data)
        assert receipt.recipient, receipt
        sealed = self.sealed_watchlist(order, receipt.recipient, *entries, model=order.document.model)
        loaded = self.deliver(Down.WATCHLIST, sealed)
        assert loaded.accepted, loaded
        return order
