"""The preview as a page on this machine's loopback: a secret address, nothing kept, nothing from elsewhere."""

import base64
import html
import secrets
import struct
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from overt.protocol.cable.aim import View
from overt.recognition.advice import FaceSize
from overt_provisioning.unit.meters import Meter, face_advice, meters

_COLOURS: Final = {FaceSize.GOOD: "#2fbf71", FaceSize.ENOUGH: "#f2b134", FaceSize.TOO_SMALL: "#ef5b5b"}
_WORTH: Final = {FaceSize.GOOD: "good", FaceSize.ENOUGH: "enough", FaceSize.TOO_SMALL: "too small"}
_EVERY_MS: Final = 500
_STALE_S: Final = 5.0
_STYLE: Final = """
body{margin:0;background:#14181d;color:#eef2f5;font:18px/1.4 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:1rem}
h1{font-size:1.2rem;margin:.2rem 0 .8rem}
svg{width:100%;height:auto;display:block;background:#000;border-radius:6px}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.6rem 1rem;margin:1rem 0}
dt{font-weight:700}dd{margin:0}
.bar{height:1.1rem;border-radius:4px;background:#2b323a;overflow:hidden;margin:.2rem 0}
.bar i{display:block;height:100%;background:#2fbf71}.bar.look i{background:#ef5b5b}
.well{color:#6fe0a4}.look{color:#ffb3a8}
p{color:#b8c2cc;font-size:.95rem}
"""
_SCRIPT: Final = """
const box=document.getElementById('view');
async function next(){try{const a=await fetch('view',{cache:'no-store'});
if(a.ok)box.innerHTML=await a.text();else box.innerHTML='<p class=look>The preview is over.</p>';}
catch(e){box.innerHTML='<p class=look>The preview is over: the command has ended.</p>';return}
setTimeout(next,EVERY)}
setTimeout(next,EVERY);
"""


class Page:
    """Serves the newest view. To be closed."""

    def __init__(self, unit: str, port: int = 0) -> None:
        """Listen on the loopback.

        Args:
            unit: The unit's name.
            port: Which port; 0 for any.

        Raises:
            OSError: The port is taken.
        """
        self._unit, self._secret = unit, secrets.token_urlsafe(16)
        self._view: View | None = None
        self._shown_s = time.monotonic()
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                code, body = page.answer(self.path, self.headers.get("Host", ""))
                data = body.encode()
                self.send_response(code)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Say nothing: the address is a secret."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._secret}/"

    def show(self, view: View) -> None:
        """Show a view, in place of the one before."""
        self._view, self._shown_s = view, time.monotonic()

    @property
    def _stale(self) -> bool:
        return time.monotonic() - self._shown_s > _STALE_S

    def close(self) -> None:
        """Serve no more, and forget the view."""
        self._server.shutdown()
        self._server.server_close()
        self._view = None

    def answer(self, path: str, host: str) -> tuple[int, str]:
        """Return status and body for a request. A name that leads here from elsewhere is refused."""
        if host not in {f"127.0.0.1:{self._server.server_port}", f"localhost:{self._server.server_port}"}:
            return 403, "<p>This page is for this machine alone.</p>"
        if path == f"/{self._secret}/":
            return 200, whole(self._unit, self._view)
        if path == f"/{self._secret}/view":
            return 200, fragment(self._view, stale=self._stale)
        return 404, "<p>There is nothing here: use the whole address that the command printed.</p>"


def whole(unit: str, view: View | None) -> str:
    """Return the page."""
    script = _SCRIPT.replace("EVERY", str(_EVERY_MS))
    name = html.escape(unit)
    return (
        f"<!doctype html><html lang=en-GB><meta charset=utf-8><title>Aiming {name}</title><style>{_STYLE}</style>"
        f"<main><h1>Aiming {name}</h1><div id=view aria-live=off>{fragment(view)}</div>"
        "<p>Nothing is recognised and nothing is kept. The picture is coarse on purpose; faces are only outlined."
        " End with Ctrl-C in the terminal.</p></main>"
        f"<script>{script}</script></html>"
    )


def fragment(view: View | None, *, stale: bool = False) -> str:
    """Return picture and meters.

    Args:
        view: The newest view; None while none has come.
        stale: It is an old one.
    """
    if view is None:
        return "<p>Waiting for the camera…</p>"
    rows = "".join(
        f"<dt>{meter.name}</dt><dd>{_bar(meter)}{html.escape(meter.figure)}: "
        f"<b class={_mark(meter)}>{html.escape(meter.advice)}</b></dd>"
        for meter in meters(view)
    )
    old = "<p class=look>No new picture has come for a while: look at the terminal.</p>" if stale else ""
    return f"{old}{picture(view)}<dl>{rows}</dl>"


def _bar(meter: Meter) -> str:
    share = min(1.0, meter.level)
    return (
        f"<div class='bar {_mark(meter)}' role=meter aria-label={meter.name} aria-valuemin=0 aria-valuemax=1"
        f" aria-valuenow={share:.3f}><i style='width:{share:.1%}'></i></div>"
    )


def _mark(meter: Meter) -> str:
    return "well" if meter.well else "look"


def picture(view: View) -> str:
    """Return the picture with its outlines, as SVG."""
    line = max(2, view.width // 320)
    size = max(14, view.width // 36)
    marks = []
    for outline in view.outlines:
        worth, text = face_advice(outline)
        colour = _COLOURS[worth]
        middle, below = outline.left + outline.width // 2, outline.top + outline.height + size
        marks.append(
            f"<rect x={outline.left} y={outline.top} width={outline.width} height={outline.height} fill=none"
            f" stroke='{colour}' stroke-width={line} />"
            f"<g fill='{colour}' stroke='#000' stroke-width={2 * line} paint-order=stroke font-weight=700"
            f" text-anchor=middle font-size={size}><title>{html.escape(text)}</title>"
            f"<text x={middle} y={below}>{outline.eyes_px:.0f} px</text>"
            f"<text x={middle} y={below + size} font-size={size * 3 // 4}>{_WORTH[worth]}</text></g>"
        )
    data = base64.b64encode(png(view)).decode()
    return (
        f"<svg viewBox='0 0 {view.width} {view.height}' role=img aria-label='what the lens sees'>"
        f"<image href='data:image/png;base64,{data}' width={view.width} height={view.height}"
        f" preserveAspectRatio=none />{''.join(marks)}</svg>"
    )


def png(view: View) -> bytes:
    """Return a view's picture as PNG (ISO/IEC 15948): grey, 8 bits.

    Raises:
        ValueError: The picture is not of the size that the view says.
    """
    grey, width, height = pixels(view), view.picture_width, view.picture_height
    rows = b"".join(b"\0" + grey[at : at + width] for at in range(0, len(grey), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def pixels(view: View) -> bytes:
    """Return a view's picture, one byte a pixel.

    Raises:
        ValueError: It is not of the size that the view says.
    """
    expected = view.picture_width * view.picture_height
    try:
        grey = zlib.decompressobj().decompress(view.picture, expected + 1)
    except zlib.error as error:
        raise ValueError("the view's picture is damaged") from error
    if len(grey) != expected:
        raise ValueError(f"expected a picture of {expected} pixels, found {len(grey)}")
    return grey
