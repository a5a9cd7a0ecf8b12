"""Says in one line why a request to another server got no answer."""

import aiohttp

from server.system_errors import reason


def why_unanswered(error: Exception) -> str:
    """Returns why a request got no answer, for an error of aiohttp's client or of the system."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "cannot connect: its certificate is not trusted"
    if isinstance(error, OSError):
        return f"cannot connect: {reason(error)}"
    return "expected an HTTP answer, got something else or part of one"
