"""The import law of the house (DESIGN: who may import whom), read off the source, so that no run can dodge it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "overt": ROOT / "firmware" / "overt",
    "overt_provisioning": ROOT / "provisioning" / "overt_provisioning",
    "overt_controlroom": ROOT / "controlroom" / "overt_controlroom",
    "overt_tools": ROOT / "tools" / "overt_tools",
}
DAEMONS = {"overt.vision", "overt.warden", "overt.uplink", "overt.console"}
VALUES_OF_PROTOCOL = {"overt.protocol.fields", "overt.protocol.limits", "overt.protocol.vocabulary"}

# What each part may import of ours. A part may always import itself.
ALLOWED = {
    "overt.protocol": set(),
    "overt.runtime": {"overt.protocol"},
    "overt.recognition": VALUES_OF_PROTOCOL,
    "overt.vision": {"overt.protocol", "overt.runtime", "overt.recognition"},
    "overt.warden": {"overt.protocol", "overt.runtime"},
    "overt.uplink": {"overt.protocol", "overt.runtime"},
    "overt.console": {"overt.protocol", "overt.runtime"},
    "overt.cli": {"overt", "overt.runtime", "overt.selftest", *DAEMONS},
    "overt.selftest": {"overt", "overt.protocol", "overt.runtime", "overt.vision", "overt.warden"},
    "overt_provisioning": {"overt", "overt.protocol", "overt.runtime", "overt.recognition"},
    "overt_controlroom": {"overt", "overt.protocol", "overt.runtime"},
    "overt_tools": {"overt", *DAEMONS, "overt.protocol", "overt.runtime", "overt.recognition"},
}
# Heavy or dangerous outside packages, and the only parts that may name them.
RESERVED = {
    "ai_edge_litert": {"overt.recognition", "overt_tools"},
    "av": {"overt.vision", "overt_provisioning", "overt_tools"},
    "cv2": {"overt_tools"},
    "numpy": {"overt.recognition", "overt.vision", "overt_provisioning", "overt_tools"},
    "onnx": {"overt_tools"},
    "onnxruntime": {"overt_tools"},
    "paho": {"overt.runtime"},
    "picamera2": {"overt.vision"},
    "gpiod": {"overt.warden"},
    "serial": {"overt.warden", "overt.runtime", "overt.console", "overt_provisioning"},
    "sqlite3": {"overt.warden", "overt_controlroom", "overt_tools"},
    "rich": {"overt_provisioning", "overt_controlroom", "overt_tools"},
}
# What opens a network connection, and the only parts that may.
NETWORK = {"overt.runtime.mqtt", "overt.runtime.session"}
NETWORKED = {"overt.runtime", "overt.uplink", "overt_controlroom", "overt_provisioning"}


def module_name(path: Path) -> str:
    package, folder = next(item for item in SOURCES.items() if path.is_relative_to(item[1]))
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join([package, *(part for part in parts if part != "__init__")])


def part_of(module: str) -> str:
    top, _, rest = module.partition(".")
    return f"{top}.{rest.split('.')[0]}" if top == "overt" and rest else top


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, function-level imports and relative ones included."""
    module = module_name(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            source = ".".join(filter(None, [base, node.module]))
            found.add(source)
            found |= {f"{source}.{alias.name}" for alias in node.names if is_module(f"{source}.{alias.name}")}
    return found


def is_module(name: str) -> bool:
    top, _, rest = name.partition(".")
    if top not in SOURCES:
        return False
    place = SOURCES[top].joinpath(*rest.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


def all_files() -> list[Path]:
    return sorted(path for folder in SOURCES.values() for path in folder.rglob("*.py"))


def ours(module: str) -> bool:
    return module.partition(".")[0] in SOURCES


def may_import(part: str, module: str) -> bool:
    target = part_of(module)
    if target == part or (target == "overt" and module in {"overt", "overt.__version__"}):
        return True
    allowed = ALLOWED[part]
    return target in allowed or any(module == name or module.startswith(f"{name}.") for name in allowed - {"overt"})


@pytest.mark.parametrize("path", all_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_the_law_of_the_house_allows(path: Path) -> None:
    part = part_of(module_name(path))
    if part == "overt":
        assert not [name for name in imports_of(path) if ours(name)], "the package itself imports nothing"
        return
    broken = {name for name in imports_of(path) if ours(name) and not may_import(part, name)}
    if part == "overt.recognition":
        # `from overt.protocol import limits` names the package too; only its value types are meant.
        broken -= {"overt.protocol"}
    assert not broken
    reserved = {name.partition(".")[0] for name in imports_of(path)} & set(RESERVED)
    assert not {name for name in reserved if part not in RESERVED[name]}
    assert part in NETWORKED or not NETWORK & imports_of(path)


def test_only_one_module_speaks_mqtt() -> None:
    speakers = {module_name(path) for path in all_files() if "paho" in {n.partition(".")[0] for n in imports_of(path)}}
    assert speakers <= {"overt.runtime.mqtt"}


def test_the_law_catches_a_breach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = tmp_path / "overt"
    (house / "uplink").mkdir(parents=True)
    (house / "vision").mkdir()
    culprit = house / "uplink" / "spy.py"
    culprit.write_text("def peek():\n    from ..vision import core\n    import numpy\n")
    monkeypatch.setitem(SOURCES, "overt", house)
    assert imports_of(culprit) == {"overt.vision", "numpy"}
    assert not may_import("overt.uplink", "overt.vision")
    assert "overt.uplink" not in RESERVED["numpy"]


def test_every_folder_of_the_house_is_a_part_with_a_law() -> None:
    parts = {part_of(module_name(path)) for path in all_files()} - {"overt"}
    assert parts <= set(ALLOWED)
