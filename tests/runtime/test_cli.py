"""The command lines' one parser: what is typed in the wrong place may be a secret, and is not repeated."""

import pytest

from overt.runtime.cli import BAD_INPUT, Parser


def parse(*arguments: str) -> None:
    top = Parser(prog="top")
    command = top.add_subparsers(parser_class=Parser).add_parser("do")
    command.add_argument("--pin-file")
    top.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("do", "--pin", "canary"), "unknown: --pin\n"),
        (("do", "--pin=canary"), "unknown: --pin\n"),
        (("do", "canary"), "more arguments than expected"),
        (("do", "--pin-file", "f", "canary", "--more", "canary"), "unknown: --more\n"),
    ],
)
def test_what_is_not_known_is_named_without_its_value(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(*arguments)
    assert ended.value.code == BAD_INPUT
    said = capsys.readouterr().err
    assert words in said
    assert "canary" not in said
