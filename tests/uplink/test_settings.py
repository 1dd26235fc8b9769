"""The uplink's settings: one clear error for each thing that is wrong, and TLS on anything but this machine."""

import json
from pathlib import Path

import pytest

from overt.uplink.settings import BadSettings, read
from tests.certificates import Authority

GOOD = {"unit": "unit-1", "force": "f", "host": "127.0.0.1", "port": 8883}


def write(folder: Path, **changes: object) -> Path:
    (folder / "uplink.json").write_text(json.dumps({**GOOD, **changes}))
    return folder


def test_with_certificates_it_is_tls(tmp_path: Path) -> None:
    Authority(tmp_path / "pki").client("unit-1", tmp_path, "unit")
    settings, broker = read(write(tmp_path, host="broker.example.org"))
    assert settings.unit == "unit-1"
    assert broker.tls is not None
    assert str(broker) == "broker.example.org:8883"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_without_certificates_it_is_this_machine_or_nothing(tmp_path: Path, host: str) -> None:
    _, broker = read(write(tmp_path, host=host))
    assert broker.tls is None


@pytest.mark.parametrize("host", ["192.0.2.1", "broker.example.org", "127.0.0.1.example.org"])
def test_no_other_machine_is_spoken_to_without_tls(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadSettings, match="over TLS"):
        read(write(tmp_path, host=host))


def test_half_of_the_certificates_is_an_error_here_too(tmp_path: Path) -> None:
    Authority(tmp_path / "pki").client("unit-1", tmp_path, "unit")
    (tmp_path / "unit.key").unlink()
    with pytest.raises(BadSettings, match=r"found no unit\.key"):
        read(write(tmp_path))


@pytest.mark.parametrize(
    "changes",
    [{"unit": "Unit 1"}, {"port": 0}, {"port": "8883"}, {"host": ""}, {"host": "a b"}, {"more": 1}, {"force": None}],
)
def test_wrong_settings_are_named(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(BadSettings, match=r"uplink\.json"):
        read(write(tmp_path, **changes))


def test_missing_and_broken_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="enrol the unit first"):
        read(tmp_path)
    (tmp_path / "uplink.json").write_bytes(b"\xff{")
    with pytest.raises(BadSettings, match=r"uplink\.json"):
        read(tmp_path)
