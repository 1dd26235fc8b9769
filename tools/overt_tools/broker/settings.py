"""What a broker has to know, whichever it is, and what may go wrong with one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from overt.protocol import limits
from overt.protocol.topics import ROOT, Down, Up

HOST = "127.0.0.1"
MAX_PACKET_BYTES = limits.WATCHLIST_MAX_BYTES + 1024 * 1024
"""The largest watchlist, with its encryption, its topic and room."""
UP = tuple(leaf.value for leaf in Up)
DOWN = tuple(leaf.value for leaf in Down)


class BrokerError(Exception):
    """A broker cannot be had. The message says why and what to do."""


class Access(msgspec.Struct, frozen=True):
    """Who may do what, by the CN of the client certificate.

    Attributes:
        force: The force whose topics these are.
        units: May publish and listen on their own topics.
        rooms: May read what units publish.
        offices: May publish to units, and read receipts.
    """

    force: str
    units: tuple[str, ...]
    rooms: tuple[str, ...]
    offices: tuple[str, ...]

    def topic(self, unit: str, leaf: str) -> str:
        """Return one of this force's topics."""
        return f"{ROOT}/{self.force}/{unit}/{leaf}"


class Settings(msgspec.Struct, frozen=True):
    """One broker to run: where, with which certificates, for whom."""

    folder: Path
    port: int
    authority: Path
    certificate: Path
    key: Path
    access: Access


class Software(Protocol):
    """One make of broker."""

    name: str

    def find(self) -> Path | None:
        """Return its program, or None when it is not installed."""

    def prepare(self, program: Path, settings: Settings) -> Sequence[str]:
        """Write its configuration into the folder and return the command that runs it in the foreground."""
