"""A whole unit at work: warden, vision, uplink and broker as on a unit, each a process, with every word overheard.

Simulated are the camera's pictures, the two engines that look at them, and clock, place and lamp.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from overt.protocol.authority import Checked
from overt.protocol.documents import Entry, Order
from overt.protocol.topics import Down, Up
from overt.runtime.mqtt import Received
from overt.runtime.session import Session
from overt.runtime.session import Up as LinkUp
from tests.brokers import ROOM, Site, collect, running, topic
from tests.builders import FORCE, UNIT
from tests.simulators.tap import Tap
from tests.vision.simulated_daemon import MODEL
from tests.warden.bench import ROOT, Bench

_BIN = Path(sys.executable).parent


class WholeUnit(Bench):
    """Everything of a unit, and a control room that hears what its broker hands on."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.heard: list[tuple[str, bytes]] = []
        self.delivered: list[bytes] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self.start()
        self._taps = Path(tempfile.mkdtemp(prefix="overt-test-"))
        self._stack.callback(shutil.rmtree, self._taps)
        self.taps = [self._tap(name) for name in ("vision.sock", "uplink.sock")]
        self.site: Site = self._stack.enter_context(running("embedded", self.folder / "broker"))
        files = self.site.authority.client(ROOM)
        self._room = Session(
            self.site.broker(files), ROOM, tuple(topic(leaf.value, "+") for leaf in Up), max_packet=2**20
        )
        self._stack.callback(self._room.close)
        assert collect(self._room, LinkUp)
        self._start_uplink(self.folder / "uplink")

    def _tap(self, name: str) -> Tap:
        tap = Tap(self._taps / name, self.run / name)
        self._stack.callback(tap.close)
        return tap

    def _start_uplink(self, state: Path) -> None:
        self.site.authority.client(UNIT, state, "unit")
        settings = f'{{"unit":"{UNIT}","force":"{FORCE}","host":"127.0.0.1","port":{self.site.server.port}}}'
        (state / "uplink.json").write_text(settings)
        self._start("uplink", str(_BIN / "overt-camera"), "uplink", "--state", str(state), "--run", str(self._taps))
        self.hear(lambda: bool(self.on("status")))

    def start_vision(self, *people: int) -> "subprocess.Popen[bytes]":
        """Start vision, with these people walking past one after another, the last of them for ever."""
        numbers = [str(person) for person in people]
        return self._start("vision", sys.executable, "-m", "tests.vision.simulated_daemon", str(self._taps), *numbers)

    def _start(self, name: str, *command: str) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self.processes[name] = process
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def pids(self) -> dict[str, int]:
        """The unit's processes."""
        assert self.process is not None
        return {"warden": self.process.pid, **{name: process.pid for name, process in self.processes.items()}}

    def arm(self, *entries: Entry, **changes: Any) -> Checked[Order]:
        return super().arm(*entries, **{"model": MODEL, **changes})

    def deliver(self, leaf: Down, data: bytes) -> Any:
        self.delivered.append(data)
        return super().deliver(leaf, data)

    def on(self, leaf: str) -> list[bytes]:
        """What the room has heard on topics with this last level."""
        return [payload for heard, payload in self.heard if heard.endswith(f"/{leaf}")]

    def hear(self, condition: Callable[[], bool], timeout: float = 30.0) -> None:
        """Listen until something is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"heard {[heard for heard, _ in self.heard]}; {self.logs()}"
            happened, _ = self._room.wait(0.1)
            for item in happened:
                if isinstance(item, Received):
                    self._room.acknowledge(item)
                    self.heard.append((item.topic, item.payload))

    def logs(self) -> str:
        """What its processes wrote."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    @property
    def said(self) -> list[bytes]:
        """Every packet between the daemons, every message on the broker, every document by cable."""
        packets = [packet for tap in self.taps for packet in tap.packets]
        return [*packets, *(payload for _, payload in self.heard), *self.delivered]

    def close(self) -> None:
        self._stack.close()
        super().close()
