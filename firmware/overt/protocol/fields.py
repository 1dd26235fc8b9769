"""The small types that documents and messages are made of, each bounded."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from overt.protocol import limits

Slug = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9](-?[a-z0-9])*\Z",
        max_length=32,
        description="Lower-case name, fit for a topic level and a certificate's CN",
    ),
]
Reference = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9./_-]{0,62}[A-Za-z0-9])?\Z", description="Opaque reference; never a name"),
]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256, lower-case hexadecimal")]
KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="SHA-256 of the raw public key")]
PublicKeyHex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="Ed25519 public key, raw, hexadecimal")]
Recipient = Annotated[str, Meta(pattern=r"^age1[02-9ac-hj-np-z]{58}\Z", description="age X25519 recipient")]
AlertId = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z",
        description="UUIDv7 (RFC 9562)",
    ),
]
Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\Z",
        description="One line of plain text",
    ),
]
Text = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=4000,
        pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\Z",
        description="Plain text",
    ),
]
Address = Annotated[
    str,
    Meta(
        pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?\Z",
        max_length=200,
        description="https address",
    ),
]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 time with zone")]
Score = Annotated[float, Meta(ge=-1.0, le=1.0, description="Cosine of two templates")]
Threshold = Annotated[float, Meta(ge=limits.THRESHOLD_MIN, le=limits.THRESHOLD_MAX)]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**53)]
Latitude = Annotated[float, Meta(ge=-90.0, le=90.0, description="Degrees, WGS 84")]
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0, description="Degrees, WGS 84")]
Template = Annotated[
    bytes,
    Meta(
        min_length=limits.TEMPLATE_BYTES,
        max_length=limits.TEMPLATE_BYTES,
        description="float32 little-endian, unit length",
    ),
]


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of a document or message: immutable, and refusing what it does not know."""
