"""A unit without sockets that lives through a loan and a deployment, and says on standard error what it has promised.

Arguments: the unit's folder, and one with the documents. Traced from outside, it tells which bytes had to be where.
"""

import os
import sys
from pathlib import Path

from overt.protocol import envelope, sealing
from overt.protocol.documents import Order
from overt.protocol.reports import Receipt
from overt.protocol.topics import Down, Topic
from overt.protocol.vocabulary import Kind
from tests.builders import FORCE, UNIT
from tests.warden.desk_bench import DeskBench


class Living(DeskBench):
    """A unit that was enrolled before."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.open(folder)


def promise(*words: object) -> None:
    os.write(2, (" ".join(["PROMISE", *map(str, words)]) + "\n").encode())


def give(unit: Living, leaf: Down, data: bytes) -> Receipt:
    topic = str(Topic(force=unit.vault.force if leaf is not Down.LOAN else FORCE, unit=UNIT, leaf=leaf))
    signed = unit.unit.receive(topic, data)
    assert signed is not None
    receipt = envelope.decode(envelope.parse(signed, Kind.RECEIPT), Receipt)
    assert receipt.accepted, receipt
    return receipt


def main() -> None:
    folder, documents = map(Path, sys.argv[1:])
    read = {path.name: path.read_bytes() for path in documents.iterdir()}
    order = envelope.decode(envelope.parse(read["order"]), Order)
    digest = envelope.digest_of(envelope.encode(order))
    promise("begin")
    unit = Living(folder)
    unit.unit.vision_came(order.model)
    promise("lending")
    give(unit, Down.LOAN, read["loan"])
    promise("lent")
    recipient = give(unit, Down.ORDER, read["order"]).recipient
    assert recipient is not None
    promise("ordered", recipient)
    give(unit, Down.WATCHLIST, sealing.seal(read["watchlist"], [recipient]))
    promise("listed")
    for number, entry in enumerate((0, 1, 2), start=1):
        unit.see(digest, entry)
        promise("alert", number)
    promise("delivering")
    unit.store.delivered(unit.outbox("alert")[0].id)
    promise("delivered")
    promise("cancelling")
    give(unit, Down.CANCEL, read["cancellation"])
    promise("cancelled")
    unit.clear(made=7)
    promise("erased")
    promise("recalling")
    give(unit, Down.CANCEL, read["recall"])
    promise("returned")
    unit.close()


if __name__ == "__main__":
    main()
