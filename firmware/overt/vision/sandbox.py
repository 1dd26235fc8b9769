"""No network and no disk: a filter of system calls that the vision daemon puts on itself, for good.

Once `lock` has returned, no thread of the process can make a socket, open a file for writing, start a program or a
process, or look into one, and none of that can be undone. What was opened before stays usable: the connection to the
warden, the camera, standard error. Files can still be opened for reading.

The filter is classic BPF as the kernel's seccomp takes it (Documentation/userspace-api/seccomp_filter.rst), assembled
here, because a unit must not need a further library to be safe.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass

from overt.vision import syscalls

# linux/bpf_common.h: instruction classes and modes, as the few combinations used here.
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_IF_EQUAL, _IF_GREATER, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x25, 0x35, 0x45  # BPF_JMP | BPF_J.. | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
# linux/seccomp.h
_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1
_AT_NUMBER, _AT_MACHINE, _AT_ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
# linux/prctl.h, linux/sched.h, asm-generic/fcntl.h (the same on both machines)
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38
_CLONE_THREAD = 0x00010000
_O_TMPFILE_BIT = 0o20000000
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | _O_TMPFILE_BIT
_X32_BIT = 0x40000000
_INSTRUCTION = struct.Struct("<HBBI")


class SandboxFailed(OSError):
    """The process could not be locked in, so it must not touch anything secret."""


@dataclass(frozen=True)
class Machine:
    """A machine that the filter knows.

    Attributes:
        name: As `platform.machine` says it.
        column: Its place in the tables of `syscalls`.
        audit: AUDIT_ARCH_... of linux/audit.h.
    """

    name: str
    column: int
    audit: int

    def number(self, numbers: tuple[int | None, int | None]) -> int | None:
        """Return this machine's number of a system call; None when it has no such call."""
        return numbers[self.column]


MACHINES = {machine.name: machine for machine in (Machine("x86_64", 0, 0xC000003E), Machine("aarch64", 1, 0xC00000B7))}


def this_machine() -> Machine:
    """Return the machine that this process runs on.

    Raises:
        SandboxFailed: Not one that the filter knows: there are no numbers for it.
    """
    name = platform.machine()
    if name not in MACHINES or sys.maxsize < 2**32:
        raise SandboxFailed(
            errno.ENOTSUP,
            f"expected a 64-bit system on {' or '.join(MACHINES)}, found {name}: "
            "vision does not run where it cannot be locked in",
        )
    return MACHINES[name]


def assemble(machine: Machine) -> bytes:
    """Return the filter for a machine: struct sock_filter instructions, little-endian."""
    program = [
        (_LOAD, 0, 0, _AT_MACHINE),
        (_IF_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    if machine.name == "x86_64":  # the x32 interface: the same machine, other numbers
        program += [(_IF_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL_PROCESS)]
    program += [(_IF_GREATER, 0, 1, syscalls.NEWEST), _refuse(errno.ENOSYS)]
    for table, number in ((syscalls.ABSENT, errno.ENOSYS), (syscalls.DENIED, errno.EPERM)):
        for numbers in table.values():
            called = machine.number(numbers)
            if called is not None:
                program += [(_IF_EQUAL, 0, 1, called), _refuse(number)]
    for name, numbers in syscalls.JUDGED.items():
        called = machine.number(numbers)
        if called is not None:
            judgement = _JUDGEMENTS[name]
            program += [(_IF_EQUAL, 0, len(judgement), called), *judgement]
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)


def lock() -> None:
    """Lock this process in: every thread it has and will have. Calling it again adds nothing.

    Raises:
        SandboxFailed: The kernel refused, or the machine is unknown.
    """
    machine = this_machine()
    code = assemble(machine)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise SandboxFailed(ctypes.get_errno(), "expected the kernel to bar new privileges; it refused")
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
    result = libc.syscall(
        ctypes.c_long(machine.number(syscalls.SECCOMP) or 0),
        ctypes.c_uint(_SET_MODE_FILTER),
        ctypes.c_uint(_FLAG_TSYNC),
        ctypes.byref(program),
    )
    if result != 0:  # above zero: the thread that could not be brought under the filter
        raise SandboxFailed(
            ctypes.get_errno() if result < 0 else errno.EBUSY,
            "expected the kernel to take the filter of system calls for all threads; it refused "
            "(is it built with CONFIG_SECCOMP_FILTER?)",
        )


class _Program(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


_Instruction = tuple[int, int, int, int]


def _refuse(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _low(argument: int) -> _Instruction:
    return (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * argument)


def _high(argument: int) -> _Instruction:
    return (_LOAD, 0, 0, _AT_ARGUMENTS + 8 * argument + 4)


def _refuse_bits(argument: int, bits: int) -> list[_Instruction]:
    return [_low(argument), (_IF_ANY_BIT, 0, 1, bits), _refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)]


# What each judged call may do. A judgement always returns: after it the loaded number is gone.
_JUDGEMENTS: dict[str, list[_Instruction]] = {
    "open": _refuse_bits(1, _WRITES),
    "openat": _refuse_bits(2, _WRITES),
    # Sending on a connection, yes; to an address, no: the address, argument 4, has to be null.
    "sendto": [
        _low(4),
        (_IF_EQUAL, 1, 0, 0),
        _refuse(errno.EPERM),
        _high(4),
        (_IF_EQUAL, 1, 0, 0),
        _refuse(errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ],
    # Threads, yes; processes, no.
    "clone": [_low(0), (_IF_ANY_BIT, 1, 0, _CLONE_THREAD), _refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)],
    # Nobody makes the process dumpable again.
    "prctl": [_low(0), (_IF_EQUAL, 0, 1, _PR_SET_DUMPABLE), _refuse(errno.EPERM), (_RETURN, 0, 0, _ALLOW)],
}
