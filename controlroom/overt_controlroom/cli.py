"""`overt-controlroom`: the control room's commands."""

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from overt import __version__
from overt.protocol.fields import Slug
from overt.runtime.cli import BAD_INPUT, NEGATIVE, OK, UNAVAILABLE, Failure, Parser, run
from overt.runtime.ending import Ending
from overt_controlroom.events import AlertSeen, ErasureSeen, Event, to_json
from overt_controlroom.home import Home, HomeError, expired


def parser() -> Parser:
    """Build the command line."""
    top = Parser(
        prog="overt-controlroom",
        description="The control room: reads what units publish, verifies it, counts it once, shows what is missing.",
        epilog="example:\n  overt-controlroom watch --home room",
    )
    top.add_argument("--version", action="version", version=f"overt {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    _add_identity(commands)
    _add_watch(commands)
    _add_verify(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(run(parser(), arguments))


def _add_home(command: Parser) -> None:
    command.add_argument(
        "--home",
        type=Path,
        required=True,
        help="the control room's folder: charter.json, orders/, room.json, identity.age, tls/, received.db",
    )


def _add_identity(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = commands.add_parser(
        "identity",
        help="make this control room's keys",
        description=(
            "Makes the key that opens alerts (identity.age), a TLS key and a request for its certificate\n"
            "(tls/room.csr, for the force office to sign), and prints the recipient, which orders name."
        ),
        epilog="example:\n  overt-controlroom identity --home room --name control-room-1",
    )
    _add_home(command)
    command.add_argument(
        "--name", required=True, help="lower-case letters, digits, single dashes; the certificate's CN"
    )
    command.set_defaults(handler=_identity)


def _add_watch(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = commands.add_parser(
        "watch",
        help="show alerts and reports as they come",
        description=(
            "Subscribes to the force's units and shows what they say, once it is verified. An alert is a possible\n"
            "match, for adjudication. Alerts are counted once; numbers that are missing, and anything that is not\n"
            "genuine, are pointed out. Runs until it is interrupted; waits for a broker that is away.\n"
            "Ends with 0 on SIGTERM or when --until has come, 1 when --seconds passed without it, 130 on Ctrl-C."
        ),
        epilog="example:\n  overt-controlroom watch --home room --json | jq 'select(.event == \"alert\")'",
    )
    _add_home(command)
    command.add_argument("--json", action="store_true", help="one JSON object a line")
    command.add_argument("--until", choices=("alert", "erasure"), help="end after the first of these")
    command.add_argument("--seconds", type=float, help="end after this time")
    command.set_defaults(handler=_watch)


def _add_verify(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = commands.add_parser(
        "verify",
        help="verify a saved report or erasure certificate, without a network",
        description="Checks a unit's signed report against the charter and the orders of this control room.",
        epilog="example:\n  overt-controlroom verify erasure.json --home room",
    )
    command.add_argument("file", type=Path, help="the signed report; an alert may be encrypted")
    _add_home(command)
    command.add_argument("--json", action="store_true", help="the report as JSON")
    command.set_defaults(handler=_verify)


def _identity(arguments: argparse.Namespace) -> int:
    try:
        name = msgspec.convert(arguments.name, Slug)
    except msgspec.ValidationError as error:
        raise Failure("expected a name of lower-case letters, digits and single dashes, at most 32 long") from error
    try:
        print(Home(arguments.home).make_identity(name))
    except HomeError as error:
        raise Failure(str(error), BAD_INPUT) from error
    return OK


_AWAITED: dict[str | None, tuple[type[Event], ...]] = {None: (), "alert": (AlertSeen,), "erasure": (ErasureSeen,)}


class _Output:
    """Says events, and notes whether the awaited one was among them."""

    def __init__(self, *, as_json: bool, until: str | None) -> None:
        from overt_controlroom.show import Screen  # noqa: PLC0415 - draws in what only people need

        self._screen = None if as_json else Screen()
        self._awaited = _AWAITED[until]
        self.came = False

    def say(self, event: Event) -> None:
        if self._screen is None:
            print(to_json(event), flush=True)
        else:
            self._screen.show(event)
        self.came = self.came or isinstance(event, self._awaited)


def _watch(arguments: argparse.Namespace) -> int:
    from overt_controlroom.store import Store, StoreError  # noqa: PLC0415 - help must be quick
    from overt_controlroom.subscriber import Subscriber  # noqa: PLC0415 - as above

    home = Home(arguments.home)
    deadline = time.monotonic() + arguments.seconds if arguments.seconds is not None else None
    output = _Output(as_json=arguments.json, until=arguments.until)
    try:
        room, broker = home.read_room()
        if expired(home.read_charter()):
            print("overt-controlroom: the charter has expired: late alerts only", file=sys.stderr)
        with (
            Ending() as ending,
            _alone(home),
            closing(Store(home.database)) as store,
            closing(Subscriber(home, room, broker, store, output.say)) as subscriber,
        ):
            while not (output.came or ending.asked or (deadline is not None and time.monotonic() >= deadline)):
                subscriber.turn(ending.fileno())
    except HomeError as error:
        raise Failure(str(error), BAD_INPUT) from error
    except StoreError as error:
        raise Failure(str(error), UNAVAILABLE) from error
    if ending.asked:
        return ending.exit_code
    return OK if output.came or arguments.until is None else NEGATIVE


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Keep a second watch out of this folder: each would count without the other."""
    try:
        lock = home.lock.open("a")
    except OSError as error:
        raise HomeError(f"cannot write into {home.folder}: {error.strerror or error}") from error
    with lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(f"another watch runs in {home.folder}: end it first", UNAVAILABLE) from error
        yield


def _verify(arguments: argparse.Namespace) -> int:
    from overt_controlroom.verify import NotVerified, verify  # noqa: PLC0415 - help must be quick

    home = Home(arguments.home)
    try:
        room, _ = home.read_room()
        trust, _ = home.read_trust(room)
        found = verify(arguments.file, trust, home)
    except HomeError as error:
        raise Failure(str(error), BAD_INPUT) from error
    except NotVerified as error:
        print(f"not verified: {error}")
        return NEGATIVE
    print(found.as_json() if arguments.json else found.as_text())
    return OK
