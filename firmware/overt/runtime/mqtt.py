"""One MQTT connection, driven by its owner's loop: no thread, no queue, no retry inside. See `session` for those.

Identity is the client certificate. A broker on another machine is spoken to over TLS and in no other way.
"""

import socket
import ssl
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from overt.runtime.broker import BadFiles, Broker, reason_of, tls_context

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

Version = Literal[4, 5]
QOS = 1
CONNECT_TIMEOUT_S = 5.0
KEEPALIVE_S = 15
SESSION_EXPIRY_S = 24 * 3600  # what waits for an absent client waits a day: no order and no alert outlives that
RECEIVE_MAXIMUM = 16
_MAX_READS = 200

# MQTT 5, 2.4 (the library gives the CONNACK codes of 3.1.1 by the same numbers).
_WRONG_VERSION = 0x84
_NOT_FOR_US = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})  # client id, user or password, not authorised, banned, method
_REFUSED = 0x80
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
"""OpenSSL's words for bytes that are no TLS."""


class MqttError(Exception):
    """The connection cannot be had, or has ended. The message says what was found, in one line."""


class LinkLost(MqttError):
    """No broker, no answer, or the connection broke: worth trying again soon."""


class LinkRefused(MqttError):
    """The broker does not want us, or we do not trust it: only a person can mend that."""


class WrongVersion(MqttError):
    """The broker does not speak this version of MQTT."""


class Connected(msgspec.Struct, frozen=True):
    """The broker has taken us and our subscriptions.

    Attributes:
        version: 5, or 4 for MQTT 3.1.1, where a broker cannot say that it refuses a message.
        resumed: Whether the broker remembered our session.
        receive_maximum: How many messages it takes before it has acknowledged the first.
    """

    version: Version
    resumed: bool
    receive_maximum: int


class Acknowledged(msgspec.Struct, frozen=True):
    """The broker has answered a publication. A reason code of 0x80 or more is a refusal."""

    message_id: int
    reason_code: int


class Received(msgspec.Struct, frozen=True):
    """A message has come. The broker keeps it until it is acknowledged."""

    topic: str
    payload: bytes
    retained: bool
    message_id: int


Event = Connected | Acknowledged | Received


class Connection:
    """One connection, from CONNECT to its end. QoS 1, a persistent session, acknowledgements by the owner's hand."""

    def __init__(
        self, broker: Broker, client_id: str, subscriptions: Sequence[str], version: Version, max_packet: int
    ) -> None:
        """Connect. Blocks for `CONNECT_TIMEOUT_S` at most; `Connected` comes later, out of `step`.

        Args:
            broker: Whom to connect to.
            client_id: The session's name at the broker; the certificate's CN.
            subscriptions: Topic filters.
            version: 5, or 4 for MQTT 3.1.1.
            max_packet: Bytes of the largest packet that the broker may send us (MQTT 5 can say so).

        Raises:
            LinkLost: Nobody answers.
            LinkRefused: The two sides' certificates do not fit.
        """
        self.version: Version = version
        self._subscriptions = [(topic, QOS) for topic in subscriptions]
        self._events: list[Event] = []
        self._failure: MqttError | None = None
        self._said: str | None = None
        self._resumed = False
        self._receive_maximum = RECEIVE_MAXIMUM
        self._client = self._new_client(client_id)
        try:
            if broker.tls:
                self._client.tls_set_context(tls_context(broker.tls))
            if version == 5:  # noqa: PLR2004 - the version's own number
                properties = _connect_properties(max_packet)
                self._client.connect(broker.host, broker.port, KEEPALIVE_S, clean_start=False, properties=properties)
            else:
                self._client.connect(broker.host, broker.port, KEEPALIVE_S)
        except BadFiles as error:
            raise LinkRefused(str(error)) from error
        except ssl.SSLError as error:
            if _is_no_tls(error):
                raise LinkLost(
                    f"expected a broker with TLS at {broker}, found something else ({reason_of(error)})"
                ) from error
            raise LinkRefused(
                f"the broker at {broker} and this side do not trust each other: {reason_of(error)}"
            ) from error
        except OSError as error:
            raise LinkLost(f"no broker answers at {broker} ({reason_of(error)})") from error

    def fileno(self) -> int:
        """Return the socket's descriptor, for `select`; -1 when there is none."""
        held = self._client.socket()
        return held.fileno() if held else -1

    def wants_write(self) -> bool:
        """Say whether bytes wait to be written."""
        return self._client.want_write()

    def wants_read(self) -> bool:
        """Say whether bytes that TLS has already decrypted wait to be read: `select` cannot see those."""
        held = self._client.socket()
        return isinstance(held, ssl.SSLSocket) and held.pending() > 0

    def step(self) -> list[Event]:
        """Read and write what is possible without waiting.

        Returns:
            What has happened, in order. What happened before a failure is returned first; the failure comes next time.

        Raises:
            MqttError: The connection has ended.
        """
        if self._failure is None:
            try:
                self._exchange()
            except (struct.error, ValueError, IndexError, KeyError) as error:
                self._failure = LinkLost(f"the broker sent bytes that are not MQTT ({type(error).__name__})")
        events, self._events = self._events, []
        if self._failure is not None and not events:
            raise self._failure
        return events

    def publish(self, topic: str, payload: bytes, *, retain: bool, expires_in_s: int | None) -> int:
        """Send a message.

        Returns:
            The id by which `Acknowledged` will name it.
        """
        properties = None
        if self.version == 5 and expires_in_s:  # noqa: PLR2004 - the version's own number
            properties = _publish_properties(expires_in_s)
        return self._client.publish(topic, payload, QOS, retain, properties).mid

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that a message needs no second delivery."""
        self._client.ack(message.message_id, QOS)

    def close(self) -> None:
        """Say goodbye, so far as the broker listens, and hang up. The session stays at the broker."""
        self._client.on_disconnect = None
        self._client.disconnect()
        held = self._client.socket()
        if held is not None:
            held.close()

    def _exchange(self) -> None:
        for _ in range(_MAX_READS):
            self._client.loop_read()
            if self._failure or not self.wants_read():
                break
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.socket() is None and self._failure is None:
            self._failure = LinkLost(self._said or "the connection to the broker broke")

    def _new_client(self, client_id: str) -> "Client":
        from paho.mqtt.client import Client  # noqa: PLC0415 - only who connects needs it
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415 - as above

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=None if self.version == 5 else False,  # noqa: PLR2004 - the version's own number
            protocol=MQTTProtocolVersion(self.version),
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        return client

    def _on_connect(
        self, client: "Client", _: object, flags: "ConnectFlags", reason: "ReasonCode", properties: "Properties | None"
    ) -> None:
        code = reason.value
        if code == _WRONG_VERSION:
            self._failure = WrongVersion("the broker does not speak this version of MQTT")
        elif code >= _REFUSED:
            kind = LinkRefused if code in _NOT_FOR_US else LinkLost
            self._failure = kind(f"the broker refuses the connection: {str(reason).lower()}")
        else:
            self._resumed = flags.session_present
            self._receive_maximum = min(RECEIVE_MAXIMUM, getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM))
            if self._subscriptions:
                client.subscribe(list(self._subscriptions))
            else:
                self._ready()

    def _on_subscribe(
        self, _client: "Client", _: object, _mid: int, reasons: "list[ReasonCode]", _properties: "Properties | None"
    ) -> None:
        refused = [
            topic for (topic, _), reason in zip(self._subscriptions, reasons, strict=False) if reason.value >= _REFUSED
        ]
        if refused:
            self._failure = LinkRefused(f"the broker refuses the subscription to {', '.join(refused)}")
        else:
            self._ready()

    def _ready(self) -> None:
        self._events.append(Connected(self.version, self._resumed, self._receive_maximum))

    def _on_message(self, client: "Client", _: object, message: "MQTTMessage") -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            client.ack(message.mid, message.qos)
            return
        self._events.append(Received(topic, bytes(message.payload), message.retain, message.mid if message.qos else 0))

    def _on_publish(
        self, _client: "Client", _: object, mid: int, reason: "ReasonCode", _properties: "Properties"
    ) -> None:
        self._events.append(Acknowledged(mid, reason.value))

    def _on_disconnect(
        self,
        _client: "Client",
        _: object,
        flags: "DisconnectFlags",
        reason: "ReasonCode",
        _properties: "Properties | None",
    ) -> None:
        if self._failure is not None:
            return
        if flags.is_disconnect_packet_from_server:
            self._failure = LinkLost(f"the broker ended the connection: {str(reason).lower()}")
        elif self._said and "alert" in self._said.lower():
            # TLS 1.3: a client certificate that is refused shows at the first read only.
            self._failure = LinkRefused(f"the broker refuses our certificate: {self._said}")
        else:
            self._failure = LinkLost(self._said or "the connection to the broker broke")

    def _on_log(self, _client: "Client", _: object, level: int, text: str) -> None:
        from paho.mqtt.enums import LogLevel  # noqa: PLC0415 - only who connects needs it

        if level == LogLevel.MQTT_LOG_ERR:
            self._said = text[:200]


def _is_no_tls(error: ssl.SSLError) -> bool:
    """Say whether what answered does not speak TLS: the page of a network that wants to be paid first, for one."""
    return isinstance(error, ssl.SSLEOFError) or error.reason in _NO_TLS


def _send_at_once(_client: "Client", _: object, opened: object) -> None:
    """Turn off Nagle's delay: an alert is one small packet, and somebody waits for it."""
    if isinstance(opened, socket.socket):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _connect_properties(max_packet: int) -> "Properties":
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415 - only who connects needs it
    from paho.mqtt.properties import Properties  # noqa: PLC0415 - as above

    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # as paho has it
    properties.SessionExpiryInterval = SESSION_EXPIRY_S
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    properties.MaximumPacketSize = max_packet
    return properties


def _publish_properties(expires_in_s: int) -> "Properties":
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415 - only who connects needs it
    from paho.mqtt.properties import Properties  # noqa: PLC0415 - as above

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # as paho has it
    properties.MessageExpiryInterval = min(expires_in_s, 2**32 - 1)
    return properties
