"""Real brokers for tests: each make that this machine has, with its own authority; the others are skipped aloud."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from overt.runtime.broker import Broker, Tls
from overt.runtime.retry import Backoff
from overt.runtime.session import Happening, Session
from overt_tools.broker.server import KINDS, Server
from overt_tools.broker.settings import Access, Settings
from tests.builders import FORCE
from tests.certificates import Authority, Files

UNITS = ("unit-1", "unit-2")
ROOM = "room-1"
OFFICE = "office"
MAKES = [
    pytest.param(
        name, marks=pytest.mark.skipif(KINDS[name].find() is None, reason=f"the {name} broker is not installed")
    )
    for name in KINDS
]
each_make = pytest.mark.parametrize("make", MAKES)


@dataclass
class Site:
    """A broker and the authority that it trusts."""

    server: Server
    authority: Authority

    def broker(self, files: Files | None) -> Broker:
        tls = Tls(files.authority, files.certificate, files.key) if files else None
        return Broker("127.0.0.1", self.server.port, tls)

    def session(self, name: str, *topics: str, files: Files | None = None) -> Session:
        """A client's session under its own certificate, quick to reconnect."""
        broker = self.broker(files or self.authority.client(name))
        return Session(broker, name, topics, max_packet=64 * 1024 * 1024, backoff=Backoff(0.1, 0.5))


def settings(folder: Path, authority: Authority, port: int = 0) -> Settings:
    files = authority.server()
    access = Access(FORCE, UNITS, (ROOM,), (OFFICE,))
    return Settings(folder, port, files.authority, files.certificate, files.key, access)


@contextmanager
def running(make: str, folder: Path) -> Iterator[Site]:
    if KINDS[make].find() is None:
        pytest.skip(f"the {make} broker is not installed")
    authority = Authority(folder / "pki")
    server = Server(KINDS[make], settings(folder / "broker", authority))
    try:
        server.start()
        yield Site(server, authority)
    finally:
        server.stop()


def topic(leaf: str, unit: str = "unit-1") -> str:
    return f"overt/v1/{FORCE}/{unit}/{leaf}"


def collect(session: Session, kind: type, number: int = 1, seconds: float = 8.0) -> list[Happening]:
    """Drive a session until so many happenings of a kind have come, and return those."""
    import time

    deadline = time.monotonic() + seconds
    found: list[Happening] = []
    while len(found) < number and time.monotonic() < deadline:
        happened, _ = session.wait(0.1)
        found += [item for item in happened if isinstance(item, kind)]
    return found
