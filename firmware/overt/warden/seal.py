"""The storage key, sealed to the machine: its TPM alone opens it, while the machine starts as it did (PCR 7).

What the disk then holds of a deployment is ciphertext, and so is the key to it. Root does this before each start of the
warden, because the warden has no TPM; systemd opens the key again and hands it over as a credential. It is in the clear
in memory alone.
"""

import os
import subprocess
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from overt.protocol import sealing
from overt.runtime import log
from overt.runtime.files import write_atomically
from overt.warden.erasing import erase_folder
from overt.warden.vault import SEALED

_NAME: Final = "storage.key"
_ATTEMPTS: Final = 3
_BETWEEN_S: Final = 2.0
_PATIENCE_S: Final = 60.0


class SealProblem(Exception):
    """The TPM does not seal. The message says why."""


class Sealer(Protocol):
    """Something that seals to this machine."""

    def seal(self, name: str, secret: bytes) -> bytes:
        """Return a secret sealed under a name.

        Raises:
            SealProblem: It cannot be done.
        """
        ...

    def open(self, name: str, sealed: Path) -> bytes:
        """Return what was sealed under a name.

        Raises:
            SealProblem: It cannot be done, here or at all.
        """
        ...


class Done(StrEnum):
    """What was done."""

    KEPT = "the storage key is sealed already"
    MOVED = "the storage key is sealed now, and no longer in the clear"
    MADE = "a new storage key is made and sealed"


class SystemdCreds:
    """Seals with this machine's TPM, through systemd."""

    def __init__(self, tpm: str) -> None:
        """Name the TPM, as `systemd-creds --tpm2-device` takes it."""
        self._tpm = tpm

    def seal(self, name: str, secret: bytes) -> bytes:
        """See `Sealer`."""
        return self._run(secret, "encrypt", "--with-key=tpm2", f"--name={name}", "-", "-")

    def open(self, name: str, sealed: Path) -> bytes:
        """See `Sealer`."""
        return self._run(b"", "decrypt", f"--name={name}", str(sealed), "-")

    def _run(self, given: bytes, command: str, *words: str) -> bytes:
        call = ["systemd-creds", command, f"--tpm2-device={self._tpm}", *words]
        try:
            done = subprocess.run(call, input=given, capture_output=True, timeout=_PATIENCE_S, check=False)
        except FileNotFoundError as error:
            raise SealProblem("the program systemd-creds is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise SealProblem(f"the TPM did not answer within {_PATIENCE_S:g} s") from error
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
            raise SealProblem(f"the TPM cannot {command}: {said[-1]}")
        return done.stdout


def ensure(state: Path, sealer: Sealer) -> Done:
    """Have the storage key sealed, and nowhere in the clear. Calling it again is fine, also after a power cut.

    A key that its TPM does not open any more is lost, and with it the deployment that it was for: recognition is off,
    and the unit can be given a new order.

    Args:
        state: The state folder.
        sealer: What seals.

    Raises:
        SealProblem: It could not be done, and everything is as it was.
        OSError: The folder cannot be used.
    """
    folder, clear = state / SEALED, state / "keys" / _NAME
    kept = folder / _NAME
    if kept.exists() and _opens(kept, sealer):
        return Done.MOVED if erase_folder(clear) else Done.KEPT
    if clear.exists():
        secret, done = clear.read_bytes(), Done.MOVED
    else:
        secret, done = sealing.new_identity()[0].encode(), Done.MADE
    sealed = _patiently(lambda: sealer.seal(_credential(), secret))
    folder.mkdir(mode=0o700, exist_ok=True)
    write_atomically(kept, sealed)
    owner = state.stat()
    for path in (folder, kept):
        os.chown(path, owner.st_uid, owner.st_gid)  # the warden destroys it
    erase_folder(clear)
    log.event("seal.done", detail=done.name.lower())
    return done


def _opens(kept: Path, sealer: Sealer) -> bool:
    try:
        _patiently(lambda: sealer.open(_credential(), kept))
    except SealProblem as error:
        log.event("seal.lost", "error", detail=str(error))
        return False
    return True


def _patiently(work: Callable[[], bytes]) -> bytes:
    """Ask a TPM that is busy, or whose driver is not there yet, again."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except SealProblem as error:
            log.event("seal.again", "warning", detail=str(error))
            time.sleep(_BETWEEN_S)
    return work()


def _credential() -> str:
    """Return the name that systemd gives the credential when it opens the folder."""
    return f"{SEALED}_{_NAME}"
