"""Session keys: X25519 (RFC 7748), HKDF-SHA-256 (RFC 5869), ChaCha20-Poly1305 (RFC 8439). Pure but for fresh keys.

Both sides sign the digest of the two fresh keys (`Greeting`, `Visit`), as in SIGMA (Krawczyk, CRYPTO 2003); see the
decision record on the cable. A frame's number is the nonce. A number has one content: sent again are the same bytes.
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from overt.protocol.cable.frames import Frame
from overt.protocol.errors import NotReadable

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
_LABEL: Final = b"overt cable 1"
_NONCE_BYTES: Final = 12


class Fresh:
    """A key pair for one session."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def agree(self, other: bytes, session: str) -> "Sealer":
        """Return what seals the frames of a session.

        Args:
            other: The other side's fresh public key, 32 bytes.
            session: The session's digest.

        Raises:
            NotReadable: It is no key that anything can be agreed with.
        """
        try:
            secret = self._private.exchange(X25519PublicKey.from_public_bytes(other))
        except ValueError as error:  # not 32 bytes, or a point of low order
            raise NotReadable("expected a fresh X25519 key of the other side, found something else") from error
        made = HKDF(hashes.SHA256(), 2 * KEY_BYTES, salt=bytes.fromhex(session), info=_LABEL).derive(secret)
        return Sealer(made[:KEY_BYTES], made[KEY_BYTES:])


def session_digest(connection: int, technician: bytes, unit: bytes) -> str:
    """Return what both sides sign: the digest of the connection's number and both fresh keys, hexadecimal."""
    return hashlib.sha256(_LABEL + connection.to_bytes(4, "big") + technician + unit).hexdigest()


class Sealer:
    """Seals and opens the bodies of frames, with a key for each direction."""

    def __init__(self, asks: bytes, answers: bytes) -> None:
        self._keys = {True: ChaCha20Poly1305(asks), False: ChaCha20Poly1305(answers)}

    def __repr__(self) -> str:
        """Show no key."""
        return "Sealer()"

    def seal(self, frame: Frame, plain: bytes) -> Frame:
        """Return the frame with that body, sealed."""
        body = self._key(frame).encrypt(_nonce(frame), plain, frame.heading)
        return Frame(frame.part, frame.connection, frame.number, body)

    def open(self, frame: Frame, body: bytes | None = None) -> bytes:
        """Return what a frame's body (or the part of it that is given) says.

        Raises:
            NotReadable: The other side did not write it.
        """
        try:
            return self._key(frame).decrypt(_nonce(frame), frame.body if body is None else body, frame.heading)
        except InvalidTag as error:
            raise NotReadable("what came over the cable is not of this session: begin a new one") from error

    def _key(self, frame: Frame) -> ChaCha20Poly1305:
        return self._keys[frame.part % 2 == 1]


def _nonce(frame: Frame) -> bytes:
    return frame.number.to_bytes(_NONCE_BYTES, "big")
