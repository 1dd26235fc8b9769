"""The form of a unit's network settings: TOML, one `[[ways]]` for each way to the network, the best first."""

import tomllib
from pathlib import Path
from typing import Any, Final

import msgspec

from overt.protocol.cable.network import Network, without_secrets
from overt.runtime.cli import Failure
from overt_provisioning.unit.asking import Person

_FILE: Final = "file:"
_WANTED: Final = {
    2: "a name of up to 32 bytes, and a passphrase of 8 to 63 characters",
    3: "an APN of letters, digits, dots and hyphens, such as iot.operator.example, and a PIN of 4 to 8 digits or none",
}
_KINDS: Final = {"ethernet": "Ethernet", "wifi": "Wi-Fi", "mobile": "a mobile network"}
BLANK: Final = """\
# How a unit gets to its network: one [[ways]] for each way, the best first. Take away what does not apply.
# These settings hold passwords: keep this file where nobody else reads it, and delete it when it has been sent.

[[ways]]
type = "ethernet"
# An address by hand; without this the network gives one:
# fixed = { address = "192.0.2.7/24", gateway = "192.0.2.1", name_servers = ["192.0.2.53"] }
# 802.1X. The authority is that of the network's own certificate, server the name in it:
# login = { identity = "unit-1", password = "…", authority = "file:radius-ca.pem", server = "radius.force.example" }

# [[ways]]
# type = "wifi"
# ssid = "Force cameras"
# passphrase = "…"          # or login = { … } as above; an open network is not taken

# [[ways]]
# type = "mobile"
# apn = "iot.operator.example"
# pin = "0000"              # of the SIM, if it has one
"""


def read(path: Path) -> Network:
    """Read a form.

    Raises:
        Failure: It is none, or something in it is not right. No value of it is repeated: it may be a password.
        OSError: It cannot be read.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        ways = found.get("ways")
        for way in ways if isinstance(ways, list) else []:
            _read_authority(way, path.parent)
        return msgspec.convert(found, Network)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Failure(f"expected TOML in {path}, found something else") from error
    except msgspec.ValidationError as error:
        raise Failure(f"{path}: {error}") from error


def shown(network: Network) -> list[dict[str, Any]]:
    """Return what may be shown of the settings."""
    return [without_secrets(way) for way in network.ways]


def in_words(way: dict[str, Any]) -> str:
    """Return in a few words what may be shown of a way."""
    name = way.get("ssid") or way.get("apn")
    words = _KINDS[way["kind"]] + (f" “{name}”" if name else "")
    return f"{words} with 802.1X" if way.get("802.1x") else words


def _read_authority(way: Any, folder: Path) -> None:  # noqa: ANN401 - not checked yet
    login = way.get("login") if isinstance(way, dict) else None
    named = login.get("authority") if isinstance(login, dict) else None
    if isinstance(login, dict) and isinstance(named, str) and named.startswith(_FILE):
        login["authority"] = (folder / named.removeprefix(_FILE)).read_text(encoding="ascii", errors="replace")


def ask(person: Person) -> Network | None:
    """Ask for one way to the network, until it is one; None to leave it as it is. More, and 802.1X, are for the form.

    Raises:
        Failure: Nobody answers.
    """
    options = ["As it is set up already, or by a form", "By an Ethernet cable", "By Wi-Fi", "By a mobile network"]
    chosen = person.choose("How does the unit reach its network?", options)
    while chosen:
        try:
            return msgspec.convert({"ways": [_way(person, chosen)]}, Network)
        except msgspec.ValidationError:  # whose message holds a pattern, for programmers
            person.tell(f"  expected {_WANTED[chosen]}")
    return None


def _way(person: Person, chosen: int) -> dict[str, str]:
    match chosen:
        case 2:
            way = {"type": "wifi", "ssid": person.ask("The network's name")}
            return way | {"passphrase": person.ask_unseen("Its passphrase (8 to 63 characters, not shown)")}
        case 3:
            way = {"type": "mobile", "apn": person.ask("The access point name (APN)")}
            pin = person.ask_unseen("The SIM's PIN, or nothing (not shown)")
            return way | ({"pin": pin} if pin else {})
        case _:
            return {"type": "ethernet"}
