"""The requests that the warden answers: identity, enrolment, documents, time, state, log, the end."""

from overt.console import network
from overt.console.registry import Counter, NotDone, Nothing, Registry, Request
from overt.protocol import fields as f
from overt.protocol.cable import requests
from overt.protocol.vocabulary import Act


def add_to(registry: Registry) -> None:
    """Add them."""
    registry.add(Request("identify", Act.IDENTIFY, requests.Identify, _done, signed=True))
    registry.add(Request("enrol", Act.ENROL, requests.Enrol, _done, signed=True))
    registry.add(Request("decommission", Act.DECOMMISSION, requests.Farewell, _part_ways, signed=True))
    registry.add(Request("status", Act.STATUS, Nothing, lambda counter, _: counter.desk.status()[1]))
    registry.add(Request("time", Act.TIME, Nothing, lambda counter, _: counter.desk.time()[1]))
    registry.add(Request("checkpoint", Act.LOG, Nothing, lambda counter, _: counter.desk.checkpoint()[1]))
    registry.add(Request("log", Act.LOG, requests.Log, lambda counter, asked: counter.desk.log(asked.after)))
    registry.add(Request("receipts", Act.RECEIPTS, requests.Receipts, lambda c, asked: c.desk.receipts(asked.after)))
    registry.add(Request("part", Act.DELIVER, requests.Part, _part))
    registry.add(Request("deliver", Act.DELIVER, requests.Deliver, _deliver))


def _done(counter: Counter, _: f.Value) -> bytes:
    return counter.done


def _part_ways(counter: Counter, _: requests.Farewell) -> bytes:
    """The warden has erased what is its own; what the console holds of the force are the network's passwords."""
    network.forget(counter.spool)
    return counter.done


def _part(counter: Counter, part: requests.Part) -> requests.Held:
    held = counter.upload.take(part)
    if held is None:
        raise NotDone(f"expected a smaller document, found one of {part.size:,} bytes")
    return requests.Held(bytes_held=held)


def _deliver(counter: Counter, asked: requests.Deliver) -> bytes:
    data = counter.upload.whole(asked.digest)
    if data is None:
        if counter.handed.document == (asked.kind, asked.digest):
            return counter.handed.receipt  # asked a second time: the cable was pulled before the answer arrived
        raise NotDone("the document is not all here: send it again")
    _, receipt = counter.desk.deliver(asked.kind, data)
    counter.handed.document, counter.handed.receipt = (asked.kind, asked.digest), receipt
    counter.upload.forget()
    return receipt
