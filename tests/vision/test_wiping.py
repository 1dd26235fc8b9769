"""Nothing of a passer-by is left in the memory of the process: looked for from outside."""

import subprocess
import sys
from pathlib import Path

from overt.protocol.messages import Began, Progress
from tests.recognition.synthetic import template_of
from tests.simulators.warden import WardenSimulator
from tests.vision.daemon import ROOT
from tests.vision.memory_scan import count_in_memory

PASSER_BY, LISTED = 7, 8


def test_p1_a_passer_bys_template_is_nowhere_in_memory_while_recognising_nor_after(tmp_path: Path) -> None:
    strange, listed = template_of(PASSER_BY).tobytes(), template_of(LISTED).tobytes()
    needles = [strange[at : at + 32] for at in range(0, 512, 128)]
    with WardenSimulator(tmp_path) as warden:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.vision.simulated_daemon", str(tmp_path), str(PASSER_BY)],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        try:
            warden.accept()
            warden.begin(template_of(LISTED))
            warden.wait_for(Began)
            while warden.wait_for(Progress).templates_made < 2:
                pass
            # The template of the listed person shows that the search would find one.
            assert count_in_memory(process.pid, [listed[:32]]) == 1
            assert count_in_memory(process.pid, needles) == 0
            cleared = warden.stop()
            assert cleared.templates_made == cleared.templates_wiped >= 2
            assert count_in_memory(process.pid, [*needles, listed[:32]]) == 0
            process.terminate()
            assert process.wait(5) == 0
        finally:
            process.kill()
            process.wait()
