"""A document that comes in parts, which may be torn anywhere and goes on where it was. Pure."""

import hashlib

from overt.protocol.cable.requests import Part


class Upload:
    """One document in memory; another one takes its place."""

    def __init__(self, most_bytes: int) -> None:
        """Begin with none.

        Args:
            most_bytes: Of one document.
        """
        self._most = most_bytes
        self._digest, self._size = "", 0
        self._held = bytearray()

    def take(self, part: Part) -> int | None:
        """Take a part; one that does not join what is held changes nothing.

        Returns:
            How many bytes are held now; None when the document is larger than any.
        """
        if part.size > self._most:
            return None
        if (part.digest, part.size) != (self._digest, self._size):
            self._digest, self._size = part.digest, part.size
            self._held.clear()
        if part.offset == len(self._held) and part.offset + len(part.data) <= part.size:
            self._held += part.data
        return len(self._held)

    def whole(self, digest: str) -> bytes | None:
        """Return the document with this digest; None when it is not all here, or not what was announced."""
        if digest != self._digest or len(self._held) != self._size:
            return None
        data = bytes(self._held)
        if hashlib.sha256(data).hexdigest() != digest:
            self.forget()
            return None
        return data

    def forget(self) -> None:
        """Drop what is held."""
        self._digest, self._size = "", 0
        self._held = bytearray()
