"""A lasting MQTT session over connections that come and go: version fallback, backoff, and one place to wait."""

import select
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from overt.runtime.broker import Broker
from overt.runtime.mqtt import (
    Acknowledged,
    Connected,
    Connection,
    LinkLost,
    LinkRefused,
    MqttError,
    Received,
    Version,
    WrongVersion,
)
from overt.runtime.retry import Backoff

_ANSWER_PATIENCE_S = 10.0
_STEADY_S = 5.0
_NEWEST: Final = 5
_REFUSED_FACTOR = 5.0


class Up(msgspec.Struct, frozen=True):
    """The session works."""

    connected: Connected


class Down(msgspec.Struct, frozen=True):
    """The session does not work, and when it is tried again.

    Attributes:
        detail: Why, in one line.
        refused: Whether a person has to mend it.
        retry_in_s: When the next attempt comes.
    """

    detail: str
    refused: bool
    retry_in_s: float


Happening = Up | Down | Acknowledged | Received


class Session:
    """What an owner's loop waits on: its own descriptors and the broker, with reconnecting done on the way."""

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        subscriptions: Sequence[str],
        *,
        max_packet: int,
        backoff: Backoff | None = None,
    ) -> None:
        self._broker, self._client_id, self._subscriptions = broker, client_id, tuple(subscriptions)
        self._max_packet = max_packet
        self._backoff = backoff or Backoff()
        self._version: Version = _NEWEST
        self._connection: Connection | None = None
        self._up_since: float | None = None
        self._next_attempt = 0.0
        self._answer_by = 0.0

    @property
    def up(self) -> bool:
        """Whether messages can be published now."""
        return self._up_since is not None

    def wait(self, seconds: float, others: Sequence[int] = ()) -> tuple[list[Happening], list[int]]:
        """Wait until the broker or one of the owner's descriptors has something, and do the broker's part.

        Args:
            seconds: How long at most.
            others: The owner's descriptors to watch for reading.

        Returns:
            What happened at the broker, in order, and which descriptors are readable.
        """
        happened = self._open() if self._connection is None else []
        readable = self._select(0.0 if happened else seconds, others)
        if self._connection is not None:
            happened += self._advance(self._connection)
        return happened, readable

    def publish(self, topic: str, payload: bytes, *, retain: bool, expires_in_s: int | None) -> int:
        """Send a message at once.

        Returns:
            The id by which `Acknowledged` will name it, good until the next `Down`.

        Raises:
            LinkLost: The session does not work now.
        """
        if self._connection is None or not self.up:
            raise LinkLost("the broker is not connected")
        return self._connection.publish(topic, payload, retain=retain, expires_in_s=expires_in_s)

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that a message needs no second delivery."""
        if self._connection is not None and message.message_id:
            self._connection.acknowledge(message)

    def close(self) -> None:
        """Hang up in good order. The broker keeps the session."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._up_since = None, None

    def _open(self) -> list[Happening]:
        if time.monotonic() < self._next_attempt:
            return []
        try:
            self._connection = Connection(
                self._broker, self._client_id, self._subscriptions, self._version, self._max_packet
            )
        except MqttError as error:
            return self._fail(error)
        self._answer_by = time.monotonic() + _ANSWER_PATIENCE_S
        return []

    def _select(self, seconds: float, others: Sequence[int]) -> list[int]:
        reading, writing = list(others), []
        if self._connection is None:
            seconds = min(seconds, max(0.0, self._next_attempt - time.monotonic()))
        elif (descriptor := self._connection.fileno()) < 0:
            seconds = 0.0
        else:
            reading.append(descriptor)
            writing = [descriptor] if self._connection.wants_write() else []
            seconds = 0.0 if self._connection.wants_read() else seconds
        readable, _, _ = select.select(reading, writing, [], seconds)
        return [descriptor for descriptor in others if descriptor in readable]

    def _advance(self, connection: Connection) -> list[Happening]:
        happened: list[Happening] = []
        try:
            for event in connection.step():
                if isinstance(event, Connected):
                    self._up_since = time.monotonic()
                    happened.append(Up(event))
                else:
                    happened.append(event)
            if not self.up and time.monotonic() > self._answer_by:
                raise LinkLost(f"{self._broker} took the connection and does not answer")
        except MqttError as error:
            happened += self._fail(error)
        return happened

    def _fail(self, error: MqttError) -> list[Happening]:
        steady = self._up_since is not None and time.monotonic() - self._up_since > _STEADY_S
        self.close()
        if isinstance(error, WrongVersion) and self._version == _NEWEST:
            self._version = 4
            return []
        if steady:
            self._backoff.reset()
        refused = isinstance(error, LinkRefused)
        wait = self._backoff.next() * (_REFUSED_FACTOR if refused else 1.0)
        self._next_attempt = time.monotonic() + wait
        self._version = _NEWEST if isinstance(error, WrongVersion) else self._version
        return [Down(str(error), refused, wait)]
