"""Coverage-guided fuzzing as a program: `python -m tests.fuzz.explorer FOLDER RUNS`. It ends with a crash, or well."""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["overt.protocol"]):
    from tests.fuzz import targets


def explore(data: bytes) -> None:
    targets.feed(data)
    targets.feed_sealed(data)


def main() -> None:
    folder, runs = Path(sys.argv[1]), int(sys.argv[2])
    seeds = folder / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for kind, data in targets.SEEDS.items():
        (seeds / kind.value).write_bytes(data)
    (seeds / "topic").write_bytes(b"overt/v1/test-force/unit-1/alert")
    options = [
        f"-runs={runs}",
        "-max_len=8192",
        "-timeout=20",
        f"-artifact_prefix={folder}/",
        "-seed=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(seeds)], explore)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
