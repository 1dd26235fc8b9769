"""The time, signed for a unit that nothing else tells it: with both command lines and a real warden."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from overt.protocol.vocabulary import Role
from overt_provisioning.keys import Passphrase, role_file, save
from tests.builders import make_force
from tests.provisioning.office import PASSPHRASE, Said, refused, run
from tests.warden.bench import Bench
from tests.warden.test_enrolment import overt_camera


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as made:
        made.world.set(clock="unknown", ahead_s=-40 * 86400.0)
        made.start()
        yield made
        assert made.end() == 0, made.log.read_text()


@pytest.fixture
def home(bench: Bench, tmp_path: Path) -> Path:
    """What a technician carries: the force's charter and the technician's own key, no other."""
    folder = tmp_path / "bag"
    (folder / "keys").mkdir(parents=True)
    (folder / "passphrase").write_text(PASSPHRASE)
    (folder / "charter.json").write_bytes(bench.force.charter_data)
    key = Ed25519PrivateKey.from_private_bytes(bench.force[Role.TECHNICIAN].private)
    save(role_file(folder, Role.TECHNICIAN), key, Passphrase(folder / "passphrase"))
    return folder


def sign(bench: Bench, home: Path) -> Said:
    return run(
        *("clock", "sign", "--home", home, "--passphrase-file", home / "passphrase", home / "challenge.json"),
        *("--identity", bench.state / "identity.json", "--out", home / "time.json"),
    )


def ask(bench: Bench, home: Path) -> None:
    asked = overt_camera("challenge", "--run", bench.run, "--out", home / "challenge.json")
    assert (asked.returncode, asked.stderr) == (0, "")


def test_a_technician_sets_a_units_time_by_cable_once(bench: Bench, home: Path) -> None:
    assert "clock       unknown" in overt_camera("status", "--run", bench.run).stdout
    ask(bench, home)
    assert sign(bench, home).code == 0
    given = overt_camera("deliver", "time", home / "time.json", "--run", bench.run)
    assert given.returncode == 0, given.stdout
    said = overt_camera("status", "--run", bench.run).stdout
    assert f"clock       holdover, {datetime.now(UTC):%Y-%m-%dT%H}" in said
    again = overt_camera("deliver", "time", home / "time.json", "--run", bench.run)
    assert again.returncode == 1
    assert "replayed" in again.stdout
    assert "fetch a new challenge" in again.stdout


def test_what_is_no_challenge_of_this_unit_is_not_signed(bench: Bench, home: Path) -> None:
    (home / "challenge.json").write_bytes(b"{}")
    refused(sign(bench, home), 2)
    (home / "challenge.json").write_bytes(bench.force.charter_data)
    refused(sign(bench, home), 2, "challenge", "charter")
    ask(bench, home)
    (home / "charter.json").write_bytes(make_force("other-force").charter_data)
    refused(sign(bench, home), 2, "other-force")
    assert not (home / "time.json").exists()


def test_without_a_warden_there_is_no_challenge(tmp_path: Path) -> None:
    asked = overt_camera("challenge", "--run", tmp_path, "--out", tmp_path / "challenge.json")
    assert (asked.returncode, asked.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "challenge.json").exists()
