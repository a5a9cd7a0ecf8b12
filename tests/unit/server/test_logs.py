"""Log lines: one event a line, whatever is in it, in both formats and from both kinds of logger."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from server import logs
from server.config import LogFormat


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.getLogger("transcoder").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


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
    logs.set_up("text", output=output)
    structlog.get_logger().info(event, **values)
    assert output.getvalue().decode().endswith("\n")
    assert without_time(output.getvalue().decode()) == f"{line}\n"


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
    logs.set_up("json", output=output)
    structlog.get_logger().info("call", value=value)
    (line,) = output.getvalue().splitlines()
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
def test_without_access_log_doors_tell_only_what_is_worth_a_warning(
    access_log: bool, events: list[str]
) -> None:
    output = io.BytesIO()
    logs.set_up("json", access_log=access_log, output=output)
    logging.getLogger("transcoder.connection").info("refused")
    logging.getLogger("transcoder.connection").error("failed")
    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == events


def test_the_standard_library_logs_into_the_same_lines() -> None:
    output = io.BytesIO()
    logs.set_up("json", output=output)
    token = logs.REQUEST_ID.set("r1")
    logging.getLogger("transcoder.app").warning("lost %s", "it")
    logging.getLogger("transcoder.app").debug("not shown")
    logs.REQUEST_ID.reset(token)
    entry = json.loads(output.getvalue())
    assert entry == {
        "time": entry["time"],
        "level": "warning",
        "event": "lost it",
        "logger": "transcoder.app",
        "request_id": "r1",
    }


@pytest.mark.parametrize(
    ("log_format", "expected"),
    [
        pytest.param("json", b"\\nZeroDivisionError: ", id="a value in JSON"),
        pytest.param("text", b"\nZeroDivisionError: ", id="lines in text"),
    ],
)
def test_a_traceback_is_logged(log_format: LogFormat, expected: bytes) -> None:
    output = io.BytesIO()
    logs.set_up(log_format, output=output)
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logging.getLogger().exception("failed")
    assert expected in output.getvalue()


def test_warnings_are_lines_too() -> None:
    output = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.set_up("text", output=output)
        warnings.warn("careful", stacklevel=1)
    assert b"UserWarning: careful" in output.getvalue()


class Closed(io.BytesIO):
    def write(self, _line: object) -> int:
        raise BrokenPipeError


def test_a_log_that_cannot_be_written_breaks_nothing() -> None:
    logs.set_up("text", output=Closed())
    structlog.get_logger().info("lost")


class Flushed(io.BytesIO):
    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


async def test_lines_of_one_turn_of_the_loop_leave_together() -> None:
    output = Flushed()
    logs.set_up("text", output=output)
    log = structlog.get_logger()
    log.info("one")
    log.info("two")
    assert output.flushes == 0
    await asyncio.sleep(0)
    assert output.flushes == 1
    log.info("three")
    await asyncio.sleep(0)
    assert output.flushes == 2


def test_a_line_outside_of_a_loop_leaves_at_once() -> None:
    output = Flushed()
    logs.set_up("text", output=output)
    structlog.get_logger().info("one")
    assert output.flushes == 1
