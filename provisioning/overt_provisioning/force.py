"""A force: its keys, its charter, its certificate authority."""

import contextlib
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from overt.protocol import authority, envelope, keys, limits
from overt.protocol.documents import Charter, ForceLimits, PublicKey, RoleKeys
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Role
from overt.runtime.files import write_atomically
from overt_provisioning import certificates, keyring
from overt_provisioning.keys import Passphrase, role_file, save, signer_at

POSTS = {
    Role.ROOT: "Keeper of the root key",
    Role.AUTHORISING_OFFICER: "Authorising officer",
    Role.SECOND_OFFICER: "Second officer",
    Role.WATCHLIST_OFFICER: "Watchlist officer",
    Role.ASSURANCE_BODY: "Assurance body",
    Role.TECHNICIAN: "Technician",
}


class ForceProblem(Exception):
    """A force cannot be made or read. The message says why."""


def create(
    home: Path,
    force: str,
    title: str,
    days: int,
    limits: ForceLimits,
    passphrase: Passphrase,
    places: Mapping[Role, str] | None = None,
) -> Charter:
    """Make a force's keys, charter and certificate authority.

    Args:
        home: The office's folder; it must hold no force yet.
        force: The force's slug.
        title: Its name in full.
        days: How long the charter holds.
        limits: The force's own limits.
        passphrase: For the key files, and the PINs of tokens.
        places: Where keys are that exist already, as in `keyring`; the others are made here.

    Raises:
        ForceProblem: A force is there already, or a name does not fit.
        KeyProblem: The passphrase cannot be had, or a key that exists cannot be used.
        KeyUnavailable: A token cannot be reached.
        OSError: It could not be written; nothing half-made stays.
    """
    if any((home / name).exists() for name in ("charter.json", "keys", "pki", keyring.FILE_NAME)):
        raise ForceProblem(f"expected an empty folder, found a force in {home}: it is never overwritten")
    passphrase.get()
    places = places or {}
    made = {role: Ed25519PrivateKey.generate() for role in Role if role not in places}
    now = datetime.now(UTC).replace(microsecond=0)
    public = {role: keys.public_of(raw_key(key)) for role, key in made.items()}
    public |= {role: public_at(home, role, where, passphrase) for role, where in places.items()}
    if len(set(public.values())) != len(public):
        raise ForceProblem("expected a key of its own for each role, found one key for two")
    charter = Charter(
        force=force,
        title=title,
        version=1,
        issued=now,
        expires=now + timedelta(days=days),
        keys={envelope.key_id(key): PublicKey(public=key, post=POSTS[role]) for role, key in public.items()},
        roles={role: RoleKeys(keys=(envelope.key_id(key),)) for role, key in public.items()},
        limits=limits,
    )
    root = made.get(Role.ROOT)
    signer = keys.signer_of(raw_key(root)) if root else signer_at(home, Role.ROOT, places[Role.ROOT], passphrase)
    data = envelope.sign(charter, [signer])
    try:
        authority.check_charter(data, now)
    except ProtocolError as error:
        raise ForceProblem(f"this charter would not be accepted: {error}") from error
    try:
        (home / "keys").mkdir(mode=0o700, parents=True)
        for role, key in made.items():
            save(role_file(home, role), key, passphrase)
        keyring.write(home, places)
        certificates.make_authority(home, force, passphrase)
        write_atomically(home / "charter.json", data, mode=0o644)
    except BaseException:
        shutil.rmtree(home / "keys", ignore_errors=True)
        shutil.rmtree(home / "pki", ignore_errors=True)
        with contextlib.suppress(OSError):
            (home / keyring.FILE_NAME).unlink(missing_ok=True)
        raise
    return charter


def public_at(home: Path, role: Role, where: str, passphrase: Passphrase) -> str:
    """Return the public key of a key that exists already, as hexadecimal.

    Raises:
        KeyProblem: It cannot be used.
        KeyUnavailable: It is on a token that cannot be reached.
    """
    keyring.check(role, where)
    return keyring.public_in(where) or str(signer_at(home, role, where, passphrase).public_key.keyval["public"])


def read_charter(path: Path) -> Charter:
    """Read a charter and check it.

    Raises:
        ForceProblem: Missing or not valid.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limits.DOCUMENT_MAX_BYTES + 1)
        if len(data) > limits.DOCUMENT_MAX_BYTES:
            limit = f"expected a document of at most {limits.DOCUMENT_MAX_BYTES:,} bytes"
            raise ForceProblem(f"{limit} in {path}, found a larger file")
        return authority.check_charter(data, datetime.now(UTC)).document
    except OSError as error:
        raise ForceProblem(f"expected a charter in {path}, cannot read it: {error.strerror}") from error
    except (ProtocolError, msgspec.DecodeError) as error:
        raise ForceProblem(f"{path} is not a valid charter: {error}") from error


def raw_key(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of a private key."""
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
