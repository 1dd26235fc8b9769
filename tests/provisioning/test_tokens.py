"""Keys on a hardware token, for which SoftHSM stands in: a force signs with keys that nobody can copy."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from overt.protocol import authority
from overt.protocol.vocabulary import Role
from overt_provisioning import keyring, tokens
from overt_provisioning.keys import KeyProblem, Passphrase, save
from tests.builders import utc_now
from tests.provisioning import softhsm
from tests.provisioning.office import FORCE, PASSPHRASE, Office, Said, new_unit, refused, run, snapshot

MODULE = softhsm.MODULE
pytestmark = softhsm.needed
PIN, WRONG_PIN = "canary-pin-4711", "canary-pin-4712"


class Token:
    """A token of its own for each test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.pin_file = folder, folder / "pin"
        self.pin_file.write_text(PIN + "\n")
        softhsm.make(folder, "office", PIN)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def uri(self, name: str, *, token: str = "office", module: Path | None = MODULE) -> str:  # noqa: S107 - a token of another kind
        return f"pkcs11:token={token};object={name}?module-path={module}"

    def generate(self, name: str) -> str:
        """Make a key; return its public part."""
        said = self.run("key", "generate", self.uri(name), "--json")
        assert said.code == 0, said
        return str(said.json["public"])

    def run(self, *arguments: object) -> Said:
        said = run(*arguments, "--pin-file", self.pin_file)
        assert PIN not in said.out + said.err
        assert WRONG_PIN not in said.out + said.err
        return said

    def keyed(self, office: Office, *command: object) -> Said:
        return self.run(*command, "--home", office.home, "--passphrase-file", office.passphrase)


@contextlib.contextmanager
def logged_in() -> Iterator[Any]:
    """The token as other programs use it."""
    import pkcs11

    library = pkcs11.lib(str(MODULE))
    try:
        with library.get_token(token_label="office").open(rw=True, user_pin=PIN) as session:
            yield session
    finally:
        library.finalize()


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Token:
    folder = tmp_path / "token"
    folder.mkdir()
    made = Token(folder)
    monkeypatch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    return made


@pytest.fixture
def office(tmp_path: Path, token: Token) -> Office:
    """A force whose root's and authorising officer's keys are on the token, the others in files."""
    made = Office(tmp_path)
    made.passphrase.write_text(PASSPHRASE + "\n")
    for name in ("root", "officer"):
        token.generate(name)
    said = token.keyed(
        made,
        *("force", "create", "--force", FORCE, "--title", "Test force", "--key", f"root={token.uri('root')}"),
        *("--key", f"authorising_officer={token.uri('officer')}"),
    )
    assert said.code == 0, said
    return made


def test_a_force_whose_root_key_is_on_a_token_has_no_file_of_it(office: Office, token: Token) -> None:
    files = {path.name for path in (office.home / "keys").iterdir()}
    assert files == {f"{role.value}.key" for role in Role} - {"root.key", "authorising_officer.key"}
    charter = authority.check_charter((office.home / "charter.json").read_bytes(), utc_now()).document
    (root,) = charter.roles[Role.ROOT].keys
    shown = token.keyed(office, "key", "show", "--role", "root", "--json").json
    assert (
        charter.keys[root].public
        == shown["public"]
        == token.run("key", "show", "--uri", token.uri("root"), "--home", office.home, "--json").json["public"]
    )


def test_an_order_signed_on_the_token_and_countersigned_from_a_file_is_lawful(office: Office, token: Token) -> None:
    office.fill_in(new_unit())
    assert token.keyed(office, "order", "make", office.form, "--out", office.order).code == 0
    assert office.countersign().code == 0
    authority.check_order(office.order.read_bytes(), office.charter, utc_now())
    assert office.check().code == 0


def test_the_token_countersigns_too(tmp_path: Path, token: Token) -> None:
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE + "\n")
    token.generate("second")
    where = f"second_officer={token.uri('second')}"
    made = token.keyed(office, "force", "create", "--force", FORCE, "--title", "Test force", "--key", where)
    assert made.code == 0, made
    office.fill_in(new_unit())
    assert office.make().code == 0
    assert token.keyed(office, "order", "countersign", office.order).code == 0
    authority.check_order(office.order.read_bytes(), office.charter, utc_now())


def test_a_charter_is_renewed_by_the_token_and_a_key_in_a_file_replaced_by_one_on_it(
    office: Office, token: Token
) -> None:
    before = office.charter
    public = token.generate("watchlist")
    where = f"watchlist_officer={token.uri('watchlist')}"
    assert token.keyed(office, "force", "renew", "--key", where).code == 0
    data = (office.home / "charter.json").read_bytes()
    after = authority.check_charter(data, utc_now(), before).document
    assert after.version == before.version + 1
    (held,) = after.roles[Role.WATCHLIST_OFFICER].keys
    assert after.keys[held].public == public
    assert not (office.home / "keys" / "watchlist_officer.key").exists()
    assert after.roles[Role.ROOT] == before.roles[Role.ROOT]


def test_a_key_that_is_kept_elsewhere_is_in_the_charter_and_cannot_sign_here(tmp_path: Path, token: Token) -> None:
    public = token.generate("elsewhere")
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE + "\n")
    where = f"authorising_officer=public:{public}"
    made = token.keyed(office, "force", "create", "--force", FORCE, "--title", "Test force", "--key", where)
    assert made.code == 0, made
    (held,) = office.charter.roles[Role.AUTHORISING_OFFICER].keys
    assert office.charter.keys[held].public == public
    office.fill_in(new_unit())
    refused(office.make(), 2, "authorising_officer")


def test_the_pin_may_be_in_the_file_that_the_uri_names(office: Office, token: Token) -> None:
    uri = f"{token.uri('root')}&pin-source=file:{token.pin_file}"
    said = run("key", "show", "--uri", uri, "--home", office.home)
    assert said.code == 0, said


# What can be wrong


def test_a_wrong_pin_says_so_and_makes_nothing(office: Office, token: Token) -> None:
    token.pin_file.write_text(WRONG_PIN)
    office.fill_in(new_unit())
    refused(
        token.keyed(office, "order", "make", office.form, "--out", office.order), 2, "the PIN does not open the token"
    )
    assert not office.order.exists()


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"name": "no-such-key"}, 2, "expected an Ed25519 key 'no-such-key' on the token office, found none"),
        ({"name": "root", "token": "no-such-token"}, 3, "expected the token 'no-such-token', found none of that name"),
        ({"name": "root", "module": Path("/no/such.so")}, 3, "expected the token's PKCS#11 library in /no/such.so"),
    ],
)
def test_a_key_or_token_or_library_that_is_not_there_is_one_clear_error(
    token: Token, changed: dict[str, object], code: int, words: str
) -> None:
    token.generate("root")
    uri = token.uri(**changed)  # type: ignore[arg-type]  # names and paths
    refused(token.run("key", "show", "--uri", uri), code, words)


def test_a_library_that_is_none_is_one_clear_error(token: Token, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("not a library")
    refused(token.run("key", "show", "--uri", token.uri("root", module=tmp_path / "text.so")), 3, "cannot load")


def test_a_token_that_was_pulled_out_is_said_to_be_gone(office: Office, token: Token) -> None:
    shutil.rmtree(token.folder / "tokens")
    (token.folder / "tokens").mkdir()
    office.fill_in(new_unit())
    refused(token.keyed(office, "order", "make", office.form, "--out", office.order), 3, "is it plugged in?")
    assert not office.order.exists()


def test_a_key_is_never_overwritten_on_the_token(token: Token) -> None:
    public = token.generate("root")
    refused(token.run("key", "generate", token.uri("root")), 2, "never overwritten")
    assert token.run("key", "show", "--uri", token.uri("root"), "--json").json["public"] == public


def test_a_key_never_leaves_the_token(token: Token) -> None:
    import pkcs11

    token.generate("root")
    with logged_in() as session:
        private = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label="root")
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            private[pkcs11.Attribute.VALUE]


def test_a_key_of_another_curve_is_not_taken(token: Token) -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    with logged_in() as session:
        named = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        session.create_domain_parameters(pkcs11.KeyType.EC, named, local=True).generate_keypair(
            store=True, label="p256"
        )
    refused(token.run("key", "show", "--uri", token.uri("p256")), 2, "expected an Ed25519 key 'p256'")


def test_one_key_for_two_roles_makes_no_force(tmp_path: Path, token: Token) -> None:
    token.generate("root")
    office = Office(tmp_path)
    office.passphrase.write_text(PASSPHRASE + "\n")
    twice = [f"{role}={token.uri('root')}" for role in ("authorising_officer", "second_officer")]
    refused(
        token.keyed(
            office,
            *("force", "create", "--force", FORCE, "--title", "Test force", "--key", twice[0], "--key", twice[1]),
        ),
        2,
        "one key for two",
    )
    assert not office.home.exists() or list(office.home.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:token=office;object=root?module-path=/x.so&pin-value=canary-pin-4711", "does not belong into a URI"),
        ("pkcs11:object=root?module-path=/x.so", "missing: token"),
        ("pkcs11:token=office;object=root", "missing: module-path"),
        ("pkcs11:token=office;token=other;object=root?module-path=/x.so", "expected a key such as"),
        ("pkcs11:token=office;object=root;serial=1?module-path=/x.so", "unknown: serial"),
        ("pkcs11:token=office;object=root;type=cert?module-path=/x.so", "expected a key such as"),
        ("pkcs11:%ff=1", "expected a key such as"),
        ("pkcs11:token=%ff;object=root?module-path=/x.so", "expected a key such as"),
        ("pkcs12:token=office;object=root?module-path=/x.so", "expected a key such as"),
        ("pkcs11://token=office;object=root?module-path=/x.so", "expected a key such as"),
    ],
)
def test_what_is_no_uri_of_a_key_is_said_to_be_none_and_not_repeated(uri: str, words: str) -> None:
    with pytest.raises(KeyProblem, match=words) as caught:
        tokens.parse(uri)
    assert PIN not in str(caught.value)


def test_a_file_that_says_where_keys_are_is_checked(office: Office, token: Token) -> None:
    path = office.home / keyring.FILE_NAME
    good = path.read_text()
    for bad in ("[keys]\nroot = 1", "[keys]\nking = 'public:00'", "[keys]\nroot = 'somewhere'", "not toml", "\xff"):
        path.write_bytes(bad.encode("latin-1"))
        refused(token.keyed(office, "key", "show", "--role", "root"), 2, keyring.FILE_NAME)
    path.write_text(good)
    assert token.keyed(office, "key", "show", "--role", "root").code == 0


# The PIN is nowhere but in the token and in the hands of its keeper


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pin", PIN),
        (f"--pin={PIN}",),
        ("--pin-value", PIN),
        ("--pin-file", PIN),
        ("--passphrase", PIN),
        ("--passphrase-file", PIN, "--role", "root"),
        (PIN,),
    ],
)
def test_a_pin_in_the_wrong_place_is_refused_and_not_repeated(
    office: Office, token: Token, arguments: tuple[str, ...]
) -> None:
    where = () if "--role" in arguments else ("--uri", token.uri("root"))
    if "--role" in arguments:
        (office.home / keyring.FILE_NAME).unlink()
        (office.home / "keys" / "root.key").write_bytes((office.home / "keys" / "technician.key").read_bytes())
    said = run("key", "show", "--home", office.home, *where, *arguments)
    assert said.code == 2
    assert said.out == ""
    assert PIN not in said.err


@pytest.mark.parametrize("source", ["pin-value=", "pin-source=", "pin-source=|cat "])
@pytest.mark.parametrize("place", ["key show --uri ", "key generate ", "--key root=", "--key ", "keys.toml"])
def test_a_pin_in_a_uri_is_refused_everywhere_and_not_repeated(
    office: Office, token: Token, source: str, place: str
) -> None:
    uri = f"{token.uri('root')}&{source}{PIN}"
    if place == "keys.toml":
        (office.home / keyring.FILE_NAME).write_text(f'[keys]\nroot = "{uri}"\n')
        said = run("force", "renew", "--home", office.home, "--passphrase-file", office.passphrase)
    elif place.startswith("--key"):
        option, _, before = place.partition(" ")
        said = run("force", "renew", "--home", office.home, option, before + uri)
    else:
        said = run(*place.split(), uri)
    refused(said, 2)
    assert PIN not in said.err
    assert office.charter.version == 1


def test_no_file_repr_process_or_log_holds_the_pin(
    office: Office, token: Token, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    uri = token.uri("root")
    secrets = Passphrase(office.passphrase, pin_file=token.pin_file)
    signer = tokens.TokenSigner(tokens.parse(uri), secrets.pin)
    signature = signer.sign(b"x")
    signer.public_key.verify_signature(signature, b"x")
    for shown in (secrets, signer, signer.public_key, tokens.parse(uri), signature):
        assert PIN not in repr(shown) + str(shown)
    secrets = Passphrase(None, pin_file=token.pin_file)
    token.pin_file.write_text(WRONG_PIN)
    with pytest.raises(KeyProblem) as caught:
        tokens.TokenSigner(tokens.parse(uri), secrets.pin)
    assert WRONG_PIN not in repr(caught.value) + repr(caught.value.__cause__) + caplog.text
    for name, content in snapshot(office.home).items():
        assert PIN.encode() not in content, name
    assert PIN not in " ".join(os.environ.values()) + Path("/proc/self/cmdline").read_text()


def test_without_a_terminal_a_pin_is_not_asked_for_where_it_could_be_seen(token: Token) -> None:
    token.generate("root")
    command = [sys.executable, "-c", "from overt_provisioning.cli import main; main()", "key", "show"]
    done = subprocess.run(
        [*command, "--uri", token.uri("root")],
        input=PIN + "\n",
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
        env=token.environment,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "overt-provision: cannot read the PIN of the token office from the keyboard: there is no terminal"
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff"])
def test_a_file_without_a_pin_in_it_says_so(token: Token, content: bytes) -> None:
    token.generate("root")
    token.pin_file.write_bytes(content)
    refused(run("key", "show", "--uri", token.uri("root"), "--pin-file", token.pin_file), 2, "PIN of the token office")


def test_two_keys_of_one_name_are_not_chosen_between(token: Token) -> None:
    import pkcs11

    token.generate("first")
    token.generate("second")
    with logged_in() as session:
        for kind in (pkcs11.ObjectClass.PUBLIC_KEY, pkcs11.ObjectClass.PRIVATE_KEY):
            session.get_key(object_class=kind, label="second")[pkcs11.Attribute.LABEL] = "first"
    refused(token.run("key", "show", "--uri", token.uri("first")), 2, "expected one key 'first'", "found several")


# The next charter


def test_a_root_key_moves_from_one_token_key_to_another(office: Office, token: Token) -> None:
    before = office.charter
    token.generate("new-root")
    assert token.keyed(office, "force", "renew", "--key", f"root={token.uri('new-root')}").code == 0
    data = (office.home / "charter.json").read_bytes()
    after = authority.check_charter(data, utc_now(), before).document
    assert after.roles[Role.ROOT] != before.roles[Role.ROOT]
    assert token.keyed(office, "force", "renew", "--replace", "authorising_officer").code == 0
    assert keyring.read(office.home) == {Role.ROOT: token.uri("new-root")}
    assert (office.home / "keys" / "authorising_officer.key").exists()


@pytest.mark.parametrize(("role", "name"), [("watchlist_officer", "root"), ("root", "root"), ("root", "officer")])
def test_a_key_that_is_in_use_replaces_none(office: Office, token: Token, role: str, name: str) -> None:
    before = snapshot(office.home)
    refused(token.keyed(office, "force", "renew", "--key", f"{role}={token.uri(name)}"), 2, "expected a new key")
    assert snapshot(office.home) == before


def test_one_new_key_does_not_replace_two(office: Office, token: Token) -> None:
    token.generate("new")
    before = snapshot(office.home)
    where = [f"--key={role}={token.uri('new')}" for role in ("technician", "watchlist_officer")]
    refused(token.keyed(office, "force", "renew", *where), 2, "one key for two")
    assert snapshot(office.home) == before


def test_a_key_said_to_be_elsewhere_already_keeps_its_only_copy(office: Office, token: Token) -> None:
    """Nothing was revoked, so nothing may be deleted."""
    public = token.keyed(office, "key", "show", "--role", "second_officer", "--json").json["public"]
    before = snapshot(office.home)
    refused(token.keyed(office, "force", "renew", "--key", f"second_officer=public:{public}"), 2, "expected a new key")
    assert snapshot(office.home) == before


def test_a_new_key_put_in_the_place_of_the_old_is_not_deleted(office: Office, token: Token) -> None:
    file = office.home / "keys" / "technician.key"
    save(file, Ed25519PrivateKey.generate(), Passphrase(office.passphrase))
    made = file.read_bytes()
    assert token.keyed(office, "force", "renew", "--key", "technician=file:keys/technician.key").code == 0
    assert file.read_bytes() == made


def test_a_token_that_is_gone_renews_nothing(office: Office, token: Token) -> None:
    before = snapshot(office.home)
    shutil.rmtree(token.folder / "tokens")
    (token.folder / "tokens").mkdir()
    refused(token.keyed(office, "force", "renew", "--replace", "technician"), 3, "is it plugged in?")
    assert snapshot(office.home) == before


def test_without_the_library_for_tokens_the_error_says_what_to_install(
    token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    token.generate("root")
    monkeypatch.setitem(__import__("sys").modules, "pkcs11", None)
    refused(token.run("key", "show", "--uri", token.uri("root")), 3, "python-pkcs11", "extra 'pkcs11'")
