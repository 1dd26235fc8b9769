"""What a disk holds after a power cut: everything that was synced, and of the rest any part.

A traced run is a list of operations. The model is a journalling file system's: metadata (names, sizes) survives in
order, up to some point after the last sync of anything; data of a file survives up to its own last sync, and of what
was written later any pages do, each perhaps in part.
"""

import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir,mkdirat,rmdir,"
    "writev,pwritev,link,linkat,symlink,fallocate,lseek,sendfile,copy_file_range"
)
SECTOR, PAGE = 512, 4096
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")


@dataclass(frozen=True)
class Operation:
    """One step. `file`: an inode of the model; `path`: a name; `data`: what was written, or a second name."""

    kind: str
    path: str = ""
    file: int = -1
    offset: int = 0
    data: bytes = b""


def trace(command: Sequence[str], output: Path, cwd: Path) -> str:
    """Run a command under strace and return what was traced."""
    options = ["-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(output)]
    done = subprocess.run(["strace", *options, *command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output.read_text()


@dataclass
class _Reader:
    """Turns lines of a trace into operations on the files under one folder."""

    root: str
    operations: list[Operation] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    opened: dict[tuple[str, str], int] = field(default_factory=dict)
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    files: int = 0

    def read(self, text: str) -> None:
        for line in text.splitlines():
            found = _LINE.match(line)
            if found is None:
                assert "unfinished" not in line or self.root.encode().hex() not in line.replace("\\x", ""), line
                continue
            process, (call, arguments, result) = line.split(" ", 1)[0], found.groups()
            if int(result) >= 0:
                self._take(process, call, arguments, int(result))

    def _take(self, process: str, call: str, arguments: str, result: int) -> None:
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
        descriptor = _DESCRIPTOR.match(arguments)
        path = bytes.fromhex(descriptor[2].replace("\\x", "")).decode() if descriptor else ""
        if call == "write" and descriptor and descriptor[1] == "2":
            self.operations += [Operation("promise", path=line) for line in texts[0].decode().splitlines()]
        elif call in {"rename", "unlink", "mkdir", "rmdir"}:
            self._rename_or_remove(call, [text.decode() for text in texts])
        elif call == "openat":
            self._open(process, texts[0].decode(), arguments, result)
        elif path.startswith(self.root):
            self._on_file(process, call, path, arguments, result, texts)

    def _open(self, process: str, path: str, arguments: str, descriptor: int) -> None:
        if not path.startswith(self.root):
            return
        at = (process, str(descriptor))
        self.positions[at] = 0
        if "O_CREAT" in arguments and path not in self.names:
            self.files += 1
            self.names[path] = self.files
            self.operations.append(Operation("create", path, self.files))
        elif "O_TRUNC" in arguments:
            self.operations.append(Operation("truncate", path, self.names[path]))
        self.opened[at] = self.names.get(path, -1)

    def _rename_or_remove(self, call: str, paths: list[str]) -> None:
        if not paths[0].startswith(self.root):
            return
        if call == "rename":
            self.names[paths[1]] = self.names.pop(paths[0])
            self.operations.append(Operation("rename", paths[0], data=paths[1].encode()))
        else:
            self.names.pop(paths[0], None)
            self.operations.append(Operation("mkdir" if call == "mkdir" else "remove", paths[0]))

    def _on_file(self, process: str, call: str, path: str, arguments: str, result: int, texts: list[bytes]) -> None:
        if path.endswith("-shm"):
            return  # never read after a power cut
        at = (process, arguments.split("<", 1)[0])
        file = self.opened.get(at, -1)  # not by its name: it may have been replaced since
        numbers = [int(number) for number in re.findall(r", (\d+)(?=,|$)", arguments)]
        match call:
            case "write":
                offset = self.positions[at]
                self.positions[at] = offset + result
                self.operations.append(Operation("write", path, file, offset, texts[0][:result]))
            case "pwrite64":
                self.operations.append(Operation("write", path, file, numbers[-1], texts[0][:result]))
            case "ftruncate":
                self.operations.append(Operation("truncate", path, file, numbers[-1]))
            case "fsync" | "fdatasync":
                self.operations.append(Operation("sync", path, file))
            case "lseek":
                self.positions[at] = result
            case _:
                raise AssertionError(f"the model knows no {call}")


def operations_of(text: str, root: Path) -> list[Operation]:
    """Return what a trace did to the files under a folder, from its first promise on.

    The folder's files at that time are the first operations, and are on the disk.
    """
    reader = _Reader(str(root))
    for path in sorted(root.rglob("*")):
        reader.operations.append(Operation("mkdir", str(path)) if path.is_dir() else reader_file(reader, path))
    if not reader.operations:
        raise AssertionError(f"expected files in {root}")
    reader.operations.append(Operation("sync", str(root)))
    reader.read(text)
    return reader.operations


def reader_file(reader: _Reader, path: Path) -> Operation:
    """Return the creation of a file that was there before, with its content."""
    reader.files += 1
    reader.names[str(path)] = reader.files
    return Operation("create", str(path), reader.files, data=path.read_bytes())


def after_cut(operations: Sequence[Operation], cut: int, rng: random.Random) -> dict[str, bytes | None]:
    """Return the files (None: a folder) that a disk may hold when power is cut before the operation with this index."""
    done = operations[:cut]
    synced = max((index for index, op in enumerate(done) if op.kind == "sync"), default=-1)
    metadata = rng.randint(synced + 1, cut)
    contents = {op.file: bytearray() for op in done if op.kind == "create"}
    names: dict[str, int | None] = {}
    last_sync = {op.file: index for index, op in enumerate(done) if op.kind == "sync"}
    for index, op in enumerate(done):
        if index < metadata:
            _name(names, op)
        if op.kind == "create":
            contents[op.file][:] = op.data
        elif op.kind == "truncate" and (index < metadata or index < last_sync.get(op.file, -1)):
            _resize(contents[op.file], op.offset)
        elif op.kind == "write" and op.file in contents:
            _write(contents[op.file], op, index < last_sync.get(op.file, -1), rng)
    return {name: None if file is None else bytes(contents[file]) for name, file in names.items()}


def _name(names: dict[str, int | None], op: Operation) -> None:
    if op.kind == "create":
        names[op.path] = op.file
    elif op.kind == "mkdir":
        names[op.path] = None
    elif op.kind == "rename":
        names[op.data.decode()] = names.pop(op.path)
    elif op.kind == "remove":
        names.pop(op.path, None)


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(content: bytearray, op: Operation, durable: bool, rng: random.Random) -> None:
    """Write all of it, or any of its pages, one of them perhaps in part."""
    for start in range(0, len(op.data), PAGE):
        page = op.data[start : start + PAGE]
        if not durable:
            fate = rng.random()
            if fate < 0.4:
                continue
            if fate < 0.6:
                page = page[: rng.randrange(0, len(page), SECTOR)]
        at = op.offset + start
        if len(content) < at + len(page):
            _resize(content, at + len(page))
        content[at : at + len(page)] = page


def materialise(files: dict[str, bytes | None], root: Path, there: Path) -> None:
    """Write files into another folder."""
    for name, content in sorted(files.items()):
        path = there / Path(name).relative_to(root)
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
