"""A force is made once, whole or not at all, and its secrets are seen by nobody."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from overt.protocol import authority
from overt.protocol.vocabulary import Role
from overt.runtime import cli
from overt_provisioning.keys import KeyProblem, Passphrase, load, role_file, signer
from tests.provisioning.office import FORCE, PASSPHRASE, Office, refused, run, snapshot


def test_a_new_force_has_a_key_for_each_role_a_valid_charter_and_an_authority(office: Office) -> None:
    charter = authority.check_charter((office.home / "charter.json").read_bytes(), datetime.now(UTC)).document
    assert charter.force == FORCE
    assert set(charter.roles) == set(Role)
    assert len(charter.keys) == len(Role)
    passphrase = Passphrase(office.passphrase)
    for role in Role:
        held = signer(office.home, role, passphrase).public_key.keyval["public"]
        assert [charter.keys[keyid].public for keyid in charter.roles[role].keys] == [held]


def test_every_private_key_is_encrypted_and_its_owners_alone(office: Office) -> None:
    files = [*(office.home / "keys").iterdir(), office.home / "pki" / "ca.key"]
    assert len(files) == len(Role) + 1
    for file in files:
        assert file.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for folder in ("keys", "pki"):
        assert stat.S_IMODE((office.home / folder).stat().st_mode) == 0o700


def test_the_passphrase_is_in_no_file_repr_or_error(office: Office) -> None:
    for name, content in snapshot(office.home).items():
        assert PASSPHRASE.encode() not in content, name
    passphrase = Passphrase(office.passphrase)
    assert passphrase.get() == PASSPHRASE.encode()
    assert PASSPHRASE not in repr(passphrase)
    (office.home / "keys" / "root.key").write_bytes(b"damaged")
    with pytest.raises(KeyProblem) as problem:
        load(role_file(office.home, Role.ROOT), passphrase)
    assert PASSPHRASE not in str(problem.value) + repr(problem.value.__cause__)


def test_a_force_is_never_overwritten(office: Office) -> None:
    before = snapshot(office.home)
    refused(office.create(), cli.BAD_INPUT, "never overwritten")
    assert snapshot(office.home) == before
    (office.home / "charter.json").unlink()
    refused(office.create(), cli.BAD_INPUT, "never overwritten")


@pytest.mark.parametrize("left", ["charter.json", "keys", "pki"])
def test_no_force_is_made_over_what_is_left_of_another(tmp_path: Path, left: str) -> None:
    office = Office(tmp_path)
    (office.home / left).mkdir(parents=True)
    refused(office.create(), cli.BAD_INPUT, "never overwritten")
    assert [path.name for path in office.home.iterdir()] == [left]


def test_json_says_where_the_charter_is(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE)
    said = office.keyed("force", "create", "--force", "a-force", "--title", "A Force", "--json")
    assert said.code == cli.OK
    assert said.json["force"] == "a-force"
    assert said.json["charter"] == str(office.home / "charter.json")


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--force", "A Force", "lower-case"),
        ("--title", "", "title"),
        ("--title", "two\nlines", "title"),
        ("--valid-days", "0", "days"),
        ("--valid-days", "99999999999999", "days"),
        ("--most-entries", "0", "watchlist_max_entries"),
        ("--most-entries", "20001", "watchlist_max_entries"),
        ("--least-threshold", "0.1", "threshold_min"),
        ("--least-threshold", "nan", "threshold_min"),
    ],
)
def test_bad_options_make_nothing(tmp_path: Path, option: str, value: str, word: str) -> None:
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE)
    options = {"--force": FORCE, "--title": "Test force", option: value}
    said = office.keyed("force", "create", *(word for pair in options.items() for word in pair))
    assert said.code == cli.BAD_INPUT
    assert word in said.err
    assert not office.home.exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"eleven char", "at least 12"), (b"", "at least 12"), (None, "cannot read the passphrase")],
)
def test_a_short_or_missing_passphrase_makes_nothing(tmp_path: Path, content: bytes | None, word: str) -> None:
    office = Office(tmp_path)
    if content is not None:
        office.passphrase.write_bytes(content)
    said = office.keyed("force", "create", "--force", FORCE, "--title", "Test force")
    refused(said, cli.BAD_INPUT, word)
    assert "eleven char" not in said.err
    assert not office.home.exists()


def test_a_wrong_passphrase_opens_nothing(office: Office) -> None:
    office.passphrase.write_text("another-passphrase-altogether")
    before = snapshot(office.home)
    said = office.keyed("certificate", "office")
    refused(said, cli.BAD_INPUT, "passphrase does not open")
    assert "another-passphrase" not in said.err
    assert snapshot(office.home) == before


def test_a_key_that_is_not_encrypted_or_missing_is_refused(office: Office) -> None:
    (office.home / "pki" / "ca.key").unlink()
    refused(office.keyed("certificate", "office"), cli.BAD_INPUT, "expected a key in")


def test_a_failure_half_way_leaves_nothing_of_the_force(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE)
    office.home.write_text("a file where the folder should be")
    said = office.keyed("force", "create", "--force", FORCE, "--title", "Test force")
    assert said.code != cli.OK
    assert office.home.read_text() == "a file where the folder should be"


def test_the_passphrase_cannot_be_given_on_the_command_line() -> None:
    refused_by_parser = run("force", "create", "--force", FORCE, "--title", "T", "--passphrase", "x" * 20)
    assert refused_by_parser.code == cli.BAD_INPUT


def test_a_key_in_a_file_is_encrypted_never_overwritten_and_signs_where_it_is(tmp_path: Path) -> None:
    """For a post whose key the office is not to hold, and which has no token."""
    file, passphrase = tmp_path / "second" / "keys" / "second_officer.key", tmp_path / "pass"
    command = ("key", "generate", f"file:{file}", "--passphrase-file", passphrase)
    refused(run(*command), 2, "cannot read the passphrase")
    passphrase.write_text(PASSPHRASE)
    said = run(*command)
    assert said.code == 0
    made = file.read_bytes()
    assert made.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    refused(run(*command), 2, "never overwritten")
    assert file.read_bytes() == made
    shown = run("key", "show", "--home", tmp_path / "second", "--role", "second_officer", *command[-2:])
    assert shown.out == said.out
