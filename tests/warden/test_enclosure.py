"""Secrets are worked on in a child process, which takes every copy with it. The warden's own memory holds none."""

import base64
import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from overt.protocol.errors import ProtocolError
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Refusal, State
from overt.runtime.memory import MemoryUnsafe, SecretFile
from overt.warden.enclosure import in_child
from tests.builders import make_cancellation, make_entry
from tests.vision.memory_scan import count_in_memory
from tests.warden.bench import Bench


def test_what_the_work_returns_comes_back_and_its_memory_file_with_it() -> None:
    def work() -> tuple[bytes, int]:
        file = SecretFile("test", 4096)
        with file.view as view:
            view[:5] = b"hello"
        return b"known", file.descriptor

    answer, descriptor = in_child(work)
    assert answer == b"known"
    assert descriptor is not None
    with SecretFile.adopt(descriptor) as file, file.view as view:
        assert bytes(view[:5]) == b"hello"


def test_an_answer_larger_than_a_packet_comes_back_whole() -> None:
    data = os.urandom(3_000_000)
    assert in_child(lambda: (data, None)) == (data, None)


def children() -> str:
    """Return the processes that this thread has begun; one of an earlier test may be among them."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text()


def raise_(error: BaseException) -> tuple[bytes, None]:
    raise error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProtocolError(Refusal.EXPIRED, "too old"), "too old"),
        (MemoryUnsafe(1, "cannot lock"), "cannot lock"),
        (OSError(28, "No space left"), "No space left"),
    ],
    ids=["refusal", "memory", "system"],
)
def test_what_the_work_raises_is_raised_here(error: Exception, expected: str) -> None:
    with pytest.raises(type(error), match=expected) as caught:
        in_child(lambda: raise_(error))
    if isinstance(caught.value, ProtocolError):
        assert caught.value.code is Refusal.EXPIRED


@pytest.mark.parametrize("death", [lambda: os._exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: 1 // 0])
def test_a_child_that_dies_is_an_error_and_leaves_neither_process_nor_descriptor(death: object) -> None:
    gc.collect()  # of what other tests left open
    before = len(os.listdir("/proc/self/fd")), children()
    with pytest.raises(OSError, match="child process died"):
        in_child(lambda: (death(), None))  # type: ignore[operator, arg-type, return-value]  # it never returns
    assert (len(os.listdir("/proc/self/fd")), children()) == before


def test_the_child_changes_nothing_here() -> None:
    seen: list[int] = []
    in_child(lambda: (seen.append(1) or b"", None))  # type: ignore[func-returns-value]  # on purpose
    assert seen == []


def test_the_wardens_memory_never_holds_a_template_outside_the_gallery_nor_a_deployments_key(tmp_path: Path) -> None:
    volunteer = make_entry()
    template = volunteer.templates[0]
    # As JSON carries it, and as the base64 of DSSE carries that: whichever way the bytes fall into groups of three.
    inner = base64.b64encode(template)[:96]
    outer = [base64.b64encode(b"x" * pad + inner)[4:64] for pad in range(3)]
    key = b"AGE-SECRET-KEY-1"
    with Bench(tmp_path) as bench:
        bench.start()
        assert bench.process is not None
        with bench.vision() as vision:
            order = bench.arm(volunteer, make_entry("other"))
            vision.wait_for_begin()
            assert count_in_memory(bench.process.pid, [template]) == 1, (
                "the gallery itself is found, so the search works"
            )
            assert count_in_memory(bench.process.pid, [inner, *outer, key]) == 0
            bench.deliver(Down.CANCEL, make_cancellation(bench.force, order.digest))
            vision.wait_for_stop()
            bench.wait_for(State.IDLE)
            time.sleep(0.05)
            assert count_in_memory(bench.process.pid, [template[:32], inner, *outer, key]) == 0
