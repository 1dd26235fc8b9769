"""The end of a unit's life with a force: its keys, papers, log and deployments are overwritten and removed.

The certificate is signed and made durable first, under a name that says that erasing goes on. From then on it is
finished whatever happens: after a power cut at the next start. What stays is the certificate, and nothing else.
"""

from pathlib import Path
from typing import Final

from overt.runtime.files import sync_folder, write_atomically
from overt.warden.erasing import erase_folder

_PENDING: Final = "erasing.json"
_CERTIFICATE: Final = "decommission.json"
_KEYS: Final = {"keys", "sealed"}
"""They go first."""


def begin(state: Path, certificate: bytes) -> None:
    """Make it certain that everything will be erased.

    Raises:
        OSError: It could not be made durable: nothing will be erased.
    """
    write_atomically(state / _PENDING, certificate, 0o644)


def is_pending(state: Path) -> bool:
    """Say whether erasing was begun and is not finished."""
    return (state / _PENDING).exists()


def finish(state: Path) -> bool:
    """Erase everything, if that was begun; say whether it was.

    Raises:
        OSError: Something could not be removed. The next call goes on.
    """
    if not is_pending(state):
        return False
    for path in sorted(state.iterdir(), key=lambda path: (path.name not in _KEYS, path.name)):
        if path.name != _PENDING:
            erase_folder(path)
    (state / _PENDING).replace(state / _CERTIFICATE)
    sync_folder(state)
    return True


def certificate(state: Path) -> bytes | None:
    """Return the certificate of the unit's own erasure, as long as it has not been enrolled again."""
    try:
        return (state / _CERTIFICATE).read_bytes()
    except OSError:
        return None


def forget(state: Path) -> None:
    """Remove the certificate: the unit is somebody's again.

    Raises:
        OSError: It could not be removed.
    """
    (state / _CERTIFICATE).unlink(missing_ok=True)
