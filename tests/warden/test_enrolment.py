"""A unit's two beginnings: its own keys, once; and a force that takes it in. Whatever does not fit changes nothing."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from overt.protocol import envelope, keys
from overt.uplink import settings as uplink_settings
from overt.warden.config import GpioLines, SerialLine, SwitchLine
from overt.warden.enrolment import (
    EnrolmentError,
    Fitted,
    Papers,
    enrol,
    make_identity,
    parse_broker,
    parse_gps,
    parse_lamp,
    parse_switch,
    read_paper,
)
from overt.warden.vault import Vault
from tests.builders import FORCE, SITE, UNIT, Force, Role, make_force

NOW = datetime.now(UTC)


class Ca:
    """A certificate authority that signs what it is told to."""

    def __init__(self, ca: bool = True) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = (
            self._builder(self.name, self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def sign(self, csr: bytes, **changes: Any) -> bytes:
        request = x509.load_pem_x509_csr(csr)
        subject = changes.get("subject", request.subject)
        usage = changes.get("usage", ExtendedKeyUsageOID.CLIENT_AUTH)
        builder = self._builder(subject, changes.get("key", request.public_key()), changes.get("start", NOW))
        certificate = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def _builder(self, subject: x509.Name, key: Any, start: datetime = NOW) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - timedelta(minutes=5))
            .not_valid_after(start + timedelta(days=1))
        )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    make_identity(tmp_path / "state", UNIT)
    return tmp_path / "state"


@pytest.fixture
def force() -> Force:
    return make_force()


def papers_of(state: Path, force: Force, **changes: Any) -> Papers:
    ca = Ca()
    csr = (state / "uplink" / "unit.csr").read_bytes()
    return Papers(charter=force.charter_data, authority=ca.pem, certificate=ca.sign(csr, **changes))


def take_in(state: Path, papers: Papers, lamp: GpioLines | None = None) -> None:
    enrol(state, papers, Fitted(site=SITE, lamp=lamp), ("broker.example.org", 8883), NOW)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_identity_is_three_keys_that_only_the_unit_can_read_and_what_the_force_needs(state: Path) -> None:
    for name in ("keys/signing.key", "keys/storage.key", "uplink/unit.key"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    identity = json.loads((state / "identity.json").read_bytes())
    assert identity == {"unit": UNIT, "key": keys.public_of((state / "keys" / "signing.key").read_bytes())}
    request = x509.load_pem_x509_csr((state / "uplink" / "unit.csr").read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == f"CN={UNIT}"


def test_an_identity_is_never_replaced(state: Path) -> None:
    before = contents(state)
    with pytest.raises(EnrolmentError, match="never replaced"):
        make_identity(state, "unit-2")
    assert contents(state) == before


def test_an_identity_that_a_power_cut_left_half_made_is_made_anew(state: Path) -> None:
    (state / "identity.json").unlink()
    signing = (state / "keys" / "signing.key").read_bytes()
    tls = (state / "uplink" / "unit.key").read_bytes()
    make_identity(state, UNIT)
    assert (state / "uplink" / "unit.key").read_bytes() != tls
    assert (state / "keys" / "signing.key").read_bytes() == signing, "its label may have been printed already"


@pytest.mark.parametrize("name", ["", "Unit-1", "a b", "a--b", "-a", "a/b", "../x", "a" * 33, "ünit", "a\n"])
def test_a_name_that_is_not_fit_for_a_topic_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(EnrolmentError, match="expected a unit's name"):
        make_identity(tmp_path / "state", name)
    assert not (tmp_path / "state").exists()


def test_an_enrolled_unit_has_all_that_its_daemons_need(state: Path, force: Force) -> None:
    lamp = GpioLines(chip="pinctrl-bcm2711", lamp=17, read_back=27)
    take_in(state, papers_of(state, force), lamp)
    vault = Vault(state)
    assert (vault.config.unit, vault.config.force, vault.config.site, vault.config.indicator) == (
        *(UNIT, FORCE, SITE, lamp),
    )
    assert vault.charter == force.charter
    settings, broker = uplink_settings.read(state / "uplink")
    assert (settings.unit, settings.force, settings.host, settings.port) == (UNIT, FORCE, "broker.example.org", 8883)
    assert broker.tls is not None


def other_subject(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])


Spoil = Callable[[Path, Force, Papers], Papers]
WRONG: dict[str, tuple[Spoil, str]] = {
    "a stranger's authority": (lambda _s, _f, p: replace_paper(p, authority=Ca().pem), "not signed by this authority"),
    "an authority that is none": (lambda s, f, _: by(Ca(ca=False), s, f), "authority's certificate"),
    "another unit's name": (
        lambda s, f, _: papers_of(s, f, subject=other_subject((NameOID.COMMON_NAME, "unit-2"))),
        f"CN={UNIT}",
    ),
    "more in its name": (
        lambda s, f, _: papers_of(
            s, f, subject=other_subject((NameOID.COMMON_NAME, UNIT), (NameOID.ORGANIZATION_NAME, "x"))
        ),
        f"CN={UNIT}",
    ),
    "another key": (
        lambda s, f, _: papers_of(s, f, key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        "another key",
    ),
    "not valid yet": (lambda s, f, _: papers_of(s, f, start=NOW + timedelta(days=2)), "not valid now"),
    "not valid any more": (lambda s, f, _: papers_of(s, f, start=NOW - timedelta(days=2)), "not valid now"),
    "a server's": (lambda s, f, _: papers_of(s, f, usage=ExtendedKeyUsageOID.SERVER_AUTH), "client's"),
    "junk for a certificate": (lambda _s, _f, p: replace_paper(p, certificate=b"junk"), "in PEM"),
    "junk for a charter": (lambda _s, _f, p: replace_paper(p, charter=b"junk"), "charter was refused"),
    "an unsigned charter": (
        lambda _s, f, p: replace_paper(p, charter=envelope.sign(f.charter, [])),
        "charter was refused",
    ),
    "a charter signed by another role": (
        lambda _s, f, p: replace_paper(p, charter=envelope.sign(f.charter, f.signers(Role.TECHNICIAN))),
        "charter was refused",
    ),
    "an expired charter": (
        lambda s, _f, _p: papers_of(s, make_force(expires=NOW - timedelta(days=1))),
        "charter was refused",
    ),
}


def replace_paper(papers: Papers, **changes: bytes) -> Papers:
    fields = {"charter": papers.charter, "authority": papers.authority, "certificate": papers.certificate}
    return Papers(**{**fields, **changes})


def by(ca: Ca, state: Path, force: Force) -> Papers:
    csr = (state / "uplink" / "unit.csr").read_bytes()
    return Papers(charter=force.charter_data, authority=ca.pem, certificate=ca.sign(csr))


@pytest.mark.parametrize("wrong", WRONG)
def test_papers_that_do_not_fit_change_nothing(state: Path, force: Force, wrong: str) -> None:
    spoil, said = WRONG[wrong]
    papers = spoil(state, force, papers_of(state, force))
    before = contents(state)
    with pytest.raises(EnrolmentError, match=said):
        take_in(state, papers)
    assert contents(state) == before


def test_without_an_identity_nothing_is_enrolled(tmp_path: Path, state: Path, force: Force) -> None:
    papers = papers_of(state, force)
    with pytest.raises(EnrolmentError, match="identity"):
        take_in(tmp_path, papers)


def test_enrolled_again_by_the_same_force_it_takes_a_newer_charter_and_no_older_one(state: Path) -> None:
    old, new = make_force(), None
    new = make_force(people=old.people, version=2)
    take_in(state, papers_of(state, old))
    take_in(state, papers_of(state, old))  # the same again
    take_in(state, papers_of(state, new))
    with pytest.raises(EnrolmentError, match="charter was refused"):
        take_in(state, papers_of(state, old))
    assert Vault(state).charter.version == 2


def test_another_force_with_the_same_name_cannot_take_the_unit_over(state: Path, force: Force) -> None:
    take_in(state, papers_of(state, force))
    before = contents(state)
    with pytest.raises(EnrolmentError, match="charter was refused"):
        take_in(state, papers_of(state, make_force(version=2)))
    assert contents(state) == before


def test_a_unit_with_a_deployment_in_hand_is_not_enrolled_again(state: Path, force: Force) -> None:
    take_in(state, papers_of(state, force))
    (state / "deployments" / ("d" * 64)).mkdir(parents=True)
    with pytest.raises(EnrolmentError, match="deployment is in hand"):
        take_in(state, papers_of(state, force))


def test_brokers_and_lamps_are_read_or_refused() -> None:
    assert parse_broker("broker.example.org:8883") == ("broker.example.org", 8883)
    assert parse_broker("[2001:db8::1]:8883") == ("2001:db8::1", 8883)
    for text in ("", "host", ":1", "host:0", "host:65536", "host:x", "host:-1", "host:¹"):
        with pytest.raises(EnrolmentError, match="HOST:PORT"):
            parse_broker(text)
    assert parse_lamp("pinctrl-bcm2711:17:27") == GpioLines(chip="pinctrl-bcm2711", lamp=17, read_back=27)
    for text in ("", "chip", "chip:1", ":1:2", "chip:a:b", "chip:1:-2", "chip:1:99999"):
        with pytest.raises(EnrolmentError, match="CHIP:LAMP:READBACK"):
            parse_lamp(text)
    with pytest.raises(EnrolmentError, match="two lines"):
        parse_lamp("chip:5:5")
    assert parse_switch("pinctrl-bcm2711:22") == SwitchLine(chip="pinctrl-bcm2711", line=22)
    for text in ("", "chip", ":1", "chip:", "chip:a", "chip:-1", "chip:99999"):
        with pytest.raises(EnrolmentError, match="CHIP:LINE"):
            parse_switch(text)
    assert parse_gps("/dev/serial0") == SerialLine(device="/dev/serial0", baud=9600)
    assert parse_gps("/dev/ttyUSB0:115200") == SerialLine(device="/dev/ttyUSB0", baud=115200)
    for text in ("", "serial0", "/dev/serial0:", "/dev/serial0:1", "/dev/serial0:-9600", "/dev/serial0:9600:9600"):
        with pytest.raises(EnrolmentError, match="/dev/NAME:BAUD"):
            parse_gps(text)


def test_a_paper_that_is_missing_or_far_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="cannot read"):
        read_paper(tmp_path / "nothing")
    with pytest.raises(EnrolmentError, match="cannot read"):
        read_paper(tmp_path)
    (tmp_path / "large").write_bytes(bytes(300_000))
    with pytest.raises(EnrolmentError, match="at most"):
        read_paper(tmp_path / "large")


# As a technician types it


def overt_camera(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).parent / "overt-camera"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_commands_make_an_identity_and_enrol_and_never_print_a_secret(tmp_path: Path, force: Force) -> None:
    state = tmp_path / "state"
    made = overt_camera("identity", "--state", state, "--unit", UNIT)
    assert made.returncode == 0, made.stderr
    papers = papers_of(state, force)
    for name, data in (("charter", papers.charter), ("ca", papers.authority), ("crt", papers.certificate)):
        (tmp_path / name).write_bytes(data)
    arguments: list[str | Path] = [
        *("enrol", "--state", state, "--charter", tmp_path / "charter", "--site-name", "Test square"),
        *("--latitude", "52.1", "--longitude=-0.46", "--authority", tmp_path / "ca", "--certificate", tmp_path / "crt"),
    ]
    enrolled = overt_camera(*arguments, "--broker", "127.0.0.1:8883")
    assert enrolled.returncode == 0, enrolled.stderr
    assert "without an indicator" in enrolled.stdout
    refused = overt_camera(*arguments, "--broker", "nonsense")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    again = overt_camera("identity", "--state", state, "--unit", UNIT)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    storage = (state / "keys" / "storage.key").read_text()
    signing = (state / "keys" / "signing.key").read_bytes().hex()
    said = made.stdout + made.stderr + enrolled.stdout + enrolled.stderr
    assert storage not in said
    assert signing not in said


def test_a_warden_on_a_folder_that_is_damaged_ends_with_one_line_and_3(state: Path, tmp_path: Path) -> None:
    (state / "deployments").mkdir()  # that of a unit that was enrolled
    ended = overt_camera("warden", "--state", state, "--run", tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (3, 1)
    assert "overt-camera enrol" in ended.stderr
