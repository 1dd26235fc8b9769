"""A force's next charter: new keys in the place of lost or revoked ones, a later end. No unit accepts an older one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from overt.protocol import authority, envelope, keys
from overt.protocol.documents import Charter, PublicKey, RoleKeys
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Role
from overt.runtime.files import write_atomically
from overt_provisioning import keyring
from overt_provisioning.force import POSTS, ForceProblem, public_at, raw_key, read_charter
from overt_provisioning.keys import Passphrase, load, role_file, save, signer, signer_at

_NEXT = ".next"


def renew(
    home: Path, roles: frozenset[Role], days: int, passphrase: Passphrase, places: Mapping[Role, str] | None = None
) -> Charter:
    """Make the next charter, with a new key for each of these roles, signed by the old root key and the new.

    The charter before is kept beside it as `charter-<version>.json`: a unit that is further behind needs each in turn.

    Args:
        home: The office's folder.
        roles: Whose keys are replaced. What they signed before counts no more.
        days: How long the new charter holds.
        passphrase: Of the key files, old and new, and the PINs of tokens.
        places: Where new keys are that exist already, as in `keyring`; the others are made here.

    Raises:
        ForceProblem: There is no force, a key is in use already, or the charter would not be accepted.
        KeyProblem: A key cannot be used.
        KeyUnavailable: A token cannot be reached.
        OSError: It could not be written; the charter before stays in use.
    """
    finish_interrupted(home, passphrase)
    path = home / "charter.json"
    current, now = read_charter(path), datetime.now(UTC).replace(microsecond=0)
    places = places or {}
    made = {role: Ed25519PrivateKey.generate() for role in roles if role not in places}
    public = {role: keys.public_of(raw_key(key)) for role, key in made.items()}
    public |= {role: public_at(home, role, where, passphrase) for role, where in places.items()}
    _check_new(current, public)
    following = _following(current, public, now, now + timedelta(days=days))
    signers = [signer(home, Role.ROOT, passphrase)]
    if Role.ROOT in made:
        signers.append(keys.signer_of(raw_key(made[Role.ROOT])))
    elif Role.ROOT in places:
        signers.append(signer_at(home, Role.ROOT, places[Role.ROOT], passphrase))
    kept_places = {role: where for role, where in keyring.read(home).items() if role not in roles}
    data = envelope.sign(following, signers)
    try:
        authority.check_charter(data, now, current)
    except ProtocolError as error:
        raise ForceProblem(f"this charter would not be accepted: {error}") from error
    write_atomically(home / f"charter-{current.version}.json", path.read_bytes(), mode=0o644)
    for role, key in made.items():
        save(_waiting(home, role), key, passphrase)
    write_atomically(path, data, mode=0o644)
    # After a power cut just here, `keys.toml` names an old key: what it signs is refused, and the file says where.
    keyring.write(home, {**kept_places, **places})
    for role, where in places.items():
        kept = keyring.file_in(home, where)
        if kept is None or kept.resolve() != role_file(home, role).resolve():
            role_file(home, role).unlink(missing_ok=True)  # revoked, and its successor is elsewhere
    finish_interrupted(home, passphrase)
    return following


def finish_interrupted(home: Path, passphrase: Passphrase) -> None:
    """Put new keys in their place that the charter already names, and drop others: a power cut may have come between.

    Raises:
        ForceProblem: There is no force.
        KeyProblem: A key cannot be used.
        OSError: It could not be done.
    """
    waiting = [(role, _waiting(home, role)) for role in Role if _waiting(home, role).exists()]
    if not waiting:
        return
    named = {key.public for key in read_charter(home / "charter.json").keys.values()}
    for role, path in waiting:
        key = load(path, passphrase)
        if isinstance(key, Ed25519PrivateKey) and keys.public_of(raw_key(key)) in named:
            path.replace(role_file(home, role))
        else:
            path.unlink()


def _check_new(current: Charter, public: Mapping[Role, str]) -> None:
    """Refuse a key that is in use already: a role's own would revoke nothing, another's would make two posts one."""
    for role, key in public.items():
        for holder, held in current.roles.items():
            if envelope.key_id(key) in held.keys:
                raise ForceProblem(f"expected a new key for {role.value}, found the one that {holder.value} has")
    if len(set(public.values())) != len(public):
        raise ForceProblem("expected a key of its own for each role, found one key for two")


def _following(current: Charter, public: dict[Role, str], now: datetime, expires: datetime) -> Charter:
    roles = {**current.roles, **{role: RoleKeys(keys=(envelope.key_id(key),)) for role, key in public.items()}}
    held = {keyid for role in roles.values() for keyid in role.keys}
    posts = {envelope.key_id(key): PublicKey(public=key, post=POSTS[role]) for role, key in public.items()}
    kept = {keyid: key for keyid, key in current.keys.items() if keyid in held}
    return replace(
        current, version=current.version + 1, issued=now, expires=expires, keys={**kept, **posts}, roles=roles
    )


def _waiting(home: Path, role: Role) -> Path:
    file = role_file(home, role)
    return file.with_name(file.name + _NEXT)
