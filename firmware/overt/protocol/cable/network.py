"""How a unit gets to its network: Ethernet (with 802.1X or without), Wi-Fi, a mobile network. Values only.

Passwords are in these structs and in no `repr`. They travel encrypted, and lie on the unit where its network manager
keeps them.
"""

import ipaddress
from typing import Annotated, Any

from msgspec import Meta

from overt.protocol import fields as f

_Word = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x20-\x7e\u00a0-\uffff]*\Z")]
_Secret = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]*\Z")]
_Psk = Annotated[str, Meta(min_length=8, max_length=63, pattern=r"^[\x20-\x7e]*\Z")]  # IEEE 802.11i: 8 to 63 characters
_Apn = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*\Z")]  # 3GPP TS 23.003
_Pin = Annotated[str, Meta(pattern=r"^[0-9]{4,8}\Z")]
_Pem = Annotated[str, Meta(max_length=16 * 1024, pattern=r"^-----BEGIN [\x20-\x7e\n]*\Z")]
_Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,253}\Z")]


class Unseen(f.Value, frozen=True, kw_only=True):
    """A struct that shows nothing of itself: it holds secrets."""

    def __repr__(self) -> str:
        """Show no value."""
        return f"{type(self).__name__}()"


class Fixed(f.Value, frozen=True, kw_only=True):
    """An address that is given by hand: with its prefix (`192.0.2.7/24`), the gateway, the name servers."""

    address: str
    gateway: str | None = None
    name_servers: Annotated[tuple[str, ...], Meta(max_length=4)] = ()

    def __post_init__(self) -> None:
        """Refuse what is no address."""
        interface = ipaddress.ip_interface(self.address)
        for other in filter(None, (self.gateway, *self.name_servers)):
            ipaddress.ip_address(other)
        if "/" not in self.address or interface.network.prefixlen == interface.max_prefixlen:
            raise ValueError("expected an address with its prefix, like 192.0.2.7/24")
        if self.gateway and ipaddress.ip_address(self.gateway) not in interface.network:
            raise ValueError("the gateway is not in the address's own network")


class Login(Unseen, frozen=True, kw_only=True):
    """802.1X with a name and a password (PEAP, MSCHAPv2). The authority's certificate proves the network."""

    identity: _Word
    password: _Secret
    authority: Annotated[_Pem, Meta(description="Who signs the network's own certificate; without it anyone could ask")]
    server: Annotated[_Host, Meta(description="The name in the network's certificate")]


class Ethernet(Unseen, tag="ethernet", frozen=True, kw_only=True):
    """A cable."""

    login: Login | None = None
    fixed: Fixed | None = None


class Wifi(Unseen, tag="wifi", frozen=True, kw_only=True):
    """A wireless network: WPA2 or WPA3 with a passphrase, or with a login of one's own. An open one is not taken."""

    ssid: Annotated[str, Meta(min_length=1, max_length=32)]
    passphrase: _Psk | None = None
    login: Login | None = None
    hidden: bool = False
    fixed: Fixed | None = None

    def __post_init__(self) -> None:
        """Refuse a network that anyone can be."""
        if len(self.ssid.encode()) > 32:  # noqa: PLR2004 - IEEE 802.11: 32 octets
            raise ValueError("expected a network's name of at most 32 bytes")
        if (self.passphrase is None) == (self.login is None):
            raise ValueError("expected either a passphrase or a login")


class Mobile(Unseen, tag="mobile", frozen=True, kw_only=True):
    """A mobile network (LTE, 5G) through a modem."""

    apn: _Apn
    user: _Word | None = None
    password: _Secret | None = None
    pin: _Pin | None = None


Way = Ethernet | Wifi | Mobile


class Network(Unseen, frozen=True, kw_only=True):
    """`network`: all the ways to the network, the best first. They take the place of those before."""

    ways: Annotated[tuple[Way, ...], Meta(min_length=1, max_length=4)]


def without_secrets(way: Way) -> dict[str, Any]:
    """Return what may be shown of a way."""
    match way:
        case Ethernet():
            shown: dict[str, Any] = {"kind": "ethernet", "802.1x": way.login is not None}
        case Wifi():
            shown = {"kind": "wifi", "ssid": way.ssid, "802.1x": way.login is not None}
        case Mobile():
            return {"kind": "mobile", "apn": way.apn}
    return shown | ({"address": way.fixed.address} if way.fixed else {})
