"""`overt-tools`: the laboratory. It works on labelled data sets and demonstration footage, and is not on a unit."""

import sys
from collections.abc import Sequence

from overt import __version__
from overt.runtime.cli import INTERRUPTED, Parser, run


def parser() -> Parser:
    """Build the command line."""
    from overt_tools.bench.command import add_parser as add_bench  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.broker.command import add_parser as add_broker  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.contract import add_parser as add_contract  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.demo.command import add_parser as add_demo  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.evaluate.command import add_parser as add_evaluate  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.image.command import add_parser as add_image  # noqa: PLC0415 - as above
    from overt_tools.models.command import add_parser as add_models  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.package.command import add_parser as add_package  # noqa: PLC0415 - Ctrl-C while they load is heeded
    from overt_tools.scene.command import add_parser as add_scene  # noqa: PLC0415 - Ctrl-C while they load is heeded

    top = Parser(
        prog="overt-tools",
        description="Overt's laboratory: models, evaluations, benchmarks, footage, brokers, the demonstration.",
        epilog="example:\n  overt-tools demo",
    )
    top.add_argument("--version", action="version", version=f"overt {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for add in (
        add_demo,
        add_scene,
        add_models,
        add_evaluate,
        add_bench,
        add_broker,
        add_contract,
        add_package,
        add_image,
    ):
        add(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    try:
        chosen = parser()
    except KeyboardInterrupt:
        sys.stderr.write("overt-tools: interrupted\n")
        sys.exit(INTERRUPTED)
    sys.exit(run(chosen, arguments))
