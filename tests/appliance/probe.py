"""Tries what a daemon must not be able to do, from inside its sandbox, and tells what came of each attempt.

Runs on the machine of the test, in the place of a daemon's program: `probe.py DAEMON`. One line for each attempt:
`PROBE DAEMON ATTEMPT done`, or `... refused REASON`.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

C = ctypes.CDLL(None, use_errno=True)
CALLS = {"bpf": 321, "perf_event_open": 298, "keyctl": 250, "kexec_load": 246, "init_module": 175, "swapon": 167,
         "io_uring_setup": 425, "userfaultfd": 323, "process_vm_readv": 310, "open_by_handle_at": 304,
         "iopl": 172}  # fmt: skip
"""Numbers of system calls on x86-64, for which C has no function."""
PTRACE_ATTACH = 16
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
CAD_OFF = (0xFEE1DEAD, 672274793, 0)
SOMEWHERE = ("10.0.2.2", 9)


def main() -> None:
    """Try everything."""
    daemon = sys.argv[1]
    for name, attempt in sorted(ATTEMPTS.items()):
        try:
            attempt()
            told = "done"
        except OSError as error:
            told = f"refused {errno.errorcode.get(error.errno or 0, str(error))}"
        except Refused as error:
            told = f"refused {error}"
        sys.stdout.write(f"PROBE {daemon} {name} {told}\n")
        sys.stdout.flush()
    sys.stdout.write(f"PROBE {daemon} end\n")


class Refused(Exception):
    """It was not to be had; no system call said so."""


def read_anothers_memory() -> None:
    """Read the first process's, where its own program lies in this one: nothing has to be there."""
    room = ctypes.create_string_buffer(8)
    pieces = (ctypes.c_void_p * 2)(ctypes.addressof(room), 8)
    try:
        call("process_vm_readv", 1, pieces, 1, pieces, 1, 0)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def call(name: str, *arguments: object) -> None:
    """Make a system call by its number."""
    checked(C.syscall(CALLS[name], *arguments))


def checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


def reach_the_network() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.settimeout(5)
        with contextlib.suppress(ConnectionRefusedError, TimeoutError):  # somebody was asked
            line.connect(SOMEWHERE)


def open_socket(family: int, kind: int) -> Callable[[], None]:
    return lambda: socket.socket(family, kind).close()


def write_in(folder: str) -> Callable[[], None]:
    def write() -> None:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass

    return write


def read(path: str) -> Callable[[], None]:
    def look() -> None:
        with Path(path).open("rb", buffering=0) as file:
            os.set_blocking(file.fileno(), False)
            if file.read(1) == b"":  # a file of no use lies over it
                raise Refused("empty")

    return look


def open_device(path: str) -> Callable[[], None]:
    return lambda: os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))


def see_other_processes() -> None:
    own = os.getuid()
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_uid != own:
                    return
    raise Refused("none-seen")


def write_and_run_memory() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_a_set_user_id_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o4755)
        if not Path(file.name).stat().st_mode & 0o4000:
            raise Refused("mode-dropped")


def dump_core() -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
    except ValueError as error:  # so it says that a limit cannot be raised
        raise Refused(str(error).replace(" ", "-")) from error


def become_root() -> None:
    if os.getuid() == 0:
        raise Refused("is-root-already")
    os.setuid(0)


def run_in_real_time() -> None:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def set_the_clock() -> None:
    time.clock_settime(time.CLOCK_REALTIME, time.time())


def trace_another_process() -> None:
    checked(C.ptrace(PTRACE_ATTACH, 1, 0, 0))


ATTEMPTS: dict[str, Callable[[], None]] = {
    "reach-the-network": reach_the_network,
    "listen-on-all-packets": open_socket(17, socket.SOCK_RAW),
    "open-bluetooth": open_socket(31, socket.SOCK_RAW),
    "open-netlink": open_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "open-can": open_socket(socket.AF_CAN, socket.SOCK_RAW),
    "open-vsock": open_socket(40, socket.SOCK_STREAM),
    "write-in-etc": write_in("/etc"),
    "write-in-usr": write_in("/usr"),
    "write-in-boot": write_in("/boot/efi"),
    "write-in-data": write_in("/data"),
    "write-in-home": write_in("/root"),
    "write-in-run": write_in("/run"),
    "write-to-the-state": write_in("/var/lib/overt"),
    "write-to-the-consoles-folder": write_in("/var/lib/overt-console"),
    "write-network-settings": write_in("/etc/NetworkManager/system-connections"),
    "read-the-signing-key": read("/var/lib/overt/keys/signing.key"),
    "read-the-keys-past-the-mount": read("/data/overt/keys/signing.key"),
    "read-shadow": read("/etc/shadow"),
    "read-the-journal": read("/dev/kmsg"),
    "read-the-loaders-state": read("/boot/efi/grubenv"),
    "open-memory": open_device("/dev/mem"),
    "open-the-disk": open_device("/dev/vda"),
    "open-the-cable": open_device("/dev/ttyS1"),
    "open-the-system-console": open_device("/dev/console"),
    "open-the-lamp": open_device("/dev/gpiochip0"),
    "open-uhid": open_device("/dev/uhid"),
    "open-fuse": open_device("/dev/fuse"),
    "open-the-watchdog": open_device("/dev/watchdog"),
    "open-the-kernels-random-seed": open_device("/dev/hwrng"),
    "see-other-processes": see_other_processes,
    "signal-the-first-process": lambda: os.kill(1, 0),
    "trace-another-process": trace_another_process,
    "read-another-processs-memory": read_anothers_memory,
    "mount": lambda: checked(C.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "make-a-user-namespace": lambda: checked(C.unshare(CLONE_NEWUSER)),
    "make-a-network-namespace": lambda: checked(C.unshare(CLONE_NEWNET)),
    "change-its-root": lambda: os.chroot("/usr"),
    "become-root": become_root,
    "set-the-clock": set_the_clock,
    "name-the-machine": lambda: socket.sethostname("probed"),
    "restart-the-machine": lambda: checked(C.reboot(CAD_OFF[2])),
    "load-a-module": lambda: call("init_module", b"", 0, b""),
    "load-a-kernel": lambda: call("kexec_load", 0, 0, 0, 0),
    "run-a-bpf-program": lambda: call("bpf", 0, 0, 0),
    "count-events": lambda: call("perf_event_open", 0, 0, -1, -1, 0),
    "use-a-keyring": lambda: call("keyctl", 0, -3, 1),
    "use-io-uring": lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(256)),
    "catch-page-faults": lambda: call("userfaultfd", 1),
    "open-files-by-handle": lambda: call("open_by_handle_at", -1, 0, 0),
    "swap": lambda: call("swapon", b"/nowhere", 0),
    "reach-ports": lambda: call("iopl", 3),
    "write-and-run-memory": write_and_run_memory,
    "make-a-set-user-id-file": make_a_set_user_id_file,
    "dump-core": dump_core,
    "run-in-real-time": run_in_real_time,
    "act-as-another-system": lambda: checked(C.personality(0x0008)),
}


if __name__ == "__main__":
    main()
