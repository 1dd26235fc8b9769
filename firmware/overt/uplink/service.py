"""The uplink's loop: one thread that waits on the warden and the broker together, so that an alert never waits."""

import time
from pathlib import Path

from overt import __version__
from overt.protocol import messages
from overt.protocol.messages import Hello, Inbound, Link, ToUplink, Undeliverable
from overt.runtime import channel, footprint
from overt.runtime.broker import Broker
from overt.runtime.channel import BadMessage, Channel, ChannelClosed, ChannelError
from overt.runtime.ending import Ending
from overt.runtime.log import Level, event
from overt.runtime.memory import sealed_copy
from overt.runtime.mqtt import Acknowledged, Received
from overt.runtime.notify import notify
from overt.runtime.retry import Backoff
from overt.runtime.session import Down, Session, Up
from overt.uplink.core import INBOUND_MAX_BYTES, Later, Own, Waiting, refuse_to_hand_on, refuse_to_publish

_WAIT_S = 1.0
_SEND_PATIENCE_S = 5.0
_TEMPORARY_RETRY_S = 2.0
_TOPIC_ROOM = 1024
_FALLBACK_NOTE = "MQTT 3.1.1: this broker cannot say that it refuses a message"


class Uplink:
    """Carries messages between the warden and the broker until it is told to end."""

    def __init__(self, own: Own, broker: Broker, run: Path, ending: Ending) -> None:
        self._own, self._broker, self._ending = own, broker, ending
        self._socket = run / "uplink.sock"

    def run(self) -> None:
        """Serve one warden after another, until the process is asked to end."""
        backoff = Backoff(first_s=0.2, longest_s=2.0)
        unheard = False
        notify("READY=1")
        while not self._ending.asked:
            notify("WATCHDOG=1")
            try:
                warden = channel.connect(self._socket, messages.ToUplink)
            except ChannelError as error:
                if not unheard:
                    event("warden.absent", "warning", detail=str(error))
                unheard = True
                self._ending.wait(backoff.next())
                continue
            unheard = False
            backoff.reset()
            try:
                with warden:
                    _Carriage(self._own, self._broker, warden, self._ending).carry()
            except ChannelClosed:
                event("warden.gone", "warning")
            except TimeoutError:
                event("warden.stuck", "error", detail="it took no message in time")


class _Carriage:
    """One warden's messages over one broker session. It ends when the warden is gone."""

    def __init__(self, own: Own, broker: Broker, warden: Channel[ToUplink], ending: Ending) -> None:
        self._own, self._warden, self._ending = own, warden, ending
        self._waiting = Waiting()
        self._window = 1
        self._retry_at: float | None = None
        self._session = Session(broker, own.unit, own.subscriptions(), max_packet=INBOUND_MAX_BYTES + _TOPIC_ROOM)

    def carry(self) -> None:
        """Carry until the process is asked to end.

        Raises:
            ChannelClosed: The warden is gone.
            TimeoutError: The warden takes nothing any more.
        """
        self._warden.set_timeout(_SEND_PATIENCE_S)
        self._warden.send(Hello(daemon="uplink", version=__version__, force=self._own.force))
        event("warden.found")
        try:
            while not self._ending.asked:
                self._turn()
        finally:
            self._session.close()

    def _turn(self) -> None:
        listening = [self._ending.fileno()] + ([] if self._waiting.full else [self._warden.fileno()])
        patience = self._waiting.settles_in(time.monotonic())
        happened, readable = self._session.wait(_WAIT_S if patience is None else patience, listening)
        notify("WATCHDOG=1")
        if self._warden.fileno() in readable:
            self._take()
        for item in happened:
            match item:
                case Up():
                    self._came_up(item)
                case Down():
                    self._went_down(item)
                case Acknowledged():
                    self._answer(item)
                case Received():
                    self._hand_on(item)
        self._settle()
        self._send()

    def _settle(self) -> None:
        now = time.monotonic()
        for delivered in self._waiting.settled(now):
            self._warden.send(delivered)
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._waiting.retry()

    def _take(self) -> None:
        try:
            message, descriptors = self._warden.receive()
        except BadMessage as error:
            event("warden.bad_message", "error", detail=str(error))
            return
        channel.close_all(descriptors)
        refused = refuse_to_publish(message, self._own)
        if refused is None:
            self._waiting.add(message, time.monotonic())
        else:
            event("publish.refused", "error", reason_code=refused)
            self._warden.send(Undeliverable(id=message.id, reason_code=refused))

    def _send(self) -> None:
        while self._session.up and self._waiting.on_the_way < self._window:
            publish = self._waiting.next()
            if publish is None:
                return
            expires = self._waiting.remaining_s(publish, time.monotonic())
            message_id = self._session.publish(
                publish.topic, publish.payload, retain=publish.retain, expires_in_s=expires
            )
            self._waiting.sent(publish, message_id)

    def _answer(self, answer: Acknowledged) -> None:
        told = self._waiting.answered(answer.message_id, answer.reason_code, time.monotonic())
        if isinstance(told, Later):
            event("publish.put_off", "warning", reason_code=answer.reason_code)
            self._retry_at = time.monotonic() + _TEMPORARY_RETRY_S
        elif told is not None:
            if isinstance(told, Undeliverable):
                event("publish.refused", "error", reason_code=answer.reason_code)
            self._warden.send(told)

    def _hand_on(self, received: Received) -> None:
        """Give a document to the warden, and only then let the broker forget it."""
        refused = refuse_to_hand_on(received.topic, len(received.payload), self._own)
        if refused is not None:
            event("inbound.refused", "warning", reason=refused, size=len(received.payload))
        else:
            try:
                descriptor = sealed_copy("inbound", received.payload)
            except OSError as error:
                # Not acknowledged: the broker gives it again at the next connection.
                event("inbound.no_memory", "error", size=len(received.payload), errno=error.errno)
                return
            try:
                self._warden.send(Inbound(topic=received.topic), [descriptor])
            finally:
                channel.close_all([descriptor])
            event("inbound.handed_on", size=len(received.payload))
        self._session.acknowledge(received)

    def _came_up(self, up: Up) -> None:
        self._window = up.connected.receive_maximum
        mqtt5 = up.connected.version == 5  # noqa: PLR2004 - the version's own number
        event("broker.up", version=up.connected.version, resumed=up.connected.resumed, acks_tell_refusals=mqtt5)
        self._warden.send(Link(up=True, detail="connected by MQTT 5" if mqtt5 else f"connected by {_FALLBACK_NOTE}"))
        footprint.settle()  # agreeing on keys with the broker is most of what this process ever needs memory for

    def _went_down(self, down: Down) -> None:
        self._waiting.lost()
        level: Level = "error" if down.refused else "warning"
        event("broker.down", level, detail=down.detail, refused=down.refused, retry_in_s=round(down.retry_in_s, 2))
        self._warden.send(Link(up=False, detail=_line(down.detail), refused=down.refused))


def _line(text: str) -> str:
    """Make text from outside fit the contract's one plain line."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200] or "?"
