"""Writes log lines: one event a line on standard error, as text or as JSON.

Loggers of structlog and of the standard library write the same lines; during a call they have its
request id, and as JSON the ids of its span, or else of the caller's (W3C Trace Context).

Rule: a value never breaks a line. A call neither fails nor waits because of the log
(`server.line_writer`).
"""

import io
import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Final

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from server.config import LogFormat
from server.line_writer import LineWriter
from server.rpc.call_info import CALL
from server.rpc.metadata import metadata_text
from server.tracing.trace_context import TRACE_PARENT, read_trace

_PLAIN: Final = re.compile(r'[^\s"=\x00-\x1f\x7f-\x9f\u2028\u2029]+')
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_GRPC: Final = "grpc._cython.cygrpc"
_CLIENT_LEFT_TEXT: Final = "ExecuteBatchError raised in core"


def set_up(
    log_format: LogFormat,
    *,
    access_log: bool = True,
    worker: int = 0,
    output: io.BytesIO | None = None,
) -> LineWriter:
    """Sends every log line of this process, from level info, to standard error.

    Args:
        log_format: of the lines.
        access_log: without it, the transcoder too logs only warnings.
        worker: the number of the process, in each line; 0 if there is only one.
        output: where the lines go instead.

    Returns:
        The writer of the lines: `flush` it before the process ends.
    """
    render = _json if log_format == "json" else _text
    stream = output or io.FileIO(sys.stderr.fileno(), "w", closefd=False)
    writer = LineWriter(stream, dropped=lambda count: render(None, "", _dropped(count)))
    lines = _Lines(writer)
    structlog.configure(
        processors=[
            _with_request_id,
            *((_with_trace,) if log_format == "json" else ()),
            *((partial(_with_worker, worker),) if worker else ()),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    handler = _ToStructlog()
    handler.addFilter(_is_wanted)
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("transcoder").setLevel(logging.NOTSET if access_log else logging.WARNING)
    return writer


class _Lines:
    """Passes lines to the writer; structlog calls the method of a line's level."""

    def __init__(self, writer: LineWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = writer.write


def _is_wanted(record: logging.LogRecord) -> bool:
    """False for the traceback by which grpc reports that a client left before its answer."""
    return not (record.name == _GRPC and record.getMessage().startswith(_CLIENT_LEFT_TEXT))


class _ToStructlog(logging.Handler):
    """Passes records of the standard library to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            structlog.get_logger().log(
                record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info
            )
        except Exception:  # noqa: BLE001  as every handler: a bad log call must not break its caller
            self.handleError(record)


def _dropped(count: int) -> EventDict:
    time = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    event = "log lines were dropped, as standard error was not read"
    return {"time": time, "level": "warning", "event": event, "lines": count}


def _with_request_id(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    call = CALL.get(None)
    if call is not None and call.request_id:
        event.setdefault("request_id", call.request_id)
    return event


def _with_worker(number: int, _logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    event["worker"] = number
    return event


def _with_trace(_logger: WrappedLogger, _level: str, event: EventDict) -> EventDict:
    """Adds the call's trace, by which a reader of logs finds the lines of all services."""
    call = CALL.get(None)
    if call is not None:
        trace = call.trace or read_trace(metadata_text(call.metadata, TRACE_PARENT))
        if trace is not None:
            event.setdefault("trace_id", trace.trace_id)
            event.setdefault("span_id", trace.span_id)
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
