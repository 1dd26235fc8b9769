"""The next charter: new keys for lost or revoked ones, and nothing that an old key signed counts any more."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from overt.protocol import authority
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Role
from overt.runtime import cli
from overt_provisioning import keys, renewal
from overt_provisioning.keys import Passphrase, role_file
from tests.builders import utc_now
from tests.provisioning.office import Office, new_unit, refused, snapshot


def renew(office: Office, *roles: Role, days: int = 365) -> None:
    options = [word for role in roles for word in ("--replace", role.value)]
    said = office.keyed("force", "renew", "--valid-days", days, *options)
    assert said.code == cli.OK, said


def held(office: Office, role: Role) -> str:
    return str(keys.signer(office.home, role, Passphrase(office.passphrase)).public_key.keyval["public"])


def test_a_charter_is_renewed_for_longer_with_the_same_keys(office: Office) -> None:
    before, data = office.charter, (office.home / "charter.json").read_bytes()
    renew(office, days=500)
    assert office.charter.version == before.version + 1
    assert office.charter.keys == before.keys
    assert office.charter.expires - utc_now() > timedelta(days=499)
    assert (office.home / "charter-1.json").read_bytes() == data


@pytest.mark.parametrize("role", [Role.SECOND_OFFICER, Role.ROOT])
def test_a_replaced_key_is_gone_from_charter_and_office(office: Office, role: Role) -> None:
    before, old = office.charter, held(office, role)
    renew(office, role)
    assert old not in {key.public for key in office.charter.keys.values()}
    assert held(office, role) in {key.public for key in office.charter.keys.values()}
    assert stat.S_IMODE(role_file(office.home, role).stat().st_mode) == 0o600
    authority.check_charter((office.home / "charter.json").read_bytes(), utc_now(), before)


def test_an_order_that_a_replaced_key_signed_is_no_order_any_more(office: Office) -> None:
    order = office.ordered(new_unit())
    renew(office, Role.AUTHORISING_OFFICER)
    with pytest.raises(ProtocolError, match="authorising_officer"):
        authority.check_order(order.data, office.charter, utc_now())
    office.order.unlink()
    assert office.make().code == cli.OK
    assert office.countersign().code == cli.OK


def test_renewed_twice_a_unit_that_is_behind_follows_step_by_step_only(office: Office) -> None:
    first = office.charter
    renew(office, Role.ROOT)
    second, third_data = office.charter, None
    renew(office, Role.ROOT)
    third_data = (office.home / "charter.json").read_bytes()
    with pytest.raises(ProtocolError):
        authority.check_charter(third_data, utc_now(), first)
    step = authority.check_charter((office.home / "charter-2.json").read_bytes(), utc_now(), first)
    assert step.document == second
    authority.check_charter(third_data, utc_now(), second)


@pytest.mark.parametrize("written", [False, True])
def test_a_power_cut_between_keys_and_charter_leaves_a_force_that_works(
    office: Office, written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the charter is written, the old keys stand; after it, the new ones do."""

    def cut(path: Path, data: bytes, mode: int = 0o600) -> None:
        if path.name == "charter.json":
            if written:
                path.write_bytes(data)
            raise KeyboardInterrupt
        path.write_bytes(data)
        path.chmod(mode)

    with monkeypatch.context() as patch:
        patch.setattr(renewal, "write_atomically", cut)
        with pytest.raises(KeyboardInterrupt):
            renewal.renew(office.home, frozenset({Role.SECOND_OFFICER}), 365, Passphrase(office.passphrase))
    renewal.finish_interrupted(office.home, Passphrase(office.passphrase))
    assert office.charter.version == (2 if written else 1)
    assert held(office, Role.SECOND_OFFICER) in {key.public for key in office.charter.keys.values()}
    assert not list((office.home / "keys").glob("*.next"))
    assert office.ordered(new_unit())


def test_a_wrong_passphrase_renews_nothing(office: Office) -> None:
    office.passphrase.write_text("another-passphrase-altogether")
    before = snapshot(office.home)
    refused(office.keyed("force", "renew", "--replace", "root"), cli.BAD_INPUT, "passphrase")
    assert snapshot(office.home) == before


@pytest.mark.parametrize("arguments", [("--replace", "nobody"), ("--valid-days", "0")])
def test_bad_options_renew_nothing(office: Office, arguments: tuple[str, str]) -> None:
    before = snapshot(office.home)
    assert office.keyed("force", "renew", *arguments).code == cli.BAD_INPUT
    assert snapshot(office.home) == before
