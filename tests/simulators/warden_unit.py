"""The real warden as a process of its own, with simulated parts: `python -m tests.simulators.warden_unit STATE RUN WORLD`."""

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
        print(failure, file=sys.stderr)
        return failure.exit_code


if __name__ == "__main__":
    sys.exit(main())
