"""The office's signing keys: one file for each role, encrypted with a passphrase.

PKCS#8 in PEM, encrypted by `cryptography`: the form that every other tool, and a later move to a hardware token, reads.
The passphrase comes from a file or from the keyboard, never from the command line or the environment.
"""

import getpass
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


class Passphrase:
    """The passphrase of an office's keys, asked for once and only when it is needed."""

    def __init__(self, file: Path | None, ask: Callable[[str], str] = getpass.getpass) -> None:
        self._file, self._ask = file, ask
        self._known: bytes | None = None

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

    def _read(self) -> bytes:
        try:
            if self._file is not None:
                return self._file.read_bytes().strip()
            return self._ask("Passphrase of the office's keys: ").encode()
        except (OSError, EOFError) as error:
            raise KeyProblem(f"cannot read the passphrase from {self._file or 'the keyboard'}: {error}") from error


def save(path: Path, key: Private, passphrase: Passphrase | None) -> None:
    """Write a private key, encrypted unless there is no passphrase (a server's key that must start unattended).

    Raises:
        KeyProblem: The passphrase cannot be had.
        OSError: It could not be written.
    """
    encryption = BestAvailableEncryption(passphrase.get()) if passphrase else NoEncryption()
    write_atomically(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), mode=0o600)


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
    """Return the signer of a role.

    Raises:
        KeyProblem: The key cannot be used.
    """
    key = load(role_file(home, role), passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"expected an Ed25519 key for {role.value}, found another kind")
    return keys.signer_of(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
