"""A unit's life in a technician's hands, command by command, over a cable, against the real unit."""

import contextlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import overt.cli
from overt.protocol import envelope
from overt.protocol.code import unit_code
from overt.protocol.documents import UnitRef
from overt.protocol.reports import Decommission, Receipt
from overt.runtime import cli
from overt_provisioning.common import read_identity
from overt_provisioning.unit import ports
from overt_provisioning.unit.ports import Port
from tests.certificates import Authority
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


@pytest.mark.slow
def test_a_unit_whose_certificate_is_made_elsewhere_is_enrolled_in_two_steps(bench: Bench, tmp_path: Path) -> None:
    away = tmp_path / "away"
    shutil.copytree(bench.office.home / "pki", away / "pki")
    (bench.office.home / "pki" / "ca.key").unlink()

    first = bench.enrol("--json")
    assert (first.code, first.json["enrolled"]) == (cli.OK, False)
    certificate = tmp_path / "unit.crt"
    request = first.json["request"]
    secret = ("--passphrase-file", bench.office.passphrase)
    assert run("certificate", "client", "--home", away, *secret, "--csr", request, "--out", certificate).code == cli.OK

    second = bench.enrol("--json", "--certificate", certificate, "--authority", away / "pki" / "ca.pem")
    assert (second.code, second.json["enrolled"]) == (cli.OK, True)


def test_a_certificate_of_another_unit_enrols_nothing(bench: Bench, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(Authority(tmp_path / "pki").client(UNIT).certificate.read_bytes())
    said = bench.enrol("--certificate", other)
    assert said.code == cli.NEGATIVE
    assert "the unit says no: expected the authority's certificate and this unit's, which it issued" in said.err
    assert not (bench.unit.state / "unit.json").exists()
    assert bench.enrol().code == cli.OK, "the unit is as it was"


@pytest.mark.slow
def test_a_name_is_given_once(bench: Bench) -> None:
    assert bench.enrol().code == cli.OK
    said = bench.enrol("--unit", "unit-2")
    assert said.code == cli.NEGATIVE
    assert "this unit is unit-1 already" in said.err


@pytest.mark.slow
def test_enrolling_goes_on_after_the_cable_was_pulled_at_any_byte(bench: Bench) -> None:
    cable = bench.unit.cable
    for number in range(6):
        cable.carried, cable.pull_after = 0, 700 + number * 1500
        assert bench.enrol("--json").code == cli.OK
    assert cable.pull_after is None
    assert bench.at_unit("status", "--json").json["greeting"]["unit"] == UNIT


@pytest.mark.slow
@pytest.mark.parametrize("number", range(8))
def test_erasing_goes_on_after_the_cable_was_pulled_at_any_byte(bench: Bench, number: int) -> None:
    assert bench.enrol().code == cli.OK
    before, cable = bench.known, bench.unit.cable
    cable.carried, cable.pull_after = 0, 1500 + number * 1500
    ended = bench.at_unit("decommission", "--yes", "--json")
    assert ended.code == cli.OK, ended
    envelope.verify(Path(ended.json["file"]).read_bytes(), Decommission, before.key)
    assert not (bench.unit.state / "unit.json").exists()


@pytest.mark.slow
def test_an_erasure_whose_answer_was_lost_is_finished_by_the_same_command(bench: Bench) -> None:
    assert bench.enrol().code == cli.OK
    before = bench.known
    ended = bench.at_unit("decommission", "--yes", "--json")
    certificate = Path(ended.json["file"])
    lost = certificate.read_bytes()
    certificate.unlink()
    bench.identity.with_name("retired.json").replace(bench.identity)
    again = bench.at_unit("decommission", "--yes", "--json")
    assert (again.code, certificate.read_bytes()) == (cli.OK, lost)
    envelope.verify(lost, Decommission, before.key)


@pytest.mark.slow
def test_a_unit_at_work_is_not_erased(bench: Bench) -> None:
    assert bench.enrol().code == cli.OK
    refused(bench.at_unit("decommission"), cli.BAD_INPUT, "--yes")
    assert (bench.unit.state / "unit.json").exists()


def test_network_settings_reach_the_unit_are_shown_to_nobody_and_are_erased_with_it(
    bench: Bench, tmp_path: Path
) -> None:
    form = tmp_path / "network.toml"
    assert run("unit", "network", "--blank", form).code == cli.OK
    form.write_text('[[ways]]\ntype = "wifi"\nssid = "Force cameras"\npassphrase = "canary-passphrase"\n')
    assert bench.enrol("--network", form).code == cli.OK
    assert bench.at_unit("network", form, "--json").json["ways"][0]["ssid"] == "Force cameras"
    kept = bench.unit.spool / "network.json"
    assert kept.stat().st_mode & 0o077 == 0
    folder = tmp_path / "system-connections"
    folder.mkdir()
    (folder / "overt-9-gsm.nmconnection").write_text("of before")
    (folder / "office.nmconnection").write_text("of somebody else")
    assert cli.run(overt.cli.parser(), ["network", "apply", "--spool", str(kept.parent), "--folder", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"overt-1-wifi.nmconnection", "office.nmconnection"}
    assert "psk=canary-passphrase" in (folder / "overt-1-wifi.nmconnection").read_text()
    for log in (bench.unit.console_log, bench.unit.warden_log):
        assert "canary" not in log.read_text()

    assert bench.at_unit("decommission", "--yes").code == cli.OK
    assert kept.read_bytes() == b"", "which has them removed where they were installed"
    assert cli.run(overt.cli.parser(), ["network", "apply", "--spool", str(kept.parent), "--folder", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"office.nmconnection"}
    left = [path for path in bench.unit.folder.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert left == []


@pytest.mark.slow
def test_an_update_goes_on_where_the_cable_was_pulled_and_is_handed_over_whole(bench: Bench, tmp_path: Path) -> None:
    assert bench.enrol().code == cli.OK
    bundle = tmp_path / "overt-9.raucb"
    bundle.write_bytes(b"a bundle" * 40_000)
    cable = bench.unit.cable
    cable.carried, cable.pull_after = 0, 150_000
    said = bench.at_unit("update", bundle, "--wait", "0", "--json")
    assert (said.code, said.json["stage"]) == (cli.OK, "waiting"), said
    assert (bench.unit.spool / "update.raucb").read_bytes() == bundle.read_bytes()
    (bench.unit.spool / "update.json").write_text('{"stage":"rolled_back","version":"9","detail":"no camera"}')
    (bench.unit.spool / "update.raucb").unlink()
    said = bench.at_unit("update")
    assert (said.code, "no camera" in said.out) == (cli.NEGATIVE, True)


@pytest.mark.slow
def test_diagnose_says_what_to_look_at(bench: Bench) -> None:
    assert bench.enrol().code == cli.OK
    said = bench.at_unit("diagnose", "--json")
    assert said.code == (cli.OK if said.json["well"] else cli.NEGATIVE)
    assert said.json["machine"]["disk_free_mib"] > 0
    table = bench.at_unit("diagnose")
    assert bench.code in table.out


@pytest.mark.slow
def test_an_order_by_cable_brings_back_the_units_receipt(bench: Bench, tmp_path: Path) -> None:
    assert bench.enrol().code == cli.OK
    paper, receipt = tmp_path / "order.json", tmp_path / "receipt.json"
    paper.write_bytes(b"no order at all")
    said = bench.at_unit("deliver", "order", paper, "--receipt", receipt)
    assert (said.code, "malformed" in said.out) == (cli.NEGATIVE, True)
    assert not envelope.verify(receipt.read_bytes(), Receipt, bench.known.key).accepted


def test_without_a_port_the_one_that_is_there_is_used() -> None:
    one, two = Port("/dev/ttyACM0", "Overt unit"), Port("/dev/ttyUSB0", "USB serial")
    assert ports.find(Path("/dev/ttyS0"), []) == Path("/dev/ttyS0")
    assert ports.find(None, [two]) == Path("/dev/ttyUSB0")
    assert ports.find(None, [one, two]) == Path("/dev/ttyACM0")
    with pytest.raises(cli.Failure, match="no serial port is here"):
        ports.find(None, [])
    with pytest.raises(cli.Failure, match=r"several serial ports are here: /dev/ttyUSB0 \(USB serial\), /dev/ttyUSB1"):
        ports.find(None, [two, Port("/dev/ttyUSB1", "USB serial")])


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.25, 0.4, 0.6])
def test_enrolling_goes_on_after_the_units_power_was_cut(bench: Bench, after_s: float) -> None:
    def cut() -> None:
        bench.unit.warden.kill()
        bench.unit.console.kill()
        bench.unit.warden.wait()
        bench.unit.start()

    code = bench.code
    power = threading.Timer(after_s, cut)
    power.start()
    try:
        given = ("--unit", UNIT, "--broker", "localhost:8883", *SITE, "--code", code, "--json")
        said = bench.at_unit("enrol", *given)
    finally:
        power.join()
    assert said.code == cli.OK, said
    assert bench.at_unit("status", "--json").json["greeting"]["unit"] == UNIT
    assert unit_code(bench.known.key) == code


@pytest.fixture
def small(office: Office, tmp_path: Path) -> Iterator[Bench]:
    """The same unit with a disk of its own, of two megabytes."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, to mount a small disk")
    made = Bench(office, tmp_path / "unit")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", made.unit.state], check=False)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        with made.unit:
            yield made
    finally:
        subprocess.run(["umount", made.unit.state], check=True)


@pytest.mark.slow
def test_a_unit_whose_disk_is_full_says_so_and_is_enrolled_once_there_is_room(small: Bench) -> None:
    filler = small.unit.state / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    said = small.enrol()
    assert said.code in {cli.NEGATIVE, cli.UNAVAILABLE}
    assert "cannot" in said.err
    assert len([line for line in said.err.splitlines() if line.startswith("overt-provision")]) == 1
    assert not (small.unit.state / "unit.json").exists()
    filler.unlink()
    assert small.enrol().code == cli.OK
