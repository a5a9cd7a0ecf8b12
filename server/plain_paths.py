"""Mounts what is no method at paths of its own: endpoints of access tokens, targets of a ZITADEL.

Rule: the log has the path as it is registered, never the query.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog

from server.bridge import signature
from server.oauth.discovery import Discovery
from server.oauth.issuer import AUTHORIZATION_PATH, DISCOVERY_PATH, KEYS_PATH, TOKEN_PATH
from server.oauth.tokens import BODY_MAX_BYTES, TokenEndpoint
from server.oauth.web import HttpAnswer
from server.rpc.call_info import CALL, CallInfo
from server.services import target_calls
from server.services.target_calls import TargetCalls
from server.tracing.trace_context import TRACE_PARENT, TRACE_STATE, read_trace
from server.tracing.tracer import Kind, Tracer
from transcoder import PlainAnswer, PlainHandler, PlainRequest, Transcoder

TARGET_PATH: Final = "/targets/{target_id}"

_ABANDONED: Final = "abandoned"
"""The error of a request that was not answered, as its client left."""

_FIRST_FAULT: Final = 500
_JSON_HEADERS: Final = (("Content-Type", "application/json"),)

log = structlog.get_logger()


def mount(
    transcoder: Transcoder,
    tokens: TokenEndpoint,
    discovery: Discovery,
    calls: TargetCalls,
    *,
    access_log: bool,
    tracer: Tracer | None = None,
) -> None:
    """Serves what is no method: endpoints of access tokens, and targets of a ZITADEL.

    Args:
        transcoder: serves them.
        tokens: the endpoint of access tokens.
        discovery: the endpoints that tell where that is.
        calls: of targets.
        access_log: True writes a line for each request to the server's log.
        tracer: makes a span of each request; None makes none.
    """

    def serve(verb: str, path: str, handler: PlainHandler, body_max_bytes: int) -> None:
        if access_log:
            handler = _logged(path, handler)
        if tracer is not None:
            handler = _traced(tracer, verb, path, handler)
        transcoder.handle(verb, path, handler, body_max_bytes=body_max_bytes)

    for verb, path, answer in (
        ("POST", TOKEN_PATH, tokens.answer),
        ("GET", AUTHORIZATION_PATH, discovery.authorize),
        ("GET", KEYS_PATH, discovery.keys),
        ("GET", DISCOVERY_PATH, discovery.metadata),
    ):
        serve(verb, path, _plain(answer), BODY_MAX_BYTES)
    serve("POST", TARGET_PATH, partial(_answer_target, calls), target_calls.BODY_MAX_BYTES)


def _plain(answer: Callable[[PlainRequest], Awaitable[HttpAnswer]]) -> PlainHandler:
    async def handler(request: PlainRequest) -> PlainAnswer:
        return PlainAnswer(*await answer(request))

    return handler


def _logged(path: str, handler: PlainHandler) -> PlainHandler:
    """Returns a handler whose answers are logged, as those of calls are; never the query."""

    async def logged(request: PlainRequest) -> PlainAnswer:
        started = time.perf_counter_ns()
        answer = await handler(request)
        log.info(
            "request",
            method=request.method,
            path=path,
            status=answer.status,
            ms=(time.perf_counter_ns() - started) // 10_000 / 100,
            peer=request.peer,
            request_id=request.request_id,
        )
        return answer

    return logged


def _traced(tracer: Tracer, verb: str, path: str, handler: PlainHandler) -> PlainHandler:
    """Returns a handler whose requests are spans, as calls are.

    Follows the semantic conventions of OpenTelemetry for HTTP servers.
    """

    async def traced(request: PlainRequest) -> PlainAnswer:
        state = ",".join(request.headers.getall(TRACE_STATE, ()))
        parent = read_trace(request.headers.get(TRACE_PARENT, ""), state)
        span = tracer.begin(f"{verb} {path}", Kind.SERVER, parent)
        call = CallInfo(request_id=request.request_id)
        call.trace = span.context
        before = CALL.set(call)
        error = _ABANDONED
        try:
            answer = await handler(request)
            span.attributes["http.response.status_code"] = answer.status
            error = str(answer.status) if answer.status >= _FIRST_FAULT else ""
            return answer
        finally:
            CALL.reset(before)
            span.attributes |= {"http.request.method": verb, "http.route": path}
            tracer.end(span, error=error)

    return traced


async def _answer_target(calls: TargetCalls, request: PlainRequest) -> PlainAnswer:
    """Answers a call of a target."""
    header = request.headers.get(signature.HEADER)
    status, body = await calls.answer(request.variables["target_id"], header, request.body)
    return PlainAnswer(status, body, _JSON_HEADERS)
