"""The unit's keys, and what is kept of a deployment while it lasts.

Layout of the state folder: `unit.json`, `charter.json`, `keys/signing.key`, `keys/storage.key`,
`deployments/<order>/{order.json,key.sealed,watchlist.age}`, `warden.db`. Of a watchlist only the ciphertext that came is
kept, and the key to it only sealed under the unit's storage key; erasing overwrites and removes both.
"""

import os
import shutil
from pathlib import Path

import msgspec

from overt.protocol import envelope, keys, sealing
from overt.protocol.documents import Charter, FixedSite, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.fields import Digest, Slug, Value
from overt.protocol.vocabulary import Kind
from overt.runtime.files import sync_folder, write_atomically

_KEY_BYTES = 32


class VaultError(Exception):
    """The state folder lacks something or holds something unreadable. The message says what to do."""


class UnitConfig(Value, frozen=True, kw_only=True):
    """What the unit was told at enrolment."""

    unit: Slug
    force: Slug
    site: FixedSite
    indicator: "GpioLines | None" = None


class GpioLines(Value, frozen=True, kw_only=True):
    """Where the lamp is."""

    chip: str
    lamp: int
    read_back: int


class Deployment(msgspec.Struct, frozen=True):
    """What is kept of a deployment.

    Attributes:
        order: The order as it was checked.
        order_data: Its envelope.
        digest: Its identity.
        identity: The age identity made for it (secret).
    """

    order: Order
    order_data: bytes
    digest: Digest
    identity: str

    @property
    def recipient(self) -> str:
        """The public side of the deployment's key."""
        return sealing.recipient_of(self.identity)

    def __repr__(self) -> str:
        """Leave out the key."""
        return f"Deployment({self.digest[:12]}…)"


class Vault:
    """The state folder."""

    def __init__(self, state: Path) -> None:
        """Read keys, configuration and charter.

        Raises:
            VaultError: Not enrolled, or damaged.
        """
        self._deployments = state / "deployments"
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        folder = Path(credentials) if credentials else state / "keys"
        self._signing = _read(folder / "signing.key", "overt-camera identity")
        self._storage = _read(folder / "storage.key", "overt-camera identity").decode(errors="replace").strip()
        if len(self._signing) != _KEY_BYTES:
            raise VaultError(
                f"expected a key of {_KEY_BYTES} bytes in {folder / 'signing.key'}: make the identity anew"
            )
        try:
            self._storage_recipient = sealing.recipient_of(self._storage)
            self.config = msgspec.json.decode(_read(state / "unit.json", "overt-camera enrol"), type=UnitConfig)
            charter = envelope.parse(_read(state / "charter.json", "overt-camera enrol"), Kind.CHARTER)
            self.charter = envelope.decode(charter, Charter)
        except (ProtocolError, msgspec.DecodeError) as error:
            raise VaultError(f"the state folder {state} is damaged: {error}; enrol the unit anew") from error
        self.public = keys.public_of(self._signing)
        self._signer = keys.signer_of(self._signing)

    def sign(self, report: envelope.Payload) -> bytes:
        """Sign a report with the unit's key."""
        return envelope.sign(report, [self._signer])

    def new_deployment(self, order: Order, digest: str, data: bytes) -> Deployment:
        """Make the deployment's key pair and keep it, sealed, beside the order.

        Raises:
            OSError: It could not be made durable; nothing is kept.
        """
        identity, _ = sealing.new_identity()
        folder = self._deployments / digest
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._deployments.parent)
            sync_folder(self._deployments)
            write_atomically(folder / "key.sealed", sealing.seal(identity.encode(), [self._storage_recipient]))
            write_atomically(folder / "order.json", data)  # last: a folder with an order in it is whole
        except OSError:
            self.erase(digest)
            raise
        return Deployment(order, data, digest, identity)

    def deployments(self) -> list[Deployment]:
        """Return what is kept, and remove what a power cut left half-made."""
        found = []
        for folder in sorted(self._deployments.glob("*")):
            try:
                data = (folder / "order.json").read_bytes()
                order = envelope.decode(envelope.parse(data, Kind.ORDER), Order)
                identity = sealing.unseal((folder / "key.sealed").read_bytes(), self._storage).decode()
            except (OSError, ProtocolError):
                self.erase(folder.name)
                continue
            found.append(Deployment(order, data, folder.name, identity))
        return found

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
        folder = self._deployments / digest
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir(), key=lambda path: path.name != "key.sealed"):  # the key goes first
            _overwrite(path)
            path.unlink()
            sync_folder(folder)
        shutil.rmtree(folder)
        sync_folder(self._deployments)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, command: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise VaultError(f"expected {path}, cannot read it ({error.strerror}): run '{command}' first") from error
