"""Why the system refused is told in its words."""

import errno
import socket

import pytest

from server.system_errors import reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(
            OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            "Connection refused",
            id="asyncio's words",
        ),
        pytest.param(
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "Name or service not known",
            id="a resolver's number",
        ),
        pytest.param(ConnectionResetError(), "ConnectionResetError", id="no words at all"),
    ],
)
def test_the_reason_is_one_of_the_system(error: OSError, text: str) -> None:
    assert reason(error) == text
