"""A unit's two beginnings: it makes its own keys (`identity`), and a force takes it in (`enrol`).

No private key ever leaves the unit, and none is ever replaced: a unit that is to have new keys gets a new state folder.
"""

from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from overt.protocol import envelope, keys, limits, sealing
from overt.protocol.authority import check_charter
from overt.protocol.documents import Charter, FixedSite
from overt.protocol.errors import ProtocolError
from overt.protocol.fields import PublicKeyHex, Slug, Value
from overt.protocol.vocabulary import Kind
from overt.runtime.files import write_atomically
from overt.warden.config import GpioLines, SerialLine, SwitchLine, UnitConfig
from overt.warden.gps import BAUDS
from overt.warden.vault import VaultError, alone, handed_over


class EnrolmentError(Exception):
    """The unit cannot be given an identity, or cannot be taken in. Nothing was changed. The message says what to do."""


class Identity(Value, frozen=True, kw_only=True):
    """`identity.json`: what the force has to know of a unit. Nothing secret."""

    unit: Slug
    key: PublicKeyHex


class Broker(Value, frozen=True, kw_only=True):
    """`uplink/uplink.json`, as the uplink reads it."""

    unit: Slug
    force: Slug
    host: str
    port: int


class Papers(msgspec.Struct, frozen=True):
    """What a force hands to the technician for one unit.

    Attributes:
        charter: The force's charter, an envelope.
        authority: The certificate authority of the broker and its clients, PEM.
        certificate: The unit's certificate, PEM.
    """

    charter: bytes
    authority: bytes
    certificate: bytes


class Fitted(msgspec.Struct, frozen=True):
    """Where the technician has put a unit up, and what it was given.

    Attributes:
        site: The site; None for a unit that moves, which needs a receiver.
        gps: Its satellite receiver.
        lamp: Where the indicator is; without one the unit never recognises.
        tamper: Where the switch is that tells an open enclosure; none where there is none.
    """

    site: FixedSite | None
    gps: SerialLine | None = None
    lamp: GpioLines | None = None
    tamper: SwitchLine | None = None


def make_identity(state: Path, unit: str) -> Identity:
    """Make the unit's keys: signing (Ed25519), storage (age), TLS (EC P-256, with the request for its certificate).

    `identity.json` is written last: without it nobody has been told of the keys, and they are made anew.

    Args:
        state: The state folder; made when missing.
        unit: The unit's name.

    Raises:
        EnrolmentError: There is an identity already, the name is not fit, or the folder cannot be written.
    """
    if not 1 <= len(unit) <= 32 or not _is_slug(unit):  # noqa: PLR2004 - the field's own bound
        raise EnrolmentError("expected a unit's name of up to 32 of a-z, 0-9 and single hyphens, like 'unit-1'")
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(state):
            if any((state / name).exists() for name in ("identity.json", "unit.json")):
                raise EnrolmentError(
                    f"{state} holds a unit's identity already, which is never replaced: use another folder"
                )
            return _write_identity(state, unit)
    except VaultError as error:
        raise EnrolmentError(str(error)) from error
    except OSError as error:
        raise EnrolmentError(f"cannot write the identity into {state}: {error.strerror or error}") from error


def _write_identity(state: Path, unit: str) -> Identity:
    for folder in (state / "keys", state / "uplink"):
        folder.mkdir(mode=0o700, exist_ok=True)
    signing = _signing_key(state)
    tls = ec.generate_private_key(ec.SECP256R1())
    write_atomically(state / "keys" / "signing.key", signing)
    if handed_over("storage.key") is None:
        storage, _ = sealing.new_identity()
        write_atomically(state / "keys" / "storage.key", storage.encode())
    pem = tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(state / "uplink" / "unit.key", pem)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, unit)])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(tls, hashes.SHA256())
    write_atomically(state / "uplink" / "unit.csr", request.public_bytes(Encoding.PEM), 0o644)
    identity = Identity(unit=unit, key=keys.public_of(signing))
    write_atomically(state / "identity.json", msgspec.json.encode(identity), 0o644)
    return identity


def _signing_key(state: Path) -> bytes:
    """Return the signing key that a blank unit has made already, or a new one."""
    try:
        kept = (state / "keys" / "signing.key").read_bytes()
    except FileNotFoundError:
        return keys.new_private()
    return kept if len(kept) == keys.PRIVATE_BYTES else keys.new_private()


def enrol(state: Path, papers: Papers, fitted: Fitted, broker: tuple[str, int], now: datetime) -> Charter:
    """Take a unit into a force: check what it was handed, then install it. `unit.json` is written last.

    A unit that is enrolled can be enrolled again by the same force, with a newer charter, another site or certificate.
    While it is on loan, it is the borrower that enrols it: site, broker and certificate are the borrower's then, and
    the unit's own force and its charter stay.

    Args:
        state: The state folder, with an identity in it.
        papers: What the force handed out.
        fitted: Where it is put up, and with what.
        broker: Host and port.
        now: The time.

    Raises:
        EnrolmentError: Something does not fit; nothing was changed.
    """
    try:
        with alone(state):
            return install(state, papers, fitted, broker, now)
    except VaultError as error:
        raise EnrolmentError(str(error)) from error
    except OSError as error:
        raise EnrolmentError(f"cannot write the enrolment into {state}: {error.strerror or error}") from error


def install(state: Path, papers: Papers, fitted: Fitted, broker: tuple[str, int], now: datetime) -> Charter:
    """Do what `enrol` does, for one who holds the state folder already.

    Raises:
        EnrolmentError: Something does not fit; nothing was changed.
        OSError: It could not be written.
    """
    identity = read_identity(state)
    charter = _checked_charter(state, papers.charter, now)
    owner = _owner(state) or charter.force
    _check_certificate(state, papers, identity.unit, now)
    _check_nothing_in_hand(state)
    config = UnitConfig(
        unit=identity.unit,
        force=owner,
        site=fitted.site,
        indicator=fitted.lamp,
        gps=fitted.gps,
        tamper=fitted.tamper,
    )
    host, port = broker
    link = Broker(unit=identity.unit, force=charter.force, host=host, port=port)
    write_atomically(state / "uplink" / "ca.pem", papers.authority, 0o644)
    write_atomically(state / "uplink" / "unit.crt", papers.certificate, 0o644)
    write_atomically(state / "uplink" / "uplink.json", msgspec.json.encode(link), 0o644)
    write_atomically(_charter_file(state), papers.charter, 0o644)
    write_atomically(state / "unit.json", msgspec.json.encode(config), 0o644)
    return charter


def read_identity(state: Path) -> Identity:
    """Return the identity in a state folder.

    Raises:
        EnrolmentError: There is none, or it is damaged.
    """
    try:
        return msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except FileNotFoundError:
        raise EnrolmentError(f"expected an identity in {state}: run 'overt-camera identity' first") from None
    except msgspec.DecodeError as error:
        raise EnrolmentError(f"{state / 'identity.json'} is damaged: make a new identity in a new folder") from error


def _checked_charter(state: Path, data: bytes, now: datetime) -> Charter:
    """Check a charter, also against the one in use: only its own root keys can replace it."""
    path = _charter_file(state)
    try:
        current = None
        if path.exists():
            before = envelope.parse(path.read_bytes(), Kind.CHARTER)
            current = envelope.decode(before, Charter)
            if envelope.parse(data, Kind.CHARTER).digest() == before.digest():
                current = None  # the same charter again
        return check_charter(data, now, current).document
    except ProtocolError as error:
        raise EnrolmentError(f"the charter was refused: {error.detail}") from error


def _charter_file(state: Path) -> Path:
    """Return where the charter of the force that holds the unit is: its own, or the borrower's."""
    return state / "loan" / "charter.json" if (state / "loan" / "loan.json").exists() else state / "charter.json"


def _owner(state: Path) -> str | None:
    """Return the force that the unit belongs to, once it belongs to one."""
    try:
        return msgspec.json.decode((state / "unit.json").read_bytes(), type=UnitConfig).force
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise EnrolmentError(f"{state / 'unit.json'} is damaged: make a new identity in a new folder") from error


def _check_certificate(state: Path, papers: Papers, unit: str, now: datetime) -> None:
    try:
        authority = x509.load_pem_x509_certificate(papers.authority)
        certificate = x509.load_pem_x509_certificate(papers.certificate)
        certificate.verify_directly_issued_by(authority)
        ours = load_pem_private_key((state / "uplink" / "unit.key").read_bytes(), None).public_key()
    except (ValueError, TypeError) as error:
        raise EnrolmentError(
            "expected the authority's certificate and this unit's, which it issued, in PEM; found something else"
        ) from error
    except InvalidSignature as error:
        raise EnrolmentError(
            "the unit's certificate was not signed by this authority: ask the force for both"
        ) from error
    der = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*der) != ours.public_bytes(*der):
        raise EnrolmentError("the certificate is for another key: have uplink/unit.csr of this unit signed")
    if [(part.oid, part.value) for part in certificate.subject] != [(NameOID.COMMON_NAME, unit)]:
        raise EnrolmentError(f"expected a certificate with the subject CN={unit} and nothing else: have it made again")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise EnrolmentError("the unit's certificate is not valid now: check the clock, or have it made again")
    _check_usage(authority, certificate)


def _check_usage(authority: x509.Certificate, certificate: x509.Certificate) -> None:
    try:
        is_authority = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound as error:
        raise EnrolmentError(f"a certificate lacks the extension {error.oid._name}: have it made again") from error
    if not is_authority or ExtendedKeyUsageOID.CLIENT_AUTH not in usages:
        raise EnrolmentError("expected an authority's certificate, and a client's that it issued: have them made again")


def _check_nothing_in_hand(state: Path) -> None:
    if any((state / "deployments").glob("*")):
        raise EnrolmentError("a deployment is in hand: cancel its order or wait for its end, then enrol again")


def parse_broker(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` (`[HOST]:PORT` for IPv6).

    Raises:
        EnrolmentError: Not of that form.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:  # noqa: PLR2004 - a port
        raise EnrolmentError(f"expected the broker as HOST:PORT, found {text[:100]!r}")
    return host, int(port)


def parse_lamp(text: str) -> GpioLines:
    """Return the indicator's lines of `CHIP:LAMP:READBACK`; the label may hold colons itself.

    Raises:
        EnrolmentError: Not of that form.
    """
    chip, *numbers = text.rsplit(":", 2)
    if not chip or len(numbers) != 2 or not all(n.isascii() and n.isdigit() and len(n) < 5 for n in numbers):  # noqa: PLR2004 - two lines, of a chip with some hundreds at most
        raise EnrolmentError(f"expected the indicator as CHIP:LAMP:READBACK, found {text[:100]!r}")
    lamp, read_back = map(int, numbers)
    if lamp == read_back:
        raise EnrolmentError("the lamp and its read-back are two lines: one line cannot prove itself")
    return GpioLines(chip=chip, lamp=lamp, read_back=read_back)


def parse_switch(text: str) -> SwitchLine:
    """Return the tamper switch's line of `CHIP:LINE`; the label may hold colons itself.

    Raises:
        EnrolmentError: Not of that form.
    """
    chip, _, number = text.rpartition(":")
    if not chip or not (number.isascii() and number.isdigit() and len(number) < 5):  # noqa: PLR2004 - as above
        raise EnrolmentError(f"expected the tamper switch as CHIP:LINE, found {text[:100]!r}")
    return SwitchLine(chip=chip, line=int(number))


def parse_gps(text: str) -> SerialLine:
    """Return the receiver's serial line of `DEVICE` or `DEVICE:BAUD`.

    Raises:
        EnrolmentError: Not of that form.
    """
    device, colon, rate = text.partition(":")
    rate = rate if colon else "9600"
    if not device.startswith("/") or rate not in map(str, BAUDS):
        rates = ", ".join(map(str, BAUDS))
        raise EnrolmentError(f"expected the receiver as /dev/NAME:BAUD with one of {rates}; found {text[:100]!r}")
    return SerialLine(device=device, baud=int(rate))


def read_paper(path: Path) -> bytes:
    """Read a file that the technician was handed.

    Raises:
        EnrolmentError: Missing, unreadable, or larger than any document is.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limits.DOCUMENT_MAX_BYTES + 1)
    except OSError as error:
        raise EnrolmentError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > limits.DOCUMENT_MAX_BYTES:
        raise EnrolmentError(f"expected at most {limits.DOCUMENT_MAX_BYTES:,} bytes in {path}, found more")
    return data


def _is_slug(text: str) -> bool:
    try:
        msgspec.convert(text, Slug)
    except msgspec.ValidationError:
        return False
    return True
