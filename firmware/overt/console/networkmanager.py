"""Network settings as NetworkManager's keyfiles (nm-settings-keyfile(5)). Pure: settings in, names and contents out."""

import base64
import uuid
from collections.abc import Mapping
from typing import Final

from overt.protocol.cable.network import Ethernet, Fixed, Login, Mobile, Network, Way, Wifi

PREFIX: Final = "overt-"
SUFFIX: Final = ".nmconnection"
_TYPES: Final = {Ethernet: "ethernet", Wifi: "wifi", Mobile: "gsm"}
_NAMES: Final = uuid.UUID("6f766572-7400-4000-8000-6e6574776f72")
_FIRST_PRIORITY: Final = 90
Section = dict[str, str]


def keyfiles(network: Network) -> dict[str, bytes]:
    """Return a file for each way to the network: its name, and its content."""
    return {
        f"{PREFIX}{number}-{_TYPES[type(way)]}{SUFFIX}": _file(way, number)
        for number, way in enumerate(network.ways, start=1)
    }


def _file(way: Way, number: int) -> bytes:
    name = f"{PREFIX}{number}-{_TYPES[type(way)]}"
    sections: dict[str, Section] = {
        "connection": {
            "id": name,
            "uuid": str(uuid.uuid5(_NAMES, name)),
            "type": _TYPES[type(way)],
            "autoconnect": "true",
            "autoconnect-priority": str(_FIRST_PRIORITY - number * 10),
            "autoconnect-retries": "0",  # for ever: nobody stands beside the unit
        }
    }
    sections |= _medium(way)
    fixed = None if isinstance(way, Mobile) else way.fixed
    sections |= _addresses(fixed, metric=100 * number)
    return _text(sections).encode()


def _medium(way: Way) -> dict[str, Section]:
    match way:
        case Ethernet():
            return {"ethernet": {}} | _login(way.login)
        case Wifi():
            # The name as a list of bytes: so no character of it means anything here.
            wifi = {"mode": "infrastructure", "ssid": "".join(f"{byte};" for byte in way.ssid.encode())}
            if way.hidden:
                wifi["hidden"] = "true"
            if way.login is not None:
                return {"wifi": wifi, "wifi-security": {"key-mgmt": "wpa-eap", "pmf": "2"}} | _login(way.login)
            return {"wifi": wifi, "wifi-security": {"key-mgmt": "wpa-psk", "psk": _value(way.passphrase or "")}}
        case Mobile():
            known = {"apn": way.apn, "username": way.user, "password": way.password, "pin": way.pin}
            return {"gsm": {key: _value(value) for key, value in known.items() if value is not None}}


def _login(login: Login | None) -> dict[str, Section]:
    if login is None:
        return {}
    # The certificate is within the file: nothing else on the unit has to be kept in step with it.
    blob = "data:;base64," + base64.b64encode(login.authority.encode()).decode()
    return {
        "802-1x": {
            "eap": "peap;",
            "phase2-auth": "mschapv2",
            "identity": _value(login.identity),
            "password": _value(login.password),
            "ca-cert": blob,
            "domain-suffix-match": _value(login.server),
        }
    }


def _addresses(fixed: Fixed | None, metric: int) -> dict[str, Section]:
    if fixed is None:
        automatic = {"method": "auto", "route-metric": str(metric)}
        return {"ipv4": automatic, "ipv6": {**automatic, "addr-gen-mode": "stable-privacy"}}
    own, other = ("ipv6", "ipv4") if ":" in fixed.address else ("ipv4", "ipv6")
    by_hand = {"method": "manual", "address1": ",".join(filter(None, (fixed.address, fixed.gateway)))}
    if fixed.name_servers:
        by_hand["dns"] = "".join(f"{server};" for server in fixed.name_servers)
    return {own: by_hand | {"route-metric": str(metric)}, other: {"method": "disabled"}}


def _value(text: str) -> str:
    """Return a string as a keyfile writes it (GLib): only a backslash, and spaces in front, need to be escaped."""
    escaped = text.replace("\\", "\\\\")
    spaces = len(escaped) - len(escaped.lstrip(" "))
    return "\\s" * spaces + escaped[spaces:]


def _text(sections: Mapping[str, Section]) -> str:
    blocks = [
        "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in part.items())]) for name, part in sections.items()
    ]
    return "\n\n".join(blocks) + "\n"
