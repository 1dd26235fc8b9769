"""What a self-test finds: of each part that it works, that it fails, or that this machine does not have it."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_ABSENT: Final = {errno.ENOSYS, errno.ENOTSUP}  # a kernel without it, or an emulator of one


class Outcome(StrEnum):
    """How a part did. Anything but `WORKS` means that the unit cannot do its work here."""

    WORKS = "works"
    FAILS = "fails"
    ABSENT = "not here"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part.

    Attributes:
        part: Its name.
        outcome: How it did.
        detail: In one sentence: what was found.
    """

    part: str
    outcome: Outcome
    detail: str


def try_out(part: str, work: Callable[[], str], *expected: type[Exception]) -> Finding:
    """Try a part.

    Args:
        part: Its name.
        work: Tries it, and says what it found, or raises.
        expected: What else than OSError it may raise when the part fails.
    """
    try:
        return Finding(part, Outcome.WORKS, work())
    except OSError as error:
        outcome = Outcome.ABSENT if error.errno in _ABSENT else Outcome.FAILS
        return Finding(part, outcome, error.strerror or str(error) or type(error).__name__)
    except expected as error:
        return Finding(part, Outcome.FAILS, str(error) or type(error).__name__)
