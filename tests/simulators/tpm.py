"""A TPM in memory, with the interface of the machine's own."""

from pathlib import Path

from overt.protocol import sealing
from overt.protocol.errors import ProtocolError
from overt.warden.seal import SealProblem


class SimulatedTpm:
    """Seals under a key that never leaves it."""

    def __init__(self) -> None:
        """Make its key."""
        self._key, self._recipient = sealing.new_identity()
        self.busy = 0
        """So many times it will not answer."""

    def seal(self, name: str, secret: bytes) -> bytes:
        """See `Sealer`."""
        return sealing.seal(name.encode() + b" " + secret, [self._recipient])

    def open(self, name: str, sealed: Path) -> bytes:
        """See `Sealer`."""
        if self.busy:
            self.busy -= 1
            raise SealProblem("the TPM cannot decrypt: busy")
        try:
            found, _, secret = sealing.unseal(sealed.read_bytes(), self._key).partition(b" ")
        except ProtocolError as error:
            raise SealProblem("the TPM cannot decrypt: not sealed here") from error
        if found.decode() != name:
            raise SealProblem("the TPM cannot decrypt: sealed under another name")
        return secret
