"""A unit's code: what a person compares, on the label and on both screens, to know which unit this is."""

import hashlib
from typing import Final

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U, so nothing is misread
_GROUPS, _GROUP = 3, 4


def unit_code(key: str) -> str:
    """Return the code of a unit's public key, such as `7QK2-M4TX-9ZPA`.

    Twelve letters are 60 bits of a SHA-256: finding another key with the same code takes about 10^18 attempts.

    Args:
        key: Raw Ed25519 public key, hexadecimal.
    """
    number = int.from_bytes(hashlib.sha256(b"overt unit code" + bytes.fromhex(key)).digest(), "big") >> (256 - 60)
    letters = "".join(_LETTERS[number >> shift & 31] for shift in range(55, -1, -5))
    return "-".join(letters[start : start + _GROUP] for start in range(0, _GROUPS * _GROUP, _GROUP))


def same_code(given: str, key: str) -> bool:
    """Say whether what a person typed is the code of a key: case, spaces and hyphens do not matter, nor O for 0."""
    letters = "".join(given.upper().split()).replace("-", "").translate(str.maketrans("OIL", "011"))
    return letters == unit_code(key).replace("-", "")
