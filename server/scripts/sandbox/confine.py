"""Removes from this process, for good, the rights that running a script does not need.

Follows setrlimit(2), prctl(2), seccomp(2), linux/filter.h and linux/audit.h.

Rule 1: needs no privileges, and later code cannot undo it.
Rule 2: a protection that the system lacks is not an error: the active ones are reported.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from server.scripts.protocol import CPU_MAX_S

NICE: Final = 5
"""Niceness of a worker: scripts yield to the service when both want a core."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_PROT_EXEC: Final = 4

_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050001
"""The call fails with EPERM and the process goes on: a libc may try calls it can do without."""
_KILL: Final = 0x80000000

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_AT_NUMBER, _AT_MACHINE, _AT_PROTECTION = 0, 4, 32


@dataclass(frozen=True, slots=True)
class _Machine:
    """Holds the numbers of system calls, from asm/unistd.h.

    Attributes:
        audit: AUDIT_ARCH_*.
        mapping: mmap and mprotect, allowed unless they make memory executable.
        allowed: calls that Python and the engine need once all is loaded: read and write, memory,
            time, random octets, return from signals, exit.
    """

    audit: int
    mapping: tuple[int, int]
    allowed: dict[str, int]


_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000003E,
        (9, 10),
        {
            "read": 0,
            "write": 1,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "mremap": 25,
            "madvise": 28,
            "exit": 60,
            "gettimeofday": 96,
            "getrusage": 98,
            "sigaltstack": 131,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "exit_group": 231,
            "getrandom": 318,
        },
    ),
    "aarch64": _Machine(
        0xC00000B7,
        (222, 226),
        {
            "read": 63,
            "write": 64,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getrusage": 165,
            "gettimeofday": 169,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "madvise": 233,
            "getrandom": 278,
        },
    ),
}


def confine(*, parent: int, memory_max_bytes: int) -> Iterator[str]:
    """Applies the protections that the system has, and yields the name of each.

    rlimits: limits address space and CPU time; forbids to write files, to open descriptors, to
    start processes, and core dumps.
    parent_death: the kernel kills this process when its parent ends.
    no_new_privs: programs that it starts get no further rights.
    seccomp: only the system calls of `_Machine` are allowed. Others (open, socket, execve, clone,
    kill, ptrace, prctl, ...) fail with EPERM, and memory cannot be made executable. Without it
    (another machine, an old kernel) only the rlimits hold; a script reaches system calls only by a
    fault of the engine.

    Args:
        parent: the process id of the parent.
        memory_max_bytes: max bytes of address space.
    """
    os.nice(NICE)
    for limit, most in (
        (resource.RLIMIT_AS, memory_max_bytes),
        (resource.RLIMIT_CPU, CPU_MAX_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    yield "rlimits"
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
        if os.getppid() != parent:
            sys.exit(0)  # the parent ended before this call
        yield "parent_death"
    if prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        yield "no_new_privs"
    machine = _MACHINES.get(platform.machine())
    if machine is not None and sys.maxsize > 2**32:
        program = b"".join(_program(machine))
        octets = ctypes.create_string_buffer(program, len(program))
        # struct sock_fprog: the number of instructions and their address.
        header = ctypes.create_string_buffer(
            struct.pack("@HP", len(program) // 8, ctypes.addressof(octets))
        )
        if prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(header), 0, 0) == 0:
            yield "seccomp"


def _program(machine: _Machine) -> Iterator[bytes]:
    """Yields the instructions of a filter in classic BPF; jumps count the instructions to skip."""

    def instruction(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_so, if_not, value)

    yield instruction(_LOAD, _AT_MACHINE)
    yield instruction(_EQUAL, machine.audit, if_so=1)
    yield instruction(_RETURN, _KILL)
    yield instruction(_LOAD, _AT_NUMBER)
    numbers = (*machine.allowed.values(), *machine.mapping)
    for index, number in enumerate(numbers):
        ahead = len(numbers) - index - 1
        # Skips the other numbers and "refused": to the check of memory, or past it to "allowed".
        yield instruction(_EQUAL, number, if_so=ahead + (1 if number in machine.mapping else 3))
    yield instruction(_RETURN, _REFUSE)
    yield instruction(_LOAD, _AT_PROTECTION)
    yield instruction(_ANY_BIT, _PROT_EXEC, if_so=1)
    yield instruction(_RETURN, _ALLOW)
    yield instruction(_RETURN, _REFUSE)
