"""Where a technician's signed time comes in: for a unit that neither a network nor a satellite tells the time.

The unit makes a challenge, the technician's tool signs the time with it, the answer is good once and for two minutes.
So no old time can be played back, and how wrong it may be is known: it was signed between challenge and answer.
"""

import secrets
from datetime import timedelta
from typing import Final

from overt.protocol import limits
from overt.protocol.audit import Event
from overt.protocol.documents import SignedTime
from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import ClockQuality, Refusal
from overt.warden.devices import Clock
from overt.warden.journal import Journal
from overt.warden.reporter import Reporter
from overt.warden.vault import Vault

_NUMBER_BYTES: Final = 32
_AGAIN: Final = "fetch a new challenge from the unit, sign it and deliver it within two minutes"


class Timekeeping:
    """Makes challenges and takes the answers."""

    def __init__(self, vault: Vault, journal: Journal, reporter: Reporter, clock: Clock) -> None:
        self._vault, self._journal, self._reporter, self._clock = vault, journal, reporter, clock
        self._open: tuple[str, float] | None = None

    def challenge(self) -> bytes:
        """Return a new signed challenge; one before it is void."""
        number = secrets.token_hex(_NUMBER_BYTES)
        self._open = number, self._clock.elapsed()
        return self._reporter.challenge(number)

    def take(self, signed: SignedTime) -> None:
        """Set the clock.

        Args:
            signed: The time; who signed it was checked.

        Raises:
            ProtocolError: It answers no challenge, or too late, or cannot be right, or the time is known already.
        """
        age_s = self._age_of(signed)
        time = signed.time + timedelta(seconds=age_s / 2)
        earliest = max(self._journal.not_before or self._vault.charter.issued, self._vault.charter.issued)
        if time < earliest - limits.CLOCK_TOLERANCE:
            raise ProtocolError(
                Refusal.ROLLED_BACK,
                f"this time is before {earliest.isoformat(timespec='seconds')}, which is past for certain: "
                "check the clock that it was signed by",
            )
        if time >= self._vault.charter.expires:
            raise ProtocolError(Refusal.EXPIRED, "at this time the force's charter is no longer valid")
        if self._clock.quality() is ClockQuality.SYNCHRONISED:
            raise ProtocolError(Refusal.BUSY, "the unit knows the time from a better source: nothing to set")
        error_s = age_s / 2 + limits.CLOCK_TOLERANCE.total_seconds()
        if not self._clock.set(time, error_s):
            raise ProtocolError(Refusal.BUSY, "this unit's clock cannot be set")
        self._open = None
        self._journal.note(Event.CLOCK_SET, error_s=round(error_s, 1))

    def _age_of(self, signed: SignedTime) -> float:
        """Return how many seconds ago the challenge was made that this answers."""
        if self._open is None or signed.challenge != self._open[0]:
            raise ProtocolError(Refusal.REPLAYED, f"this time answers no challenge that is open: {_AGAIN}")
        age_s = self._clock.elapsed() - self._open[1]
        if not 0 <= age_s <= limits.SIGNED_TIME_MAX_AGE.total_seconds():
            self._open = None
            raise ProtocolError(Refusal.EXPIRED, f"this time answers a challenge of {age_s:.0f} s ago: {_AGAIN}")
        return age_s
