"""Gives the failure of a call the HTTP status that the conditions of its request ask for.

Follows RFC 9110 sections 13.1.1 (If-Match) and 14.2 (Range).
"""

import grpc

from transcoder.call import Call
from transcoder.errors import TranscodeError, precondition_failed, range_not_satisfiable
from transcoder.http.exchange import HttpExchange
from transcoder.http.headers import CONTENT_RANGE, body_headers
from transcoder.registry import Route


def failure_of(
    call: Call, error: TranscodeError, exchange: HttpExchange, route: Route
) -> TranscodeError:
    """Returns the error of a call, released, with its HTTP status."""
    failure = error.released()
    if error.code is grpc.StatusCode.ABORTED and "If-Match" in exchange.headers:
        return precondition_failed(failure)
    if (
        error.code is grpc.StatusCode.OUT_OF_RANGE
        and route.http_body is not None
        and "Range" in exchange.headers
    ):
        length = (pair for pair in body_headers(call.initial_metadata) if pair[0] == CONTENT_RANGE)
        failure.headers = (*failure.headers, *length)
        return range_not_satisfiable(failure)
    return failure
