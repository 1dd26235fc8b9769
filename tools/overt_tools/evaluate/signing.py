"""The assurance report on a measurement: its form, and its signature by the office's own program."""

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from overt.runtime.cli import NEGATIVE, UNAVAILABLE, Failure
from overt.runtime.files import write_atomically
from overt_tools.children import tie_to_parent

from .assurance import Told, form
from .equal import Measurement
from .groups import Standard
from .report.model import Report

_SIGNING_SAYS = "who signs it says that these are testers who consented and described themselves"


def assure(arguments: argparse.Namespace, measured: Measurement, report: Report, standard: Standard) -> str:
    """Write the form and, where a key is named, the signed report beside it.

    Returns:
        What was done, in a line or two.

    Raises:
        EvaluateError: The figures do not go into a report.
        Failure: It could not be written or signed.
    """
    told = Told(
        reference=arguments.reference or f"ASSURANCE-{datetime.now(UTC):%Y-%m-%d}",
        evaluator=arguments.evaluator,
        title=arguments.title or measured.title,
        valid_days=arguments.valid_days,
    )
    filled = form(
        told,
        report.bears,
        standard,
        people=len({*measured.evidence.passages.subject, *measured.evidence.faces.subject}),
        entries=measured.watchlist,
        model_digest=measured.model_digest,
        data_set_digest=measured.data_set_digest,
    )
    path: Path = arguments.assure.with_suffix(".toml")
    try:
        write_atomically(path, filled, mode=0o644)
    except OSError as error:
        raise Failure(f"cannot write {path}: {error.strerror}; choose another --assure", UNAVAILABLE) from error
    if arguments.assure.suffix == ".toml":
        return f"assurance   form in {path}: read it, then 'overt-provision assurance make'; {_SIGNING_SAYS}"
    _sign(arguments, path)
    return f"assurance   signed in {arguments.assure}, from the form in {path}; {_SIGNING_SAYS}"


def _sign(arguments: argparse.Namespace, filled: Path) -> None:
    """Have the office's program sign; it asks for the passphrase itself, so no key or passphrase comes in here."""
    command = [str(Path(sys.executable).parent / "overt-provision"), "assurance", "make", "--home", str(arguments.home)]
    if arguments.passphrase_file is not None:
        command += ["--passphrase-file", str(arguments.passphrase_file)]
    if arguments.pin_file is not None:
        command += ["--pin-file", str(arguments.pin_file)]
    command += [str(filled), "--out", str(arguments.assure)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, preexec_fn=tie_to_parent(os.getpid())
        )  # fmt: skip
    except FileNotFoundError as error:
        raise Failure(
            f"the form is in {filled}, but overt-provision, which signs, is not installed beside this program",
            UNAVAILABLE,
        ) from error
    if done.returncode:
        said = ((done.stderr or done.stdout).strip().splitlines() or ["it said nothing"])[0]
        code = done.returncode if done.returncode in range(NEGATIVE, UNAVAILABLE + 1) else UNAVAILABLE
        raise Failure(f"the form is in {filled}, but it was not signed: {said.removeprefix('overt-provision: ')}", code)
