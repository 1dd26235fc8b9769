"""Ctrl-C for the demonstration alone.

`make` dies of a Ctrl-C of its own, and with it the demonstration's exit status and last line. So the demonstration
takes the terminal for itself while it runs, as a shell's job does, and gives it back.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def taken() -> Iterator[None]:
    """Be the terminal's foreground process group in place of the one that this process was started in.

    Without a terminal, in the background, or as a group of its own already, nothing is changed.
    """
    group, terminal = os.getpgrp(), sys.stdin.fileno() if sys.stdin else -1
    if not os.isatty(terminal) or group == os.getpid() or os.tcgetpgrp(terminal) != group:
        yield
        return
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # the kernel stops a group that takes what it does not have
    stopping = signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # no shell would wake up a group that it does not know of
    os.setpgid(0, 0)
    os.tcsetpgrp(terminal, os.getpgrp())
    try:
        yield
    finally:
        os.tcsetpgrp(terminal, group)
        os.setpgid(0, group)
        signal.signal(signal.SIGTTOU, before)
        signal.signal(signal.SIGTSTP, stopping)
