"""Log lines: one event a line, whatever is in it, in both formats and from both kinds of logger."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from server import line_writer, logs
from server.config import LogFormat
from server.line_writer import LineWriter
from server.rpc.call_info import CALL, CallInfo

WAIT_S = 10


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("transcoder").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def written(writer: LineWriter, output: io.BytesIO) -> bytes:
    assert writer.flush(WAIT_S)
    return output.getvalue()


def without_time(line: str) -> str:
    return line.partition(" ")[2]


@pytest.mark.parametrize(
    ("event", "values", "line"),
    [
        pytest.param("started", {}, "info     started", id="an event"),
        pytest.param("call", {"code": "OK", "n": 1}, "info     call code=OK n=1", id="values"),
        pytest.param("call", {"q": 'a "b"'}, 'info     call q="a \\"b\\""', id="quotes"),
        pytest.param("call", {"q": ""}, 'info     call q=""', id="empty"),
        pytest.param("call", {"q": "a\nb=c"}, 'info     call q="a\\nb=c"', id="line break"),
        pytest.param("a\r\nb", {}, "info     a\\r\\nb", id="line break in the event"),
        pytest.param("\x1b[31m", {}, "info     \\u001b[31m", id="terminal escape"),
        pytest.param("call", {"q": "\ud800"}, "info     call q=\\ud800", id="lone surrogate"),
        pytest.param("call", {"q": "é\u2028"}, 'info     call q="\\u00e9\\u2028"', id="separator"),
    ],
)
def test_a_line_of_text_is_one_line(event: str, values: dict[str, object], line: str) -> None:
    output = io.BytesIO()
    writer = logs.set_up("text", output=output)
    structlog.get_logger().info(event, **values)
    text = written(writer, output).decode()
    assert without_time(text) == f"{line}\n"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a\nb", id="line break"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(2**70, id="a large integer"),
        pytest.param(None, id="nothing"),
    ],
)
def test_a_line_of_json_keeps_the_value(value: object) -> None:
    output = io.BytesIO()
    writer = logs.set_up("json", output=output)
    structlog.get_logger().info("call", value=value)
    (line,) = written(writer, output).splitlines()
    entry = json.loads(line)
    assert entry.pop("time").endswith("Z")
    assert entry == {"level": "info", "event": "call", "value": value}


@pytest.mark.parametrize(
    ("access_log", "events"),
    [
        pytest.param(True, ["refused", "failed"], id="with"),
        pytest.param(False, ["failed"], id="without"),
    ],
)
def test_without_access_log_only_warnings_are_logged(access_log: bool, events: list[str]) -> None:
    output = io.BytesIO()
    writer = logs.set_up("json", access_log=access_log, output=output)
    logging.getLogger("transcoder.http.connection").info("refused")
    logging.getLogger("transcoder.http.connection").error("failed")
    assert [json.loads(line)["event"] for line in written(writer, output).splitlines()] == events


def test_the_standard_library_logs_into_the_same_lines() -> None:
    output = io.BytesIO()
    writer = logs.set_up("json", output=output)
    token = CALL.set(CallInfo(request_id="r1"))
    logging.getLogger("transcoder.app").warning("lost %s", "it")
    logging.getLogger("transcoder.app").debug("not shown")
    CALL.reset(token)
    entry = json.loads(written(writer, output))
    assert entry == {
        "time": entry["time"],
        "level": "warning",
        "event": "lost it",
        "logger": "transcoder.app",
        "request_id": "r1",
    }


_TRACE = "0af7651916cd43dd8448eb211c80319c"
_SPAN = "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        pytest.param(f"00-{_TRACE}-{_SPAN}-01", (_TRACE, _SPAN), id="of a caller"),
        pytest.param("", (None, None), id="none"),
        pytest.param(f"00-{_TRACE}-{_SPAN}-01\n", (None, None), id="with more behind it"),
        pytest.param(f"00-{_TRACE.upper()}-{_SPAN}-01", (None, None), id="in upper case"),
        pytest.param(f"00-{'0' * 32}-{_SPAN}-01", (None, None), id="an invalid trace"),
        pytest.param(f"00-{_TRACE}-{'0' * 16}-01", (None, None), id="an invalid span"),
    ],
)
def test_json_lines_of_a_call_have_the_trace_of_its_caller(
    given: str, ids: tuple[str | None, str | None]
) -> None:
    output = io.BytesIO()
    writer = logs.set_up("json", output=output)
    token = CALL.set(CallInfo((("traceparent", given),)))
    structlog.get_logger().info("call")
    CALL.reset(token)
    entry = json.loads(written(writer, output))
    assert (entry.get("trace_id"), entry.get("span_id")) == ids


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        pytest.param("json", b"\\nZeroDivisionError: ", id="a value in JSON"),
        pytest.param("text", b"\nZeroDivisionError: ", id="lines in text"),
    ],
)
def test_a_traceback_is_logged(log_format: LogFormat, expected: bytes) -> None:
    output = io.BytesIO()
    writer = logs.set_up(log_format, output=output)
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logging.getLogger().exception("failed")
    assert expected in written(writer, output)


def test_warnings_are_lines_too() -> None:
    output = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        writer = logs.set_up("text", output=output)
        warnings.warn("careful", stacklevel=1)
    assert b"UserWarning: careful" in written(writer, output)


class Closed(io.BytesIO):
    def write(self, _line: object) -> int:
        raise BrokenPipeError


def test_a_log_that_cannot_be_written_breaks_nothing() -> None:
    writer = logs.set_up("text", output=Closed())
    structlog.get_logger().info("lost")
    assert writer.flush(WAIT_S)


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        pytest.param("text", b" warning  log lines were dropped, as standard error", id="text"),
        pytest.param("json", b'"level":"warning","event":"log lines were dropped, as ', id="json"),
    ],
)
def test_dropped_lines_are_reported_in_the_format_of_the_log(
    log_format: LogFormat, expected: bytes
) -> None:
    output = io.BytesIO()
    writer = logs.set_up(log_format, output=output)
    structlog.get_logger().info("too long", text="a" * line_writer.WAITING_MAX_BYTES)
    structlog.get_logger().info("short")
    told, _ = written(writer, output).splitlines()
    assert expected in told


def test_clients_that_leave_grpc_are_no_errors() -> None:
    output = io.BytesIO()
    writer = logs.set_up("text", output=output)
    grpc_log = logging.getLogger("grpc._cython.cygrpc")
    grpc_log.error("ExecuteBatchError raised in core by servicer method [/a.B/C]")
    grpc_log.error("something else")
    (line,) = written(writer, output).decode().splitlines()
    assert "something else" in line
