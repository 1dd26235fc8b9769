"""Runs Overt's own commands the way a technician or an officer types them."""

import os
import subprocess
import sys
from pathlib import Path

from overt_tools.children import tie_to_parent

_PATIENCE_S = 120.0


class CommandFailed(Exception):
    """A command of the product ended with an error. The message is what it said."""


def program(name: str) -> str:
    """Return the path of one of Overt's commands, as installed beside this Python."""
    return str(Path(sys.executable).parent / name)


def type_in(name: str, *arguments: str | Path) -> str:
    """Run a command to its end and return its standard output.

    Raises:
        CommandFailed: It did not end with 0.
    """
    command = [program(name), *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            preexec_fn=tie_to_parent(os.getpid()),
        )
    except FileNotFoundError as error:
        raise CommandFailed(f"{name} is not installed beside {sys.executable}: run 'make setup'") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{name} {arguments[0]} did not end within {_PATIENCE_S:.0f} s") from error
    if done.returncode != 0:
        said = ((done.stderr or done.stdout).strip().splitlines() or ["nothing"])[-1]
        raise CommandFailed(f"'{name} {arguments[0]}' ended with {done.returncode}: {said}")
    return done.stdout
