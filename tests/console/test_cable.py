"""What happens at the cable: it loses, garbles and tears, it is the wrong one, or the wrong person is at it.

Each comes to a right end, or to one clear sentence; the unit is left as it was, and goes on.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from overt.protocol import envelope
from overt.protocol.cable import frames, requests
from overt.protocol.cable.frames import Frame, Part
from overt.protocol.cable.talk import Asker
from overt.protocol.documents import PublicKey, RoleKeys, UnitRef
from overt.protocol.reports import Status
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Act, ClockQuality, Doubt, Kind, Role, State
from overt.runtime.cli import NEGATIVE, UNAVAILABLE, Failure
from overt.runtime.line import Line
from overt_provisioning.unit.fetching import fetch_log, fetch_receipts
from overt_provisioning.unit.handing import hand, tell_time
from overt_provisioning.unit.session import Session, UnitSaysNo
from overt_provisioning.unit.trust import Judge, Known
from overt_provisioning.unit.wire import Patience
from tests.builders import make_cancellation, make_force, make_party, make_successor
from tests.console.unit_at_cable import Enrolled, technician_of
from tests.simulators.cable import Weather, whole

SHORT = Patience(resend=0.05, silence=1.5, away=2.5)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enrolled]:
    with Enrolled(tmp_path_factory.mktemp("shared")) as made:
        yield made


@pytest.fixture
def unit(shared: Enrolled) -> Enrolled:
    """A unit that other tests have used, and which nothing that is done to it here may harm."""
    shared.cable.fault, shared.cable.loop = whole, False
    shared.cable.plug()
    if shared.refusals():
        with shared.session(shared.technician) as session:
            session.ask("status")  # which forgives those of the tests before
    shared.home = shared.fresh_home()
    shared.since = len(shared.records())
    return shared


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Enrolled]:
    """A unit of the test's own."""
    with Enrolled(tmp_path) as made:
        yield made


def status_of(session: Session) -> Status:
    return envelope.verify(session.ask("status"), Status, session.greeting.key)


def events(unit: Enrolled, name: str) -> int:
    return sum(event == name for event, _ in unit.events()[unit.since :])


def test_a_unit_and_a_technician_know_each_other_and_every_act_is_in_the_log(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        assert status_of(session).state is State.IDLE
        status_of(session)
        session.ask("diagnose")
    unit.cable.unplug()
    unit.wait_until(lambda: events(unit, "technician.left") == 1)
    key = unit.force[Role.TECHNICIAN].keyid
    told = [(event, facts.get("act")) for event, facts in unit.events()[unit.since :] if facts.get("technician") == key]
    assert told[-4:] == [
        ("technician.came", None),
        ("technician.acted", "status"),
        ("technician.acted", "diagnose"),
        ("technician.left", None),
    ]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 6))])
def test_on_a_line_that_drops_flips_and_tears_an_order_arrives_once_and_whole(own: Enrolled, seed: int) -> None:
    own.cable.fault = Weather(seed, drop=0.1, flip=0.1, tear=0.1, noise=0.1)
    order = own.bench.order()
    with own.session(own.technician) as session:
        receipt, _ = hand(session, Down.ORDER, order.data)
    assert receipt.accepted
    assert receipt.digest == order.digest
    assert events(own, "order.accepted") == 1


@pytest.mark.slow
def test_unplugged_at_any_byte_an_order_arrives_once_and_whole(own: Enrolled) -> None:
    order = own.bench.order()
    with own.session(own.technician) as session:
        hand(session, Down.ORDER, order.data)
    through = own.cable.carried
    for number in range(8):
        own.cable.carried, own.cable.pull_after = 0, 1 + number * through // 8
        told: list[str] = []
        with own.session(own.technician, told=told) as session:
            receipt, _ = hand(session, Down.ORDER, order.data)
            assert receipt.accepted
        assert own.cable.pull_after is None, "the cable was pulled"
    assert events(own, "order.accepted") == 1


@pytest.mark.slow
def test_a_document_goes_on_where_the_cable_was_pulled(own: Enrolled) -> None:
    data = bytes(range(256)) * 2048  # half a megabyte: no watchlist, and the unit will say so
    held: list[int] = []
    with own.session(own.technician) as session:
        own.cable.carried, own.cable.pull_after = 0, 200_000
        receipt, _ = hand(session, Down.WATCHLIST, data, held.append)
    assert not receipt.accepted
    assert held == sorted(held), "nothing was sent from the beginning again"
    assert held[-1] == len(data)


@pytest.mark.slow
def test_a_cable_that_is_pulled_and_put_back_is_said_and_forgiven(own: Enrolled) -> None:
    told: list[str] = []
    with own.session(own.technician, told=told) as session:
        status_of(session)
        own.cable.unplug()
        own.cable.plug()
        status_of(session)
    assert any("plug it back in" in line for line in told)


@pytest.mark.slow
def test_a_cable_that_stays_out_is_one_clear_sentence(own: Enrolled) -> None:
    with own.session(own.technician, patience=SHORT) as session:
        status_of(session)
        own.cable.unplug()
        with pytest.raises(Failure, match=r"is the cable plugged in\?; gave up, run the command again") as failed:
            status_of(session)
    assert failed.value.exit_code == UNAVAILABLE


def test_no_cable_at_all_is_one_clear_sentence(unit: Enrolled) -> None:
    unit.cable.unplug()
    with unit.session(unit.technician) as session, pytest.raises(Failure, match=r"there is no .*ttyACM0"):
        status_of(session)


@pytest.mark.slow
def test_a_unit_that_is_off_is_one_clear_sentence(unit: Enrolled) -> None:
    unit.cable.fault = lambda data, to_unit: b""  # noqa: ARG005 - nothing arrives
    with unit.session(unit.technician, patience=SHORT) as session, pytest.raises(Failure, match="nothing answers at"):
        status_of(session)


def boot_log(data: bytes, to_unit: bool) -> bytes:
    return data if to_unit else b"[    0.000000] Booting Linux on physical CPU 0x0\r\nraspberrypi login: "


def noise(data: bytes, to_unit: bool) -> bytes:
    return data if to_unit else bytes(byte ^ 0x95 for byte in data)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (boot_log, "found a console that prints text .*raspberrypi login"),
        pytest.param(noise, "found noise.*--baud", marks=pytest.mark.slow),
    ],
)
def test_a_wrong_cable_is_named(unit: Enrolled, fault: object, words: str) -> None:
    unit.cable.fault = fault  # type: ignore[assignment]  # one of the two above
    with unit.session(unit.technician, patience=SHORT) as session, pytest.raises(Failure, match=words):
        status_of(session)
    assert events(unit, "technician.came") == 0


@pytest.mark.slow
def test_a_cable_that_echoes_is_named(own: Enrolled) -> None:
    own.console.kill()
    own.cable.loop = True
    with own.session(own.technician, patience=SHORT) as session, pytest.raises(Failure, match="sends back what"):
        status_of(session)


def test_a_second_program_at_the_port_is_told_that_it_is_in_use(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        status_of(session)
        with unit.session(unit.technician) as second, pytest.raises(Failure, match="in use by another program"):
            status_of(second)
        assert status_of(session).state is State.IDLE


def test_a_second_technician_at_the_units_other_cable_waits_until_the_first_is_done(own: Enrolled) -> None:
    charter, colleague = own.force.charter, make_party()
    keys = {**charter.keys, colleague.keyid: PublicKey(public=colleague.public, post="technician, nights")}
    both = RoleKeys(keys=(own.force[Role.TECHNICIAN].keyid, colleague.keyid))
    force = make_successor(own.force, keys=keys, roles={**charter.roles, Role.TECHNICIAN: both})
    with own.second_cable() as other, own.session(technician_of(force)) as first:
        assert status_of(first).state is State.IDLE
        with Session(other.laptop, technician_of(force, colleague), Judge(Known(own.home)), patience=SHORT) as second:
            waits = pytest.raises(UnitSaysNo, match="another technician is at work at this unit's other cable: wait")
            with waits:
                status_of(second)
            assert status_of(first).state is State.IDLE, "who is at work is not disturbed"
            own.cable.unplug()
            own.wait_until(lambda: events(own, "technician.left") == 1)
            assert status_of(second).state is State.IDLE
    assert events(own, "technician.refused") == 0, "it was no wrong key"


def test_half_a_frame_does_nothing_and_the_next_whole_one_is_heard(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        asker, greeting = session._visited()
        network = msgspec.msgpack.encode({"ways": [{"type": "ethernet"}]})
        word = session._sign(greeting, Act.NETWORK, network)
        asker.ask(requests.encode(requests.Question(name="network", arguments=network, visit=word)))
        frame = frames.encode(asker.outgoing)
        assert session._wire is not None
        for size in (1, len(frame) // 2, len(frame) - 2):  # the last byte only says that it has ended
            session._wire._line.write(frame[:size])
        time.sleep(0.2)
    with unit.session(unit.technician) as session:
        assert status_of(session).state is State.IDLE
    acts = [facts["act"] for event, facts in unit.events()[unit.since :] if event == "technician.acted"]
    assert acts == ["status"]


def test_a_technician_whose_key_the_charter_does_not_name_is_not_let_in(unit: Enrolled) -> None:
    stranger = technician_of(unit.force, make_party())
    with unit.session(stranger) as session, pytest.raises(UnitSaysNo, match="role technician") as refused:
        status_of(session)
    assert refused.value.exit_code == NEGATIVE
    assert (events(unit, "technician.came"), events(unit, "technician.refused")) == (0, 1)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.TECHNICIAN])
def test_no_other_role_opens_the_cable(unit: Enrolled, role: Role) -> None:
    with unit.session(technician_of(unit.force, unit.force[role])) as session, pytest.raises(UnitSaysNo):
        status_of(session)


def test_a_technician_of_another_force_is_not_let_in(unit: Enrolled) -> None:
    with unit.session(technician_of(make_force("other"))) as session, pytest.raises(UnitSaysNo):
        status_of(session)


def test_after_a_few_refusals_the_cable_is_locked_and_stays_so_over_a_power_cut(own: Enrolled) -> None:
    stranger = technician_of(own.force, make_party())
    for _ in range(5):
        with own.session(stranger) as session, pytest.raises(UnitSaysNo):
            status_of(session)
    locked = pytest.raises(Failure, match="locked after too many refused visits: try again in 10 min")
    with own.session(own.technician) as session, locked:
        status_of(session)
    own.bench.kill()
    own.bench.start()
    locked = pytest.raises(Failure, match="locked after too many")
    with own.session(own.technician) as session, locked:
        status_of(session)
    assert (events(own, "technician.refused"), events(own, "cable.locked")) == (5, 1)


@pytest.mark.slow
def test_a_lock_is_over_in_its_time_and_a_good_visit_forgives_what_was_before(own: Enrolled) -> None:
    stranger = technician_of(own.force, make_party())
    for _ in range(5):
        with own.session(stranger) as session, pytest.raises(UnitSaysNo):
            status_of(session)
    own.bench.world.set(elapsed_s=601.0)
    with own.session(own.technician) as session:
        assert status_of(session).state is State.IDLE
    with own.session(stranger) as session, pytest.raises(UnitSaysNo):
        status_of(session)
    with own.session(own.technician) as session:
        assert status_of(session).state is State.IDLE


def test_another_unit_under_a_known_name_is_found_out(unit: Enrolled) -> None:
    Known(unit.home).keep(unit.bench.ref.unit, make_party().public)
    refused = pytest.raises(Failure, match="it is another unit, or somebody is in between")
    with unit.session(unit.technician, Judge(Known(unit.home))) as session, refused:
        status_of(session)
    assert events(unit, "technician.came") == 0


def test_the_wrong_unit_is_named(unit: Enrolled) -> None:
    judge = Judge(Known(unit.home), expected=UnitRef(unit="unit-2", key=make_party().public))
    refused = pytest.raises(Failure, match="expected the unit unit-2, found unit-1")
    with unit.session(unit.technician, judge) as session, refused:
        status_of(session)


@pytest.mark.slow
def test_a_unit_that_is_changed_for_another_in_the_middle_is_found_out(own: Enrolled, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Enrolled(tmp_path / "other") as other, own.session(own.technician) as session:
        status_of(session)
        own.cable.unplug()
        own.cable.laptop.symlink_to(other.cable.laptop.readlink())
        with pytest.raises(Failure, match="another unit than before"):
            status_of(session)


@pytest.mark.slow
def test_a_warden_that_is_started_anew_in_the_middle_is_waited_for(own: Enrolled) -> None:
    with own.session(own.technician) as session:
        status_of(session)
        own.bench.kill()
        own.bench.start()
        assert status_of(session).state is State.IDLE


@pytest.mark.slow
def test_a_console_that_is_started_anew_in_the_middle_is_waited_for(own: Enrolled) -> None:
    with own.session(own.technician) as session:
        status_of(session)
        own.console.kill()
        own.start_console()()
        assert status_of(session).state is State.IDLE


@pytest.mark.slow
def test_without_a_warden_it_is_one_clear_sentence(own: Enrolled) -> None:
    own.bench.kill()
    refused = pytest.raises(Failure, match="its warden does not run")
    with own.session(own.technician, patience=SHORT) as session, refused:
        status_of(session)


def test_what_a_technician_signed_for_one_act_is_good_for_no_other(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        status_of(session)
        asker, greeting = session._visited()
        word = session._sign(greeting, Act.NETWORK, b"")
        question = requests.Question(name="decommission", arguments=b"", visit=word)
        with pytest.raises(UnitSaysNo, match="found one on 'network'"):
            session._exchange(asker, question)
    assert events(unit, "unit.decommissioned") == 0


def test_a_word_that_was_heard_is_not_heard_again(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        asker, greeting = session._visited()
        network = msgspec.msgpack.encode({"ways": [{"type": "ethernet"}]})
        word = session._sign(greeting, Act.NETWORK, network)
        question = requests.Question(name="network", arguments=network, visit=word)
        session._exchange(asker, question)
        with pytest.raises(Exception, match="heard before"):
            session._exchange(asker, question)
    assert [facts["act"] for event, facts in unit.events()[unit.since :] if event == "technician.acted"] == ["network"]


def test_whoever_was_not_let_in_is_answered_nothing(unit: Enrolled) -> None:
    with unit.session(unit.technician) as session:
        asker, _ = session._greeted()
        for name in ("status", "log", "diagnose", "deliver", "time", "part", "identify"):
            with pytest.raises(Exception, match=r"nobody is let in|no question|not well formed|DSSE"):
                session._exchange(asker, requests.Question(name=name))
    assert events(unit, "technician.acted") == 0


def test_a_flood_of_noise_and_of_strange_frames_ends_nothing(unit: Enrolled) -> None:
    with Line(unit.cable.laptop) as line:
        for number in range(200):
            line.write(bytes(range(256)) * 4)
            line.write(frames.encode(Frame(Part.ASK, number, number, b"x" * number)))
            line.read()
    with unit.session(unit.technician) as session:
        assert status_of(session).state is State.IDLE


@pytest.mark.slow
def test_too_many_hellos_in_a_minute_are_told_to_wait(own: Enrolled) -> None:
    with Line(own.cable.laptop) as line:
        for number in range(80):
            line.write(frames.encode(Asker(number).outgoing))
            line.read(0.02)
        time.sleep(0.2)
    with own.session(own.technician) as session, pytest.raises(Failure, match="wait a minute"):
        status_of(session)


def test_a_key_that_was_revoked_opens_no_more_and_the_new_one_does_without_a_network(own: Enrolled) -> None:
    renewed = make_successor(own.force, people={Role.TECHNICIAN: make_party()})
    with own.session(technician_of(renewed)) as session:
        assert status_of(session).state is State.IDLE, "the new charter came with the visit"
    with own.session(own.technician) as session, pytest.raises(UnitSaysNo):
        status_of(session)


def test_a_whole_deployment_goes_over_the_cable(unit: Enrolled) -> None:
    order = unit.bench.order()
    with unit.session(unit.technician) as session:
        receipt, signed = hand(session, Down.ORDER, order.data)
        assert receipt.recipient
        assert unit.bench.receipt_in(signed) == receipt
        sealed = unit.bench.sealed_watchlist(order, receipt.recipient)
        assert hand(session, Down.WATCHLIST, sealed)[0].accepted
        assert status_of(session).state is State.ARMED
        refused = pytest.raises(UnitSaysNo, match="a deployment is in hand: cancel its order")
        taken = fetch_log(session)
        farewell = requests.Farewell(records=taken.records, head=taken.head)
        with refused:
            session.ask("decommission", farewell, Act.DECOMMISSION)
        assert hand(session, Down.CANCEL, make_cancellation(unit.force, order.digest))[0].accepted
        assert status_of(session).state is State.IDLE
        kept = fetch_receipts(session)
    certificates = [data for data in kept if envelope.parse(data).kind is Kind.ERASURE]
    assert unit.bench.erasure_in(certificates[-1]).order == order.digest
    assert signed in kept
    assert taken.finding.is_whole
    assert unit.bench.left_of_deployments() == []


def test_a_unit_whose_clock_says_1970_lets_its_technician_in_and_is_told_the_time(own: Enrolled) -> None:
    own.bench.world.set(clock="unknown", ahead_s=-1_790_000_000.0)
    with own.session(own.technician) as session:
        assert session.greeting.sent.year < 1975
        assert Doubt.CLOCK in status_of(session).doubts or session.greeting.clock is ClockQuality.UNKNOWN
        receipt = tell_time(own.technician, session)
        assert receipt.accepted, receipt
        assert status_of(session).clock is ClockQuality.HOLDOVER
