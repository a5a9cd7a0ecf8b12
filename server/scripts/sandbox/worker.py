"""Runs one script after the other in a worker process, each in a fresh context of the engine.

`host/process.py` starts it as `python -I -S -c …`, without site packages or environment. Its only
descriptor is a socket, which is its standard input.

Rule 1: imports are few, and all are made before `confine`.
Rule 2: `_host` never raises, as the engine makes a SystemError of an exception. It returns an error
as a value, which the files of `js` throw.
Rule 3: the service trusts no frame of this process, and checks all of them.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import _quickjs  # not `quickjs`, which starts a thread

from server import triggers
from server.scripts.protocol import (
    FIRST_TRIGGER,
    RUN_MAX_BYTES,
    SHIM_COLUMN_MIN,
    SHIM_LINE,
    FrameKind,
    FrameReader,
    frame,
    split,
)
from server.scripts.sandbox import explanations
from server.scripts.sandbox.confine import confine
from server.triggers import Trigger

STACK_MAX_BYTES: Final = 1 << 20
"""Max bytes of the stack of the engine."""

RAISED_MAX_CHARS: Final = 8192
"""Max characters of the text and stack of an error that ends the evaluation of a script."""

READ_MAX_BYTES: Final = 1 << 16
"""Max bytes of one read from the socket."""

_TOKEN_FILES: Final = ("user", "userdata", "token")
_CREATION_FILES: Final = ("user", "login", "fields", "creation")
_CREATED_FILES: Final = ("user", "login", "created")
FILES: Final[Mapping[Trigger, tuple[str, ...]]] = {
    triggers.EXTERNAL_POST_AUTHENTICATION: ("login", "fields", "external"),
    triggers.EXTERNAL_PRE_CREATION: _CREATION_FILES,
    triggers.EXTERNAL_POST_CREATION: _CREATED_FILES,
    triggers.PRE_USERINFO: _TOKEN_FILES,
    triggers.PRE_ACCESS_TOKEN: _TOKEN_FILES,
    triggers.INTERNAL_POST_AUTHENTICATION: ("login", "internal"),
    triggers.INTERNAL_PRE_CREATION: _CREATION_FILES,
    triggers.INTERNAL_POST_CREATION: _CREATED_FILES,
    triggers.PRE_SAML_RESPONSE: ("user", "userdata", "saml"),
}
"""The files of `js/` that define `ctx` and `api` of each trigger, and that each context compiles.

The others are parts, which `js/kernel.js` loads at their first use.
"""

_LEADING: Final = "\n" * (SHIM_LINE - 1) + " " * (SHIM_COLUMN_MIN - 1)
"""Stands before our code, which begins with `0,function…` and not with a parenthesis: the engine
reads code in parentheses twice, to see if an arrow follows."""

_ESCAPED: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Characters that Go escapes in JSON; they occur only in strings."""

_EPOCH_TICKS: Final = 0x01B21DD213814000
"""100 ns steps from 1582-10-15 to 1970-01-01 (RFC 9562 section 5.1)."""
_UUID_CHARS: Final = 36
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

_FromEngine: TypeAlias = Any
"""A context, a function or a value of the engine, which does not declare their types."""

_Shim: TypeAlias = Callable[..., Any]


def run_worker(parent: str, memory_max_bytes: str, heap_max_bytes: str) -> None:
    """Confines this process and runs actions until the socket is closed."""
    files = {path.stem: _bare(path) for path in (Path(__file__).parents[1] / "js").glob("*.js")}
    protections = confine(parent=int(parent), memory_max_bytes=int(memory_max_bytes))
    ScriptWorker(files, int(heap_max_bytes)).serve(" ".join(protections).encode())


def _bare(path: Path) -> str:
    """Returns a file as one line, without comments, each of which has its own line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(bare for line in lines if not (bare := line.strip()).startswith("//"))


class ScriptWorker:
    """Runs actions that arrive on the socket."""

    def __init__(self, files: Mapping[str, str], heap_max_bytes: int) -> None:
        self._files = files
        self._codes = {parts: _code(files, parts) for parts in FILES.values()}
        self._heap_max_bytes = heap_max_bytes
        self._reader = FrameReader(size_max=RUN_MAX_BYTES)
        self._logs = False  # True if the last script logged

    def send(self, kind: FrameKind, payload: bytes) -> None:
        data = memoryview(frame(kind, payload))
        while data:
            data = data[os.write(0, data) :]

    def serve(self, protections: bytes) -> None:
        """Runs actions one after the other; prepares a context for the trigger of the last one."""
        parts = FILES[FIRST_TRIGGER]
        while True:
            context, shim = self._fresh(parts)
            self.send(FrameKind.READY, protections)
            kind, payload = self._receive()
            if kind is not FrameKind.RUN:
                sys.exit(f"a frame {kind.name}, expected RUN")
            flags, numbers, setup, name, source = (part.decode() for part in split(payload))
            flow, number = map(int, numbers.split("/"))
            if FILES[flow, number] != parts:
                parts = FILES[flow, number]
                context, shim = self._fresh(parts)
            self._logs = False
            outcome = self._run(context, shim, flags, setup, name, source)
            self.send(FrameKind.DONE, json.dumps(outcome).encode())
            del context, shim

    def _receive(self) -> tuple[FrameKind, bytes]:
        """Returns the next frame; ends the process when the socket is closed."""
        while True:
            data = os.read(0, READ_MAX_BYTES)
            if not data:
                os._exit(0)  # an exception may reach the engine (rule 2)
            for found in self._reader.feed(data):
                return found

    def _fresh(self, parts: tuple[str, ...]) -> tuple[Any, _Shim]:
        """Returns a context that has run no script, with our files in it."""
        context = _quickjs.Context()
        context.set_memory_limit(self._heap_max_bytes)
        context.set_max_stack_size(STACK_MAX_BYTES)
        context.add_callable("host", self._host)
        shim = context.eval(self._codes[parts])
        if self._logs:
            shim("prepareLog")
        return context, shim

    def _host(self, kind: str, text: str) -> str | None:
        """Answers a call of the files of `js`; never raises (rule 2)."""
        if kind == "effect":
            self.send(FrameKind.EFFECT, text.encode())
        elif kind == "log":
            self._logs = True
            self.send(FrameKind.LOG, text.encode())
        elif kind == "fetch":
            self.send(FrameKind.FETCH, text.encode())
            return self._receive()[1].decode()
        elif kind == "secret":
            self.send(FrameKind.SECRET, text.encode())
            return self._receive()[1].decode()
        elif kind == "metadata":
            self.send(FrameKind.METADATA, text.encode())
            return self._receive()[1].decode()
        elif kind == "part":
            return f"{_LEADING}0,function(names){{'use strict';{self._files[text]}}}"
        elif kind == "escape":
            return text.translate(_ESCAPED)
        elif kind in ("uuid1", "uuid4"):
            return _uuid_by_time() if kind == "uuid1" else _uuid(os.urandom(16), 4)
        elif kind in ("uuid3", "uuid5"):
            return _uuid_by_name(text[:_UUID_CHARS], text[_UUID_CHARS:].encode(), int(kind[-1]))
        return None

    def _run(
        self, context: _FromEngine, shim: _Shim, flags: str, setup: str, name: str, source: str
    ) -> dict[str, Any]:
        """Runs an action; returns its report, which is empty on success."""
        try:
            shim("begin", setup)
            if "\0" in source:
                raise _quickjs.JSException("SyntaxError: a NUL character\n")
            with contextlib.suppress(
                TypeError, ValueError
            ):  # the value of its last statement has no Python type
                context.eval(source)
            _finish_jobs(context)
            self.send(FrameKind.EVALUATED, b"")
            named = _global_reader(context, name)
            if flags == "check":
                return {"found": bool(shim("isFunction", named))}
            outcome = shim("call", named)
            _finish_jobs(context)
            return _outcome(shim, outcome, name, source)
        except _quickjs.JSException as error:
            # From the script; or from our code, if memory or stack ran out.
            text, line_break, stack = str(error)[:RAISED_MAX_CHARS].partition("\n")
            return {"raised": _explained(shim, text, stack, name, source) + line_break + stack}
        except MemoryError:
            return {"raised": "out of memory"}


def _code(files: Mapping[str, str], parts: tuple[str, ...]) -> str:
    """Returns the code of a trigger, whose value is the function that takes commands."""
    code = " ".join(files[part] for part in ("kernel", "time", "context", "api", *parts, "run"))
    return f"{_LEADING}0,function(){{'use strict';{code}}}()"


def _outcome(shim: _Shim, outcome: str | bool, name: str, source: str) -> dict[str, Any]:
    """Returns why the call failed or its result is invalid; empty if neither.

    The outcome is that of `call` in `js/run.js`: JSON of a failure; true if a value was returned.
    """
    if isinstance(outcome, str):
        report: dict[str, str] = json.loads(outcome)
        text = _explained(shim, report["text"], report["stack"], name, source)
    elif outcome:
        report = json.loads(shim("verdict"))
        text = explanations.of_result(report["text"], name)
    else:
        return {}
    return report | {"text": text}


def _explained(shim: _Shim, text: str, stack: str, name: str, source: str) -> str:
    """Returns the text, with names of the script added if that helps."""
    try:
        return explanations.of_call(text, stack, name, source, lambda json: shim("explain", json))
    except (_quickjs.JSException, MemoryError):
        return text


def _uuid(octets: bytes | bytearray, version: int) -> str:
    """Returns a UUID (RFC 9562) of 16 octets or more."""
    made = bytearray(octets[:16])
    made[6] = made[6] & 0x0F | version << 4
    made[8] = made[8] & 0x3F | 0x80
    digits = made.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _uuid_by_time() -> str:
    """Returns a UUID of version 1: 100 ns steps since 1582-10-15, and a random node."""
    ticks = (time.time_ns() // 100 + _EPOCH_TICKS).to_bytes(8, "big")
    octets = bytearray(ticks[4:] + ticks[2:4] + ticks[:2] + os.urandom(8))
    octets[10] |= 1
    return _uuid(octets, 1)


def _uuid_by_name(namespace: str, name: bytes, version: int) -> str | None:
    """Returns a UUID of version 3 or 5; None if the namespace is invalid."""
    if not _UUID.fullmatch(namespace):
        return None
    algorithm = hashlib.md5 if version == 3 else hashlib.sha1
    named = bytes.fromhex(namespace.replace("-", "")) + name
    return _uuid(algorithm(named, usedforsecurity=False).digest(), version)


def _finish_jobs(context: _FromEngine) -> None:
    """Runs the pending jobs of promises; drops their errors."""
    while True:
        try:
            if not context.execute_pending_job():
                return
        except _quickjs.JSException:
            continue


def _global_reader(context: _FromEngine, name: str) -> _FromEngine:
    """Returns a function of the engine that reads a global, also a `const` or a `let`."""
    if name.replace("$", "_").isidentifier():
        with contextlib.suppress(_quickjs.JSException):  # a reserved word
            return context.eval(f"() => typeof {name} === 'undefined' ? undefined : {name}")
    return context.eval(f"() => globalThis[{json.dumps(name)}]")
