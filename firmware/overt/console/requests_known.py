"""The requests that this release answers at the cable. A part of the unit that has its own adds them here."""

from overt.console import aiming, diagnosis, network, papers, update
from overt.console.registry import Registry


def registry() -> Registry:
    """Return the table."""
    table = Registry()
    for part in (papers, diagnosis, network, update, aiming):
        part.add_to(table)
    return table
