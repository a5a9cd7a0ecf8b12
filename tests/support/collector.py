"""Receives traces by OTLP over HTTP, as a collector does, and keeps them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.waiting import until_async

PATH = "/v1/traces"


@dataclass
class Collector:
    """Keeps what arrived, and decides how it answers.

    Attributes:
        url: of the collector, without a path.
        spans: by arrival.
        resources: the attributes of each request's resource.
        headers: of each request.
        status: of the answers; spans are kept with 200 only.
        may_answer: unset, requests wait for it.
    """

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def span(self, name: str, *, trace_id: str = "") -> Span:
        """Waits for the first span of this name."""

        def found() -> list[Span]:
            return [
                span
                for span in self.spans
                if span.name == name and trace_id in ("", span.trace_id.hex())
            ]

        await until_async(lambda: bool(found()))
        return found()[0]

    async def post(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        await self.may_answer.wait()
        if self.status == 200:
            sent = ExportTraceServiceRequest.FromString(await request.read())
            for of_resource in sent.resource_spans:
                self.resources.append(
                    {pair.key: pair.value.string_value for pair in of_resource.resource.attributes}
                )
                for scope in of_resource.scope_spans:
                    self.spans += scope.spans
        return web.Response(status=self.status)


@asynccontextmanager
async def collecting(*, answers: bool = True) -> AsyncIterator[Collector]:
    """Runs a collector on a free port."""
    collector = Collector()
    if answers:
        collector.may_answer.set()
    app = web.Application()
    app.router.add_post(PATH, collector.post)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        collector.url = f"http://{host}:{port}"
        yield collector
    finally:
        collector.may_answer.set()
        await runner.cleanup()


def attributes(span: Span) -> dict[str, str | int]:
    """Returns the attributes of a span by name."""
    return {
        pair.key: pair.value.int_value
        if pair.value.HasField("int_value")
        else pair.value.string_value
        for pair in span.attributes
    }
