"""The control room's commands on real folders."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from overt.protocol import envelope, sealing
from overt.protocol.documents import Window
from overt.protocol.vocabulary import Refusal, Role
from overt.runtime.cli import run
from overt_controlroom.cli import parser
from overt_controlroom.home import HomeError, expired
from tests.builders import make_force, utc_now
from tests.controlroom.room import Unit, furnish


def command(*arguments: str | Path) -> int:
    return run(parser(), [str(argument) for argument in arguments])


# identity


def test_identity_makes_keys_that_nobody_else_can_read_and_prints_the_recipient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "room"
    assert command("identity", "--home", home, "--name", "room-1") == 0
    recipient = capsys.readouterr().out.strip()
    assert sealing.recipient_of((home / "identity.age").read_text().strip()) == recipient
    assert (home / "identity.pub").read_text().strip() == recipient
    for secret in (home / "identity.age", home / "tls" / "room.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    request = x509.load_pem_x509_csr((home / "tls" / "room.csr").read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=room-1"


def test_identity_never_replaces_the_key_that_opens_alerts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("identity", "--home", tmp_path, "--name", "room-1")
    before = (tmp_path / "identity.age").read_bytes()
    assert command("identity", "--home", tmp_path, "--name", "room-1") == 2
    assert (tmp_path / "identity.age").read_bytes() == before
    assert "AGE-SECRET-KEY" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", ["", "Room 1", "../x", "a" * 33, "room\n1"])
def test_identity_refuses_a_name_that_is_no_name_and_makes_nothing(tmp_path: Path, name: str) -> None:
    assert command("identity", "--home", tmp_path / "room", "--name", name) == 2
    assert not (tmp_path / "room").exists()


# verify


@pytest.fixture
def unit() -> Unit:
    return Unit()


def saved(folder: Path, data: bytes) -> Path:
    path = folder / "report.json"
    path.write_bytes(data)
    return path


def test_verify_says_what_an_erasure_certificate_says(
    tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    furnish(tmp_path, unit.force, unit.order)
    path = saved(tmp_path, unit.signed(unit.erasure()))
    assert command("verify", path, "--home", tmp_path) == 0
    assert "verified: erasure signed by unit-1" in capsys.readouterr().out
    assert command("verify", path, "--home", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["report"]["templates_wiped"] == 12


def test_verify_opens_a_saved_alert(tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]) -> None:
    furnish(tmp_path, unit.force, unit.order)
    assert command("verify", saved(tmp_path, unit.sealed(unit.alert())), "--home", tmp_path) == 0
    assert "volunteer-1" in capsys.readouterr().out


def test_verify_says_no_to_another_signature_other_documents_and_garbage(
    tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    furnish(tmp_path, unit.force, unit.order)
    stranger = Unit(unit.force)
    for data in (
        *(stranger.signed(stranger.erasure()), unit.order.data, b"", b"{}", b"\xff\x00"),
        *(stranger.sealed(stranger.alert(), recipient=sealing.new_identity()[1]), unit.signed(unit.erasure())[:-20]),
        unit.signed(unit.erasure(unit="unit-2")),
    ):
        assert command("verify", saved(tmp_path, data), "--home", tmp_path) == 1
        assert capsys.readouterr().out.startswith("not verified: ")


def test_verify_without_a_file_is_bad_input(tmp_path: Path, unit: Unit) -> None:
    furnish(tmp_path, unit.force, unit.order)
    assert command("verify", tmp_path / "nothing", "--home", tmp_path) == 2


# watch: what it needs before it listens


def test_watch_names_each_thing_that_is_missing_or_wrong(
    tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    home = furnish(tmp_path, unit.force, unit.order).folder
    other = make_force("other-force")
    for name, wrong, expected in (
        ("room.json", b"{", "room.json"),
        ("room.json", b'{"name":"room-1","force":"test-force","host":"h;x","port":1}', "room.json"),
        ("room.json", b'{"name":"room-1","force":"test-force","host":"192.0.2.1","port":1}', "over TLS"),
        ("identity.age", b"not a key", "identity.age"),
        ("charter.json", unit.order.data, "charter.json"),
        ("charter.json", other.charter_data, "which one is right"),
    ):
        good = (home / name).read_bytes()
        (home / name).write_bytes(wrong)
        assert command("watch", "--home", home, "--seconds", "0") == 2
        assert expected in capsys.readouterr().err
        (home / name).unlink()
        assert command("watch", "--home", home, "--seconds", "0") == 2
        assert name in capsys.readouterr().err
        (home / name).write_bytes(good)
        (home / name).chmod(0o600)


def test_watch_refuses_a_key_that_others_can_read(
    tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    home = furnish(tmp_path, unit.force, unit.order).folder
    (home / "identity.age").chmod(0o644)
    assert command("watch", "--home", home, "--seconds", "0") == 2
    assert "chmod 600" in capsys.readouterr().err


def test_watch_points_out_an_order_that_nobody_signed_and_goes_on(
    tmp_path: Path, unit: Unit, capsys: pytest.CaptureFixture[str]
) -> None:
    home = furnish(tmp_path, unit.force, unit.order).folder
    stranger = Unit(make_force())
    (home / "orders" / "forged.json").write_bytes(stranger.order.data)
    assert command("watch", "--home", home, "--json", "--seconds", "0.2", "--until", "alert") == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (refused,) = [event for event in events if event["event"] == "refused"]
    assert (refused["topic"], refused["code"]) == ("orders/forged.json", "not_authorised")
    assert {event["up"] for event in events if event["event"] == "link"} == {False}


def test_help_names_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["watch", "--help"], ["identity", "--help"], ["verify", "--help"]):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(words)
        assert ended.value.code == 0
        assert "exit codes" in capsys.readouterr().out


# trust: an order that is over still judges what was done under it


def test_an_order_whose_window_is_over_is_still_trusted_and_one_signed_by_half_is_not(tmp_path: Path) -> None:
    past = utc_now() - timedelta(hours=20)
    unit = Unit(window=Window(start=past, end=past + timedelta(hours=1)), issued=past)
    home = furnish(tmp_path, unit.force, unit.order)
    half = Unit(unit.force, roles=(Role.AUTHORISING_OFFICER,))
    (home.orders / "half.json").write_bytes(half.order.data)
    room, _ = home.read_room()
    trust, refused = home.read_trust(room)
    assert list(trust.orders) == [unit.order.digest]
    assert [(name, error.code) for name, error in refused] == [("half.json", Refusal.NOT_AUTHORISED)]


def test_a_charter_that_has_expired_still_proves_what_was_signed_in_its_time(tmp_path: Path) -> None:
    force = make_force(issued=utc_now() - timedelta(days=400), expires=utc_now() - timedelta(hours=1))
    home = furnish(tmp_path, force)
    assert expired(home.read_charter())


def test_a_charter_that_its_own_root_did_not_sign_is_refused(tmp_path: Path) -> None:
    force, other = make_force(), make_force()
    data = envelope.sign(force.charter, [other[Role.ROOT].signer])
    home = furnish(tmp_path, force)
    (home.folder / "charter.json").write_bytes(data)
    with pytest.raises(HomeError, match="role root"):
        home.read_charter()
