"""The real warden with simulated parts, killed by SIGKILL just before its n-th step towards the disk or a peer.

Arguments: state, run and world folders, n, and a file to which the steps are counted when it lives on.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.simulators import warden_unit

STEPS = {"fsync", "replace", "unlink", "mkdir", "rmdir", "execute", "sendmsg"}


def main() -> int:
    last, tally = int(sys.argv[4]), Path(sys.argv[5])
    del sys.argv[4:]
    steps = 0

    def count(_: FrameType, event: str, function: Any) -> None:
        nonlocal steps
        if event == "c_call" and function.__name__ in STEPS:
            steps += 1
            if steps == last:
                os.kill(os.getpid(), signal.SIGKILL)

    os.register_at_fork(after_in_child=lambda: sys.setprofile(None))
    sys.setprofile(count)
    code = warden_unit.main()
    sys.setprofile(None)
    tally.write_text(str(steps))
    return code


if __name__ == "__main__":
    sys.exit(main())
