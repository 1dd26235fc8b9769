"""Network settings: what is not one is refused before it travels, what is one becomes NetworkManager's files."""

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overt.console import networkmanager
from overt.protocol.cable.network import Network, without_secrets
from overt.runtime import cli
from overt_provisioning.unit import network_form
from tests.warden.test_enrolment import Ca

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LOGIN = {"identity": "unit-1", "password": "canary", "authority": PEM, "server": "radius.force.example"}


def settings(*ways: dict[str, Any]) -> Network:
    return msgspec.convert({"ways": list(ways)}, Network)


def only_file(way: dict[str, Any]) -> configparser.ConfigParser:
    (content,) = networkmanager.keyfiles(settings(way)).values()
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.read_string(content.decode())
    return parser


def test_the_ways_are_tried_in_their_order() -> None:
    ways = (
        {"type": "ethernet"},
        {"type": "wifi", "ssid": "a", "passphrase": "12345678"},
        {"type": "mobile", "apn": "b"},
    )
    files = networkmanager.keyfiles(settings(*ways))
    assert list(files) == ["overt-1-ethernet.nmconnection", "overt-2-wifi.nmconnection", "overt-3-gsm.nmconnection"]
    priorities = [int(line.split(b"=")[1]) for f in files.values() for line in f.splitlines() if b"-priority=" in line]
    assert priorities == sorted(priorities, reverse=True)


def test_nothing_that_is_typed_can_become_another_setting() -> None:
    way = {"type": "wifi", "ssid": "[wifi]\nmode=ap", "passphrase": " \\s;#=[x] 'q'"}
    file = only_file(way)
    assert file["wifi"]["mode"] == "infrastructure"
    assert bytes(int(n) for n in file["wifi"]["ssid"].split(";") if n) == b"[wifi]\nmode=ap"
    assert file["wifi-security"]["psk"] == "\\s\\\\s;#=[x] 'q'"


@pytest.mark.parametrize("kind", ["ethernet", "wifi"])
def test_a_login_proves_the_network_to_the_unit_too(kind: str) -> None:
    file = only_file({"type": kind, "login": LOGIN} | ({"ssid": "a"} if kind == "wifi" else {}))
    assert file["802-1x"]["eap"] == "peap;"
    assert file["802-1x"]["domain-suffix-match"] == "radius.force.example"
    assert file["802-1x"]["ca-cert"].startswith("data:;base64,")


@pytest.mark.parametrize(
    "way",
    [
        {"type": "wifi", "ssid": "open"},
        {"type": "wifi", "ssid": "short", "passphrase": "1234567"},
        {"type": "wifi", "ssid": "both", "passphrase": "12345678", "login": LOGIN},
        {"type": "wifi", "ssid": "é" * 17, "passphrase": "12345678"},
        {"type": "ethernet", "login": {**LOGIN, "authority": ""}},
        {"type": "ethernet", "login": {key: value for key, value in LOGIN.items() if key != "server"}},
        {"type": "ethernet", "login": {**LOGIN, "identity": "a\nb"}},
        {"type": "ethernet", "fixed": {"address": "192.0.2.7"}},
        {"type": "ethernet", "fixed": {"address": "nonsense/24"}},
        {"type": "ethernet", "fixed": {"address": "192.0.2.7/24", "gateway": "198.51.100.1"}},
        {"type": "ethernet", "fixed": {"address": "192.0.2.7/24", "name_servers": ["x\ny"]}},
        {"type": "mobile", "apn": "a b"},
        {"type": "mobile", "apn": "iot", "pin": "12x4"},
        {"type": "vpn"},
    ],
)
def test_what_is_no_way_to_a_network_is_refused(way: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        settings(way)


def test_no_password_is_in_what_is_shown() -> None:
    network = settings({"type": "ethernet", "login": LOGIN}, {"type": "wifi", "ssid": "a", "passphrase": "canary-1"})
    assert "canary" not in repr(network)
    assert "canary" not in repr(network.ways[0])
    assert "canary" not in str([without_secrets(way) for way in network.ways])


def test_a_blank_form_is_a_good_form(tmp_path: Path) -> None:
    form = tmp_path / "network.toml"
    form.write_text(network_form.BLANK)
    assert network_form.shown(network_form.read(form)) == [{"kind": "ethernet", "802.1x": False}]


def test_a_form_with_a_mistake_is_refused_and_its_passwords_are_not_repeated(tmp_path: Path) -> None:
    form = tmp_path / "network.toml"
    form.write_text('[[ways]]\ntype = "wifi"\nssid = "a"\npassphrase = "canary"\n')
    with pytest.raises(cli.Failure, match="passphrase") as refused:
        network_form.read(form)
    assert "canary" not in str(refused.value)


def test_the_authority_of_a_login_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "radius.pem").write_text(PEM)
    form = tmp_path / "network.toml"
    login = 'identity = "u", password = "p", authority = "file:radius.pem", server = "radius.example"'
    form.write_text(f'[[ways]]\ntype = "ethernet"\nlogin = {{ {login} }}\n')
    way = network_form.read(form).ways[0]
    assert way.login.authority == PEM  # type: ignore[union-attr]  # an Ethernet one


def test_networkmanager_reads_them_as_they_are_meant() -> None:
    program = shutil.which("nmcli")
    if program is None:
        pytest.skip("NetworkManager's nmcli is not here")
    fixed = {"address": "192.0.2.7/24", "gateway": "192.0.2.1", "name_servers": ["192.0.2.53"]}
    login = {**LOGIN, "authority": Ca().pem.decode()}
    ways = (
        {"type": "ethernet", "login": login, "fixed": fixed},
        {"type": "wifi", "ssid": "é;", "passphrase": " \\;=[x] "},
    )
    for content in networkmanager.keyfiles(settings(*ways, {"type": "mobile", "apn": "iot", "pin": "0000"})).values():
        command = [program, "--offline", "connection", "modify", "connection.zone", "z"]
        read = subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode()
        assert all(
            line in read for line in content.decode().splitlines() if line.startswith(("psk", "password", "apn"))
        )
