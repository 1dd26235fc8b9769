"""Locked in, a process really cannot do what it must not: each thing is tried from inside one that is."""

import json
import platform
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from overt.vision import sandbox, syscalls

# Runs in a process of its own: locks itself in, tries everything, prints what came of it.
_INSIDE = """
import ctypes, errno, json, mmap, os, select, socket, sys, threading
from pathlib import Path
from overt.vision import sandbox

folder, attempts = Path(sys.argv[1]), json.loads(sys.argv[2])
kept = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
inet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
readable = os.open(folder / "old", os.O_RDONLY)
libc = ctypes.CDLL(None, use_errno=True)
pid = os.getpid()
locked = threading.Event()
outcomes = {}

def call(number, *arguments):
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), "syscall")

def attempt(name, what):
    try:
        eval(what)
        outcomes[name] = "done"
    except OSError as error:
        outcomes[name] = errno.errorcode[error.errno]

def older():
    locked.wait()
    attempt("older thread", "socket.socket()")

thread = threading.Thread(target=older)
thread.start()
sandbox.lock()
locked.set()
thread.join()
for name, what in attempts.items():
    attempt(name, what)
    if os.getpid() != pid:
        os._exit(1)
print(json.dumps(outcomes))
"""

NUMBERS = {**syscalls.DENIED, **syscalls.ABSENT, **syscalls.JUDGED}


def number(name: str) -> int:
    found = sandbox.this_machine().number(NUMBERS[name])
    assert found is not None
    return found


FORBIDDEN = {
    "IPv4 socket": "socket.socket(socket.AF_INET)",
    "IPv6 socket": "socket.socket(socket.AF_INET6)",
    "UDP socket": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "unix socket": "socket.socket(socket.AF_UNIX)",
    "netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "vsock": "socket.socket(socket.AF_VSOCK)",
    "pair of sockets": "socket.socketpair()",
    "connect an old socket": "inet.connect(('127.0.0.1', 9))",
    "bind an old socket": "inet.bind(('127.0.0.1', 0))",
    "send to an address": "inet.sendto(b'x', ('127.0.0.1', 9))",
    "listen": "kept[0].listen()",
    "new file": "open(folder / 'new', 'w')",
    "new file, exclusively": "open(folder / 'new', 'x')",
    "write to a file": "open(folder / 'old', 'r+')",
    "append to a file": "open(folder / 'old', 'a')",
    "empty a file on opening": "os.open(folder / 'old', os.O_RDONLY | os.O_TRUNC)",
    "create while opening for reading": "os.open(folder / 'new', os.O_RDONLY | os.O_CREAT)",
    "nameless file": "os.open(folder, os.O_TMPFILE | os.O_RDWR)",
    "reopen for writing": "open(f'/proc/self/fd/{readable}', 'r+b')",
    "write into another's memory": "open('/proc/self/mem', 'r+b')",
    "truncate": "os.truncate(folder / 'old', 0)",
    "rename": "os.rename(folder / 'old', folder / 'new')",
    "link": "os.link(folder / 'old', folder / 'new')",
    "symlink": "os.symlink('old', folder / 'new')",
    "unlink": "os.unlink(folder / 'old')",
    "mkdir": "os.mkdir(folder / 'new')",
    "mkfifo": "os.mkfifo(folder / 'new')",
    "chmod": "os.chmod(folder / 'old', 0o777)",
    "chown": "os.chown(folder / 'old', 0, 0)",
    "touch": "os.utime(folder / 'old')",
    "extended attribute": "os.setxattr(folder / 'old', 'user.x', b'x')",
    "memory file": "os.memfd_create('x')",
    "mount": f"call({number('mount')}, 0, 0, 0, 0, 0)",
    "program": "os.execv('/bin/true', ['true'])",
    "program by descriptor": f"call({number('execveat')}, 0, 0, 0, 0, 0)",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork()",
    "clone without a thread": f"call({number('clone')}, 17, 0, 0, 0, 0)",
    "kill": "os.kill(pid, 0)",
    "trace": f"call({number('ptrace')}, 16, pid, 0, 0)",
    "read another's memory": f"call({number('process_vm_readv')}, pid, 0, 0, 0, 0, 0)",
    "write another's memory": f"call({number('process_vm_writev')}, pid, 0, 0, 0, 0, 0)",
    "another's descriptor": f"call({number('pidfd_getfd')}, 0, 0, 0)",
    "new namespaces": f"call({number('unshare')}, 0x40000000)",
    "io_uring": f"call({number('io_uring_setup')}, 1, 0)",
    "user fault handling": f"call({number('userfaultfd')}, 0)",
    "kernel programs": f"call({number('bpf')}, 0, 0, 0)",
    "performance counters": f"call({number('perf_event_open')}, 0, 0, 0, 0, 0)",
    "another kernel": f"call({number('kexec_load')}, 0, 0, 0, 0)",
    "shared memory": f"call({number('shmget')}, 1, 4096, 0o1600)",
    "dumpable again": f"call({number('prctl')}, 4, 1, 0, 0, 0)",
}
ABSENT = {
    "openat2": f"call({number('openat2')}, 0, 0, 0, 0)",
    "clone3": f"call({number('clone3')}, 0, 0)",
    "a system call of a later kernel": f"call({syscalls.NEWEST + 1})",
}
ALLOWED = {
    "threads": "threading.Thread(target=len, args=((),)).start()",
    "read a file": "open(folder / 'old').read()",
    "read an open file": "os.read(readable, 3) == b'old' or 1 / 0",
    "look at its own descriptors": "os.listdir('/proc/self/fd')",
    "reopen for reading": "open(f'/proc/self/fd/{readable}', 'rb').read()",
    "map a file": "mmap.mmap(readable, 0, prot=mmap.PROT_READ)",
    "map memory": "mmap.mmap(-1, 1 << 20)",
    "send on a connection": "kept[0].send(b'x')",
    "send a descriptor": "socket.send_fds(kept[0], [b'x'], [readable])",
    "receive": "(kept[0].send(b'x'), kept[1].recv(1))",
    "write to standard error": "print('x', file=sys.stderr)",
    "wait": "select.select([], [], [], 0.01)",
    "lock itself in again": "sandbox.lock()",
}


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    folder = tmp_path_factory.mktemp("locked-in")
    (folder / "old").write_text("old")
    attempts = json.dumps({**FORBIDDEN, **ABSENT, **ALLOWED})
    done = subprocess.run(
        [sys.executable, "-c", _INSIDE, str(folder), attempts], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), folder


@pytest.mark.parametrize("name", FORBIDDEN)
def test_p1_locked_in_this_is_refused(name: str, tried: tuple[dict[str, str], Path]) -> None:
    assert tried[0][name] == "EPERM"


def test_p1_locked_in_nothing_was_left_or_changed(tried: tuple[dict[str, str], Path]) -> None:
    folder = tried[1]
    assert [path.name for path in folder.iterdir()] == ["old"]
    assert (folder / "old").read_text() == "old"


@pytest.mark.parametrize("name", ABSENT)
def test_p1_locked_in_these_calls_do_not_exist(name: str, tried: tuple[dict[str, str], Path]) -> None:
    assert tried[0][name] == "ENOSYS"


def test_p1_a_thread_that_was_there_before_is_locked_in_too(tried: tuple[dict[str, str], Path]) -> None:
    assert tried[0]["older thread"] == "EPERM"


@pytest.mark.parametrize("name", ALLOWED)
def test_locked_in_this_still_works(name: str, tried: tuple[dict[str, str], Path]) -> None:
    assert tried[0][name] == "done"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has other system call interfaces to close")
@pytest.mark.parametrize(
    "code",
    [
        "b8 14 00 00 00 cd 80 c3",  # mov eax, getpid of i386; int 0x80
        "b8 27 00 00 40 0f 05 c3",  # mov eax, getpid of x32; syscall
    ],
)
def test_p1_locked_in_another_system_call_interface_is_death(code: str) -> None:
    program = f"""
import ctypes, mmap
from overt.vision import sandbox
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex({code!r}))
enter = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
sandbox.lock()
enter()
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=20, check=False, capture_output=True)
    assert done.returncode == -signal.SIGSYS


def test_an_unknown_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(sandbox.SandboxFailed, match="found riscv64"):
        sandbox.lock()


@pytest.mark.parametrize("machine", sandbox.MACHINES.values(), ids=lambda machine: machine.name)
def test_the_filter_fits_the_kernels_limits_and_jumps_inside_itself(machine: sandbox.Machine) -> None:
    program = list(struct.iter_unpack("<HBBI", sandbox.assemble(machine)))
    assert len(program) <= 4096  # linux/bpf_common.h BPF_MAXINSNS
    assert program[-1] == (0x06, 0, 0, 0x7FFF0000)
    for place, (code, when_true, when_false, _) in enumerate(program):
        if code & 0x07 == 0x05:
            assert place + 1 + max(when_true, when_false) < len(program)


def test_the_two_machines_refuse_the_same_calls_under_their_own_numbers() -> None:
    """What aarch64 lacks are old calls whose newer form it has, which is refused too."""
    newer = {name for name, numbers in NUMBERS.items() if numbers[1] is None}
    assert newer == {
        *{"open", "creat", "rename", "link", "symlink", "unlink", "mkdir", "rmdir", "mknod", "chmod", "chown"},
        *{"lchown", "utime", "utimes", "futimesat", "fork", "vfork", "uselib", "iopl", "ioperm"},
    }
    for column in (0, 1):
        used = [numbers[column] for numbers in NUMBERS.values() if numbers[column] is not None]
        assert len(used) == len(set(used))
        assert max(used) <= syscalls.NEWEST
