"""The force's own certificate authority: who is who on its broker.

EC P-256 throughout. A client's certificate has the subject CN=<name> and nothing else, because that is what brokers
map to an identity.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from overt.protocol import fields
from overt.runtime.files import write_atomically
from overt_provisioning.keys import KeyProblem, Passphrase, load, save

_BACKDATE = timedelta(minutes=5)  # clocks of brokers and units differ a little
OFFICE = "office"
"""The office's own name on the broker. No device can be certified under it."""
_MAX_NAME = 64  # X.520: the upper bound of a CN
AUTHORITY_DAYS = 5 * 365
CERTIFICATE_DAYS = 397


class CertificateProblem(Exception):
    """A certificate cannot be made. The message says why."""


def make_authority(home: Path, force: str, passphrase: Passphrase) -> None:
    """Make the authority: `pki/ca.pem` and, encrypted, `pki/ca.key`.

    Raises:
        KeyProblem: The passphrase cannot be had.
        OSError: It could not be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"{force} authority")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    pki = home / "pki"
    pki.mkdir(mode=0o700, exist_ok=True)
    save(pki / "ca.key", key, passphrase)
    _write(pki / "ca.pem", builder.sign(key, hashes.SHA256()))


def make_server(home: Path, out: Path, hosts: list[str], passphrase: Passphrase) -> None:
    """Make a broker's key and certificate: `broker.key` (not encrypted: a server starts unattended), `broker.crt`.

    Raises:
        CertificateProblem: A host is neither a name nor an address.
        KeyProblem: The authority's key cannot be used.
        OSError: It could not be written.
    """
    names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(home, hosts[0], key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, passphrase, names)
    out.mkdir(parents=True, exist_ok=True)
    save(out / "broker.key", key, None)
    _write(out / "broker.crt", certificate)


def make_client(home: Path, name: str, out: Path, passphrase: Passphrase) -> None:
    """Make a key and a certificate for one of the office's own clients, such as the office itself.

    Args:
        home: The office's folder.
        name: The identity.
        out: Path without ending; `.key` and `.crt` are written.
        passphrase: Of the authority's key.

    Raises:
        KeyProblem: The authority's key cannot be used.
        OSError: It could not be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(home, name, key.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH, passphrase)
    save(out.with_suffix(".key"), key, None)
    _write(out.with_suffix(".crt"), certificate)


def certify(home: Path, request: bytes, out: Path, passphrase: Passphrase) -> str:
    """Certify a unit or a control room that has made its own key.

    Args:
        home: The office's folder.
        request: The certificate signing request, PEM.
        out: Where the certificate goes.
        passphrase: Of the authority's key.

    Returns:
        The name that was certified.

    Raises:
        CertificateProblem: Not a request, not signed by its own key, or its CN is no name of Overt's.
        KeyProblem: The authority's key cannot be used.
        OSError: It could not be written.
    """
    try:
        asked = x509.load_pem_x509_csr(request)
        public, genuine = asked.public_key(), asked.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem("expected a certificate signing request in PEM, found something else") from error
    if not genuine:
        raise CertificateProblem("the request is not signed by the key in it: make it anew on the device")
    names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    try:
        msgspec.convert(name, fields.Slug)
    except msgspec.ValidationError:
        raise CertificateProblem(
            "expected one CN of lower-case letters, digits and single dashes in the request, found another subject"
        ) from None
    if name == OFFICE:
        raise CertificateProblem(f"expected the name of a unit or a control room, found {OFFICE!r}: it is the office's")
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise CertificateProblem("expected an EC P-256 key in the request, found another kind")
    _write(out, _issue(home, name, public, ExtendedKeyUsageOID.CLIENT_AUTH, passphrase))
    return name


def _issue(
    home: Path,
    name: str,
    public: ec.EllipticCurvePublicKey,
    purpose: x509.ObjectIdentifier,
    passphrase: Passphrase,
    names: x509.SubjectAlternativeName | None = None,
) -> x509.Certificate:
    key = load(home / "pki" / "ca.key", passphrase)
    try:
        authority = x509.load_pem_x509_certificate((home / "pki" / "ca.pem").read_bytes())
    except (OSError, ValueError) as error:
        raise KeyProblem(
            f"expected the authority's certificate in {home / 'pki' / 'ca.pem'}, cannot read it"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyProblem("expected an EC key of the authority, found another kind")
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(_name(name), authority.subject, public, CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    start = datetime.now(UTC) - _BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    parts = host.split(".")
    if len(host) > _MAX_NAME or not (
        host.isascii() and all(part and part.replace("-", "").isalnum() for part in parts)
    ):
        raise CertificateProblem(f"expected a host name or an address, found {host!r}")
    return x509.DNSName(host)


def _write(path: Path, certificate: x509.Certificate) -> None:
    write_atomically(path, certificate.public_bytes(Encoding.PEM), mode=0o644)
