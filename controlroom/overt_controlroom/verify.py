"""Verifies one saved report against what the control room trusts, without a network and without remembering it."""

from pathlib import Path

import msgspec

from overt.protocol import envelope, sealing
from overt.protocol.envelope import TYPES
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Alert, Checkpoint, Erasure, HandBack, Health, Receipt, Report, Status
from overt_controlroom.events import clean
from overt_controlroom.home import Home, HomeError, read_file
from overt_controlroom.trust import Trust

_AGE = b"age-encryption.org/"
_REPORTS = (Alert, Checkpoint, Erasure, HandBack, Health, Receipt, Status)


class NotVerified(Exception):
    """The file is not a report that can be believed. The message says why."""


class Verified(msgspec.Struct, frozen=True):
    """A report whose signature is good, by a unit that an order of this control room names."""

    kind: str
    unit: str
    key: str
    digest: str
    report: Report

    def as_json(self) -> str:
        """Return everything as one JSON object."""
        return msgspec.json.encode(self).decode()

    def as_text(self) -> str:
        """Return it for a person, a field a line."""
        fields = msgspec.to_builtins(self.report)
        lines = [f"verified: {self.kind} signed by {self.unit} with the key {self.key[:16]}…"]
        lines += [f"  {clean(name)}: {clean(str(value), 300)}" for name, value in fields.items() if name != "type"]
        return "\n".join(lines)


def verify(path: Path, trust: Trust, home: Home) -> Verified:
    """Verify a file.

    Raises:
        HomeError: The file cannot be read.
        NotVerified: It is not a report, or not signed by a unit that an order here names.
    """
    data = read_file(path)
    try:
        if data.startswith(_AGE):
            data = sealing.unseal(data, home.read_identity())
        parsed = envelope.parse(data)
        type_ = TYPES[parsed.kind]
        if type_ not in _REPORTS:
            raise NotVerified(f"expected what a unit signs, found a {parsed.kind.value}")
        keys = {ref.key: ref.unit for order in trust.orders.values() for ref in order.document.units}
        signers = parsed.signers(keys)
        if not signers:
            raise NotVerified(
                f"expected a {parsed.kind.value} signed by one of the {len(keys)} unit(s) that the orders here name, "
                "found no such signature"
            )
        key = min(signers)
        report = msgspec.json.decode(parsed.payload, type=type_)
    except ProtocolError as error:
        raise NotVerified(error.detail) from error
    except msgspec.DecodeError as error:
        raise NotVerified(f"the payload is not well formed: {error}") from error
    if report.unit != keys[key] or report.force != trust.force:
        raise NotVerified(f"it says it is of {report.unit} of {report.force}, and {keys[key]} signed it")
    return Verified(parsed.kind.value, report.unit, key, parsed.digest(), report)


__all__ = ["HomeError", "NotVerified", "Verified", "verify"]
