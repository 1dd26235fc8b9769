"""Technicians at a unit's cable, as the warden sees them: no line, no console, only words."""

import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overt.protocol import envelope
from overt.protocol.audit import Moment
from overt.protocol.cable import requests
from overt.protocol.code import same_code, unit_code
from overt.protocol.documents import Visit
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Decommission, Greeting
from overt.protocol.vocabulary import Act, ClockQuality, Refusal, Role
from overt.warden import decommission
from overt.warden.enrolment import make_identity
from overt.warden.households import BlankHouse, is_blank
from overt.warden.store import Store
from overt.warden.visitors import Visitors
from tests.builders import SITE, UNIT, Force, make_force, make_party, utc_now
from tests.warden.test_enrolment import Ca

LONG_AGO = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)


class In1970(BlankHouse):
    """A blank unit whose clock has no battery."""

    def moment(self) -> Moment:
        return Moment(LONG_AGO, ClockQuality.UNKNOWN)


class Door:
    """A blank unit, and a technician at it."""

    def __init__(self, state: Path, kind: type[BlankHouse] = BlankHouse) -> None:
        state.mkdir(exist_ok=True)
        self.state, self.force = state, make_force()
        self.store = Store(state / "warden.db")
        self.house = kind(state, self.store)
        self.visitors = Visitors(self.house, self.store)
        self.number = 0

    def greet(self, peer: str = "cable") -> Greeting:
        self.number = 0
        data = self.visitors.greet(peer, secrets.token_hex(32))
        return envelope.verify(data, Greeting, self.house.key)

    def word(
        self, greeting: Greeting, does: Act, brings: bytes = b"", /, by: Force | None = None, **more: Any
    ) -> bytes:
        force = by or self.force
        fields: dict[str, Any] = {
            "force": force.charter.force,
            "key": greeting.key,
            "session": greeting.session,
            "challenge": greeting.challenge,
            "number": self.number,
            "act": does,
            "arguments": envelope.digest_of(brings),
            "time": utc_now(),
        }
        self.number += 1
        return envelope.sign(Visit(**{**fields, **more}), [force[Role.TECHNICIAN].signer])

    def visit(self, peer: str = "cable", by: Force | None = None, **more: Any) -> Greeting:
        greeting, charter = self.greet(peer), (by or self.force).charter_data
        self.visitors.perform(peer, self.word(greeting, Act.VISIT, charter, by=by, **more), charter)
        return greeting

    def do(self, greeting: Greeting, act: Act, arguments: msgspec.Struct) -> bytes:
        data = requests.encode(arguments)
        return self.visitors.perform("cable", self.word(greeting, act, data), data)

    def enrol(self, greeting: Greeting, force: Force | None = None) -> bytes:
        identified = self.do(greeting, Act.IDENTIFY, requests.Identify(unit=UNIT))
        ca = Ca()
        request = msgspec.msgpack.decode(identified, type=requests.Identified).request
        papers = {"authority": ca.pem, "certificate": ca.sign(request), "charter": (force or self.force).charter_data}
        return self.do(greeting, Act.ENROL, requests.Enrol(**papers, broker="broker.example:8883", site=SITE))

    def events(self) -> list[str]:
        return [record.event for record in self.store.records()]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    made = Door(tmp_path / "state")
    yield made
    made.store.close()


def refusal_of(doing: Any) -> Refusal:
    with pytest.raises(ProtocolError) as refused:
        doing()
    return refused.value.code


def test_a_unit_whose_clock_says_1970_is_enrolled_by_the_technicians_signed_time(tmp_path: Path) -> None:
    door = Door(tmp_path / "state", In1970)
    door.enrol(door.visit())
    assert not is_blank(door.state)
    assert [record.clock for record in door.store.records()] == ["unknown"] * len(door.events())
    door.store.close()


def test_a_unit_is_enrolled_with_the_force_whose_technician_is_there_and_no_other(door: Door) -> None:
    greeting = door.visit()
    assert refusal_of(lambda: door.enrol(greeting, make_force("other"))) is Refusal.LIMIT
    assert is_blank(door.state)


def test_a_blank_unit_keeps_its_key_from_its_first_start_to_its_enrolment(door: Door) -> None:
    key = door.house.key
    door.store.close()
    again = Door(door.state)
    assert again.house.key == key
    again.enrol(again.visit())
    assert again.house.key == key
    again.store.close()
    door.store = Store(door.state / "warden.db")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"challenge": "0" * 64}, Refusal.REPLAYED),
        ({"session": "0" * 64}, Refusal.REPLAYED),
        ({"key": make_party().public}, Refusal.WRONG_UNIT),
        ({"arguments": "0" * 64}, Refusal.MALFORMED),
        ({"act": Act.DECOMMISSION}, Refusal.REPLAYED),
        ({"force": "another"}, Refusal.WRONG_FORCE),
    ],
)
def test_a_word_for_anything_but_this_visit_lets_nobody_in(door: Door, change: dict[str, Any], code: Refusal) -> None:
    assert refusal_of(lambda: door.visit(**change)) is code
    assert door.events() == ["technician.refused"]
    assert refusal_of(lambda: door.visitors.look("cable", Act.STATUS)) is Refusal.NO_VISIT


def test_a_second_technician_at_another_cable_waits(door: Door) -> None:
    other = make_force(people={**door.force.people, Role.TECHNICIAN: make_party()})
    door.visit("usb")
    assert refusal_of(lambda: door.visit("uart", other)) is Refusal.BUSY
    door.visitors.look("usb", Act.STATUS)
    door.visitors.left("usb")
    door.visit("uart", other)
    assert "technician.refused" not in door.events(), "it was no wrong key"


def test_a_power_cut_in_the_middle_of_erasing_is_made_good_at_the_next_start(door: Door) -> None:
    greeting = door.visit()
    door.enrol(greeting)
    records, head = door.store.head()
    (door.state / "unit.json").unlink()  # blank again, with a name: the shortest way to an end
    signed = door.do(greeting, Act.DECOMMISSION, requests.Farewell(records=records, head=head))
    door.store.close()
    certificate = envelope.verify(signed, Decommission, door.house.key)
    assert (certificate.unit, certificate.log_position) == (UNIT, records)
    (door.state / "keys" / "signing.key").unlink()  # so far it came
    assert decommission.finish(door.state)
    assert [path.name for path in door.state.iterdir()] == ["decommission.json"]
    assert decommission.certificate(door.state) == signed
    assert not decommission.finish(door.state)
    door.store = Store(door.state / "warden.db")


def test_nothing_is_erased_before_the_log_was_taken_off(door: Door) -> None:
    greeting = door.visit()
    door.do(greeting, Act.IDENTIFY, requests.Identify(unit=UNIT))
    farewell = requests.Farewell(records=1, head="0" * 64)
    assert refusal_of(lambda: door.do(greeting, Act.DECOMMISSION, farewell)) is Refusal.BUSY
    assert (door.state / "identity.json").exists()
    assert not decommission.is_pending(door.state)


def test_an_identity_that_was_made_by_hand_is_the_one_that_the_cable_finds(tmp_path: Path) -> None:
    identity = make_identity(tmp_path / "state", UNIT)
    door = Door(tmp_path / "state")
    assert (door.house.name, door.house.key) == (UNIT, identity.key)
    assert (
        refusal_of(lambda: door.do(door.visit(), Act.IDENTIFY, requests.Identify(unit="unit-2"))) is Refusal.WRONG_UNIT
    )
    door.store.close()


def test_a_code_is_read_as_people_write_it_and_is_no_other_keys() -> None:
    key, other = make_party().public, make_party().public
    code = unit_code(key)
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert same_code(code, key)
    assert same_code(f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} ", key)
    assert not same_code(code, other)
    assert not same_code("", key)


def test_a_blank_unit_says_so_to_the_local_command_line(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    program = Path(sys.executable).with_name("overt-camera")
    with tempfile.TemporaryDirectory(prefix="overt-test-") as run:
        command = [program, "warden", "--state", tmp_path / "state", "--run", run]
        warden = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert warden.stderr
            assert "warden.ready" in warden.stderr.readline()
            asked = subprocess.run([program, "status", "--run", run], capture_output=True, text=True, check=False)
        finally:
            warden.terminate()
            warden.communicate(timeout=10)
    assert warden.returncode == 0
    assert (asked.returncode, asked.stdout) == (3, "")
    assert "this unit is blank: enrol it first" in asked.stderr
