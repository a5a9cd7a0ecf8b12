"""Why the system refused is told in its words."""

import errno
import socket

from server.system_errors import reason
from tests.support.tables import cases


@cases(
    "error, text",
    {
        "asyncio's words": (
            OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            "Connection refused",
        ),
        "a resolver's number": (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "Name or service not known",
        ),
        "no words at all": (ConnectionResetError(), "ConnectionResetError"),
    },
)
def test_the_reason_is_one_of_the_system(error: OSError, text: str) -> None:
    assert reason(error) == text
