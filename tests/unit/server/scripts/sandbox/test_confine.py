"""Tries what a worker may not do, in a process that is confined like one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]

ATTEMPTS = """
import ctypes, mmap, os, resource, signal, socket, sys
sys.path.append(sys.argv[1])
from server.scripts.sandbox.confine import confine

libc = ctypes.CDLL(None, use_errno=True)
TEXT = sys.argv[1] + "/pyproject.toml"
READ, WRITE = os.pipe()
SIZE = 4096

def libc_call(name, *values):
    if getattr(libc, name)(*values) < 0:
        raise OSError(ctypes.get_errno(), "")

def memory_to_execute():
    libc.mmap.restype = ctypes.c_void_p
    if libc.mmap(None, SIZE, 7, 0x22, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "")

ATTEMPTS = {
    "open a file to read": lambda: os.open(TEXT, os.O_RDONLY),
    "open a file to write": lambda: os.open("/tmp/x", os.O_WRONLY | os.O_CREAT),
    "list a folder": lambda: os.listdir("/"),
    "stat": lambda: os.stat("/"),
    "unlink": lambda: os.unlink("/tmp/nothing"),
    "make a folder": lambda: os.mkdir("/tmp/nothing"),
    "socket": lambda: socket.socket(),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "socket pair": lambda: socket.socketpair(),
    "fork": lambda: os.fork() or os._exit(0),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "signal to the parent": lambda: os.kill(os.getppid(), 0),
    "ptrace": lambda: libc_call("ptrace", 16, os.getppid(), 0, 0),
    "prctl": lambda: libc_call("prctl", 4, 1, 0, 0, 0),
    "a pipe": lambda: os.pipe(),
    "duplicate a descriptor": lambda: os.dup(1),
    "memory file": lambda: os.memfd_create("x"),
    "change folder": lambda: os.chdir("/"),
    "another user": lambda: os.setuid(1),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)),
    "read the memory of another": lambda: libc_call("process_vm_readv", 1, 0, 0, 0, 0, 0),
    "memory to execute": memory_to_execute,
    "io_uring": lambda: libc_call("syscall", 425, 1, 0),
    "unshare": lambda: libc_call("unshare", 0x10000000),
    "mount": lambda: libc_call("mount", 0, 0, 0, 0, 0),
    "host name": lambda: os.uname(),
}
said = [",".join(confine(parent=os.getppid(), memory_max_bytes=512 << 20))]
for name, attempt in ATTEMPTS.items():
    try:
        attempt()
        said.append(name + ": done")
    except OSError as error:
        said.append(name + ": " + str(error.errno))
    except ValueError:  # how setrlimit puts EPERM
        said.append(name + ": 1")
    except Exception as error:
        said.append(name + ": " + repr(error))
os.write(1, "\\n".join(said).encode())
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """Runs all attempts, and returns the outcome of each."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ATTEMPTS, str(ROOT)],
        env={},
        stdout=subprocess.PIPE,
        timeout=30,
        check=True,
    )
    first, *lines = done.stdout.decode().splitlines()
    return {"protections": first} | dict(line.split(": ", 1) for line in lines)


def test_every_protection_holds_here(said: dict[str, str]) -> None:
    assert said["protections"] == "rlimits,parent_death,no_new_privs,seccomp"


def test_everything_that_was_tried_is_refused(said: dict[str, str]) -> None:
    # EPERM, by the filter; a descriptor more than there may be is EMFILE without it.
    refused = {name: answer for name, answer in said.items() if answer == "1"}
    assert set(said) - set(refused) == {"protections"}
    assert len(refused) == 26


def test_a_worker_ends_with_its_parent() -> None:
    child = "import time, os, sys; sys.path.append(sys.argv[1]);" \
        "from server.scripts.sandbox.confine import confine;" \
        "list(confine(parent=os.getppid(), memory_max_bytes=1 << 29));" \
        "os.write(1, b'x'); os.read(0, 1)"  # fmt: skip
    parent = (
        "import os, subprocess, sys; r, w = os.pipe();"
        f"c = subprocess.Popen([sys.executable, '-I', '-S', '-c', {child!r}, sys.argv[1]],"
        " stdin=r, stdout=subprocess.PIPE); c.stdout.read(1);"
        "print(c.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", parent, str(ROOT)],
        stdout=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    # Its output was at an end only when both were: the child holds none of it, so ask the kernel.
    pid = int(done.stdout)
    status = Path(f"/proc/{pid}/status")
    for _ in range(1000):
        if not status.exists() or "State:\tZ" in status.read_text(encoding="ascii"):
            return
        os.sched_yield()
    pytest.fail(f"process {pid} outlived its parent")
