"""The real warden as a process of its own, with simulated parts. Arguments: state, run and world folders."""

import sys
from pathlib import Path

from overt.runtime.cli import Failure
from overt.warden import service
from tests.simulators.devices import simulated


def main() -> int:
    state, run, world = map(Path, sys.argv[1:])
    try:
        return service.run(service.Settings(state=state, run=run), lambda _: simulated(world))
    except Failure as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code


if __name__ == "__main__":
    sys.exit(main())
