"""What goes wrong at a site, as the technician meets it: one clear sentence each, and nothing half-done."""

import contextlib
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.protocol.sentences import SENTENCES
from overt.protocol.vocabulary import Cause
from overt.runtime import cli
from tests.console.unit_at_cable import PROGRAM
from tests.provisioning.office import UNIT, Office, Said, refused
from tests.provisioning.test_unit_commands import SITE, Bench
from tests.simulators.gps import Line
from tests.test_house import ROOT
from tests.vision.daemon import MODELS

FAR = (52.3, -0.46)
needs_models = pytest.mark.skipif(
    not (MODELS / "catalogue.toml").is_file(), reason="the models are not built: run `make models`"
)


@pytest.fixture
def bench(office: Office, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(office, tmp_path / "unit")
    with made.unit:
        yield made


@contextlib.contextmanager
def running(bench: Bench, *command: str, again: bool = False) -> Iterator[None]:
    """A daemon of the unit and, if it is to be started again whenever it ends, its supervisor."""
    line = shlex.join(command)
    line = f"while true; do {line}; sleep 0.1; done" if again else f"exec {line}"
    with (bench.unit.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(["/bin/bash", "-c", line], cwd=ROOT, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            subprocess.run(["/bin/kill", "--", f"-{process.pid}"], check=True)
            process.wait()


def causes(bench: Bench) -> set[str]:
    return set(bench.at_unit("status", "--json").json["status"]["causes"])


def wait_for(bench: Bench, cause: Cause, say: Line | None = None) -> None:
    deadline = time.monotonic() + 25
    while cause.value not in causes(bench):
        assert time.monotonic() < deadline, f"expected {cause.value}, found {causes(bench)}"
        for _ in range(4):  # the cable takes no more than a connection a second
            if say is not None:
                say.say(FAR)
            time.sleep(0.4)


def found_of(bench: Bench, out: Path, part: str) -> dict[str, object]:
    """Have the unit test itself, and return what it says of a part."""
    said = bench.at_unit("test", "--out", out, "--seconds", "1", "--json")
    assert said.code == cli.NEGATIVE, said
    (found,) = (check for check in said.json["checks"] if check["part"] == part)
    return dict(found)


def assert_one_sentence(said: Said, cause: Cause) -> None:
    refused(said, cli.NEGATIVE, SENTENCES[cause])


@pytest.mark.slow
@needs_models
def test_a_unit_without_a_camera_says_so_to_whoever_aims_and_tests_it(bench: Bench, tmp_path: Path) -> None:
    assert bench.enrol().code == cli.OK
    vision = (PROGRAM, "vision", "--run", str(bench.unit.run), "--models", str(MODELS))
    with running(bench, *vision, "--source", "v4l2:/dev/video-nowhere", again=True):
        wait_for(bench, Cause.CAMERA_ABSENT)
        assert_one_sentence(bench.at_unit("aim", "--json", "--views", "1"), Cause.CAMERA_ABSENT)
        found = found_of(bench, tmp_path / "acceptance", "camera")
        assert (found["found"], found["cause"]) == ("no picture", Cause.CAMERA_ABSENT.value)
        assert SENTENCES[Cause.CAMERA_ABSENT] in (tmp_path / "acceptance" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "cause"), [("hangs", Cause.CAMERA_SILENT)])
def test_a_camera_that_fails_while_it_is_looked_through_is_named(bench: Bench, how: str, cause: Cause) -> None:
    assert bench.enrol().code == cli.OK
    with running(bench, sys.executable, "-m", "tests.vision.failing_camera", str(bench.unit.run), how, again=True):
        said = bench.at_unit("aim", "--json")
    shown = said.out.splitlines()
    assert shown, "it worked at first"
    assert said.code == cli.NEGATIVE
    assert said.err.splitlines() == [f"overt-provision: nothing is to be seen: {SENTENCES[cause]}"]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "cause"), [("goes-black", Cause.CAMERA_BLACK), ("freezes", Cause.CAMERA_FROZEN)])
def test_a_camera_that_gives_pictures_of_nothing_is_not_accepted(
    bench: Bench, tmp_path: Path, how: str, cause: Cause
) -> None:
    assert bench.enrol().code == cli.OK
    with running(bench, sys.executable, "-m", "tests.vision.failing_camera", str(bench.unit.run), how, again=True):
        said = bench.at_unit("test", "--out", tmp_path / "acceptance", "--seconds", "4", "--json")
    (camera,) = (check for check in said.json["checks"] if check["part"] == "camera")
    assert (camera["well"], camera["cause"]) == (False, cause.value)


@pytest.mark.slow
def test_a_receiver_that_lies_is_not_believed_and_is_named(bench: Bench, tmp_path: Path) -> None:
    line = Line(tmp_path / "serial0")
    try:
        assert bench.enrol("--gps", f"{line.path}:9600").code == cli.OK
        wait_for(bench, Cause.RECEIVER_ELSEWHERE, line)
        line.say(FAR)
        said = bench.at_unit("diagnose")
        assert said.code == cli.NEGATIVE
        assert "measures another place than the site" in " ".join(said.out.split())
        line.say(FAR)
        found = found_of(bench, tmp_path / "acceptance", "place")
        assert (found["well"], found["found"]) == (False, "not known")
    finally:
        line.unplug()


class NoCredit:
    """A network that a SIM without credit gives: connections are made, and nothing, or a shop's page, comes back."""

    def __init__(self, page: bytes) -> None:
        self._page, self._held = page, []  # type: ignore[var-annotated]  # sockets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._held.append(connection)
                if self._page:
                    connection.recv(4096)
                    connection.sendall(self._page)
                    connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", [b"", b"HTTP/1.1 302 Found\r\nLocation: http://top-up.example/\r\n\r\n"])
def test_a_sim_without_credit_is_thought_of(bench: Bench, page: bytes) -> None:
    network = NoCredit(page)
    given = ("--unit", UNIT, "--broker", f"localhost:{network.port}", *SITE, "--code", bench.code)
    assert bench.at_unit("enrol", *given).code == cli.OK
    state = str(bench.unit.state / "uplink")
    with running(bench, PROGRAM, "uplink", "--state", state, "--run", str(bench.unit.run)):
        wait_for(bench, Cause.BROKER_UNREACHABLE)
        said = bench.at_unit("diagnose")
    network.close()
    assert said.code == cli.NEGATIVE
    assert "the SIM's credit" in " ".join(said.out.split())
