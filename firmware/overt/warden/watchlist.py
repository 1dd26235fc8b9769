"""Opening a watchlist: decrypt, check, pack the templates into locked memory, and keep nothing else of them."""

from datetime import datetime

import msgspec

from overt.protocol import authority, gallery, limits, sealing
from overt.protocol.authority import Checked
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Category, Refusal
from overt.runtime.memory import SecretFile
from overt.warden.enclosure import in_child
from overt.warden.vault import Deployment, Vault

_SEALING_ROOM = 64 * 1024  # age adds a header, and 16 bytes for each 64 KiB
SEALED_MAX_BYTES = limits.WATCHLIST_MAX_BYTES + _SEALING_ROOM


class Listed(msgspec.Struct, frozen=True):
    """What the warden remembers of an entry while its deployment lasts: no template."""

    reference: str
    category: Category
    expires: datetime


class Loaded(msgspec.Struct, frozen=True):
    """A watchlist in memory: its templates in locked memory, of the rest what alerts need.

    Attributes:
        memory: The gallery, sealed. Closing it wipes it for everybody who has it mapped.
        listed: The entries, in the gallery's order.
        digest: The watchlist's identity.
        made: When the force made it.
        templates: How many templates.
    """

    memory: SecretFile
    listed: tuple[Listed, ...]
    digest: str
    made: datetime
    templates: int

    def __repr__(self) -> str:
        """Say which, and nothing about who is listed."""
        return f"Loaded({self.digest[:12]}…)"


class _Known(msgspec.Struct, frozen=True):
    """What the child process says of a watchlist that it opened."""

    listed: tuple[Listed, ...]
    digest: str
    made: datetime
    templates: int


def open_watchlist(sealed: bytes, deployment: Deployment, vault: Vault, moment: datetime) -> Loaded:
    """Open a watchlist of a deployment: in a child process, of which only the gallery and `_Known` remain.

    Args:
        sealed: As it came, encrypted to the deployment's key.
        deployment: The deployment.
        vault: Where the deployment's key and the force's charter are.
        moment: The time at which it is to be fresh and its entries valid.

    Raises:
        ProtocolError: It cannot be read, or breaks a rule.
        MemoryUnsafe: There is no memory to lock for it.
        OSError: There is no memory at all, or no key.
    """
    if len(sealed) > SEALED_MAX_BYTES:
        raise ProtocolError(Refusal.TOO_LARGE, f"expected at most {SEALED_MAX_BYTES:,} bytes, found {len(sealed):,}")
    known, descriptor = in_child(lambda: _open(sealed, deployment, vault, moment))
    if descriptor is None:
        raise OSError("expected a gallery from the child process, found none")
    memory = SecretFile.adopt(descriptor)
    memory.seal()
    said = msgspec.msgpack.decode(known, type=_Known)
    return Loaded(memory, said.listed, said.digest, said.made, said.templates)


def _open(sealed: bytes, deployment: Deployment, vault: Vault, moment: datetime) -> tuple[bytes, int]:
    plain = sealing.unseal(sealed, vault.deployment_key(deployment.digest))
    order = Checked(deployment.order, deployment.digest, deployment.order_data)
    checked = authority.check_watchlist(plain, vault.charter, order, moment)
    entries = checked.document.entries
    layout = gallery.layout_for(entries)
    memory = SecretFile("overt-gallery", layout.size)
    with memory.view as view:
        gallery.pack(entries, view)
    listed = tuple(Listed(entry.reference, entry.category, entry.expires) for entry in entries)
    known = _Known(listed, checked.digest, checked.document.made, layout.templates)
    return msgspec.msgpack.encode(known), memory.descriptor
