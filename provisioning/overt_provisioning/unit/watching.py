"""`unit status`, `unit diagnose`: what the unit is doing, and what to look at."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from overt.protocol import envelope
from overt.protocol.cable.requests import Diagnosis
from overt.protocol.code import unit_code
from overt.protocol.reports import Greeting, Status
from overt.protocol.sentences import SENTENCES
from overt.runtime.cli import NEGATIVE, OK
from overt_provisioning.unit.session import Session
from overt_provisioning.unit.visiting import Visiting
from overt_provisioning.unit.words import CLOCKS, COOLING, HOT_C, LITTLE_MIB, STATES

Row = tuple[str, str, bool]
"""What, how it is, and whether that is well."""
_CLOCKS_APART_S = 60.0


def status(arguments: argparse.Namespace) -> int:
    """Say what the unit is doing."""
    visiting = Visiting(arguments)
    with visiting.session() as session:
        greeting, found = session.greeting, read_status(session)
    rows = identity_rows(greeting) + (status_rows(found) if found else [])
    show(arguments, rows, {"greeting": facts_of(greeting), "status": msgspec.to_builtins(found)})
    return OK


def diagnose(arguments: argparse.Namespace) -> int:
    """Say what is well with the unit and what is not."""
    visiting = Visiting(arguments)
    with visiting.session() as session:
        greeting, found = session.greeting, read_status(session)
        machine = session.ask_for(Diagnosis, "diagnose")
    rows = identity_rows(greeting) + (status_rows(found) if found else []) + machine_rows(machine, datetime.now(UTC))
    well = all(row[2] for row in rows)
    facts = {
        "greeting": facts_of(greeting),
        "status": msgspec.to_builtins(found),
        "machine": msgspec.to_builtins(machine),
    }
    show(arguments, rows, {**facts, "well": well})
    return OK if well else NEGATIVE


def read_status(session: Session) -> Status | None:
    """Return the unit's signed status; None of a blank one.

    Raises:
        Failure: It could not be had.
        ProtocolError: The unit did not sign it.
    """
    greeting = session.greeting
    return envelope.verify(session.ask("status"), Status, greeting.key) if greeting.force else None


def facts_of(greeting: Greeting) -> dict[str, Any]:
    """Return what a greeting says of the unit."""
    return {
        "unit": greeting.unit,
        "force": greeting.force,
        "key": greeting.key,
        "code": unit_code(greeting.key),
        "version": greeting.version,
        "clock": greeting.clock.value,
    }


def identity_rows(greeting: Greeting) -> list[Row]:
    """Return who the unit is."""
    name = greeting.unit or "blank"
    whose = f"{name} of {greeting.force}" if greeting.force else f"{name}, of no force: enrol it"
    rows = [("unit", whose, True), ("code", unit_code(greeting.key), True)]
    rows.append(("release", greeting.version, True))
    if greeting.force:
        known = CLOCKS[greeting.clock]
        rows.append(("time", f"{_brief(greeting.sent)}, {known}", greeting.clock.value != "unknown"))
    return rows


def status_rows(status: Status) -> list[Row]:
    """Return what the unit does."""
    rows = [("state", STATES[status.state], True), ("since", _brief(status.since), True)]
    rows.append(("lamp", "lit" if status.indicator_lit else "dark", True))
    if status.temperature_c is not None:
        rows.append(("board", f"{status.temperature_c:.0f} °C{COOLING[status.cooling_step]}", status.cooling_step == 0))
    said = [SENTENCES[cause] for cause in status.causes] or [doubt.value for doubt in status.doubts]
    rows += [("look at", sentence, False) for sentence in said]
    if status.lender and status.loan_end:
        rows.append(("on loan", f"from {status.lender} until {_brief(status.loan_end)}", True))
    if status.order:
        rows += [("order", f"{status.order[:12]}…", True), ("alerts", str(status.last_sequence), True)]
    if status.ending:
        rows.append(("last ended", status.ending.value.replace("_", " "), True))
    return rows


def machine_rows(machine: Diagnosis, now: datetime) -> list[Row]:
    """Return how the machine is."""
    apart_s = (machine.time - now).total_seconds()
    clock = (
        "as this machine's" if abs(apart_s) <= _CLOCKS_APART_S else f"{abs(apart_s):.0f} s apart from this machine's"
    )
    rows: list[Row] = [("machine's clock", f"{_brief(machine.time)}, {clock}", abs(apart_s) <= _CLOCKS_APART_S)]
    rows.append(("up for", _duration(machine.uptime_s), True))
    if machine.temperature_c is not None:
        hot = machine.temperature_c >= HOT_C
        rows.append(("temperature", f"{machine.temperature_c:.0f} °C{': shade and air' if hot else ''}", not hot))
    rows.append(("memory free", f"{machine.memory_free_mib:,} MiB", machine.memory_free_mib >= LITTLE_MIB))
    rows.append(("disk free", f"{machine.disk_free_mib:,} MiB", machine.disk_free_mib >= LITTLE_MIB))
    linked = [interface.name for interface in machine.interfaces if interface.up]
    if machine.interfaces:  # a console that is shut in sees none; then the state above says what is wrong
        rows.append(("network", f"link on {', '.join(linked)}" if linked else "no link on any interface", bool(linked)))
    return rows


def show(arguments: argparse.Namespace, rows: list[Row], facts: dict[str, Any]) -> None:
    """Print a table for a person, or one JSON object."""
    if arguments.json:
        print(json.dumps(facts, default=str))  # noqa: T201 - a command talks
        return
    from rich.console import Console  # noqa: PLC0415 - heavy, and help must be quick
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for what, how, well in rows:
        table.add_row("[green]ok[/]" if well else "[bold red]LOOK[/]", what, how)
    Console().print(table)


def _brief(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC")


def _duration(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {minutes} min"  # noqa: PLR2004 - a day
