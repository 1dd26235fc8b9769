"""Promises 1 and 10 on a machine that really starts: each daemon tries, in its sandbox, what it must not be able to do.

Each unit of the package is taken as it is; only its program is another (`probe.py`).
"""

import re
import shutil
from pathlib import Path

import pytest

from overt_tools.image import disk
from tests.appliance.conftest import squash, unsquash
from tests.appliance.machine import Machine
from tests.appliance.technician import START_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PROBE = Path(__file__).with_name("probe.py")
DAEMONS = {"warden": "", "vision": "", "uplink": "", "console": "@", "network": "", "update": "", "confirm": "",
           "seal": "", "ladder": "@"}  # fmt: skip
WITHOUT = re.compile(
    r"^(Type|NotifyAccess|Restart|RestartSec|WatchdogSec|ExecStart|ExecStartPost|OnFailure|Condition\w+|Requires|Wants|"
    r"After|Before|LoadCredential|LoadCredentialEncrypted|EnvironmentFile|WantedBy|Also|PartOf|BindsTo|SuccessExitStatus)="
)
ROOTS = {"see-other-processes", "signal-the-first-process"}
"""What root may do in any sandbox without a namespace of processes."""
ALLOWED: dict[str, set[str]] = {
    "warden": {"open-the-lamp", "read-the-signing-key", "read-the-keys-past-the-mount", "write-to-the-state"},
    # Cameras are announced over netlink; the engine makes machine code for its kernels.
    "vision": {"open-netlink", "write-and-run-memory"},
    "uplink": {"reach-the-network"},
    "console": {"write-to-the-consoles-folder"},
    "network": ROOTS | {"write-network-settings"},
    "update": ROOTS | {"write-to-the-consoles-folder"},
    "confirm": ROOTS | {"write-to-the-consoles-folder"},
    "seal": ROOTS | {"read-the-signing-key", "read-the-keys-past-the-mount", "write-to-the-state"},
    "ladder": ROOTS,
}
"""What each may do of all that is tried: what it is there for."""


def probing(root: Path, daemon: str) -> str:
    """Return a daemon's unit with the probe in place of its program."""
    text = (root / f"usr/lib/systemd/system/overt-{daemon}{DAEMONS[daemon]}.service").read_text()
    lines = [line for line in text.splitlines() if not WITHOUT.match(line)]
    at = lines.index("[Service]") + 1
    lines[at:at] = ["Type=oneshot", f"ExecStart=/usr/bin/python3 -I /usr/lib/overt-probe/probe.py {daemon}"]
    lines[1:1] = ["After=overt-warden.service overt-vision.service overt-console@ttyS1.service overt-confirm.service"]
    return "\n".join(lines).replace("%I", "ttyS1").replace("%i", "ttyS1") + "\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture(scope="module")
def told(image: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a machine tells on which every daemon has tried everything."""
    folder = tmp_path_factory.mktemp("probed")
    root = folder / "root"
    unsquash(image.parent / "overt.squashfs", root)
    (root / "usr/lib/overt-probe").mkdir()
    shutil.copy(PROBE, root / "usr/lib/overt-probe/probe.py")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    for daemon in DAEMONS:
        name = f"probe-{daemon}.service"
        (root / "etc/systemd/system" / name).write_text(probing(root, daemon))
        (wanted / name).symlink_to(f"/etc/systemd/system/{name}")
    squashed = folder / "probed.squashfs"
    squash(root, squashed)
    shutil.rmtree(root)
    disk.write(squashed, folder / "probed.img", "ttyS0", lambda _: None)
    machine = Machine(folder, folder / "probed.img")
    try:
        machine.power_on()
        for daemon in DAEMONS:
            machine.wait_until_told(f"PROBE {daemon} end", START_S)
        return machine.told.read_text(errors="replace")
    finally:
        machine.cut_power()


@pytest.mark.parametrize("daemon", DAEMONS)
def test_p1_a_daemon_cannot_do_what_is_not_its_own(told: str, daemon: str) -> None:
    found = dict(re.findall(rf"PROBE {daemon} (\S+) (done|refused)", told))
    assert len(found) > 50, "everything was tried"
    assert {name for name, end in found.items() if end == "done"} == ALLOWED[daemon]
