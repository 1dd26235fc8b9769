"""`overt-tools contract`: writes the JSON Schemas and the AsyncAPI description out of the types, or compares them."""

import argparse
import json
from pathlib import Path

from overt import __version__
from overt.protocol import schema
from overt.runtime.cli import NEGATIVE, OK, Parser


def files() -> dict[str, bytes]:
    """Return the generated files: relative path to content."""
    texts: dict[str, schema.Schema] = {
        f"schema/{name}.schema.json": body for name, body in schema.document_schemas().items()
    }
    texts["asyncapi.json"] = schema.asyncapi(__version__)
    return {name: (json.dumps(body, indent=1, sort_keys=True) + "\n").encode() for name, body in texts.items()}


def stale(folder: Path) -> list[str]:
    """Return the names of files in a folder that are missing or differ from what the types say."""
    return [
        name
        for name, content in files().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]


def add_parser(subparsers: "argparse._SubParsersAction[Parser]") -> None:
    """Register `contract`."""
    parser = subparsers.add_parser(
        "contract",
        help="write JSON Schema and AsyncAPI from the types",
        description="Writes the JSON Schema of every document and the AsyncAPI description, generated from the types.",
        epilog="example:\n  overt-tools contract --check",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/contract"), help="folder (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is not up to date")
    parser.set_defaults(handler=_contract)


def _contract(arguments: argparse.Namespace) -> int:
    if arguments.check:
        names = stale(arguments.out)
        for name in names:
            print(f"not up to date: {arguments.out / name} (run: overt-tools contract)")
        return NEGATIVE if names else OK
    for name, content in files().items():
        path = arguments.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(path)
    return OK
