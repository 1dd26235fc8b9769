"""A tap on a socket between two daemons: hands on every packet and descriptor, and keeps a copy of what was said."""

import contextlib
import os
import select
import socket
import threading
from pathlib import Path

_MOST, _DESCRIPTORS = 1 << 20, 8


class Tap:
    """Listens where the one side connects, and connects to where the other listens."""

    def __init__(self, listen: Path, connect: Path) -> None:
        self.packets: list[bytes] = []
        self._connect = connect
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(listen))
        self._listener.listen()
        self._wake, self._stop = os.pipe()
        self._peer_of: dict[socket.socket, socket.socket] = {}
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            waited: list[int | socket.socket] = [self._wake, self._listener, *self._peer_of]
            readable, _, _ = select.select(waited, [], [])
            for each in readable:
                if isinstance(each, int):
                    return
                if each is self._listener:
                    self._accept()
                elif each in self._peer_of:
                    self._hand_on(each, self._peer_of[each])

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            far.connect(str(self._connect))
        except OSError:
            near.close()
            far.close()
            return
        self._peer_of |= {near: far, far: near}

    def _hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        data, descriptors = b"", list[int]()
        with contextlib.suppress(OSError):
            data, descriptors, _, _ = socket.recv_fds(source, _MOST, _DESCRIPTORS)
        try:
            if data:
                self.packets.append(data)
                socket.send_fds(sink, [data], descriptors)
                return
        except OSError:
            pass
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        for each in (source, sink):
            self._peer_of.pop(each, None)
            each.close()

    def close(self) -> None:
        """Hang up on both sides."""
        os.close(self._stop)
        self._thread.join()
        os.close(self._wake)
        for each in (self._listener, *self._peer_of):
            each.close()
