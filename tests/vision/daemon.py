"""The real daemon in a process of its own."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "build" / "models"

_MAIN = """
import sys
from overt.runtime.cli import Parser, run
from overt.vision.command import add_parser
parser = Parser(prog="overt-camera")
add_parser(parser.add_subparsers(required=True, parser_class=Parser))
sys.exit(run(parser))
"""


def start(run: Path, source: str, *options: str, models: Path = MODELS) -> "subprocess.Popen[str]":
    """Start `overt-camera vision`; its words are to be read from `stderr`."""
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            _MAIN,
            "vision",
            "--run",
            str(run),
            "--models",
            str(models),
            "--source",
            source,
            *options,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(run: Path, source: str, *options: str, models: Path = MODELS) -> tuple[int, str]:
    """Start it where it has to give up at once; return its exit code and its words."""
    process = start(run, source, *options, models=models)
    try:
        _, words = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, words
