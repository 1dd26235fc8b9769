"""Promise 3, attacked: everything that a unit sent or kept in one deployment is copied, and tried once it is over.

Copied are the unit's folders at every step (the database with its write-ahead log among them), every packet between the
daemons, every message on the broker, and the watchlist as the office sent it. After the end every key that is found
anywhere is tried on everything that is encrypted anywhere, and the memory of every process that still runs is searched.

One thing is left out on purpose and shown on its own below: the storage key, as it was on the disk *during* the
deployment. Without a supervisor that keeps it elsewhere, a copy of the whole disk taken then opens what was copied with
it, as `docs/architecture.md` says under "What is kept, and sealed under what".
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from overt.protocol import envelope, sealing
from overt.protocol.errors import ProtocolError
from overt.protocol.reports import Alert, Erasure
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Ending, Kind, Refusal, State
from tests.builders import make_cancellation, make_entry
from tests.promises.whole_unit import WholeUnit
from tests.recognition.synthetic import template_of
from tests.vision.memory_scan import count_in_memory
from tests.vision.simulated_daemon import MODEL

LISTED = 8
AGE = b"age-encryption.org/v1"
IDENTITY = re.compile(rb"AGE-SECRET-KEY-1[A-Z0-9]{58}")


@dataclass
class Copies:
    """All that was copied, by where it was found."""

    found: dict[str, bytes] = field(default_factory=dict)

    def of_disk(self, unit: WholeUnit, when: str) -> None:
        for root in (unit.folder, unit.run):
            for path in root.rglob("*"):
                if path.is_file():
                    self.found[f"{when}: {path}"] = path.read_bytes()

    def of_words(self, unit: WholeUnit) -> None:
        for number, data in enumerate(unit.said):
            self.found[f"said {number}"] = data

    def identities(self) -> set[str]:
        return {match.decode() for data in self.found.values() for match in IDENTITY.findall(data)}

    def encrypted(self) -> set[bytes]:
        """Everything encrypted, whole: as a file, a message, or within a packet."""
        whole = [data for data in self.found.values() if data.startswith(AGE)]
        for name, data in self.found.items():
            if name.startswith("said") and AGE in data and not data.startswith(AGE):
                packet = msgspec.msgpack.decode(data)
                whole += [value for value in packet.values() if isinstance(value, bytes) and value.startswith(AGE)]
        return set(whole)


@dataclass
class Dead:
    """A unit after a deployment, and what was copied of it before."""

    unit: WholeUnit
    copies: Copies
    template: bytes
    storage_key_then: str
    sealed_watchlist: bytes
    room: str


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dead]:
    template, copies = template_of(LISTED).tobytes(), Copies()
    unit = WholeUnit(tmp_path_factory.mktemp("p3"))
    try:
        unit.start_vision(LISTED)
        copies.of_disk(unit, "before")
        order = unit.arm(make_entry(templates=(template,)))
        copies.of_disk(unit, "armed")
        unit.hear(lambda: bool(unit.on("alert")))
        copies.of_disk(unit, "recognising")
        key = (unit.state / "keys" / "storage.key").read_text().strip()
        unit.deliver(Down.CANCEL, make_cancellation(unit.force, order.digest))
        copies.of_disk(unit, "erasing")
        unit.wait_for(State.IDLE)
        unit.hear(lambda: bool(certificates(unit)))
        copies.of_disk(unit, "after")
        copies.of_words(unit)
        watchlist = next(data for data in unit.delivered if data.startswith(AGE))
        yield Dead(unit, copies, template, key, watchlist, unit.force.room_identity)
    finally:
        unit.close()


def certificates(unit: WholeUnit) -> list[Erasure]:
    reports = [data for data in unit.on("receipt") if envelope.parse(data).kind is Kind.ERASURE]
    return [unit.erasure_in(data) for data in reports]


def opened(encrypted: set[bytes], identities: set[str]) -> list[bytes]:
    """What comes out of trying every key on everything, and of trying what came out again until nothing new does."""
    tried, known, plain = set[tuple[bytes, str]](), set(identities), list[bytes]()
    while trials := {(data, identity) for data in encrypted for identity in known} - tried:
        tried |= trials
        for data, identity in trials:
            try:
                plain.append(sealing.unseal(data, identity))
            except ProtocolError:
                continue
            known |= {match.decode() for match in IDENTITY.findall(plain[-1])}
    return plain


def forms_of(template: bytes) -> list[bytes]:
    """A template's bytes, and as JSON and then DSSE carry them, whichever way they fall into groups of three."""
    inner = base64.b64encode(template)
    outer = [base64.b64encode(b"x" * pad + inner)[4:] for pad in range(3)]
    return [form[at : at + 64] for form in (template, inner, *outer) for at in (0, 128, 256)]


def holds(data: bytes, template: bytes) -> bool:
    return any(form in data for form in forms_of(template))


def test_p3_what_was_copied_is_all_that_there_was_to_copy(dead: Dead) -> None:
    names = " ".join(dead.copies.found)
    for part in ("warden.db-wal", "key.sealed", "watchlist.age", "storage.key", "said"):
        assert part in names
    assert dead.sealed_watchlist in dead.copies.encrypted()
    assert len(dead.copies.encrypted()) >= 3, "the watchlist, its key, an alert"


def test_p3_after_the_end_no_key_found_anywhere_opens_the_watchlist_or_its_key(dead: Dead) -> None:
    """The keys: of every copy but the storage key's own of that time; the unit's of now; and the control room's."""
    copies = Copies(
        {
            name: data
            for name, data in dead.copies.found.items()
            if not name.endswith("storage.key") or name.startswith("after")
        }
    )
    identities = copies.identities() | {dead.room}
    assert len(identities) == 2, "the unit's new storage key, and the room's"
    assert dead.storage_key_then not in identities
    plain = opened(copies.encrypted(), identities)
    assert plain, "the alerts are the room's to read"
    for data in plain:
        assert isinstance(envelope.verify(data, Alert, dead.unit.identity.key), Alert)
        assert not holds(data, dead.template)
    assert not [name for name, data in copies.found.items() if holds(data, dead.template)]


def test_p3_a_whole_disk_copied_during_the_deployment_is_the_one_gap_and_the_same_search_finds_it(dead: Dead) -> None:
    """Shown, so that nobody reads more into the test above, and because it shows that the search can find."""
    plain = opened(dead.copies.encrypted(), {dead.storage_key_then})
    assert any(holds(data, dead.template) for data in plain)


def test_p3_without_the_disk_nothing_that_was_ever_sent_opens_even_with_that_key(dead: Dead) -> None:
    """Of what went over the network, the storage key opens nothing: the watchlist was for another key."""
    sent = Copies({name: data for name, data in dead.copies.found.items() if name.startswith("said")})
    assert dead.sealed_watchlist in sent.encrypted()
    assert opened(sent.encrypted(), {dead.storage_key_then}) == []


def test_p3_after_the_end_nothing_of_it_is_on_the_disk(dead: Dead) -> None:
    assert dead.unit.left_of_deployments() == []
    after = {name: data for name, data in dead.copies.found.items() if name.startswith("after")}
    secrets = [dead.storage_key_then.encode(), dead.sealed_watchlist[-200:], *deployment_keys(dead)]
    for name, data in after.items():
        assert not holds(data, dead.template), name
        assert not any(secret in data for secret in secrets), name


def test_p3_after_the_end_nothing_of_it_is_in_the_memory_of_any_process(dead: Dead) -> None:
    pids = {**dead.unit.pids(), "broker": dead.unit.site.server.pid}
    assert len(pids) == 4
    needles = [*forms_of(dead.template), dead.storage_key_then.encode(), *deployment_keys(dead)]
    assert {name: count_in_memory(pid, needles) for name, pid in pids.items()} == dict.fromkeys(pids, 0)


def deployment_keys(dead: Dead) -> list[bytes]:
    """The deployment's own key, as the gap above gives it away."""
    plain = opened(dead.copies.encrypted(), {dead.storage_key_then})
    keys = [data for data in plain if IDENTITY.fullmatch(data)]
    assert len(keys) == 1
    return keys


def test_p3_the_unit_certifies_the_erasure(dead: Dead) -> None:
    (certificate,) = certificates(dead.unit)
    assert certificate.ending is Ending.CANCELLED
    assert (certificate.entries, certificate.templates_listed) == (1, 1)
    (key,) = deployment_keys(dead)
    assert certificate.recipient == sealing.recipient_of(key.decode())


def test_p3_the_same_watchlist_sent_again_opens_no_more(dead: Dead) -> None:
    """Not even to the unit itself, under a new order of the same words."""
    order = dead.unit.order(model=MODEL, operation="AGAIN")
    assert dead.unit.deliver(Down.ORDER, order.data).accepted
    receipt = dead.unit.deliver(Down.WATCHLIST, dead.sealed_watchlist)
    assert (receipt.accepted, receipt.refusal) == (False, Refusal.NOT_READABLE)
    assert dead.unit.deliver(Down.CANCEL, make_cancellation(dead.unit.force, order.digest)).accepted
    dead.unit.wait_for(State.IDLE)
