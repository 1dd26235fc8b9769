"""A unit's life in a technician's hands, command by command, over a cable, against the real unit."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol import envelope
from overt.protocol.code import unit_code
from overt.protocol.documents import UnitRef
from overt.protocol.reports import Decommission
from overt.runtime import cli
from overt_provisioning.common import read_identity
from tests.console.unit_at_cable import Blank
from tests.provisioning.office import FORCE, UNIT, Office, Said, refused, run

SITE = ("--site-name", "Test square", "--latitude", "52.1", "--longitude=-0.46")


class Bench:
    """A technician with the office's folder on their laptop, and a blank unit at the cable."""

    def __init__(self, office: Office, folder: Path) -> None:
        folder.mkdir()
        self.office, self.unit = office, Blank(folder)
        self.identity = office.home / "units" / UNIT / "identity.json"

    def at_unit(self, *command: object) -> Said:
        """Run `overt-provision unit …`."""
        return self.office.keyed("unit", *command, "--port", self.unit.cable.laptop, "--patience", "15")

    @property
    def code(self) -> str:
        """What the label of the unit says: the unit tells it in its own journal."""
        ready = [json.loads(line) for line in self.unit.warden_log.read_text().splitlines() if "warden.ready" in line]
        return str(next(event["code"] for event in reversed(ready) if "code" in event))

    def enrol(self, *more: object) -> Said:
        given = ("--unit", UNIT, "--broker", "localhost:8883", *SITE, "--code", self.code)
        return self.at_unit("enrol", *given, *more)

    @property
    def known(self) -> UnitRef:
        return read_identity(self.identity)


@pytest.fixture
def bench(office: Office, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(office, tmp_path / "unit")
    with made.unit:
        yield made


def test_a_units_life_from_blank_to_blank(bench: Bench, tmp_path: Path) -> None:
    enrolled = bench.enrol("--json")
    assert enrolled.code == cli.OK, enrolled
    assert enrolled.json["force"] == FORCE
    assert enrolled.json["code"] == unit_code(bench.known.key)
    assert (bench.unit.state / "keys" / "signing.key").read_bytes().hex() not in enrolled.out

    status = bench.at_unit("status", "--json").json
    assert (status["greeting"]["unit"], status["status"]["state"]) == (UNIT, "idle")

    log = tmp_path / "unit-1.log.jsonl"
    assert bench.at_unit("log", "--out", log).code == cli.OK
    assert run("log", "verify", log, "--identity", bench.identity).code == cli.OK
    told = log.read_text()
    assert all(event in told for event in ("unit.identified", "unit.enrolled", "technician.came"))

    before = bench.known
    ended = bench.at_unit("decommission", "--yes", "--json")
    assert ended.code == cli.OK, ended
    certificate = envelope.verify(Path(ended.json["file"]).read_bytes(), Decommission, before.key)
    assert (certificate.unit, certificate.force) == (UNIT, FORCE)
    taken = bench.office.home / "units" / UNIT / f"{UNIT}.log.jsonl"
    retired = taken.with_name("retired.json")
    assert run("log", "verify", taken, "--identity", retired, "--kept", ended.json["file"]).code == cli.OK
    left = {path.name for path in bench.unit.state.rglob("*") if path.is_file()}
    assert left <= {"decommission.json", "signing.key", "warden.db", "warden.db-wal", "warden.db-shm"}

    again = bench.enrol("--json")
    assert again.code == cli.OK, again
    assert bench.known.key != before.key
    assert not (bench.unit.state / "decommission.json").exists()


def test_a_unit_that_is_not_known_is_not_trusted_without_its_label(bench: Bench) -> None:
    said = bench.at_unit("enrol", "--unit", UNIT, "--broker", "localhost:8883", *SITE)
    refused(said, cli.BAD_INPUT, bench.code, "label")
    assert not (bench.unit.state / "identity.json").exists()
    assert not bench.identity.exists()
