"""A control room and the reports of a unit, for tests: real keys, real envelopes, real files."""

import json
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from overt.protocol import envelope, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import Order, UnitRef
from overt.protocol.reports import Alert, Checkpoint, Erasure, Health, Receipt, Status
from overt.protocol.vocabulary import Category, ClockQuality, Ending, Kind, State
from overt_controlroom.home import Home
from tests.builders import FORCE, MODEL, SITE, UNIT, Force, Party, make_force, make_order, make_party, utc_now

ROOM = "room-1"


def alert_id(number: int) -> str:
    raw = (0x0199_0000_0000 << 80 | 7 << 76 | 2 << 62 | number).to_bytes(16, "big")
    return str(uuid.UUID(bytes=raw))


class Unit:
    """A unit that signs what it is told to say, under one order."""

    def __init__(self, force: Force | None = None, name: str = UNIT, **order: Any) -> None:
        self.force = force or make_force()
        self.name = name
        self.party: Party = make_party()
        self.order: Checked[Order] = make_order(self.force, UnitRef(unit=name, key=self.party.public), **order)

    def alert(self, sequence: int = 1, **changes: Any) -> Alert:
        now = utc_now()
        fields: dict[str, Any] = {
            "id": alert_id(sequence),
            "force": FORCE,
            "unit": self.name,
            "order": self.order.digest,
            "sequence": sequence,
            "entry": "volunteer-1",
            "category": Category.VOLUNTEER,
            "score": 0.71,
            "threshold": 0.5,
            "runner_up_margin": None,
            "model": MODEL,
            "watchlist": "c" * 64,
            "captured": now,
            "decided": now,
            "published": now,
            "expires": now + timedelta(hours=24),
            "clock": ClockQuality.SYNCHRONISED,
            "place": SITE,
            "track_ms": 1200,
            "track_frames": 30,
            "face_px": 55.0,
            "quality": 0.8,
        }
        return Alert(**{**fields, **changes})

    def sealed(self, alert: Alert, signer: Party | None = None, recipient: str | None = None) -> bytes:
        signed = envelope.sign(alert, [(signer or self.party).signer])
        return sealing.seal(signed, [recipient or self.force.room_recipient])

    def signed(self, report: Any, signer: Party | None = None) -> bytes:
        return envelope.sign(report, [(signer or self.party).signer])

    def status(self, **changes: Any) -> Status:
        now = utc_now()
        fields: dict[str, Any] = {
            "force": FORCE,
            "unit": self.name,
            "sent": now,
            "since": now,
            "state": State.RECOGNISING,
            "order": self.order.digest,
            "indicator_lit": True,
        }
        return Status(**{**fields, **changes})

    def health(self, **changes: Any) -> Health:
        fields: dict[str, Any] = {
            "force": FORCE,
            "unit": self.name,
            "sent": utc_now(),
            "order": self.order.digest,
            "last_sequence": 0,
            "frames": 100,
            "frames_dropped": 0,
            "frames_per_second": 25.0,
            "frame_age_ms": 20,
            "faces_seen": 5,
            "templates_made": 5,
            "templates_wiped": 5,
            "alerts_waiting": 0,
        }
        return Health(**{**fields, **changes})

    def checkpoint(self, records: int, head: str, sent: datetime | None = None, **changes: Any) -> Checkpoint:
        fields: dict[str, Any] = {"force": FORCE, "unit": self.name, "sent": sent or utc_now()}
        return Checkpoint(**{**fields, "records": records, "head": head * 64, "order": self.order.digest, **changes})

    def receipt(self, **changes: Any) -> Receipt:
        fields: dict[str, Any] = {
            "force": FORCE,
            "unit": self.name,
            "document": Kind.ORDER,
            "digest": self.order.digest,
            "order": self.order.digest,
            "accepted": True,
            "received": utc_now(),
            "log_position": 3,
        }
        return Receipt(**{**fields, **changes})

    def erasure(self, **changes: Any) -> Erasure:
        fields: dict[str, Any] = {
            "force": FORCE,
            "unit": self.name,
            "order": self.order.digest,
            "watchlist": "c" * 64,
            "recipient": self.force.room_recipient,
            "ending": Ending.CANCELLED,
            "erased": utc_now(),
            "entries": 1,
            "templates_listed": 4,
            "templates_made": 12,
            "templates_wiped": 12,
            "alerts": 0,
            "log_position": 9,
            "log_head": "d" * 64,
        }
        return Erasure(**{**fields, **changes})

    def topic(self, leaf: str) -> str:
        return f"overt/v1/{FORCE}/{self.name}/{leaf}"


def furnish(folder: Path, force: Force, *orders: Checked[Order], port: int = 1, host: str = "127.0.0.1") -> Home:
    """Make a control room's folder that trusts a force and some orders."""
    home = Home(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders").mkdir(exist_ok=True)
    (folder / "identity.age").touch(mode=0o600)
    (folder / "identity.age").write_text(force.room_identity + "\n")
    (folder / "charter.json").write_bytes(force.charter_data)
    room = {"name": ROOM, "force": force.charter.force, "host": host, "port": port}
    (folder / "room.json").write_text(json.dumps(room))
    for order in orders:
        (folder / "orders" / f"{order.digest[:12]}.json").write_bytes(order.data)
    return home
