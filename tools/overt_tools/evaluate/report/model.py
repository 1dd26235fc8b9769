"""What a report says, as its JSON has it. HTML and PDF show nothing that is not in here."""

from typing import Any

import msgspec

from overt.protocol.documents import Measurement
from overt_tools.evaluate.findings import Findings


class Borne(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that an assurance report would hold, and why a unit would let no order stand on it."""

    threshold: float
    figures: Measurement
    refusals: tuple[str, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report.

    Attributes:
        title: Of the measurement.
        kind: "stills" or "trial".
        made: When, ISO 8601.
        how: What was done, in sentences.
        not_shown: What this kind of measurement cannot show, in sentences.
        watchlist: How many were listed.
        model_set: Name of the models, where it is known.
        model_digest: As an order names it.
        data_set_digest: Of what was measured.
        labels_digest: SHA-256 of the file in which people described themselves.
        command: How to do it again.
        environment: On what it was done.
        groups: What was found.
        bears: What an assurance report on it would hold.
        not_in_assurance: What cannot go into an assurance report, and why.
    """

    title: str
    kind: str
    made: str
    how: tuple[str, ...]
    not_shown: tuple[str, ...]
    watchlist: int
    model_set: str | None
    model_digest: str
    data_set_digest: str
    labels_digest: str
    command: str
    environment: dict[str, Any]
    groups: Findings
    bears: tuple[Borne, ...]
    not_in_assurance: tuple[str, ...] = ()
