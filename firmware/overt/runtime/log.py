"""Events, not sentences: one JSON object a line on standard error, which journald or a test reads.

The journal is for running the machine. It is not the audit trail, and no event holds a name, an image or a template:
`event` takes numbers, truth values and short words only.
"""

import json
import sys
import time
from typing import Literal

Plain = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]
_MAX_TEXT = 300

_daemon = "overt"


def name_daemon(name: str) -> None:
    """Set the name that this process's events carry."""
    global _daemon  # noqa: PLW0603 - one process is one daemon
    _daemon = name


def event(name: str, level: Level = "info", **facts: Plain) -> None:
    """Write one event.

    Args:
        name: What happened, as `subject.verb`.
        level: How much it matters.
        facts: Short plain values. Text is cut to 300 characters and escaped.
    """
    record = {"time": round(time.time(), 6), "daemon": _daemon, "level": level, "event": name}
    record |= {key: value[:_MAX_TEXT] if isinstance(value, str) else value for key, value in facts.items()}
    try:
        sys.stderr.write(json.dumps(record, ensure_ascii=True) + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # whoever read our standard error is gone; that must not stop the daemon
