"""everything.v1.Everythings: each method answers with its request; and tables of what to ask it.

A row of a table is a tuple of steps, each of which says what is asked and what must come of it:
`Exchange` of a served request, `Refusal` of a rule that may not be served at all.
"""

import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc
import pytest
from yarl import URL

from tests.proto import everything_pb2
from tests.proto.everything_pb2 import Everything
from tests.support.transcoder_client import client_of
from transcoder import JsonOptions, Transcoder
from transcoder.errors import SchemaError

SERVICE: Final = "everything.v1.Everythings"
CODES: Final = {400: 3, 404: 5, 405: 12, 415: 3, 501: 12}

Step = Callable[[], Awaitable[None]]
Row = tuple[Step, ...]


def handlers() -> dict[str, Any]:
    """A handler for each method, by its name."""
    made: dict[str, Any] = {}
    coder: Any = {
        "request_deserializer": Everything.FromString,
        "response_serializer": Everything.SerializeToString,
    }
    for method in everything_pb2.DESCRIPTOR.services_by_name["Everythings"].methods:
        if method.client_streaming:
            made[method.name] = grpc.stream_unary_rpc_method_handler(_upload, **coder)
        elif method.server_streaming:
            made[method.name] = grpc.unary_stream_rpc_method_handler(_watch, **coder)
        else:
            made[method.name] = grpc.unary_unary_rpc_method_handler(_echo(method.name), **coder)
    return made


def _echo(name: str) -> Callable[..., Awaitable[Everything]]:
    async def echo(request: Everything, context: Any) -> Everything:
        request.served_by = name
        return request

    return echo


async def _watch(request: Everything, context: Any) -> AsyncIterator[Everything]:
    for _ in range(request.an_int32 or 1):
        yield request
    if request.text:
        await context.abort(grpc.StatusCode.NOT_FOUND, request.text)


async def _upload(requests: AsyncIterator[Everything], context: Any) -> Everything:
    return [request async for request in requests][-1]


@functools.cache
def registered(
    *,
    strict: bool = False,
    service_config: bytes | None = None,
    json: JsonOptions = JsonOptions(),  # noqa: B008  frozen
    ignored: tuple[str, ...] = (),
) -> Transcoder:
    transcoder = Transcoder(
        strict=strict, service_config=service_config, json=json, ignored_query_parameters=ignored
    )
    transcoder.add_registered_method_handlers(SERVICE, handlers())
    return transcoder


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request, and its answer."""

    request: str
    """HTTP method and target, as they are sent."""
    answer: object
    """The JSON, less `servedBy`; None for an answer without a body."""
    body: str = ""
    by: str = ""
    """The method that serves it; any where empty."""
    status: int = 200
    strict: bool = False
    config: bytes | None = None
    json: JsonOptions = JsonOptions()  # noqa: RUF009  frozen
    content_type: str | None = "application/json"
    allow: str | None = None
    ignored: tuple[str, ...] = ()
    """Query parameters that `strict` passes over."""

    async def __call__(self) -> None:
        verb, _, target = self.request.partition(" ")
        headers = {"Content-Type": self.content_type} if self.body and self.content_type else {}
        transcoder = registered(
            strict=self.strict, service_config=self.config, json=self.json, ignored=self.ignored
        )
        async with (
            client_of(transcoder) as session,
            session.request(
                verb,
                URL(target, encoded=True),
                data=self.body.encode() if self.body else None,
                headers=headers,
                skip_auto_headers=["Content-Type"],
            ) as answer,
        ):
            text = await answer.text()
            parsed = json.loads(text) if text else None
            by = parsed.pop("servedBy", "") if isinstance(parsed, dict) else ""
            assert (answer.status, parsed) == (self.status, self.answer), (self.request, parsed)
            assert by == self.by or not self.by, self.request
            assert answer.headers.get("Allow") == self.allow


def refused(request: str, message: str, *, status: int = 400, **rest: Any) -> Exchange:
    """A request that is answered with a google.rpc.Status."""
    answer = {"code": CODES[status], "message": message}
    return Exchange(request, answer, status=status, **rest)


def not_allowed(request: str, allow: str) -> Exchange:
    """A request whose path has other HTTP methods."""
    return refused(request, "Method Not Allowed", status=405, allow=allow)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule, and what is said of it when its method is registered."""

    rule: str
    """YAML, of one line."""
    message: str

    async def __call__(self) -> None:
        method = f"{SERVICE}.NoRule"
        config = f"http: {{rules: [{{selector: {method}, {self.rule}}}]}}".encode()
        with pytest.raises(SchemaError) as caught:
            registered(service_config=config)
        rule = f"service configuration: http.rules[0] ({method}): {method}"
        assert str(caught.value) == self.message.replace("{rule}", rule)


async def run(row: Row) -> None:
    for step in row:
        await step()
