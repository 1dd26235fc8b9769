"""Documents for tests, made with the real code: a force, its charter, orders, watchlists, cancellations.

Every function takes changes by name, so that a test says only what matters to it.
"""

import os
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from overt.protocol import envelope, keys, sealing
from overt.protocol.authority import Checked
from overt.protocol.documents import (
    Assurance,
    Cancellation,
    Charter,
    ControlRoom,
    Entry,
    Figures,
    FixedSite,
    Group,
    Loan,
    Measurement,
    Notice,
    Order,
    Paper,
    PublicKey,
    RoleKeys,
    Tolerance,
    UnitRef,
    Watchlist,
    Window,
)
from overt.protocol.limits import TEMPLATE_VALUES
from overt.protocol.vocabulary import CancellationReason, Category, Characteristic, Role, UseCase

FORCE = "test-force"
UNIT = "unit-1"
MODEL = "a" * 64
SITE = FixedSite(name="Test square", latitude=52.1, longitude=-0.46)


def utc_now() -> datetime:
    """The time, to the millisecond, so that it reads well."""
    return datetime.now(UTC).replace(microsecond=0)


class Party(msgspec.Struct):
    """Someone with a signing key."""

    private: bytes

    @property
    def public(self) -> str:
        return keys.public_of(self.private)

    @property
    def signer(self) -> Any:
        return keys.signer_of(self.private)

    @property
    def keyid(self) -> str:
        return envelope.key_id(self.public)


def make_party() -> Party:
    return Party(keys.new_private())


class Force(msgspec.Struct):
    """A force: its people by role, and its charter."""

    people: dict[Role, Party]
    charter: Charter
    charter_data: bytes
    room_identity: str
    room_recipient: str

    def __getitem__(self, role: Role) -> Party:
        return self.people[role]

    def signers(self, *roles: Role) -> list[Any]:
        return [self.people[role].signer for role in roles]


OFFICERS = (Role.AUTHORISING_OFFICER, Role.SECOND_OFFICER)


def make_force(name: str = FORCE, *, people: dict[Role, Party] | None = None, **changes: Any) -> Force:
    """Make a force whose every role has one key of its own. `changes` are fields of the charter."""
    people = people or {role: make_party() for role in Role}
    now = utc_now()
    fields: dict[str, Any] = {
        "force": name,
        "title": "Test force",
        "version": 1,
        "issued": now - timedelta(days=1),
        "expires": now + timedelta(days=365),
        "keys": {party.keyid: PublicKey(public=party.public, post=role.value) for role, party in people.items()},
        "roles": {role: RoleKeys(keys=(party.keyid,)) for role, party in people.items()},
    }
    charter = Charter(**{**fields, **changes})
    identity, recipient = sealing.new_identity()
    data = envelope.sign(charter, [people[Role.ROOT].signer])
    return Force(people, charter, data, identity, recipient)


def order_fields(force: Force, *units: UnitRef, now: datetime | None = None) -> dict[str, Any]:
    """The fields of a lawful order that is in force now."""
    now = now or utc_now()
    paper = Paper(title="A paper", digest="b" * 64)
    return {
        "force": force.charter.force,
        "operation": "EXERCISE-1",
        "use_case": UseCase.BLUE_WATCHLIST,
        "purpose": "Measure recognition with volunteers.",
        "legal_basis": "Consent.",
        "necessity": "It cannot be measured otherwise.",
        "proportionality": "Volunteers only.",
        "place": SITE,
        "expectation": "The volunteers will walk past.",
        "issued": now - timedelta(minutes=1),
        "window": Window(start=now - timedelta(minutes=1), end=now + timedelta(hours=1)),
        "units": units,
        "model": MODEL,
        "threshold": 0.5,
        "categories": (Category.VOLUNTEER,),
        "watchlist_max_entries": 100,
        "false_alert_ceiling": 0.001,
        "impact_assessment": paper,
        "equality_assessment": paper,
        "policy": paper,
        "notice": Notice(text="Face recognition is in use here.", address="https://example.org/notice"),
        "control_rooms": (ControlRoom(name="room-1", recipient=force.room_recipient),),
        "operators": ("Duty operator",),
    }


def make_order(force: Force, /, *units: UnitRef, roles: tuple[Role, ...] = OFFICERS, **changes: Any) -> Checked[Order]:
    """Make an order, signed by those roles. `changes` are fields of the order."""
    order = Order(**{**order_fields(force, *units), **changes})
    data = envelope.sign(order, force.signers(*roles))
    return Checked(order, envelope.digest_of(envelope.encode(order)), data)


def make_loan(
    lender: Force, borrower: Force, /, *units: UnitRef, roles: tuple[Role, ...] = OFFICERS, **changes: Any
) -> bytes:
    """Make a signed loan of units, in force now."""
    now = utc_now()
    fields: dict[str, Any] = {
        "force": lender.charter.force,
        "borrower": borrower.charter.force,
        "charter": borrower.charter_data,
        "agreement": "MUTUAL-AID-1",
        "legal_basis": "Police Act 1996 s.24",
        "issued": now,
        "window": Window(start=now - timedelta(minutes=5), end=now + timedelta(hours=30)),
        "units": units,
    }
    return envelope.sign(Loan(**{**fields, **changes}), lender.signers(*roles))


def make_successor(before: Force, /, *, people: dict[Role, Party] | None = None, **changes: Any) -> Force:
    """Make a force's next charter, signed by its old root and its own. `people` are keys that take others' places."""
    now = {**before.people, **(people or {})}
    made = make_force(before.charter.force, people=now, version=before.charter.version + 1, **changes)
    roots = {before[Role.ROOT].keyid: before[Role.ROOT], now[Role.ROOT].keyid: now[Role.ROOT]}
    data = envelope.sign(made.charter, [root.signer for root in roots.values()])
    return msgspec.structs.replace(
        made, charter_data=data, room_identity=before.room_identity, room_recipient=before.room_recipient
    )


def make_figures(**changes: int) -> Figures:
    """What was counted of half of the testers, treated as the other half was."""
    return Figures(**{"passages": 1000, "recognised": 900, "faces": 40_000, "false_alerts": 4, **changes})


def make_measurement(threshold: float = 0.5, groups: dict[str, Figures] | None = None, **overall: int) -> Measurement:
    """What was measured at a threshold: equal groups, few false alerts, but for the groups that are given."""
    names = {"women": Characteristic.SEX, "men": Characteristic.SEX}
    names |= {"Asian": Characteristic.ETHNICITY, "Black": Characteristic.ETHNICITY}
    return Measurement(
        threshold=threshold,
        overall=make_figures(**{"passages": 2000, "recognised": 1800, "faces": 80_000, "false_alerts": 8, **overall}),
        groups=tuple(
            Group(characteristic=kind, name=name, figures=(groups or {}).get(name, make_figures()))
            for name, kind in names.items()
        ),
    )


def make_report(force: Force, /, now: datetime | None = None, **changes: Any) -> Assurance:
    """An assurance report that bears a lawful order at the threshold 0.5. `changes` are its fields."""
    now = now or utc_now()
    fields: dict[str, Any] = {
        "force": force.charter.force,
        "reference": "REPORT-1",
        "evaluator": "An independent laboratory",
        "model": MODEL,
        "data_set": Paper(title="Volunteers", digest="d" * 64),
        "testers": 200,
        "watchlist_entries": 1000,
        "issued": now - timedelta(days=10),
        "expires": now + timedelta(days=100),
        "tolerance": Tolerance(recognition_gap=0.05, false_alert_gap=0.0005),
        "measurements": (make_measurement(),),
    }
    return Assurance(**{**fields, **changes})


def make_assurance(
    force: Force, /, *, roles: tuple[Role, ...] = (Role.ASSURANCE_BODY,), **changes: Any
) -> Checked[Assurance]:
    """The same, signed."""
    report = make_report(force, **changes)
    return Checked(report, envelope.digest_of(envelope.encode(report)), envelope.sign(report, force.signers(*roles)))


WANTED: dict[str, Any] = {"use_case": UseCase.WANTED_PERSONS, "categories": (Category.WANTED_BY_COURT,)}
"""What makes an order one that needs a report."""


def make_template(seed: bytes | None = None) -> bytes:
    """A random template of unit length, as stored: 128 float32."""
    raw = [byte - 127.5 for byte in (seed or os.urandom(TEMPLATE_VALUES))]
    length = sum(value * value for value in raw) ** 0.5
    return struct.pack(f"<{TEMPLATE_VALUES}f", *(value / length for value in raw))


def make_entry(reference: str = "volunteer-1", now: datetime | None = None, **changes: Any) -> Entry:
    """Make an entry as a lawful watchlist has it."""
    now = now or utc_now()
    fields: dict[str, Any] = {
        "reference": reference,
        "category": Category.VOLUNTEER,
        "legal_basis": "Consent",
        "image_source": "Taken for the exercise",
        "image_date": now - timedelta(days=2),
        "reviewed_by": "Watchlist officer",
        "reviewed": now - timedelta(minutes=5),
        "under_18": False,
        "expires": now + timedelta(hours=12),
        "quality": 0.9,
        "templates": (make_template(),),
    }
    return Entry(**{**fields, **changes})


def make_watchlist(
    force: Force, order: str, /, *entries: Entry, roles: tuple[Role, ...] = (Role.WATCHLIST_OFFICER,), **changes: Any
) -> bytes:
    """Make a signed watchlist (not encrypted yet) for the order with this digest."""
    fields: dict[str, Any] = {
        "force": force.charter.force,
        "order": order,
        "made": utc_now(),
        "model": MODEL,
        "entries": entries or (make_entry(),),
    }
    return envelope.sign(Watchlist(**{**fields, **changes}), force.signers(*roles))


def make_cancellation(
    force: Force, order: str, /, *, roles: tuple[Role, ...] = (Role.AUTHORISING_OFFICER,), **changes: Any
) -> bytes:
    """Make a signed cancellation of the order with this digest."""
    fields: dict[str, Any] = {
        "force": force.charter.force,
        "order": order,
        "issued": utc_now(),
        "reason": CancellationReason.WITHDRAWN,
    }
    return envelope.sign(Cancellation(**{**fields, **changes}), force.signers(*roles))
