"""Controls one worker process: starts it, sends it an action, ends it at the deadline.

Rule 1: it is started by exec, without environment, and with its socket as the only descriptor.
Rule 2: its frames are untrusted: they are bounded and checked, and an invalid one ends it.
Rule 3: every wait for it has a deadline; its exit is one of the ends of an action.
"""

import asyncio
import importlib.util
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Protocol

import msgspec

from server.scripts.contract import EVALUATE_MAX_NS, Options, Unavailable
from server.scripts.host.effects import EffectError, TooMuch
from server.scripts.protocol import FIRST_TRIGGER, FrameError, FrameKind, FrameReader, frame

START_MAX_S: Final = 10.0
"""Max seconds from the start of a process until it is ready."""

REAP_MIN_S: Final = 0.001
REAP_MAX_S: Final = 0.05
"""Min and max seconds between two polls of a killed process. It exits within some ms, and a thread
or a descriptor that waits for it would cost more."""

SENT_MAX_BYTES: Final = 8 << 20
"""Max bytes that a worker may send in one action."""

_WORKER: Final = f"{__package__.removesuffix('.host')}.sandbox.worker"
_BOOT: Final = (
    "import sys; sys.path += sys.argv[1:3]; "
    f"from {_WORKER} import run_worker; run_worker(*sys.argv[3:])"
)


_NO_ENVIRONMENT: Final[dict[str, str]] = {}


class EndedAtStart(Unavailable):
    """The process exited before it was ready."""


class EndKind(Enum):
    """Names how the process of an action ended it."""

    DONE = "done"
    TIMED_OUT = "timed out"
    DIED = "died"
    FAULT = "fault"


class WorkerReport(msgspec.Struct, frozen=True):
    """Holds a worker's report of the end of an action.

    Attributes:
        text: String(thrown value) of the function; empty if it threw nothing.
        stack: stack of the thrown value, if it has one.
        raised: text and stack of the error that ended the evaluation of the script.
        found: for a check: True if the script has a function of the name.
    """

    text: str = ""
    stack: str = ""
    raised: str = ""
    found: bool = False


@dataclass(frozen=True, slots=True)
class ActionEnd:
    """Describes the end of an action.

    Attributes:
        evaluated: True if the script was evaluated, and so its function called.
        done: the worker's report; empty if it sent none.
        reason: of a fault; the text is for the author of the script.
    """

    end: EndKind
    evaluated: bool
    done: WorkerReport
    reason: str = ""


class Visitor(Protocol):
    """Receives what an action sends while it runs."""

    def effect(self, payload: bytes) -> None:
        """Raises EffectError if the effect is invalid, TooMuch if it is one too many."""

    def log(self, payload: bytes) -> None:
        """Raises EffectError if the line is invalid."""

    def fetch(self, payload: bytes) -> Awaitable[bytes]:
        """Returns the answer; never raises: an error is part of the answer."""

    def secret(self, payload: bytes) -> Awaitable[bytes]:
        """Returns the answer; an error is part of it, unless the payload is invalid."""

    def metadata(self, payload: bytes) -> Awaitable[bytes]:
        """Returns the answer; an error is part of it, unless the payload is invalid."""


_decode_done: Final = msgspec.json.Decoder(WorkerReport).decode


class Process(asyncio.Protocol):
    """Runs actions in one process, one at a time."""

    def __init__(self, child: "subprocess.Popen[bytes]", lost: Callable[["Process"], None]) -> None:
        loop = asyncio.get_running_loop()
        self._child = child
        self._lost = lost
        self._memory = _memory_of(child.pid)
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._ready: asyncio.Future[tuple[str, ...]] = loop.create_future()
        self._ended: asyncio.Future[ActionEnd] | None = None
        self._visitor: Visitor | None = None
        self._fetching: asyncio.Future[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._evaluated = False
        self._sent = 0
        self._is_ended = False
        self.protections: tuple[str, ...] = ()
        self.is_fresh = False
        """True if a fresh context is ready; an action that is sent earlier waits for one."""
        self.trigger = FIRST_TRIGGER
        """Trigger of its last action and its fresh context; another one needs a new context."""
        self.used_at = loop.time()
        self.runs = 0
        self.busy_s = 0.0

    @classmethod
    async def start(cls, options: Options, lost: Callable[["Process"], None]) -> "Process":
        """Starts a process and returns it when it is ready for a script.

        Args:
            options: its limits.
            lost: called when it exits, for any reason.

        Raises:
            EndedAtStart: it exited before it was ready.
            Unavailable: it cannot start, or is not ready in time.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                child = subprocess.Popen(  # noqa: S603, ASYNC220  own command; waits only for exec
                    _command(options),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=_NO_ENVIRONMENT,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            ours.close()
            raise Unavailable(
                f"script worker cannot start: {os.strerror(error.errno or 0)}"
            ) from error
        self = cls(child, lost)
        try:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
            self.protections = await asyncio.wait_for(self._ready, START_MAX_S)
        except TimeoutError:
            raise Unavailable(f"script worker is not ready after {START_MAX_S:g} s") from None
        except FrameError as error:
            raise EndedAtStart(f"script worker did not start: {error}") from error
        finally:
            if self._transport is None:
                ours.close()
            if not self.protections:
                await self.stop()
        return self

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """True if it was killed, or closed its end of the socket; does not ask the system."""
        return self._is_ended

    @property
    def is_alive(self) -> bool:
        """True if it has not exited, also if its end of the socket was closed a moment ago."""
        return not self._is_ended and self._child.poll() is None

    def resident_bytes(self) -> int:
        """Returns its resident memory; 0 if the system does not report it."""
        if self._memory is None:
            return 0
        try:
            pages = os.pread(self._memory, 256, 0).split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * resource.getpagesize()

    async def run(self, payload: bytes, visitor: Visitor, *, timeout_ns: int) -> ActionEnd:
        """Runs one action to its end or its deadline."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._ended = loop.create_future()
        self._visitor = visitor
        self._evaluated = False
        self._sent = 0
        self.used_at = started
        self._deadline = started + timeout_ns / 1e9
        evaluate_s = min(timeout_ns, EVALUATE_MAX_NS) / 1e9
        self._timer = loop.call_at(started + evaluate_s, self._finish, EndKind.TIMED_OUT)
        self.runs += 1
        if not self._is_ended and self._transport is not None:
            self._transport.write(frame(FrameKind.RUN, payload))
        else:
            self._finish(EndKind.DIED)
        try:
            return await self._ended
        finally:
            if not self._ended.done() or self._ended.cancelled():
                self.kill()  # the caller was cancelled
            self._timer.cancel()
            self._ended = self._visitor = None
            self.busy_s += loop.time() - started
            if self._fetching is not None:
                self._fetching.cancel()
                await asyncio.wait((self._fetching,))
                self._fetching = None

    def kill(self) -> None:
        """Kills it; `stop` waits until it exited."""
        self._is_ended = True
        self._child.kill()

    async def stop(self) -> int:
        """Kills it, waits until it exited, and returns its exit code."""
        self.kill()
        if self._transport is not None:
            self._transport.abort()
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None
        pause_s = REAP_MIN_S
        while (status := self._child.poll()) is None:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, REAP_MAX_S)
        return status

    # --- asyncio.Protocol

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(FrameError("it exited"))
        self._finish(EndKind.DIED)
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        self._sent += len(data)
        try:
            if self._sent > SENT_MAX_BYTES:
                raise FrameError(f"more than {SENT_MAX_BYTES} bytes in one action")
            for kind, payload in self._reader.feed(data):
                self._take(kind, payload)
        except TooMuch as error:
            self._finish(EndKind.FAULT, reason=str(error))
        except (FrameError, EffectError, msgspec.DecodeError, UnicodeDecodeError):
            self._finish(EndKind.FAULT)

    def _take(self, kind: FrameKind, payload: bytes) -> None:
        if kind is FrameKind.READY and not self.is_fresh:
            self.is_fresh = True
            if not self._ready.done():
                self._ready.set_result(tuple(payload.decode("ascii", "replace").split()))
            return
        visitor, ended = self._visitor, self._ended
        if visitor is None or ended is None or ended.done() or self._fetching is not None:
            raise FrameError(f"a frame {kind.name} while no action runs")
        match kind:
            case FrameKind.EVALUATED if not self._evaluated and self._timer is not None:
                self._evaluated = True
                self._timer.cancel()
                loop = asyncio.get_running_loop()
                self._timer = loop.call_at(self._deadline, self._finish, EndKind.TIMED_OUT)
            case FrameKind.EFFECT:
                visitor.effect(payload)
            case FrameKind.LOG:
                visitor.log(payload)
            case FrameKind.FETCH:
                self._await(visitor.fetch(payload))
            case FrameKind.SECRET:
                self._await(visitor.secret(payload))
            case FrameKind.METADATA:
                self._await(visitor.metadata(payload))
            case FrameKind.DONE:
                self.is_fresh = False
                done = _decode_done(payload)
                ended.set_result(ActionEnd(EndKind.DONE, self._evaluated, done))
            case _:
                raise FrameError(f"a frame {kind.name} that is not expected")

    def _await(self, answer: Awaitable[bytes]) -> None:
        """Sends the answer when it is there; the worker waits for it."""
        self._fetching = asyncio.ensure_future(answer)
        self._fetching.add_done_callback(self._answer)

    def _answer(self, fetched: "asyncio.Future[bytes]") -> None:
        if fetched.cancelled() or self._fetching is not fetched:
            return
        self._fetching = None
        if fetched.exception() is not None:
            self._finish(EndKind.FAULT)
        elif not self._is_ended and self._transport is not None:
            self._transport.write(frame(FrameKind.ANSWER, fetched.result()))

    def _finish(self, end: EndKind, *, reason: str = "") -> None:
        """Ends the action and its process, without a report of the worker."""
        self.kill()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(ActionEnd(end, self._evaluated, WorkerReport(), reason))


def _memory_of(pid: int) -> int | None:
    """Opens the file that has a process's memory use; opening it for each action costs too much."""
    try:
        return os.open(f"/proc/{pid}/statm", os.O_RDONLY)
    except OSError:
        return None


def _command(options: Options) -> list[str]:
    engine = importlib.util.find_spec("_quickjs")
    if engine is None or engine.origin is None:
        raise Unavailable("quickjs-ng, the engine of scripts, is not installed")
    return [
        *(sys.executable, "-I", "-S", "-c", _BOOT),
        *(str(Path(__file__).parents[3]), str(Path(engine.origin).parent)),
        *(str(os.getpid()), str(options.memory_max_bytes), str(options.heap_max_bytes)),
    ]
