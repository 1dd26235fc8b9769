"""A whole way of an alert, in processes as on a unit: simulated warden, real uplink, real broker, real control room."""

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overt.protocol.messages import Publish
from tests.brokers import Site
from tests.builders import FORCE
from tests.controlroom.room import ROOM, Unit, furnish
from tests.simulators.uplink_peer import UplinkPeer

BIN = Path(sys.executable).parent


class Watch:
    """`overt-controlroom watch --json`, and what it said."""

    def __init__(self, home: Path) -> None:
        self._command = [str(BIN / "overt-controlroom"), "watch", "--home", str(home), "--json"]
        self._log = (home / "watch.log").open("ab")
        self.events: list[dict[str, Any]] = []
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue()
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=self._log)
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._queue.put(json.loads(line))

    def until(self, condition: Callable[[], bool], timeout: float = 15.0) -> bool:
        deadline = time.monotonic() + timeout
        while True:
            while not self._queue.empty():
                self.events.append(self._queue.get())
            if condition():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)

    def of(self, kind: str) -> list[dict[str, Any]]:
        self.until(lambda: True)
        return [event for event in self.events if event["event"] == kind]

    @property
    def linked(self) -> bool:
        links = self.of("link")
        return bool(links) and bool(links[-1]["up"])

    @property
    def sequences(self) -> list[int]:
        return [event["alert"]["sequence"] for event in self.of("alert")]

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(10)
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    def close(self) -> None:
        self.end(signal.SIGKILL)
        self._log.close()


class World:
    """Everything between a warden and an operator, on one broker."""

    def __init__(self, folder: Path, site: Site, *, with_room: bool = True) -> None:
        self.folder, self.site, self._with_room = folder, site, with_room
        self.unit = Unit()
        self.run = Path(tempfile.mkdtemp(prefix="overt-test-"))
        self.state = folder / "uplink"
        site.authority.client("unit-1", self.state, "unit")
        (self.state / "uplink.json").write_text(
            json.dumps({"unit": "unit-1", "force": FORCE, "host": "127.0.0.1", "port": site.server.port})
        )
        self.home = furnish(folder / "room", self.unit.force, self.unit.order, port=site.server.port)
        site.authority.client(ROOM, folder / "room" / "tls", "room")
        self.warden = UplinkPeer(self.run)
        self.uplink = self._start_uplink()
        if with_room:
            self.watch = Watch(self.home.folder)

    def _start_uplink(self) -> "subprocess.Popen[bytes]":
        command = [str(BIN / "overt-camera"), "uplink", "--state", str(self.state), "--run", str(self.run)]
        with (self.folder / "uplink.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def ready(self) -> None:
        self.warden.accept()
        assert self.warden.until(lambda: self.warden.link_up), self.log()
        assert not self._with_room or self.watch.until(lambda: self.watch.linked)

    def restart_uplink(self) -> None:
        self.uplink.kill()
        self.uplink.wait()
        self.uplink = self._start_uplink()
        self.warden.accept()

    def give_alert(self, sequence: int, **changes: Any) -> Publish:
        sealed = self.unit.sealed(self.unit.alert(sequence, **changes))
        publish = Publish(id=sequence, topic=self.unit.topic("alert"), payload=sealed, expires_in_s=3600)
        self.warden.give(publish)
        return publish

    def log(self) -> str:
        return (self.folder / "uplink.log").read_text()

    def close(self) -> None:
        if self._with_room:
            self.watch.close()
        self.uplink.kill()
        self.uplink.wait()
        self.warden.close()
        for left in self.run.iterdir():
            left.unlink()
        self.run.rmdir()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
