"""Locks this process, on Linux: no capabilities, no files but those named, no network, no other processes.

Landlock (landlock(7)) keeps the files, a seccomp filter (seccomp(2)) refuses system calls; neither needs a privilege.
What the system does not have is left out, and said.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Iterator
from typing import Any

_CALLS: dict[str, dict[str, Any]] = {
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "clone3": 435,
        "mine": (62, 200, 234, 302),  # kill, tkill, tgkill, prlimit64
        "never": (
            *(
                41,
                57,
                58,
                101,
                310,
                311,
            ),  # socket, fork, vfork, ptrace, process_vm_readv and writev
            *(
                90,
                91,
                92,
                93,
                94,
                132,
                235,
                260,
                261,
                268,
                280,
                452,
            ),  # chmod, chown, utime and their like
            *(188, 189, 190, 197, 198, 199),  # setxattr, removexattr
            *(129, 297, 424, 161, 165, 166, 155, 246, 298, 321, 425, 272, 308, 428, 429, 442),
        ),
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "clone3": 435,
        "mine": (129, 130, 131, 261),
        "never": (
            *(198, 117, 270, 271),
            *(52, 53, 54, 55, 88, 452),
            *(5, 6, 7, 14, 15, 16),
            *(138, 240, 424, 51, 40, 39, 41, 104, 241, 280, 425, 97, 268, 428, 429, 442),
        ),
    },
}
"""Numbers of system calls; behind `never` in the last row: signals with values and by descriptors, chroot, mount, umount,
pivot_root, kexec, perf, bpf, io_uring, unshare, setns, and the newer ways to mount."""

_EPERM, _ENOSYS = 1, 38
_READ = 1 << 2 | 1 << 3
_EXECUTE = 1
_FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
_LANDLOCK = (444, 445, 446)


class _Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def lock_files(readable: Iterable[str], writable: Iterable[str]) -> str:
    """Let this process see nothing but these files and folders, from now on; what is in force then.

    Args:
        readable: files and folders, with all that is in them.
        writable: folders that it may also write in.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges
    abi = libc.syscall(_LANDLOCK[0], None, 0, 1) if sys.platform == "linux" else -1
    if abi < 1:
        return _as_nobody(writable)
    every = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(abi, 16)) - 1
    attributes = struct.pack("<QQQ", every, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    rules = libc.syscall(_LANDLOCK[0], attributes, size, 0)
    for paths, access in ((readable, _READ | _EXECUTE), (writable, every & ~_EXECUTE)):
        for path in paths:
            _allow(libc, rules, path, access & every)
    locked = libc.syscall(_LANDLOCK[2], rules, 0)
    os.close(rules)
    _drop_capabilities(libc)
    return "it sees no files but its own and Python's (Landlock)" if locked == 0 else ""


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        access &= _FILE_ONLY
    libc.syscall(_LANDLOCK[1], rules, 1, struct.pack("<Qi", access, handle), 0)
    os.close(handle)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    libc.capset(struct.pack("<Ii", 0x20080522, 0), bytes(24))


def _as_nobody(writable: Iterable[str]) -> str:
    """Without Landlock: root becomes a user that owns nothing but what it may write in."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return ""
    for folder in writable:
        os.chown(folder, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    return "it runs as nobody"


def die_with_parent() -> None:
    """Be killed when the process that has started this one ends, however that comes; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)


def limit(memory: int, file_size: int) -> None:
    """Bound the memory of this process, and what it writes into a file."""
    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        _bound(which, most)


def limit_time(seconds: float) -> None:
    """Bound the processor time of this process; it is killed then."""
    _bound(resource.RLIMIT_CPU, max(1, round(seconds)))


def _bound(which: int, most: int) -> None:
    hard = resource.getrlimit(which)[1]
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS has no limit on address space
        resource.setrlimit(which, (least, least))


def lock_calls() -> str:
    """Refuse other processes, sockets, signals to others, and changes of what files are; what is in force then."""
    calls = _CALLS.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return ""
    program = b"".join(_program(calls))
    libc = ctypes.CDLL(None, use_errno=True)
    made = _Filter(len(program) // 8, program)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, ctypes.byref(made), 0, 0) != 0:
        return ""
    return "no network, and no processes but itself (seccomp)"


def _program(calls: dict[str, Any]) -> Iterator[bytes]:
    """The filter, in BPF: each instruction is a code, two jumps and a number."""

    def load(offset: int) -> bytes:
        return struct.pack("<HBBI", 0x20, 0, 0, offset)

    def equal(number: int, then: int, otherwise: int) -> bytes:
        return struct.pack("<HBBI", 0x15, then, otherwise, number)

    def end(error: int) -> bytes:
        return struct.pack("<HBBI", 0x06, 0, 0, 0x00050000 | error if error else 0x7FFF0000)

    yield load(4)  # the architecture
    yield equal(calls["arch"], 1, 0)
    yield end(_EPERM)
    yield load(0)  # the call
    yield struct.pack("<HBBI", 0x35, 0, 1, 0x40000000)  # the other calls of x86
    yield end(_EPERM)
    for number in calls["never"]:
        yield equal(number, 0, 1)
        yield end(_EPERM)
    yield equal(calls["clone3"], 0, 1)
    yield end(_ENOSYS)  # then the C library takes clone
    yield equal(calls["clone"], 0, 4)
    yield load(16)  # its flags
    yield struct.pack("<HBBI", 0x45, 0, 1, 0x00010000)  # a thread
    yield end(0)
    yield end(_EPERM)
    for number in calls["mine"]:
        yield equal(number, 0, 5)
        yield load(16)  # whose
        yield equal(os.getpid(), 2, 0)
        yield equal(0, 1 if number in (302, 261) else 0, 0)
        yield end(_EPERM)
        yield end(0)
    yield end(0)
