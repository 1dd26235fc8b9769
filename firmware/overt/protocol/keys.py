"""Ed25519 signing keys, as the signers that envelopes take."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from securesystemslib.signer import CryptoSigner, Signer, SSlibKey

from overt.protocol.envelope import key_id

PRIVATE_BYTES = 32
"""Of a raw private key."""


def new_private() -> bytes:
    """Make a new Ed25519 private key, raw (32 bytes)."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def signer_of(private: bytes) -> Signer:
    """Return the signer of a raw private key (32 bytes)."""
    key = Ed25519PrivateKey.from_private_bytes(private)
    public = _public_hex(key)
    return CryptoSigner(key, SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public}))


def public_of(private: bytes) -> str:
    """Return the public key, raw, in hexadecimal."""
    return _public_hex(Ed25519PrivateKey.from_private_bytes(private))


def _public_hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
