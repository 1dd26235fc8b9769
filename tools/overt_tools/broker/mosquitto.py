"""Mosquitto: MQTT 5 and 3.1.1, the default."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from overt.runtime.files import write_atomically
from overt_tools.broker.settings import DOWN, HOST, MAX_PACKET_BYTES, UP, Access, Settings


class Mosquitto:
    """The `mosquitto` of the distribution."""

    name = "mosquitto"

    def find(self) -> Path | None:
        """Return the program: on PATH, or where Debian puts it (not on a user's PATH)."""
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
        return Path(found) if found else None

    def prepare(self, program: Path, settings: Settings) -> Sequence[str]:
        """Write configuration and access list."""
        acl, conf = settings.folder / "mosquitto.acl", settings.folder / "mosquitto.conf"
        write_atomically(acl, access_list(settings.access).encode())
        write_atomically(conf, configuration(settings, acl).encode())
        return [str(program), "-c", str(conf)]


def configuration(settings: Settings, acl: Path) -> str:
    """Return mosquitto.conf (mosquitto.conf(5))."""
    lines = [
        "per_listener_settings true",
        # What it has acknowledged it has saved: after each change, not after half an hour.
        "persistence true",
        f"persistence_location {settings.folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        # Its default drops silently beyond 1,000 waiting messages; 0 is "no limit" there, so limits are spelled out.
        "max_queued_messages 100000",
        f"max_queued_bytes {4 * MAX_PACKET_BYTES}",
        "max_inflight_messages 64",
        f"max_packet_size {MAX_PACKET_BYTES}",
        "persistent_client_expiration 2d",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        f"listener {settings.port} {HOST}",
        f"cafile {settings.authority}",
        f"certfile {settings.certificate}",
        f"keyfile {settings.key}",
        "require_certificate true",
        "tls_version tlsv1.2",
        "allow_anonymous false",
        "use_identity_as_username true",
        # A session belongs to its certificate: nobody can take over another's by using its client id.
        "use_username_as_clientid true",
        f"acl_file {acl}",
    ]
    if os.geteuid() == 0:
        lines.insert(0, "user root")  # else it becomes a user who cannot read the key
    return "\n".join(lines) + "\n"


def access_list(access: Access) -> str:
    """Return the access list. A unit is known by its name in its topics, so new units need no new line."""
    lines: list[str] = []
    for room in access.rooms:
        lines += [f"user {room}", f"topic deny {access.topic(room, '#')}"]  # no room may pass as a unit
        lines += [f"topic read {access.topic('+', leaf)}" for leaf in UP]
    for office in access.offices:
        lines += [f"user {office}", f"topic deny {access.topic(office, '#')}"]
        lines += [f"topic write {access.topic('+', leaf)}" for leaf in DOWN]
        lines += [f"topic read {access.topic('+', 'receipt')}"]
    lines += [f"pattern write {access.topic('%u', leaf)}" for leaf in UP]
    lines += [f"pattern read {access.topic('%u', leaf)}" for leaf in DOWN]
    return "\n".join(lines) + "\n"
