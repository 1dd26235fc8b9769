"""The control room's folder: its keys, its pinned charter, the orders it works under, where its broker is."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from overt.protocol import authority, envelope, sealing
from overt.protocol import fields as f
from overt.protocol.documents import Charter, Order
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Kind
from overt.runtime.broker import Broker, broker_at
from overt.runtime.files import write_atomically
from overt_controlroom.trust import Trust

_TLS = ("ca.pem", "room.crt", "room.key")
_MAX_FILE_BYTES = 1024 * 1024


class HomeError(Exception):
    """The folder lacks something, or something in it is wrong. The message names the file and what was expected."""


class Room(f.Value, frozen=True, kw_only=True):
    """`room.json`: who this control room is, and where its broker is."""

    name: f.Slug
    force: f.Slug
    host: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Home:
    """A control room's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orders = folder / "orders"
        self.database = folder / "received.db"
        self.lock = folder / "watch.lock"
        self._identity = folder / "identity.age"
        self._recipient = folder / "identity.pub"
        self._tls = folder / "tls"

    def read_room(self) -> tuple[Room, Broker]:
        """Read `room.json` and find the TLS files.

        Raises:
            HomeError: Missing or wrong.
        """
        path = self.folder / "room.json"
        try:
            room = msgspec.json.decode(read_file(path), type=Room)
            return room, broker_at(room.host, room.port, self._tls, _TLS)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HomeError(f'expected {path} like {{"name", "force", "host", "port"}}: {error}') from error
        except ValueError as error:
            raise HomeError(str(error)) from error

    def read_identity(self) -> str:
        """Read the age identity: the secret that opens alerts.

        Raises:
            HomeError: Missing, readable by others, or not one.
        """
        text = read_file(self._identity).decode(errors="replace").strip()
        if self._identity.stat().st_mode & 0o077:
            raise HomeError(f"{self._identity} can be read by others: take that away with 'chmod 600'")
        try:
            sealing.recipient_of(text)
        except ProtocolError as error:
            raise HomeError(f"{self._identity}: {error.detail}") from error
        return text

    def read_charter(self) -> Charter:
        """Read the pinned charter. One that has expired still proves what was signed in its time.

        Raises:
            HomeError: Missing, or not a charter that its own root signed.
        """
        path = self.folder / "charter.json"
        data = read_file(path)
        try:
            issued = envelope.decode(envelope.parse(data, Kind.CHARTER), Charter).issued
            return authority.check_charter(data, issued).document
        except ProtocolError as error:
            raise HomeError(f"{path}: {error.detail}") from error

    def read_trust(self, room: Room) -> tuple[Trust, list[tuple[str, ProtocolError]]]:
        """Read the charter and every order.

        Returns:
            What is trusted, and the files in `orders` that are not, with why.

        Raises:
            HomeError: There is no charter to hold them against, or it is another force's.
        """
        charter = self.read_charter()
        if charter.force != room.force:
            raise HomeError(f"room.json is for {room.force}, charter.json is of {charter.force}: which one is right?")
        orders: dict[str, authority.Checked[Order]] = {}
        refused: list[tuple[str, ProtocolError]] = []
        for path in sorted(self.orders.glob("*.json")):
            try:
                checked = authority.check_order_signatures(read_file(path), charter)
            except ProtocolError as error:
                refused.append((path.name, error))
            else:
                orders[checked.digest] = checked
        return Trust(room.name, charter, orders), refused

    def orders_changed(self) -> int:
        """Return a number that changes when an order is put in or taken out."""
        try:
            return self.orders.stat().st_mtime_ns
        except OSError:
            return 0

    def make_identity(self, name: str) -> str:
        """Make the age identity, and a TLS key with a request for its certificate.

        Args:
            name: The control room's name, which becomes the certificate's CN.

        Returns:
            The recipient, which goes into orders.

        Raises:
            HomeError: There is one already, or the folder cannot be written.
        """
        if self._identity.exists():
            raise HomeError(f"{self._identity} exists: alerts of orders in force are encrypted to it, so it stays")
        identity, recipient = sealing.new_identity()
        key, request = _tls_request(name)
        try:
            self._tls.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.orders.mkdir(exist_ok=True, mode=0o700)
            write_atomically(self._tls / "room.key", key)
            write_atomically(self._tls / "room.csr", request, 0o644)
            write_atomically(self._recipient, f"{recipient}\n".encode(), 0o644)
            write_atomically(self._identity, f"{identity}\n".encode())
        except OSError as error:
            raise HomeError(f"cannot write into {self.folder}: {error.strerror or error}") from error
        return recipient


def expired(charter: Charter) -> bool:
    """Say whether a charter's time is over."""
    return datetime.now(UTC) >= charter.expires


def _tls_request(name: str) -> tuple[bytes, bytes]:
    """Return a new EC P-256 key and its certificate request, PEM."""
    from cryptography import x509  # noqa: PLC0415 - only who makes keys needs it
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        request.public_bytes(Encoding.PEM),
    )


def read_file(path: Path) -> bytes:
    """Read a file of reasonable size.

    Raises:
        HomeError: Missing, unreadable or too large.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise HomeError(f"expected the file {path}, found none ({error.strerror or error})") from error
    if len(data) > _MAX_FILE_BYTES:
        raise HomeError(f"expected at most {_MAX_FILE_BYTES:,} bytes in {path}, found more")
    return data
