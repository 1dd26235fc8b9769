"""Memory that must not leak: locked, kept out of core dumps, sealed for handing on, and wiped."""

import ctypes
import fcntl
import mmap
import os
import resource
from types import TracebackType

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.munlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

# linux/prctl.h, linux/mman.h, linux/fcntl.h
_PR_SET_DUMPABLE = 4
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_F_ADD_SEALS, _F_GET_SEALS = 1033, 1034
_SEAL_SEAL, _SEAL_SHRINK, _SEAL_GROW, _SEAL_WRITE, _SEAL_FUTURE_WRITE = 1, 2, 4, 8, 16
_SEALED = _SEAL_SEAL | _SEAL_SHRINK | _SEAL_GROW | _SEAL_FUTURE_WRITE


class MemoryUnsafe(OSError):
    """The kernel would not protect memory as asked, so nothing secret may be put there."""


def harden_process() -> None:
    """Forbid core dumps and foreign inspection of this process, and ask for all of it to stay out of swap.

    Locking everything is best effort, because an unprivileged user has a small allowance; what holds templates is
    locked piece by piece by `SecretFile` and `lock`, and there a refusal is an error.

    Raises:
        MemoryUnsafe: The process cannot be made undumpable.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise MemoryUnsafe(ctypes.get_errno(), "expected the kernel to make this process undumpable; it refused")
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY or os.geteuid() == 0:
        _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)


def address_of(buffer: memoryview | mmap.mmap | bytearray) -> int:
    """Return the address of a writable buffer's first byte."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def lock(address: int, size: int) -> None:
    """Keep memory out of swap.

    Raises:
        MemoryUnsafe: The kernel refused: the allowance (`ulimit -l`) is used up.
    """
    if _libc.mlock(address, size) != 0:
        raise MemoryUnsafe(
            ctypes.get_errno(),
            f"expected to lock {size:,} bytes in memory; the kernel refused: "
            "raise the limit (ulimit -l, LimitMEMLOCK=)",
        )


def wipe(buffer: bytes | bytearray | memoryview | mmap.mmap) -> None:
    """Overwrite a buffer with zeros, in place.

    A `bytes` object is overwritten too, although Python calls it immutable: it must be one that only the caller holds
    (a decrypted document, say), never a literal or a dictionary key.
    """
    if isinstance(buffer, bytes):
        # A bytes object's content begins where its header ends: sizeof less the content and the closing zero byte.
        header = buffer.__sizeof__() - len(buffer) - 1
        if len(buffer) > 1:  # one-byte and empty strings are shared by the whole interpreter
            ctypes.memset(id(buffer) + header, 0, len(buffer))
        return
    view = memoryview(buffer).cast("B")
    ctypes.memset(address_of(view), 0, view.nbytes)


class SecretFile:
    """An anonymous memory file, locked and kept out of core dumps, whose maker alone can write to it.

    The maker fills `view`, then `seal`s: from then on nobody else who gets the descriptor can write, grow or shrink
    it, and the maker can still `close`, which overwrites it for everybody.
    """

    def __init__(self, name: str, size: int) -> None:
        """Make one.

        Raises:
            MemoryUnsafe: It cannot be locked.
            OSError: No memory or no descriptor left.
        """
        self.size = size
        self.descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, size)
        except BaseException:
            os.close(self.descriptor)
            raise
        self._protect()

    @classmethod
    def adopt(cls, descriptor: int) -> "SecretFile":
        """Take over one that another process made, filled and did not seal. It is closed when that fails.

        Raises:
            MemoryUnsafe: It cannot be locked.
            OSError: Not a memory file, or an empty one.
        """
        file = cls.__new__(cls)
        file.descriptor = descriptor
        file.size = os.fstat(descriptor).st_size
        file._protect()
        return file

    def _protect(self) -> None:
        try:
            self._map = mmap.mmap(self.descriptor, self.size)
        except BaseException:
            os.close(self.descriptor)
            raise
        try:
            lock(address_of(self._map), self.size)
            self._map.madvise(mmap.MADV_DONTDUMP)
        except BaseException:
            self._map.close()
            os.close(self.descriptor)
            raise

    @property
    def view(self) -> memoryview:
        """The whole content, writable by the maker. Release it before `close`."""
        return memoryview(self._map)

    def seal(self) -> None:
        """Forbid every other holder of the descriptor to write, and everybody to resize."""
        fcntl.fcntl(self.descriptor, _F_ADD_SEALS, _SEALED)

    def close(self) -> None:
        """Overwrite the content, for every process that has it mapped, and let go. Calling it twice is fine."""
        if self._map.closed:
            return
        wipe(self._map)
        self._map.close()
        os.close(self.descriptor)

    def __enter__(self) -> "SecretFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def sealed_copy(name: str, data: bytes) -> int:
    """Copy bytes that are no secret (signed or encrypted documents) into a sealed memory file, to be handed on.

    Returns:
        A descriptor that nobody can write to, grow or shrink, the caller's to close.

    Raises:
        OSError: No memory or no descriptor left.
    """
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEALED | _SEAL_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def map_sealed(descriptor: int) -> mmap.mmap:
    """Map a memory file that somebody else made and sealed: read-only, locked, kept out of core dumps.

    The descriptor stays open and is the caller's.

    Raises:
        MemoryUnsafe: It is not sealed against writing and resizing, or cannot be locked.
        OSError: Not a memory file.
    """
    if fcntl.fcntl(descriptor, _F_GET_SEALS) & _SEALED != _SEALED:
        raise MemoryUnsafe(0, "expected a sealed memory file, found one that its holder could still change")
    size = os.fstat(descriptor).st_size
    mapped = mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ)
    try:
        lock(_address_of_readonly(mapped), size)
        mapped.madvise(mmap.MADV_DONTDUMP)
    except BaseException:
        mapped.close()
        raise
    return mapped


class _PyBuffer(ctypes.Structure):
    """CPython's Py_buffer (Include/pybuffer.h), which alone tells the address of a read-only buffer."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


def _address_of_readonly(buffer: mmap.mmap) -> int:
    view = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), 0)
    try:
        return int(view.buf or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))
