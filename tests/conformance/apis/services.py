"""Checks services of Google's APIs, from their descriptors alone: registers, describes, calls them.

A handler answers at random, and keeps the request that it got; the answer has to fit the document.
Each rule of each unary method is called once, by what Google's clients for Python send; a method
without a rule at its own path.
`strict` is on, so a field that is not read is refused.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final

import aiohttp
import grpc
import openapi_spec_validator
import yarl
from google.api import annotations_pb2, httpbody_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from tests.conformance.apis.definitions import Api, api_of, compile_package
from tests.conformance.apis.requests import Request, Requests
from tests.conformance.apis.schemas import AnswerSchemas
from tests.support.transcoder_client import client_of
from transcoder import OpenApi, Transcoder
from transcoder.call import Method
from transcoder.errors import SchemaError
from transcoder.registry import methods_of

_WRITES: Final = ("AppendRows", "FinalizeWriteStream", "FlushRows")
WITHOUT_JSON: Final = {
    "google.cloud.bigquery.storage.v1.BigQueryRead": ("ReadRows",),
    "google.cloud.bigquery.storage.v1beta1.BigQueryStorage": ("ReadRows",),
    "google.cloud.bigquery.storage.v1beta2.BigQueryRead": ("ReadRows",),
    "google.cloud.bigquery.storage.v1.BigQueryWrite": _WRITES,
    "google.cloud.bigquery.storage.v1beta2.BigQueryWrite": _WRITES,
}
"""Methods whose rule has the same route as another one of their service, which is refused."""

SHADOWED: Final = frozenset(
    {"google.firestore.v1.Firestore.GetDocument", "google.firestore.v1beta1.Firestore.GetDocument"}
)
"""Methods whose paths ("documents/*/**") another one has as well, and more narrowly
("documents/*/**/*"): that one gets them."""

_CHUNK: Final = 8
"""Services that a process checks before it takes the next ones."""
_HTTP_BODY: Final = httpbody_pb2.HttpBody.DESCRIPTOR.full_name


@dataclass(slots=True)
class Tally:
    """Counts of what was asked, and what was not as it should be."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.counts += other.counts
        self.faults += other.faults


class Handlers:
    """Handlers of all methods of a service.

    Attributes:
        calls: the method and the request of each.
        answer: of the next call.
    """

    def __init__(self, methods: dict[str, Method]) -> None:
        self.calls: list[tuple[str, Message]] = []
        self.answer: Any = None
        self.by_name = {path.rpartition("/")[2]: self._of(each) for path, each in methods.items()}

    def _of(self, method: Method) -> Any:
        async def unary(request: Message, context: Any) -> Any:
            self.calls.append((method.path, request))
            return self.answer

        if method.client_streaming:
            kind = "stream_stream" if method.server_streaming else "stream_unary"
        else:
            kind = "unary_stream" if method.server_streaming else "unary_unary"
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(unary)


def check_all(names: Sequence[str], report: Callable[[str, Tally], None]) -> Tally:
    """Checks the services of packages, in two processes.

    Args:
        names: of the packages.
        report: is called with each package, and what came of it.
    """
    total = Tally()
    with ProcessPoolExecutor(2) as pool:
        for name in names:
            compile_package(name)
            count = len(api_of(name).services)
            of_package = Tally()
            for tally in pool.map(_chunk, repeat(name), range(0, count, _CHUNK)):
                of_package.add(tally)
            report(name, of_package)
            total.add(of_package)
    return total


def _chunk(name: str, first: int) -> Tally:
    api, total = api_of(name), Tally()
    for number, service in enumerate([*api.services][first : first + _CHUNK], first):
        total.add(asyncio.run(_checked(api, service, number)))
    return total


async def _checked(api: Api, service: str, number: int) -> Tally:
    tally = Tally()
    methods = methods_of(service, api.pool)
    handlers = Handlers(methods)
    without = [f"{service}.{name}" for name in WITHOUT_JSON.get(service, ())]
    transcoder = Transcoder(
        strict=True,
        ignored_query_parameters=("$alt",),
        without_json=without,
        openapi=OpenApi(title=service, descriptor_set=api.comments(service)),
    )
    try:
        transcoder.register(service, handlers.by_name, prefix="", pool=api.pool)
    except SchemaError as error:
        tally.faults.append(f"{service}: {error}")
        return tally
    tally.counts["services registered"] += 1
    async with client_of(transcoder) as session:
        schemas = AnswerSchemas(await _described(session, service, tally))
        requests = Requests(number)
        for method in methods.values():
            if method.client_streaming or method.server_streaming:
                tally.counts["streams, not called"] += 1
                continue
            if method.descriptor.full_name in {*without, *SHADOWED}:
                tally.counts["methods whose routes others have"] += 1
                continue
            tally.counts["unary methods called"] += 1
            for made in _requests(method, requests):
                fault = await _call(session, handlers, method, made, requests, schemas)
                tally.counts["routes called"] += 1
                if fault:
                    tally.faults.append(f"{method.path}: {made.verb} {made.target}: {fault}")
    return tally


async def _described(session: aiohttp.ClientSession, service: str, tally: Tally) -> dict[str, Any]:
    """Returns the document of a service, which is valid."""
    async with session.get("/openapi.json") as answer:
        document: dict[str, Any] = json.loads(await answer.read())
    validator = openapi_spec_validator.OpenAPIV31SpecValidator(document)
    errors = [f"{service}: its document: {error}"[:1000] for error in validator.iter_errors()]
    tally.counts["documents that validate"] += not errors
    tally.faults += errors
    tally.counts["routes no document holds"] += len(document.get("x-unwritten-routes", ()))
    return document


def _requests(method: Method, requests: Requests) -> Iterator[Request]:
    rules = list(_rules(method.descriptor))
    for rule in rules:
        yield requests.ruled(rule, method.request_type)
    if not rules:
        yield requests.unruled(method.path, method.request_type)


def _rules(method: MethodDescriptor) -> Iterator[HttpRule]:
    options = MethodOptions.FromString(method.GetOptions().SerializeToString())
    if options.HasExtension(annotations_pb2.http):
        rule = options.Extensions[annotations_pb2.http]
        yield from (rule, *rule.additional_bindings)


async def _call(
    session: aiohttp.ClientSession,
    handlers: Handlers,
    method: Method,
    made: Request,
    requests: Requests,
    schemas: AnswerSchemas,
) -> str:
    """Returns what is wrong with a call; empty if nothing is."""
    handlers.calls.clear()
    handlers.answer = requests.answer(method.response_type)
    url = yarl.URL(made.target, encoded=True)
    headers = {"Content-Type": made.content_type} if made.body else {}
    async with session.request(made.verb, url, data=made.body or None, headers=headers) as answer:
        status, text = answer.status, await answer.read()
    if status != 200:
        return f"{status} {text[:300]!r} for {made.body[:600]!r}"
    ((path, message),) = handlers.calls
    if path != method.path:
        return f"answered by {path}"
    if _wire(message) != _wire(made.message):
        return f"got {message} for {made.message}"[:2000]
    output = method.descriptor.output_type.full_name
    if output == _HTTP_BODY:
        is_equal = text == handlers.answer.data
        return "" if is_equal else f"answered {text!r} for {handlers.answer}"
    got = json_format.Parse(text, method.response_type())
    if _wire(got) != _wire(handlers.answer):
        return f"answered {text[:1000]!r} for {handlers.answer}"[:2000]
    return schemas.misfit(output, json.loads(text))


def _wire(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
