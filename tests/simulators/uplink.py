"""The uplink's side of uplink.sock: a broker's acknowledgements at the test's command, documents from nowhere."""

import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from overt.protocol.messages import Delivered, Hello, Inbound, Link, Publish, ToUplink, Undeliverable
from overt.runtime.channel import Channel, close_all, connect_and_say
from overt.runtime.memory import sealed_copy


class UplinkSimulator:
    """Takes what the warden publishes and, unless told otherwise, acknowledges it at once."""

    def __init__(self, run: Path, *, acknowledges: bool = True) -> None:
        words = (Hello(daemon="uplink", version="simulated"), Link(up=True, detail="simulated"))
        self.channel: Channel[ToUplink] = connect_and_say(run / "uplink.sock", ToUplink, *words)
        self.acknowledges = acknowledges
        self.published: list[Publish] = []

    def hand_on(self, topic: str, data: bytes) -> None:
        """Give the warden a document, as one that came from the broker."""
        descriptor = sealed_copy("inbound", data)
        self.channel.send(Inbound(topic=topic), [descriptor])
        close_all([descriptor])

    def listen(self, seconds: float = 0.2) -> list[Publish]:
        """Take what comes in so many seconds."""
        new: list[Publish] = []
        deadline = time.monotonic() + seconds
        while select.select([self.channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
            message, _ = self.channel.receive()
            new.append(message)
            self.published.append(message)
            if self.acknowledges:
                self.acknowledge(message)
        return new

    def acknowledge(self, message: Publish) -> None:
        """Say that the broker has it."""
        self.channel.send(Delivered(id=message.id))

    def refuse(self, message: Publish, reason_code: int = 0x87) -> None:
        """Say that the broker will not have it."""
        self.channel.send(Undeliverable(id=message.id, reason_code=reason_code))

    def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Listen until something is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"heard only {[message.topic for message in self.published]}"
            self.listen(0.05)

    def on(self, leaf: str) -> list[Publish]:
        """What was published on the topic with this last level."""
        return [message for message in self.published if message.topic.endswith(f"/{leaf}")]

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> "UplinkSimulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
