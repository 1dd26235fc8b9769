"""A unit in this process, without sockets: documents and sightings in, what it does and says out."""

import time
from pathlib import Path
from typing import Any

from overt.protocol import envelope
from overt.protocol.audit import Record, first_broken
from overt.protocol.authority import Checked
from overt.protocol.documents import Entry, Order
from overt.protocol.messages import Cleared, Sighting, Trouble
from overt.protocol.reports import Alert, Erasure, Receipt
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Cause, Doubt, Kind, State
from overt.warden.outbox import Parcel
from overt.warden.store import Store
from overt.warden.unit import Unit
from overt.warden.vault import Vault
from tests.builders import FORCE, MODEL, UNIT
from tests.simulators.devices import World, simulated
from tests.warden.bench import Enrolled

MS = 1_000_000
CAMERA_GONE = Trouble(doubt=Doubt.CAMERA, cause=Cause.CAMERA_ABSENT, detail="unplugged")


class Recorder:
    """What the unit asked vision for and announced."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.announced: list[tuple[str, bytes, bool]] = []

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        assert threshold > 0
        assert descriptor > 0
        self.asked.append(f"begin {order}")

    def stop(self) -> None:
        self.asked.append("stop")

    def effort(self, step: int) -> None:
        self.asked.append(f"effort {step}")

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        self.announced.append((topic, payload, retain))

    def parcels_wait(self) -> None:
        pass


class DeskBench(Enrolled):
    """An enrolled unit, awake."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open(folder)

    def open(self, folder: Path) -> None:
        """Start for the first time."""
        self.folder = folder
        self.world = World(folder)
        self.wake()

    def wake(self) -> None:
        """Start as after a power cut."""
        self.ports = Recorder()
        self.store = Store(self.state / "warden.db")
        self.vault = Vault(self.state)
        self.unit = Unit(self.vault, self.store, simulated(self.folder), self.ports)
        self.unit.wake()

    def cut_power(self) -> None:
        """Be gone at once, and start again."""
        self.store.close()
        self.wake()

    def close(self) -> None:
        self.store.close()

    def topic(self, leaf: Down) -> str:
        return str(Topic(force=FORCE, unit=UNIT, leaf=leaf))

    def give(self, leaf: Down, data: bytes) -> Receipt:
        signed = self.unit.receive(self.topic(leaf), data)
        assert signed is not None
        return self.receipt_in(signed)

    def arm(self, *entries: Entry, **changes: Any) -> Checked[Order]:
        order = self.order(**changes)
        receipt = self.give(Down.ORDER, order.data)
        assert receipt.recipient, receipt
        assert self.give(Down.WATCHLIST, self.sealed_watchlist(order, receipt.recipient, *entries)).accepted
        return order

    def recognise(self, *entries: Entry, **changes: Any) -> Checked[Order]:
        self.unit.vision_came(MODEL)
        order = self.arm(*entries, **changes)
        assert self.unit.state is State.RECOGNISING
        return order

    def recognise_when_told(self) -> Checked[Order]:
        """Be all that it needs, whatever is in doubt."""
        self.unit.vision_came(MODEL)
        return self.arm()

    def measure(self) -> None:
        """Let the second be over after which the temperature is measured again."""
        self.unit._senses._cooler._due_s = 0.0

    def see(self, order: str, entry: int = 0, **changes: Any) -> None:
        now = time.time_ns()
        fields: dict[str, Any] = {
            "order": order,
            "entry": entry,
            "score": 0.7,
            "runner_up_score": None,
            "captured_ns": now,
            "decided_ns": now,
            "track_ms": 900,
            "track_frames": 20,
            "face_px": 60.0,
            "quality": 0.8,
        }
        self.unit.saw(Sighting(**{**fields, **changes}))

    def clear(self, made: int = 0) -> None:
        """Vision says that it has forgotten."""
        counts = {"frames": 1, "faces_seen": 1, "templates_made": made, "templates_wiped": made}
        self.unit.vision_cleared(Cleared(order="0" * 64, **counts))

    # What can be found out about it

    def outbox(self, leaf: str) -> list[Parcel]:
        return [parcel for parcel in self.store.waiting(0, 1000) if parcel.topic.endswith(f"/{leaf}")]

    @property
    def alerts(self) -> list[Alert]:
        return [self.alert_in(parcel.payload) for parcel in self.outbox("alert")]

    @property
    def certificates(self) -> list[Erasure]:
        reports = [parcel.payload for parcel in self.outbox("receipt")]
        return [self.erasure_in(data) for data in reports if envelope.parse(data).kind is Kind.ERASURE]

    @property
    def log(self) -> list[Record]:
        records = list(self.store.records())
        assert first_broken(records) is None
        return records

    def logged(self, event: str) -> int:
        return sum(record.event == event for record in self.log)
