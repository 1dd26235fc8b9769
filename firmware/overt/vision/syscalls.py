"""Numbers of the system calls that the vision daemon's sandbox decides about, for the two machines it runs on.

Source: Linux 6.5, include/uapi/asm-generic/unistd.h (aarch64) and arch/x86/entry/syscalls/syscall_64.tbl (x86-64).
A call that a machine does not have is None.
"""

from typing import Final

NEWEST: Final = 451
"""The last number that was considered (cachestat). Whatever a later kernel adds does not exist for the daemon."""

_Numbers = tuple[int | None, int | None]

# Talking to anybody new.
_CONTACT: dict[str, _Numbers] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendmmsg": (307, 269),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
# Leaving anything in a file system, or anonymous files that could be handed on.
_KEEPING: dict[str, _Numbers] = {
    "creat": (85, None),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "copy_file_range": (326, 285),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}
# Changing what the file system is.
_MOUNTING: dict[str, _Numbers] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
}
# Becoming, making, touching or reading another process.
_PROCESSES: dict[str, _Numbers] = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "unshare": (272, 97),
    "setns": (308, 268),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kcmp": (312, 272),
}
# Ways round a filter of system calls, and the rest of the kernel's power.
_KERNEL: dict[str, _Numbers] = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "uselib": (134, None),
    "personality": (135, 92),
    "iopl": (172, None),
    "ioperm": (173, None),
}

DENIED: Final = _CONTACT | _KEEPING | _MOUNTING | _PROCESSES | _KERNEL
"""Refused with EPERM, whatever the arguments."""

ABSENT: Final[dict[str, _Numbers]] = {"openat2": (437, 437), "clone3": (435, 435)}
"""Refused with ENOSYS: their arguments lie in memory, where a filter cannot look, and callers fall back."""

JUDGED: Final[dict[str, _Numbers]] = {
    "open": (2, None),
    "openat": (257, 56),
    "sendto": (44, 206),
    "clone": (56, 220),
    "prctl": (157, 167),
}
"""Allowed or refused by their arguments: see `sandbox`."""

SECCOMP: Final[_Numbers] = (317, 277)
"""The call that installs the filter."""
