"""What can be wrong with a document or a message, as one family of errors."""

from overt.protocol.vocabulary import Refusal


class ProtocolError(ValueError):
    """A document or message is not acceptable.

    Attributes:
        code: The closed-list reason, fit for the audit log and for a receipt: it never carries the sender's text.
        detail: One sentence for a person: what was expected, what was found, what to do.
    """

    def __init__(self, code: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Malformed(ProtocolError):
    """The bytes are not a well-formed document or message of the kind that was expected."""

    def __init__(self, detail: str) -> None:
        super().__init__(Refusal.MALFORMED, detail)


class NotAuthorised(ProtocolError):
    """The document is well formed, but the signatures it needs are not there."""

    def __init__(self, detail: str) -> None:
        super().__init__(Refusal.NOT_AUTHORISED, detail)


class NotReadable(ProtocolError):
    """The document is encrypted to somebody else, or has been altered."""

    def __init__(self, detail: str) -> None:
        super().__init__(Refusal.NOT_READABLE, detail)
