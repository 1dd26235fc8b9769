"""An update that is brought over the cable: a signed RAUC bundle in parts, and what has become of it. Values only."""

from enum import StrEnum
from typing import Final

from overt.protocol import fields as f

BUNDLE_MAX_BYTES: Final = 2 * 2**30
"""Of one bundle: half of the smallest card that a unit is built on has two slots of four gigabytes."""


class Stage(StrEnum):
    """How far an update is. What installs it writes this; the console only reads it."""

    NOTHING = "nothing"
    COMING = "coming"
    WAITING = "waiting"
    INSTALLING = "installing"
    REBOOTING = "rebooting"
    GOOD = "good"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


class Install(f.Value, frozen=True, kw_only=True):
    """`update.install`: the bundle whose parts are all here is to be installed. Its signature, the installer checks."""

    digest: f.Digest
    size: f.Count


class Progress(f.Value, frozen=True, kw_only=True):
    """`update.state`: how far it is, which release runs now, and one line on what went wrong."""

    stage: Stage
    version: f.Line
    detail: f.Line | None = None
