"""What the commands at a unit share: which port, who visits, which unit it has to be."""

import argparse
import functools
from pathlib import Path

from overt.protocol.documents import UnitRef
from overt.protocol.reports import Greeting
from overt.protocol.vocabulary import Role
from overt.runtime.cli import Parser
from overt_provisioning import force, keys
from overt_provisioning.common import add_home, passphrase, read_identity
from overt_provisioning.keys import Passphrase
from overt_provisioning.unit import ports
from overt_provisioning.unit.asking import Person
from overt_provisioning.unit.session import Session, Technician
from overt_provisioning.unit.trust import Judge, Known
from overt_provisioning.unit.wire import Patience


def add_cable(parser: Parser) -> None:
    """Add what every command at a unit takes."""
    add_home(parser)
    parser.add_argument("--port", type=Path, metavar="DEVICE", help="the serial port (default: the one that is there)")
    parser.add_argument("--baud", type=int, default=115_200, metavar="RATE", help="of a UART (%(default)s)")
    parser.add_argument("--identity", type=Path, metavar="F", help="the unit that it has to be, from its identity.json")
    parser.add_argument(
        "--code", metavar="CODE", help="the code on the unit's label, for one that is not known here yet"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="S",
        help="wait so long for a cable that was pulled (%(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, and ask nothing")


class Visiting:
    """One command's visit."""

    def __init__(self, arguments: argparse.Namespace, person: Person | None = None) -> None:
        """Read what the visit stands on. Nothing is sent yet.

        Raises:
            KeyProblem: The technician's key cannot be used.
            ProtocolError: There is no charter.
            OSError: It cannot be read.
        """
        self.arguments, self.person = arguments, person or Person()
        self.home: Path = arguments.home
        self.known = Known(self.home)
        self.secrets: Passphrase = passphrase(arguments)
        self.judge = Judge(
            self.known,
            expected=self._expected(),
            code=arguments.code,
            confirm=self._confirm if self.asks else None,
        )

    @property
    def asks(self) -> bool:
        """Whether a person can be asked."""
        return self.person.is_there and not self.arguments.json

    @functools.cached_property
    def technician(self) -> Technician:
        """Who visits. Opening the key may ask for its passphrase."""
        path = self.home / "charter.json"
        signer = keys.signer(self.home, Role.TECHNICIAN, self.secrets)
        return Technician(force.read_charter(path), path.read_bytes(), signer)

    def say(self, text: str) -> None:
        """Say how far it is, to a person."""
        if self.asks:
            self.person.tell(f"  {text}")

    def session(self) -> Session:
        """Return the session, in which nothing has been asked yet."""
        port = ports.find(self.arguments.port)
        patience = Patience(away=self.arguments.patience)
        return Session(
            port, self.technician, self.judge, baud=self.arguments.baud, patience=patience, tell=self.person.tell
        )

    def _expected(self) -> UnitRef | None:
        return read_identity(self.arguments.identity) if self.arguments.identity else None

    def _confirm(self, greeting: Greeting, code: str) -> bool:
        who = f"This unit calls itself {greeting.unit}." if greeting.unit else "This unit is blank: it has no name yet."
        self.person.tell(who)
        options = [f"The label says {code}, or there is no label yet", "The label says something else: stop"]
        return self.person.choose("Is it the right unit?", options) == 0
