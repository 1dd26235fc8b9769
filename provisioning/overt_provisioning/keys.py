"""The office's signing keys: one file for each role, encrypted with a passphrase, unless `keyring` says otherwise.

PKCS#8 in PEM, encrypted by `cryptography`: the form that every other tool reads. Passphrase and PIN come from a file or
from the keyboard, never from the command line or the environment.
"""

import getpass
import warnings
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import Signer

from overt.protocol import keys
from overt.protocol.vocabulary import Role
from overt.runtime.files import write_atomically

Private = Ed25519PrivateKey | EllipticCurvePrivateKey
_MIN_PASSPHRASE = 12


class KeyProblem(Exception):
    """A key cannot be used. The message says why, and never holds a secret."""


class KeyUnavailable(KeyProblem):
    """A key cannot be reached: its token, or what reads it, is not there."""


def ask_unseen(prompt: str) -> str:
    """Ask at the keyboard; what is typed is never shown.

    Raises:
        EOFError: There is no terminal that can hide it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(prompt)
        except getpass.GetPassWarning as error:
            raise EOFError("no terminal") from error


class Passphrase:
    """The passphrase of an office's keys, and the PINs of its tokens, asked for once and only when they are needed."""

    def __init__(self, file: Path | None, ask: Callable[[str], str] = ask_unseen, pin_file: Path | None = None) -> None:
        self._file, self._ask, self._pin_file = file, ask, pin_file
        self._known: bytes | None = None
        self._pins: dict[str, str] = {}

    def __repr__(self) -> str:
        """Say where it comes from, not what it is."""
        return f"Passphrase({self._file or 'keyboard'})"

    def get(self) -> bytes:
        """Return it.

        Raises:
            KeyProblem: The file cannot be read, there is no keyboard, or it is too short.
        """
        if self._known is None:
            self._known = self._read()
            if len(self._known) < _MIN_PASSPHRASE:
                self._known = None
                raise KeyProblem(f"expected a passphrase of at least {_MIN_PASSPHRASE} characters")
        return self._known

    def pin(self, token: str, file: Path | None) -> str:
        """Return the PIN of a token, from the file that its URI names, the command's, or the keyboard.

        Raises:
            KeyProblem: It cannot be read.
        """
        if token not in self._pins:
            source = file or self._pin_file
            try:
                found = source.read_text().strip() if source else self._ask(f"PIN of the token {token}: ")
            except (OSError, EOFError, UnicodeDecodeError) as error:
                # The file's name is not repeated: it may be the PIN, in the wrong place.
                raise KeyProblem(f"cannot read the PIN of the token {token} from {_source(source, error)}") from error
            if not found:
                raise KeyProblem(f"expected the PIN of the token {token}, found nothing")
            self._pins[token] = found
        return self._pins[token]

    def _read(self) -> bytes:
        try:
            if self._file is not None:
                return self._file.read_bytes().strip()
            return self._ask("Passphrase of the office's keys: ").encode()
        except (OSError, EOFError) as error:
            raise KeyProblem(f"cannot read the passphrase from {_source(self._file, error)}") from error


def _source(file: Path | None, error: Exception) -> str:
    if file is None:
        return "the keyboard: there is no terminal"
    return f"its file: {error.strerror if isinstance(error, OSError) else 'expected a line of text'}"


def save(path: Path, key: Private, passphrase: Passphrase | None) -> None:
    """Write a private key, encrypted unless there is no passphrase (a server's key that must start unattended).

    Raises:
        KeyProblem: The passphrase cannot be had.
        OSError: It could not be written.
    """
    encryption = BestAvailableEncryption(passphrase.get()) if passphrase else NoEncryption()
    write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), mode=0o600)


def generate(path: Path, passphrase: Passphrase) -> str:
    """Make a new Ed25519 key in a file and return its public part.

    Raises:
        KeyProblem: There is a file already, or the passphrase cannot be had.
        OSError: It could not be written.
    """
    if path.exists():
        raise KeyProblem(f"{path} is there already: a key is never overwritten")
    key = Ed25519PrivateKey.generate()
    passphrase.get()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(path, key, passphrase)
    return key.public_key().public_bytes_raw().hex()


def load(path: Path, passphrase: Passphrase) -> Private:
    """Read a private key.

    Raises:
        KeyProblem: Missing, not a key, or the passphrase is wrong.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise KeyProblem(f"expected a key in {path}, cannot read it: {error.strerror}") from error
    try:
        key = load_pem_private_key(data, passphrase.get())
    except TypeError as error:
        raise KeyProblem(f"expected an encrypted key in {path}, found one that is not") from error
    except ValueError as error:
        raise KeyProblem(f"the passphrase does not open {path}, or the file is damaged") from error
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        raise KeyProblem(f"expected an Ed25519 or EC key in {path}, found another kind")
    return key


def role_file(home: Path, role: Role) -> Path:
    """Return where the key of a role is kept."""
    return home / "keys" / f"{role.value}.key"


def signer(home: Path, role: Role, passphrase: Passphrase) -> Signer:
    """Return the signer of a role, wherever its key is.

    Raises:
        KeyProblem: The key cannot be used.
        KeyUnavailable: It is on a token that cannot be reached.
    """
    from overt_provisioning import keyring  # noqa: PLC0415 - each needs the other

    where = keyring.read(home).get(role)
    return signer_at(home, role, where, passphrase)


def signer_at(home: Path, role: Role, where: str | None, passphrase: Passphrase) -> Signer:
    """Return the signer of a key; `where` is as in `keyring`, None for the role's own file.

    Raises:
        KeyProblem: The key cannot be used.
        KeyUnavailable: It is on a token that cannot be reached.
    """
    from overt_provisioning import keyring, tokens  # noqa: PLC0415 - each needs the other

    if where and keyring.public_in(where):
        raise KeyProblem(f"this office has the public part of the key of {role.value} alone: sign where the key is")
    if where and where.startswith(f"{tokens.SCHEME}:"):
        return tokens.TokenSigner(tokens.parse(where), passphrase.pin)
    key = load((keyring.file_in(home, where) if where else None) or role_file(home, role), passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"expected an Ed25519 key for {role.value}, found another kind")
    return keys.signer_of(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
