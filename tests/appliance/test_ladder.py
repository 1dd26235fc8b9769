"""The last steps of the restart ladder: what is done about a daemon that failed six times in five minutes."""

import shlex
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "firmware" / "systemd"
HOUR_S = 3600


def script() -> str:
    """Return what systemd has the shell do, as it unquotes it."""
    (line,) = [
        line for line in (UNITS / "overt-ladder@.service").read_text().splitlines() if line.startswith("ExecStart=")
    ]
    shell, option, words, *_ = shlex.split(line.removeprefix("ExecStart="))
    assert (shell, option) == ("/bin/sh", "-c")
    return words.replace("$$", "$").replace("%%", "%")


def climbed(folder: Path, up_s: float, daemon: str = "overt-vision.service") -> list[str]:
    """Return what is asked of the supervisor on a machine that has been up for so long."""
    said, uptime = folder / "said", folder / "uptime"
    uptime.write_text(f"{up_s:.2f} 1.00\n")
    for name in ("systemctl", "sleep"):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{said}\n')
        program.chmod(0o755)
    words = script().replace("/proc/uptime", str(uptime))
    subprocess.run(["/bin/sh", "-c", words, "ladder", daemon], env={"PATH": f"{folder}:/usr/bin:/bin"}, check=True)
    return said.read_text().splitlines()


@pytest.mark.parametrize("daemon", ["warden", "vision"])
def test_whose_failures_are_counted_and_who_acts_on_them(daemon: str) -> None:
    lines = (UNITS / f"overt-{daemon}.service").read_text().splitlines()
    assert {"StartLimitIntervalSec=300", "StartLimitBurst=6", "OnFailure=overt-ladder@%n.service"} <= set(lines)
    assert "Restart=always" in lines, "the step before: the daemon alone starts anew"


def test_a_machine_that_has_been_up_for_an_hour_starts_anew(tmp_path: Path) -> None:
    assert climbed(tmp_path, HOUR_S) == ["systemctl --no-block reboot"]


def test_within_that_hour_the_daemon_is_tried_every_five_minutes_and_the_cable_answers(tmp_path: Path) -> None:
    assert climbed(tmp_path, HOUR_S - 1) == [
        "sleep 300",
        "systemctl reset-failed overt-vision.service overt-warden.socket",
        "systemctl --no-block start overt-warden.socket overt-vision.service overt-vision.service",
    ]
