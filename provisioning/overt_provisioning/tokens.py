"""Signing keys on a hardware token, named by a PKCS#11 URI (RFC 7512). The private key never leaves the token.

The PIN comes from a file or from the keyboard, never from the URI, the command line or the environment.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from overt.protocol.envelope import key_id
from overt_provisioning.keys import KeyProblem, KeyUnavailable

SCHEME = "pkcs11"
_EDWARDS_25519 = bytes.fromhex("06032b6570")  # RFC 8410: the object identifier 1.3.101.112, DER
_RAW = 32
_POINT_PREFIXES = (b"", b"\x04\x20", b"\x03\x21\x00")
"""How tokens wrap CKA_EC_POINT: bare, as an octet string (PKCS#11 3.0), as a bit string (some older ones)."""

Pin = Callable[[str, Path | None], str]
"""Token's name and the URI's file, if it names one -> PIN. Raises KeyProblem."""


class TokenKey(msgspec.Struct, frozen=True):
    """Where a key is.

    Attributes:
        module: The token's PKCS#11 library.
        token: The token's label.
        name: The key's label.
        pin_file: Where the PIN is; None to use the command's or ask.
    """

    module: Path
    token: str
    name: str
    pin_file: Path | None = None


def parse(uri: str) -> TokenKey:
    """Read a PKCS#11 URI.

    Raises:
        KeyProblem: Not one, something in it is missing or unknown, or it holds the PIN itself.
    """
    parts = urlsplit(uri)
    example = "pkcs11:token=NAME;object=NAME?module-path=/usr/lib/….so"
    try:
        if parts.scheme != SCHEME or parts.netloc or parts.fragment:
            raise ValueError("another scheme")
        path = _attributes(parts.path, ";")
        query = _attributes(parts.query, "&")
    except ValueError as error:
        raise KeyProblem(f"expected a key such as {example}, found something else") from error
    if "pin-value" in query:
        raise KeyProblem("a PIN does not belong into a URI: use pin-source=file:…, --pin-file, or the keyboard")
    unknown = sorted({*path, *query} - {"token", "object", "type", "module-path", "pin-source"})
    missing = sorted({"token", "object", "module-path"} - {*path, *query})
    if unknown or missing or path.get("type", "private") != "private":
        raise KeyProblem(
            f"expected a key such as {example}; missing: {', '.join(missing) or 'none'}, "
            f"unknown: {', '.join(unknown) or 'none'}"
        )
    source = query.get("pin-source")
    if source and not source.startswith("file:"):
        raise KeyProblem("expected pin-source=file:… in the URI, found something else")
    pin_file = Path(source.removeprefix("file:")) if source else None
    return TokenKey(Path(query["module-path"]), path["token"], path["object"], pin_file)


def _attributes(text: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, equals, value = part.partition("=")
        if not equals or not value or name in found:
            raise ValueError(name)
        found[name] = unquote(value, errors="strict")
    return found


def public_of(key: TokenKey, pin: Pin) -> str:
    """Return a key's public part, raw, in hexadecimal.

    Raises:
        KeyProblem: There is no such key, or it is not Ed25519.
        KeyUnavailable: Token or library cannot be had.
    """
    with _session(key, pin) as session:
        return _public(session, key)


def generate(key: TokenKey, pin: Pin) -> str:
    """Make a new Ed25519 key on a token, never to be extracted, and return its public part.

    Raises:
        KeyProblem: There is a key of that name already, or the token cannot make one.
        KeyUnavailable: Token or library cannot be had.
    """
    with _session(key, pin, write=True) as session:
        import pkcs11  # noqa: PLC0415 - optional: only those who use tokens need it

        if list(session.get_objects({pkcs11.Attribute.LABEL: key.name})):
            raise KeyProblem(f"the token {key.token} has an object {key.name!r} already: it is never overwritten")
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC_EDWARDS, {pkcs11.Attribute.EC_PARAMS: _EDWARDS_25519}, local=True
        )
        parameters.generate_keypair(
            mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            store=True,
            label=key.name,
            id=key.name.encode(),
            private_template={pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True},
        )
        return _public(session, key)


class TokenSigner(Signer):
    """Signs with a key on a token. The token is opened for each signature and closed after it."""

    def __init__(self, key: TokenKey, pin: Pin) -> None:
        """Find the key.

        Raises:
            KeyProblem: There is no such key, or it is not Ed25519.
            KeyUnavailable: Token or library cannot be had.
        """
        self._key, self._pin = key, pin
        public = public_of(key, pin)
        self._public = SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public})

    @property
    def public_key(self) -> Key:
        """The key's public part."""
        return self._public

    def sign(self, payload: bytes) -> Signature:
        """Sign.

        Raises:
            KeyProblem: The token refuses, or gives what is no signature by this key.
            KeyUnavailable: The token is gone.
        """
        with _session(self._key, self._pin) as session:
            import pkcs11  # noqa: PLC0415 - optional: only those who use tokens need it

            private = _find(session, self._key, pkcs11.ObjectClass.PRIVATE_KEY)
            signature: bytes = private.sign(payload, mechanism=pkcs11.Mechanism.EDDSA)
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(self._public.keyval["public"])).verify(signature, payload)
        except InvalidSignature as error:
            raise KeyProblem(f"the token {self._key.token} gave a signature that does not verify: not used") from error
        return Signature(self._public.keyid, signature.hex())

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> "TokenSigner":
        """Return the signer of a URI, if the token's key is that public key.

        Raises:
            KeyProblem: The key cannot be used, or is another.
            KeyUnavailable: Token or library cannot be had.
        """
        if secrets_handler is None:
            raise KeyProblem("expected something that knows the PIN, found nothing")
        signer = cls(parse(priv_key_uri), lambda token, _: secrets_handler(f"PIN of the token {token}"))
        if signer.public_key.keyid != public_key.keyid:
            raise KeyProblem(f"expected the key {public_key.keyid[:12]}… on the token, found another")
        return signer


@contextlib.contextmanager
def _session(key: TokenKey, pin: Pin, *, write: bool = False) -> Iterator[Any]:
    """Open a token, logged in, and let go of it afterwards; its errors become ours."""
    try:
        import pkcs11  # noqa: PLC0415 - optional: only those who use tokens need it
    except ImportError as error:
        raise KeyUnavailable(
            "a key on a token needs the package python-pkcs11: install overt with its extra 'pkcs11'"
        ) from error
    if not key.module.is_file():
        raise KeyUnavailable(f"expected the token's PKCS#11 library in {key.module}, found none")
    try:
        library = pkcs11.lib(str(key.module))
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise KeyUnavailable(f"cannot load {key.module}: {_name(error)}") from error
    try:
        token = library.get_token(token_label=key.token)
        with token.open(rw=write, user_pin=pin(key.token, key.pin_file)) as session:
            yield session
    except pkcs11.PKCS11Error as error:
        raise _worded(error, key) from error
    finally:
        with contextlib.suppress(pkcs11.PKCS11Error):
            library.finalize()


_GONE = "expected the token {key.token!r}, found none of that name: is it plugged in?"
_WRONG_PIN = "the PIN does not open the token {key.token}; after a few wrong tries it locks"
_WORDS: dict[str, tuple[type[KeyProblem], str]] = {
    **dict.fromkeys(("NoSuchToken", "TokenNotPresent", "DeviceRemoved"), (KeyUnavailable, _GONE)),
    **dict.fromkeys(("PinIncorrect", "PinLenRange", "PinInvalid"), (KeyProblem, _WRONG_PIN)),
    "PinLocked": (KeyProblem, "the token {key.token} is locked after too many wrong PINs: unlock it first"),
    "MechanismInvalid": (KeyProblem, "the token {key.token} cannot do Ed25519 (CKM_EDDSA)"),
}
"""What the library's errors, by class, mean to a person."""


def _worded(error: Exception, key: TokenKey) -> KeyProblem:
    kind, words = _WORDS.get(_name(error), (KeyUnavailable, f"the token {{key.token}} refused: {_name(error)}"))
    return kind(words.format(key=key))


def _name(error: Exception) -> str:
    """Return an error's class: what libraries write into messages is theirs, and might hold anything."""
    return type(error).__name__


def _find(session: Any, key: TokenKey, kind: Any) -> Any:  # noqa: ANN401 - the library's own classes
    """Return the one object of a kind that is this key; a search is always run to its end, or the library complains."""
    import pkcs11  # noqa: PLC0415 - optional: only those who use tokens need it

    wanted = {"CLASS": kind, "KEY_TYPE": pkcs11.KeyType.EC_EDWARDS, "LABEL": key.name}
    found = list(session.get_objects({pkcs11.Attribute[name]: value for name, value in wanted.items()}))
    if not found:
        raise KeyProblem(f"expected an Ed25519 key {key.name!r} on the token {key.token}, found none")
    if len(found) > 1:
        raise KeyProblem(f"expected one key {key.name!r} on the token {key.token}, found several")
    return found[0]


def _public(session: Any, key: TokenKey) -> str:  # noqa: ANN401 - the library's own class
    import pkcs11  # noqa: PLC0415 - optional: only those who use tokens need it

    point = bytes(_find(session, key, pkcs11.ObjectClass.PUBLIC_KEY)[pkcs11.Attribute.EC_POINT])
    for prefix in _POINT_PREFIXES:
        if point.startswith(prefix) and len(point) == len(prefix) + _RAW:
            return point[len(prefix) :].hex()
    raise KeyProblem(f"expected an Ed25519 key {key.name!r} on the token {key.token}, found one of another curve")
