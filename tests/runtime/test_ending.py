"""Being asked to end, at every moment."""

import os
import signal
import time

import pytest

from overt.runtime.ending import Ending


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_is_noted_wakes_the_loop_and_says_how_to_exit(number: int, code: int) -> None:
    with Ending() as ending:
        assert not ending.wait(0.01)
        os.kill(os.getpid(), number)
        begun = time.monotonic()
        assert ending.wait(5.0)
        assert time.monotonic() - begun < 1.0
        assert ending.exit_code == code


def test_a_second_signal_ends_a_process_that_hangs() -> None:
    with Ending() as ending:
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending.wait(1.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_afterwards_signals_mean_what_they_meant_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with Ending():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
