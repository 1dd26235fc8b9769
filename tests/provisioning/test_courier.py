"""Documents on their way to a unit, over real brokers: delivered, answered, or a clear word why not."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overt.protocol import envelope
from overt.protocol.authority import Checked
from overt.protocol.documents import Order
from overt.protocol.reports import Receipt
from overt.protocol.vocabulary import Kind, Refusal
from overt.runtime import cli
from overt.runtime.mqtt import Received
from tests.brokers import Site, each_make, running, topic
from tests.builders import Party, make_cancellation, make_force, utc_now
from tests.certificates import Authority
from tests.provisioning.office import UNIT, Office, Said, new_unit, refused


def send(office: Office, port: int, *more: object, what: str = "order", document: Path | None = None) -> Said:
    address = f"127.0.0.1:{port}"
    return office.keyed(
        *("send", what, document or office.order, "--unit", UNIT, "--order", office.order, "--broker", address),
        *("--wait", 8, *more),
    )


@contextmanager
def on_line(site: Site, answer: Callable[[bytes], bytes | None]) -> Iterator[list[bytes]]:
    """A unit at the broker, which gives this answer to everything; yields what has come to it."""
    got: list[bytes] = []
    over = threading.Event()
    unit = site.session(UNIT, topic("order"), topic("cancel"), topic("watchlist"))
    while not unit.up:
        unit.wait(0.05)

    def live() -> None:
        while not over.is_set():
            for happened in unit.wait(0.05)[0]:
                if isinstance(happened, Received):
                    unit.acknowledge(happened)
                    got.append(happened.payload)
                    said = answer(happened.payload)
                    if said is not None:
                        unit.publish(topic("receipt"), said, retain=False, expires_in_s=None)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield got
    finally:
        over.set()
        thread.join()
        unit.close()


def receipt(by: Party, order: Checked[Order], /, **changes: object) -> bytes:
    fields = {
        "force": order.document.force,
        "unit": UNIT,
        "document": Kind.ORDER,
        "digest": order.digest,
        "order": order.digest,
        "accepted": True,
        "received": utc_now(),
        "log_position": 1,
    }
    return envelope.sign(Receipt(**{**fields, **changes}), [by.signer])  # type: ignore[arg-type] # tests' own fields


@each_make
def test_an_order_reaches_its_unit_and_the_receipt_comes_back(make: str, office: Office, tmp_path: Path) -> None:
    unit = new_unit()
    order = office.ordered(unit)
    with running(make, tmp_path / "site") as site, on_line(site, lambda _: receipt(unit, order)) as got:
        site.authority.client("office", office.home / "pki")
        said = send(office, site.server.port, "--receipt", office.receipt)
    assert said.code == cli.OK, said
    assert f"{UNIT} accepted the order" in said.out
    assert set(got) == {order.data}
    assert envelope.verify(office.receipt.read_bytes(), Receipt, unit.public).accepted


@each_make
def test_a_refusal_is_a_negative_outcome_with_its_reason(make: str, office: Office, tmp_path: Path) -> None:
    unit = new_unit()
    order = office.ordered(unit)
    no = receipt(unit, order, accepted=False, order=None, refusal=Refusal.BUSY, detail="another order is in hand")
    with running(make, tmp_path / "site") as site, on_line(site, lambda _: no):
        site.authority.client("office", office.home / "pki")
        said = send(office, site.server.port, "--json")
    assert said.code == cli.NEGATIVE
    assert said.json["accepted"] is False
    assert said.json["refusal"] == "busy"


@each_make
def test_a_receipt_that_the_unit_did_not_sign_is_no_answer(make: str, office: Office, tmp_path: Path) -> None:
    order = office.ordered(new_unit())
    forged = receipt(new_unit(), order)
    with running(make, tmp_path / "site") as site, on_line(site, lambda _: forged) as got:
        site.authority.client("office", office.home / "pki")
        said = send(office, site.server.port, "--wait", 1)
    refused(said, cli.UNAVAILABLE, "did not answer")
    assert order.data in got


@each_make
def test_without_waiting_the_brokers_word_suffices(make: str, office: Office, tmp_path: Path) -> None:
    office.ordered(new_unit())
    with running(make, tmp_path / "site") as site:
        site.authority.client("office", office.home / "pki")
        said = send(office, site.server.port, "--wait", 0)
    assert said.code == cli.OK
    assert "the broker has it" in said.out


def test_a_broker_that_is_not_there_is_said(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overt_provisioning.courier._CONNECT_PATIENCE_S", 0.5)
    office.ordered(new_unit())
    Authority(tmp_path / "pki").client("office", office.home / "pki")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused(send(office, closed.getsockname()[1]), cli.UNAVAILABLE, "no broker at")


def test_an_office_without_certificate_is_told_how_to_make_one(office: Office) -> None:
    office.ordered(new_unit())
    refused(send(office, 1883), cli.UNAVAILABLE, "overt-provision certificate office")


@pytest.mark.parametrize("address", ["", "broker", "broker:", ":8883", "broker:0", "broker:65536", "broker:٣"])
def test_what_is_no_address_is_refused(office: Office, address: str) -> None:
    office.ordered(new_unit())
    said = office.keyed(*("send", "order", office.order, "--unit", UNIT, "--order", office.order, "--broker", address))
    refused(said, cli.BAD_INPUT, "HOST:PORT")


def test_a_unit_that_the_order_does_not_name_is_sent_nothing(office: Office) -> None:
    office.ordered(new_unit())
    said = office.keyed(
        *("send", "order", office.order, "--unit", "unit-9", "--order", office.order, "--broker", "localhost:1")
    )
    refused(said, cli.BAD_INPUT, "unit-9")


def test_what_is_not_what_it_is_sent_as_stays_here(office: Office) -> None:
    """A plain watchlist above all: it must never travel unencrypted."""
    order = office.ordered(new_unit())
    plain = office.base / "plain.json"
    plain.write_bytes(b'{"payload":"x"}')
    refused(send(office, 1, what="watchlist", document=plain), cli.BAD_INPUT, "encrypted watchlist", "not sent")
    refused(send(office, 1, what="cancel"), cli.BAD_INPUT, "cancellation")
    refused(send(office, 1, document=plain), cli.BAD_INPUT)
    other = office.base / "cancel.json"
    other.write_bytes(make_cancellation(make_force(order.document.force), "f" * 64))
    refused(send(office, 1, what="cancel", document=other), cli.BAD_INPUT, "concerns the order")


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "4000", "soon"])
def test_an_absurd_wait_is_refused(office: Office, wait: str) -> None:
    office.ordered(new_unit())
    said = send(office, 1, "--wait", wait)
    assert said.code == cli.BAD_INPUT
    assert "0 to 3600 seconds" in said.err
