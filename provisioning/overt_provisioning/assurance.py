"""Assurance reports: read and checked, for orders that stand on them."""

import argparse
from datetime import datetime
from pathlib import Path

from overt.protocol import authority
from overt.protocol.authority import Checked
from overt.protocol.documents import Assurance, Charter, Order
from overt_provisioning.form import Form


def read(path: Path, charter: Charter, moment: datetime) -> Checked[Assurance]:
    """Read a report and check it.

    Raises:
        ProtocolError: It breaks a rule, or the force's assurance body did not sign it.
        OSError: It cannot be read.
    """
    return authority.check_assurance(path.read_bytes(), charter, moment)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--assurance`."""
    parser.add_argument(
        "--assurance", type=Path, metavar="F", help="the assurance report that the order names, if it names one"
    )


def given(arguments: argparse.Namespace, charter: Charter, moment: datetime) -> Checked[Assurance] | None:
    """Return the report that was named on the command line, if one was.

    Raises:
        ProtocolError: As `read`.
        OSError: As `read`.
    """
    return read(arguments.assurance, charter, moment) if arguments.assurance else None


def named_by(order: Order, report: Checked[Assurance] | None) -> Assurance | None:
    """Return a report if it is the one that an order names."""
    return report.document if report is not None and report.digest == order.assurance else None


def named_in_form(filled: Form, folder: Path, charter: Charter, moment: datetime) -> Assurance | None:
    """Return the report that a form names, checked; paths in the form are relative to `folder`.

    Raises:
        ProtocolError: As `read`.
        OSError: As `read`.
    """
    name = filled.recognition.assurance
    return None if name is None else read(folder / name, charter, moment).document
