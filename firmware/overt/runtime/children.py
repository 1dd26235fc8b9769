"""Starting a module of ours as a process of its own, with the interpreter and the paths of this one."""

import sys


def command_of(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module.

    An installed unit has the firmware in a folder that no other Python looks into, and neither would a child that was
    merely told the module's name: so it is told where this process found its own.

    Args:
        module: Its full name.
        arguments: What follows on its command line.
    """
    start = f"import runpy, sys; sys.path[:] = {sys.path!r}; runpy.run_module({module!r}, None, '__main__', True)"
    return [sys.executable, "-I", "-c", start, *arguments]
