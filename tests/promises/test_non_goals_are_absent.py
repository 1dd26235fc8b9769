"""What Overt will never do, tested as absent: in the words of the contract, in the commands, and in the code itself."""

import ast
import json
import re
from pathlib import Path

import pytest

from overt.protocol import schema
from overt.protocol.documents import Entry
from overt.protocol.reports import Alert, Health, Status
from tests.test_house import SOURCES, imports_of

FIRMWARE = SOURCES["overt"]
SIGHTED = [FIRMWARE / "vision", FIRMWARE / "recognition"]
# Whatever writes, encodes or shows pictures, or stores arrays.
WRITERS = {
    *("write_bytes", "write_text", "writelines", "imwrite", "imencode", "save", "savez", "tofile", "dump", "dumps"),
    *("write_atomically", "mkstemp", "NamedTemporaryFile", "TemporaryFile", "add_stream", "mux", "symlink_to"),
    *("rename", "replace_file", "mkdir", "touch", "copyfile", "to_image"),
}


def files_of(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def calls_of(path: Path) -> list[tuple[str, ast.Call]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found.append((name, node))
    return found


def properties_of(name: str) -> set[str]:
    body = schema.document_schemas()[name]
    return {prop for definition in body["$defs"].values() for prop in definition.get("properties", {})}


def test_there_is_code_to_look_at() -> None:
    assert len(files_of(*SIGHTED)) > 10


@pytest.mark.parametrize("path", files_of(*SIGHTED), ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_no_recording_whatever_sees_faces_has_no_code_that_writes(path: Path) -> None:
    for name, call in calls_of(path):
        assert name not in WRITERS, f"line {call.lineno} calls {name}"
        if name == "open":
            modes = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            modes += [k.value.value for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
            assert not [mode for mode in modes if re.fullmatch(r"[rwaxbt+]+", mode) and set(mode) & set("wax+")]


@pytest.mark.parametrize("path", files_of(*SIGHTED), ids=lambda path: str(path.relative_to(FIRMWARE)))
def test_no_network_whatever_sees_faces_imports_no_network_library(path: Path) -> None:
    forbidden = ("http", "urllib.request", "requests", "paho", "ssl", "smtplib", "ftplib", "asyncio", "sqlite3")
    assert not [name for name in imports_of(path) if name.startswith(forbidden)]


@pytest.mark.parametrize("type_", [Alert, Status, Health, Entry])
def test_no_inference_of_protected_characteristics(type_: type) -> None:
    fields = set(type_.__struct_fields__) - {"frame_age_ms"}  # type: ignore[attr-defined]  # msgspec
    words = {part for name in fields for part in name.split("_")}
    assert not words & {"age", "sex", "gender", "ethnicity", "race", "skin", "emotion", "religion", "disability"}


def test_no_identifier_for_strangers_and_no_following_between_cameras() -> None:
    for report in ("alert", "status", "health", "checkpoint", "erasure"):
        names = properties_of(report)
        assert not {name for name in names if re.search(r"track_id|person|face_id|embedding|cluster|vector", name)}
    assert {name for name in properties_of("alert") if "track" in name} == {"track_ms", "track_frames"}


def test_no_picture_and_no_name_in_anything_a_unit_publishes() -> None:
    for report in ("alert", "status", "health", "checkpoint", "erasure", "receipt"):
        types = json.dumps(schema.document_schemas()[report])
        assert "contentEncoding" not in types, "bytes travel in no report"
        assert not {name for name in properties_of(report) if re.search(r"image|picture|photo|probe|surname", name)}


def test_no_search_of_past_faces_the_unit_keeps_no_template_to_search() -> None:
    kept = files_of(FIRMWARE / "warden", FIRMWARE / "uplink")
    assert not [
        path for path in kept if {"numpy", "ai_edge_litert", "av"} & {n.partition(".")[0] for n in imports_of(path)}
    ]


def test_no_covert_mode_and_no_just_this_once_switch() -> None:
    for path in files_of(FIRMWARE):
        for name, call in calls_of(path):
            if name == "add_argument":
                options = " ".join(str(arg.value) for arg in call.args if isinstance(arg, ast.Constant))
                assert not re.search(
                    r"force\b|override|skip|no-|covert|silent|debug|insecure|unsafe|ignore|save", options
                )
        text = path.read_text()
        variables = set(re.findall(r"environ(?:\.get)?[(\[]\s*['\"]([A-Z_]+)", text))
        assert variables <= {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "WATCHDOG_USEC", "WATCHDOG_PID"}, path
