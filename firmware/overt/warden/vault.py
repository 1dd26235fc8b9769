"""The unit's keys, and what is kept of a deployment while it lasts.

Layout of the state folder: `unit.json`, `charter.json`, `keys/signing.key`, `keys/storage.key`,
`deployments/<order>/{order.json,key.sealed,watchlist.age}`, `loan/{charter.json,loan.json}`, `warden.db`. Of a
watchlist only the ciphertext that came is kept, and the key to it only sealed under the unit's storage key; erasing
overwrites and removes both.

On a unit with a TPM the storage key is not in `keys/`: the supervisor opens `sealed/storage.key` (`overt.warden.seal`)
and hands it over as a credential. It is destroyed with the last deployment like any other; the supervisor makes the
next one.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from overt.protocol import envelope, keys, sealing
from overt.protocol.documents import Charter, Loan, Order
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.fields import Digest, Recipient
from overt.protocol.vocabulary import Kind
from overt.runtime.files import overwrite, sync_folder, write_atomically
from overt.warden.config import UnitConfig
from overt.warden.enclosure import in_child
from overt.warden.erasing import erase_folder

_KEY_BYTES = 32
SEALED = "sealed"
"""Folder of keys that are sealed to the machine; systemd names credentials from it `sealed_<name>`."""


class VaultError(Exception):
    """The state folder lacks something or holds something unreadable. The message says what to do."""


class Deployment(msgspec.Struct, frozen=True):
    """What is kept of a deployment.

    Attributes:
        order: The order as it was checked.
        order_data: Its envelope.
        digest: Its identity.
        recipient: The public side of the key pair made for it.
    """

    order: Order
    order_data: bytes
    digest: Digest
    recipient: Recipient


class Unreadable(msgspec.Struct, frozen=True):
    """A deployment of which something is kept that cannot be used: altered, or its key is lost."""

    digest: str


class Lent(msgspec.Struct, frozen=True):
    """The loan in hand.

    Attributes:
        loan: The loan; None when what is kept of it is not readable.
        digest: Its identity, as far as it is known.
        data: Its envelope.
        charter: The borrower's charter, which may be newer than the one in the loan.
    """

    loan: Loan | None
    digest: str
    data: bytes
    charter: Charter | None


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Hold the state folder, so that no other process of this package changes it. The kernel frees it at the end.

    Raises:
        VaultError: Another process holds it.
        OSError: There is no such folder.
    """
    descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise VaultError(f"{state} is in use: stop the warden (or the other command) that works with it") from None
    finally:
        os.close(descriptor)


class Vault:
    """The state folder."""

    def __init__(self, state: Path) -> None:
        """Read keys, configuration and charter.

        Raises:
            VaultError: Not enrolled, or damaged.
        """
        self.state = self._state = state
        self.key_destroyed = False
        """The storage key was the supervisor's and is destroyed: it has to make another, and start the warden anew."""
        self._deployments = state / "deployments"
        self._signing = _read_key(state, "signing.key")
        if len(self._signing) != _KEY_BYTES:
            raise VaultError(f"expected a signing key of {_KEY_BYTES} bytes for {state}: it is damaged")
        try:
            self._storage_recipient = self._storage_public()
            self.config = msgspec.json.decode(_read(state / "unit.json", "overt-camera enrol"), type=UnitConfig)
            self.home = read_charter(_read(state / "charter.json", "overt-camera enrol"))
        except (ProtocolError, msgspec.DecodeError) as error:
            raise VaultError(f"the state folder {state} is damaged: {error}; enrol the unit anew") from error
        self.lent = self._find_loan()
        self.public = keys.public_of(self._signing)
        self._signer = keys.signer_of(self._signing)

    @property
    def charter(self) -> Charter:
        """The charter that governs the unit now: the borrower's while it is on loan."""
        return self.lent.charter if self.lent and self.lent.charter else self.home

    @property
    def force(self) -> str:
        """The force that holds the unit now."""
        return self.charter.force

    def sign(self, report: envelope.Payload) -> bytes:
        """Sign a report with the unit's key."""
        return envelope.sign(report, [self._signer])

    def new_deployment(self, order: Order, digest: str, data: bytes) -> Deployment:
        """Make the deployment's key pair and keep it, sealed, beside the order.

        Raises:
            OSError: It could not be made durable; nothing is kept.
        """
        recipient, sealed = self._new_key()
        folder = self._deployments / digest
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._deployments.parent)
            sync_folder(self._deployments)
            write_atomically(folder / "key.sealed", sealed)
            write_atomically(folder / "order.json", data)  # last: a folder with an order in it is whole
        except OSError:
            self.erase(digest)
            raise
        return Deployment(order, data, digest, recipient)

    def deployments(self) -> list[Deployment | Unreadable]:
        """Return what is kept, and remove what a power cut left half-made (no receipt has gone out for it)."""
        found: list[Deployment | Unreadable] = []
        for folder in sorted(self._deployments.glob("*")):
            if not (folder / "order.json").exists():
                self.erase(folder.name)
                continue
            try:
                data = (folder / "order.json").read_bytes()
                parsed = envelope.parse(data, Kind.ORDER)
                if parsed.digest() != folder.name:
                    raise Malformed("expected the order that its folder is named after, found another")
                order = envelope.decode(parsed, Order)
                found.append(Deployment(order, data, folder.name, self._recipient(folder.name)))
            except (OSError, ProtocolError):
                found.append(Unreadable(folder.name))
        return found

    def keep_loan(self, loan: Loan, digest: str, data: bytes) -> None:
        """Put the unit under the borrower's charter.

        Raises:
            OSError: It could not be made durable; nothing is kept.
        """
        folder = self._state / "loan"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._state)
            write_atomically(folder / "charter.json", loan.charter)
            write_atomically(folder / "loan.json", data)  # last: a loan is there when this is
        except OSError:
            erase_folder(folder)
            raise
        self.lent = Lent(loan, digest, data, read_charter(loan.charter))

    def erase_loan(self) -> None:
        """Put the unit under its own force again, and remove what is kept of the borrower's. Calling it twice is fine.

        Raises:
            OSError: Something could not be removed. The unit is its own force's all the same.
        """
        self.lent = None
        erase_folder(self._state / "loan")

    def replace_charter(self, charter: Charter, data: bytes) -> None:
        """Use a newer charter, which must have been checked against the one in use.

        Raises:
            OSError: It could not be made durable; the one before stays in use.
        """
        if self.lent is not None and charter.force == self.force:
            write_atomically(self._state / "loan" / "charter.json", data)
            self.lent = msgspec.structs.replace(self.lent, charter=charter)
        else:
            write_atomically(self._state / "charter.json", data)
            self.home = charter

    def _find_loan(self) -> Lent | None:
        """Return the loan in hand, and remove what a power cut left half-made of one."""
        folder = self._state / "loan"
        if not (folder / "loan.json").exists():
            erase_folder(folder)
            return None
        data = (folder / "loan.json").read_bytes()
        try:
            parsed = envelope.parse(data, Kind.LOAN)
            charter = read_charter((folder / "charter.json").read_bytes())
            return Lent(envelope.decode(parsed, Loan), parsed.digest(), data, charter)
        except (OSError, ProtocolError):
            return Lent(None, envelope.digest_of(data), data, None)

    def keep_assurance(self, model: str, data: bytes) -> None:
        """Keep a report on a model, in the place of the one before; a borrower's goes with the loan.

        Raises:
            OSError: It could not be made durable.
        """
        folder = self._assurances
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
        write_atomically(folder / f"{model}.json", data)

    def assurance(self, model: str) -> bytes | None:
        """Return the report on a model, if one is kept."""
        try:
            return (self._assurances / f"{model}.json").read_bytes()
        except OSError:
            return None

    def assurances_kept(self) -> int:
        """Return on how many models there is a report."""
        return sum(1 for _ in self._assurances.glob("*.json"))

    @property
    def _assurances(self) -> Path:
        return self._state / "loan" / "assurance" if self.lent else self._state / "assurance"

    def deployment_key(self, digest: str) -> str:
        """Return the secret key of a deployment. To be called in a child process alone (`enclosure`).

        Raises:
            OSError: It is not there.
            ProtocolError: It is not readable with the storage key.
        """
        sealed = (self._deployments / digest / "key.sealed").read_bytes()
        return sealing.unseal(sealed, self._storage_key()).decode()

    def _storage_key(self) -> str:
        """Read the storage key. It is in the memory of child processes alone."""
        return _read_key(self._state, "storage.key").decode(errors="replace").strip()

    def _storage_public(self) -> str:
        _find_key(self._state, "storage.key")
        return in_child(lambda: (sealing.recipient_of(self._storage_key()).encode(), None))[0].decode()

    def _recipient(self, digest: str) -> str:
        return in_child(lambda: (sealing.recipient_of(self.deployment_key(digest)).encode(), None))[0].decode()

    def _new_key(self) -> tuple[str, bytes]:
        """Make a deployment's key pair; return its public side, and its secret side sealed to the storage key."""
        if self.key_destroyed:
            raise OSError("the storage key is destroyed, and the next one not made yet")

        def make() -> tuple[bytes, None]:
            identity, recipient = sealing.new_identity()
            return recipient.encode() + b" " + sealing.seal(identity.encode(), [self._storage_recipient]), None

        recipient, _, sealed = in_child(make)[0].partition(b" ")
        return recipient.decode(), sealed

    def keep_watchlist(self, digest: str, sealed: bytes) -> None:
        """Keep a watchlist as it came: encrypted.

        Raises:
            OSError: It could not be made durable.
        """
        write_atomically(self._deployments / digest / "watchlist.age", sealed)

    def kept_watchlist(self, digest: str) -> bytes | None:
        """Return the encrypted watchlist, if one has come."""
        try:
            return (self._deployments / digest / "watchlist.age").read_bytes()
        except OSError:
            return None

    def erase(self, digest: str) -> None:
        """Overwrite and remove everything that is kept of a deployment. Calling it twice is fine.

        On flash the old blocks may survive the overwriting; what they hold is ciphertext, and the key to it sealed.

        Raises:
            OSError: Something could not be removed.
        """
        if erase_folder(self._deployments / digest) and not any(self._deployments.iterdir()):
            self._renew_storage_key()

    def _renew_storage_key(self) -> None:
        """Destroy the key that the deployments' keys were sealed under: copies of them are useless to the unit too."""
        path = _find_key(self._state, "storage.key")
        if path.parent != self._state / "keys":
            erase_folder(self._state / SEALED)
            (self._state / SEALED).mkdir(mode=0o700)
            self.key_destroyed = True
            return

        def make() -> tuple[bytes, None]:
            identity, recipient = sealing.new_identity()
            with path.open("r+b") as before:  # held open: it is overwritten once its successor is durable
                write_atomically(path, identity.encode())
                overwrite(before)
            return recipient.encode(), None

        self._storage_recipient = in_child(make)[0].decode()


def read_charter(data: bytes) -> Charter:
    """Read a charter that was checked before it was stored.

    Raises:
        ProtocolError: It is none.
    """
    return envelope.decode(envelope.parse(data, Kind.CHARTER), Charter)


def _read_key(state: Path, name: str) -> bytes:
    return _read(_find_key(state, name), "overt-camera identity")


def handed_over(name: str) -> Path | None:
    """Return where the supervisor has put a key that it keeps sealed, if it keeps it."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(credentials) / f"{SEALED}_{name}" if credentials else None
    return path if path and path.exists() else None


def _find_key(state: Path, name: str) -> Path:
    """Return where a key is: among the supervisor's credentials, else in the state folder."""
    path = handed_over(name) or state / "keys" / name
    if path.exists():
        return path
    raise VaultError(f"expected the key {name} in {state / 'keys'}, found none: run 'overt-camera identity' first")


def _read(path: Path, command: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VaultError(f"expected {path}, cannot read it ({error.strerror}): run '{command}' first") from error
