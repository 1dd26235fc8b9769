"""Who is who on the force's broker: certificates that chain to the force's own authority, and no others."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import DNSName, IPAddress, load_pem_x509_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from overt.runtime import cli
from tests.provisioning.office import Office, Said, refused, snapshot


def request(name: str | list[str] = "unit-1", key: Any = None) -> bytes:
    names = [name] if isinstance(name, str) else name
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def certify(office: Office, csr: bytes) -> Said:
    (office.base / "unit.csr").write_bytes(csr)
    return office.keyed("certificate", "client", "--csr", office.base / "unit.csr", "--out", office.base / "unit.crt")


def read(path: Path) -> x509.Certificate:
    return load_pem_x509_certificate(path.read_bytes())


def policy(office: Office) -> PolicyBuilder:
    return PolicyBuilder().store(Store([read(office.home / "pki" / "ca.pem")]))


def test_a_broker_is_certified_for_each_of_its_names_and_addresses(office: Office) -> None:
    out = office.base / "broker"
    hosts = ("broker.force.example", "127.0.0.1", "::1")
    said = office.keyed("certificate", "broker", *(w for host in hosts for w in ("--host", host)), "--out", out)
    assert said.code == cli.OK
    certificate = read(out / "broker.crt")
    for subject in (DNSName(hosts[0]), *(IPAddress(ipaddress.ip_address(host)) for host in hosts[1:])):
        policy(office).build_server_verifier(subject).verify(certificate, [])
    key = load_pem_private_key((out / "broker.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert (out / "broker.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["", "a b", "*.example", "höst.example", "a..b", "host:8883", "h" * 65])
def test_a_broker_is_not_certified_for_what_is_no_name(office: Office, host: str) -> None:
    out = office.base / "broker"
    refused(office.keyed("certificate", "broker", "--host", host, "--out", out), cli.BAD_INPUT, "host name")
    assert not out.exists()


def test_a_unit_is_certified_for_the_key_that_it_made_and_for_nothing_else(office: Office) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert certify(office, request("unit-1", key)).code == cli.OK
    certificate = read(office.base / "unit.crt")
    assert [(part.oid, part.value) for part in certificate.subject] == [(NameOID.COMMON_NAME, "unit-1")]
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(read(office.home / "pki" / "ca.pem"))
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca


def test_the_office_has_a_certificate_of_its_own(office: Office) -> None:
    assert office.keyed("certificate", "office").code == cli.OK
    certificate = read(office.home / "pki" / "office.crt")
    assert certificate.subject.rfc4514_string() == "CN=office"
    key = load_pem_private_key((office.home / "pki" / "office.key").read_bytes(), None)
    assert key.public_key() == certificate.public_key()


def test_another_forces_authority_does_not_vouch_for_it(office: Office, tmp_path: Path) -> None:
    other = Office(tmp_path / "other")
    other.base.mkdir()
    assert other.create().code == cli.OK
    assert certify(office, request()).code == cli.OK
    with pytest.raises(InvalidSignature):
        read(office.base / "unit.crt").verify_directly_issued_by(read(other.home / "pki" / "ca.pem"))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Unit 1", "lower-case"),
        ("unit/1", "lower-case"),
        ("+", "lower-case"),
        ("u" * 33, "lower-case"),
        (["unit-1", "unit-2"], "one CN"),
        ([], "one CN"),
        ("office", "the office's"),
    ],
)
def test_a_request_under_a_bad_name_is_refused(office: Office, name: str | list[str], word: str) -> None:
    before = snapshot(office.home)
    refused(certify(office, request(name)), cli.BAD_INPUT, word)
    assert not (office.base / "unit.crt").exists()
    assert snapshot(office.home) == before


def test_a_request_that_is_none_or_tampered_with_is_refused(office: Office) -> None:
    whole = request()
    parsed = x509.load_pem_x509_csr(whole)
    raw = parsed.public_bytes(Encoding.DER)
    tampered = x509.load_der_x509_csr(raw.replace(b"unit-1", b"unit-2")).public_bytes(Encoding.PEM)
    for csr, word in ((b"", "PEM"), (b"\xff\x00", "PEM"), (whole[:200], "PEM"), (tampered, "not signed by the key")):
        refused(certify(office, csr), cli.BAD_INPUT, word)
        assert not (office.base / "unit.crt").exists()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: rsa.generate_private_key(65537, 2048), id="rsa"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="another curve"),
    ],
)
def test_a_request_with_another_kind_of_key_is_refused(office: Office, key: Any) -> None:
    refused(certify(office, request("unit-1", key())), cli.BAD_INPUT, "EC P-256")
    assert not (office.base / "unit.crt").exists()


def test_a_missing_request_is_named(office: Office) -> None:
    said = office.keyed("certificate", "client", "--csr", office.base / "none.csr", "--out", office.base / "unit.crt")
    refused(said, cli.UNAVAILABLE, "none.csr")
