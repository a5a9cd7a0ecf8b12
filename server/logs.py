"""Log lines: one event a line on standard error, as text or as JSON.

structlog's loggers and those of the standard library end in the same lines, with the request id
while a call lasts.

Rule: a value never breaks a line, and a log that cannot be written never breaks a call.
"""

import asyncio
import contextlib
import json
import logging
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import BinaryIO, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from server.config import LogFormat

_PLAIN: Final = re.compile(r'[^\s"=\x00-\x1f\x7f-\x9f\u2028\u2029]+')
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Of the call under way; empty outside of calls."""


def set_up(
    log_format: LogFormat, *, access_log: bool = True, output: BinaryIO | None = None
) -> None:
    """Send every log line of this process, from level info, to standard error.

    Without access log, the doors too say only what is worth a warning.
    """
    render: Processor = _json if log_format == "json" else _text
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_factory(output or sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers = [_ToStructlog()]
    root.setLevel(logging.INFO)
    logging.getLogger("transcoder").setLevel(logging.NOTSET if access_log else logging.WARNING)


class _Output:
    """Writes whole lines, those of one turn of a loop together.

    Its methods are named as structlog calls its loggers, by level.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._flushed_by: asyncio.AbstractEventLoop | None = None

    def write(self, line: bytes) -> None:
        # A full disk or a closed pipe is no reason to fail what is being logged.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._flush()
            return
        if self._flushed_by is not loop:
            self._flushed_by = loop
            loop.call_soon(self._flush)

    debug = info = warning = error = critical = write

    def _flush(self) -> None:
        self._flushed_by = None
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _factory(stream: BinaryIO) -> Callable[..., _Output]:
    output = _Output(stream)
    return lambda *_: output


class _ToStructlog(logging.Handler):
    """Hands the standard library's records on."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001  as every handler: a bad log call must not break its caller
            self.handleError(record)


def _with_request_id(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    if request_id := REQUEST_ID.get():
        event.setdefault("request_id", request_id)
    return event


def _json(_logger: WrappedLogger, _level: str, event: EventDict) -> bytes:
    line = {
        "time": event.pop("time"),
        "level": event.pop("level"),
        "event": event.pop("event"),
        **event,
    }
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # A lone surrogate, or an integer over 64 bits: escaped, as orjson does not.
        return json.dumps(line, default=str).encode() + b"\n"


def _text(_logger: WrappedLogger, _level: str, event: EventDict) -> bytes:
    time, level, text = event.pop("time"), event.pop("level"), str(event.pop("event"))
    exception = event.pop("exception", "")
    pairs = "".join(f" {name}={_value(value)}" for name, value in event.items())
    line = f"{time} {level:<8} {_UNPRINTABLE.sub(_escaped, text)}{pairs}\n"
    if exception:
        line += f"{exception}\n"
    return line.encode(errors="backslashreplace")


def _value(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]
