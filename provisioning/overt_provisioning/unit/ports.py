"""Which serial port the unit is at: the one that is named, or the only one that a USB cable has made."""

from pathlib import Path

import msgspec

from overt.runtime.cli import UNAVAILABLE, Failure


class Port(msgspec.Struct, frozen=True):
    """A serial port of this machine.

    Attributes:
        device: Its path.
        what: What the other end calls itself.
    """

    device: str
    what: str


def present() -> list[Port]:
    """Return the serial ports that USB cables have made: a unit's own (a gadget's), or an adapter's."""
    from serial.tools import list_ports  # noqa: PLC0415 - for commands at a unit alone

    found = [port for port in list_ports.comports() if port.vid is not None]
    return sorted(
        (Port(port.device, port.product or port.description or "?") for port in found), key=lambda p: p.device
    )


def find(named: Path | None, there: list[Port] | None = None) -> Path:
    """Return the port to use.

    Args:
        named: The one that the technician named.
        there: The ports of this machine; None to look.

    Raises:
        Failure: None was named, and there is none or several.
    """
    if named is not None:
        return named
    ports = present() if there is None else there
    if not ports:
        raise Failure(
            "no serial port is here: plug the unit's cable in (a data cable, not one for charging), or give --port",
            UNAVAILABLE,
        )
    ours = [port for port in ports if "overt" in port.what.lower()] or ports
    if len(ours) > 1:
        names = ", ".join(f"{port.device} ({port.what[:40]})" for port in ours)
        raise Failure(f"several serial ports are here: {names}; name the unit's with --port")
    return Path(ours[0].device)
