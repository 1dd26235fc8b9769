"""A network camera: RTSP 1.0 (RFC 2326) with H.264 over the same TCP connection (RFC 6184, one NAL unit a packet)."""

import base64
import contextlib
import socket
import struct
import threading
from fractions import Fraction
from types import TracebackType
from typing import Any

import av

from tests.vision.footage import picture_of

_CLOCK = 90_000
_SIZE = (640, 480)
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
)


class RtspSimulator:
    """Serves one viewer at a time; `unplug` cuts the connection."""

    def __init__(self, password: str | None = None, rate: int = 25) -> None:
        self._authorisation = f"Basic {base64.b64encode(f'viewer:{password}'.encode()).decode()}" if password else None
        self._rate = rate
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._stop = threading.Event()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def unplug(self) -> None:
        """Be gone in the middle of a picture."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.unplug()
        self._thread.join(5)

    def __enter__(self) -> "RtspSimulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                self._connection, _ = self._listener.accept()
            except OSError:
                return
            with self._connection, contextlib.suppress(OSError):
                self._talk(self._connection)

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            while (request := _read_request(lines)) is not None:
                method, headers = request
                sequence = headers.get("cseq", "0")
                if self._authorisation and headers.get("authorization") != self._authorisation and method != "OPTIONS":
                    _answer(connection, "401 Unauthorized", sequence, 'WWW-Authenticate: Basic realm="camera"')
                elif method == "DESCRIBE":
                    _answer(connection, "200 OK", sequence, "Content-Type: application/sdp", body=_SDP)
                elif method == "SETUP":
                    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
                    _answer(connection, "200 OK", sequence, "Session: 1", transport)
                elif method == "PLAY":
                    _answer(connection, "200 OK", sequence, "Session: 1")
                    self._play(connection)
                    return
                else:
                    _answer(connection, "200 OK", sequence, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")

    def _play(self, connection: socket.socket) -> None:
        encoder: Any = av.CodecContext.create("libx264", "w")
        encoder.width, encoder.height, encoder.pix_fmt = *_SIZE, "yuv420p"
        encoder.framerate, encoder.time_base = self._rate, Fraction(1, self._rate)
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10"}
        number = sequence = 0
        while not self._stop.wait(1 / self._rate):
            picture = picture_of(number % 40, _SIZE)
            picture.pts = number
            units = [unit for packet in encoder.encode(picture) for unit in _nal_units(bytes(packet))]
            for unit in units:
                marker = 0x80 if unit is units[-1] else 0
                stamp = number * _CLOCK // self._rate
                rtp = struct.pack(">BBHII", 0x80, 96 | marker, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1) + unit
                connection.sendall(b"$\x00" + struct.pack(">H", len(rtp)) + rtp)
                sequence += 1
            number += 1


def _read_request(lines: Any) -> tuple[str, dict[str, str]] | None:
    first = lines.readline().decode()
    if not first:
        return None
    headers = {}
    while line := lines.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return first.split()[0], headers


def _answer(connection: socket.socket, status: str, sequence: str, *headers: str, body: str = "") -> None:
    head = [f"RTSP/1.0 {status}", f"CSeq: {sequence}", *headers, f"Content-Length: {len(body)}"]
    connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())


def _nal_units(data: bytes) -> list[bytes]:
    """Take an H.264 byte stream apart (ITU-T H.264 annex B)."""
    return [
        unit.rstrip(b"\x00")
        for unit in data.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01").split(b"\x00\x00\x01")
        if unit
    ]
