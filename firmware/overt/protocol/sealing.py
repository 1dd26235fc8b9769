"""Encryption to named readers, with age: alerts to control rooms, watchlists to a unit's key for one deployment."""

from collections.abc import Iterable

import pyrage

from overt.protocol.errors import Malformed, NotReadable


def new_identity() -> tuple[str, str]:
    """Make an age X25519 key pair.

    Returns:
        The identity (secret, `AGE-SECRET-KEY-1…`) and its recipient (public, `age1…`).
    """
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipient_of(identity: str) -> str:
    """Return the public side of an identity.

    Raises:
        Malformed: Not an age identity. The text is never repeated.
    """
    return str(_identity(identity).to_public())


def seal(data: bytes, recipients: Iterable[str]) -> bytes:
    """Encrypt to every recipient.

    Raises:
        Malformed: A recipient is not an age X25519 recipient, or there is none.
    """
    try:
        readers = [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    except pyrage.RecipientError as error:
        raise Malformed("expected an age recipient (age1…), found something else") from error
    if not readers:
        raise Malformed("expected at least one recipient, found none")
    return bytes(pyrage.encrypt(data, readers))


def unseal(data: bytes, identity: str) -> bytes:
    """Decrypt with one identity.

    Raises:
        NotReadable: Not encrypted to this identity, or altered on the way.
        Malformed: The identity is not one.
    """
    try:
        return bytes(pyrage.decrypt(data, [_identity(identity)]))
    except (pyrage.DecryptError, ValueError) as error:
        raise NotReadable("expected bytes encrypted to this key, found bytes it does not open") from error


def _identity(text: str) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        raise Malformed("expected an age identity, found something else") from None
