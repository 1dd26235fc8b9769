"""What the uplink reads once, at its start."""

from pathlib import Path
from typing import Annotated

import msgspec

from overt.protocol import fields as f
from overt.runtime.broker import Broker, broker_at

_FILES = ("ca.pem", "unit.crt", "unit.key")


class BadSettings(Exception):
    """The settings are missing or wrong. The message names the file and what was expected."""


class Settings(f.Value, frozen=True, kw_only=True):
    """`uplink.json`: who this unit is, and where its broker is."""

    unit: f.Slug
    force: f.Slug
    host: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]


def read(state: Path) -> tuple[Settings, Broker]:
    """Read the settings and find the TLS files beside them.

    Raises:
        BadSettings: With what is missing or wrong.
    """
    path = state / "uplink.json"
    try:
        settings = msgspec.json.decode(path.read_bytes(), type=Settings)
        return settings, broker_at(settings.host, settings.port, state, _FILES)
    except OSError as error:
        raise BadSettings(
            f"expected the uplink's settings in {path}, found none ({error.strerror}): enrol the unit first"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f'expected {path} like {{"unit", "force", "host", "port"}}: {error}') from error
    except ValueError as error:
        raise BadSettings(str(error)) from error
