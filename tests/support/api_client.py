"""Calls the API over each protocol: a request message in, the answer in one form out.

JSON by the method's HTTP rule and protobuf's own json_format, gRPC by grpc.aio, gRPC-Web framed by
hand, after google/api/http.proto and grpc/doc/PROTOCOL-WEB.md; Connect after its own reference.
Rule: nothing of the transcoder or of the server is used, so that no fault cancels itself out.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, unquote, urlencode

import aiohttp
import grpc
from google.api.annotations_pb2 import http as http_rule
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from yarl import URL

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import execution_pb2, secrets_pb2, versions_pb2
from tests.support.grpc_frames import TRAILERS, framed, split_frame
from zitadel import admin_pb2, management_pb2
from zitadel.message_pb2 import ErrorDetail

JSON: Final = "json"
GRPC: Final = "grpc"
WEB: Final = "grpc-web"
PROTOCOLS: Final = (JSON, GRPC, WEB)
CONNECT: Final = "connect"
"""Connect's unary calls in JSON; test_connect.py alone asks by it."""

REST_PREFIX: Final = "/management/v1"
_REST_PREFIXES: Final = {
    management_pb2.DESCRIPTOR: REST_PREFIX,
    admin_pb2.DESCRIPTOR: "/admin/v1",
    execution_pb2.DESCRIPTOR: "",
    versions_pb2.DESCRIPTOR: "",
    secrets_pb2.DESCRIPTOR: "",
    accounts_pb2.DESCRIPTOR: "",
}
METHODS: Final[Mapping[str, MethodDescriptor]] = {
    method.name: method
    for file in _REST_PREFIXES
    for service in file.services_by_name.values()
    for method in service.methods
}
DEADLINE_S: Final = 30.0

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_WEB_HEADERS: Final = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
_CONNECT_HEADERS: Final = {"content-type": "application/json", "connect-protocol-version": "1"}
_NUMBER_OF_CODE: Final = {code.name.lower(): code.value[0] for code in grpc.StatusCode}
_CODE_OF_HTTP: Final = {
    400: 13,
    401: 16,
    403: 7,
    404: 12,
    **dict.fromkeys((429, 502, 503, 504), 14),
}
"""Codes of gRPC by HTTP status, as in grpc/doc/http-grpc-status-mapping.md."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, in the same form for each protocol.

    Attributes:
        code: the gRPC status, 0 for OK.
        message: of the status.
        details: of the status, as (id, message) of each ErrorDetail.
        response: None unless the code is 0.
        metadata: headers and trailers, by lower-case names.
        http_status: 0 from gRPC.
        body: as it came over HTTP.
        run: the detail of a run that failed.
    """

    code: int
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()
    response: Any = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    http_status: int = 0
    body: bytes = b""
    run: execution_pb2.RunFailure | None = None

    @property
    def refusal(self) -> tuple[int, str, tuple[tuple[str, str], ...]]:
        """Code, message and details of a refusal: the same over every protocol."""
        return self.code, self.message, self.details


class ApiClient:
    """Calls methods over JSON, gRPC and gRPC-Web; open within its block."""

    def __init__(self, *, http: str, grpc: str) -> None:
        """Connect to nothing yet.

        Args:
            http: "host:port" of JSON and gRPC-Web.
            grpc: the same, of gRPC.
        """
        self.http = http
        self._grpc = grpc

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(DEADLINE_S))
        self.channel = grpc.aio.insecure_channel(
            self._grpc,
            options=[
                ("grpc.max_receive_message_length", -1),
                # A connection of its own, as the others have.
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.session.close()
        await self.channel.close()

    async def call(
        self,
        protocol: str,
        request: Message,
        *,
        token: str = "",
        org_id: str = "",
        metadata: Mapping[str, str] = _NOTHING,
        deadline_s: float | None = None,
    ) -> Answer:
        """Call the method whose request this is.

        Args:
            protocol: one of `PROTOCOLS`, or `CONNECT`.
            request: the message; its type names the method.
            token: a bearer token; empty for none.
            org_id: the organisation that the call is about; empty for the caller's own.
            metadata: more headers, by lower-case names.
            deadline_s: what the server is told; None for nothing over HTTP.
        """
        method = _method(request)
        headers = {
            **({"authorization": f"Bearer {token}"} if token else {}),
            **({"x-zitadel-orgid": org_id} if org_id else {}),
            **metadata,
        }
        if protocol == GRPC:
            return await self._native(method, request, headers, deadline_s or DEADLINE_S)
        if deadline_s is not None:
            headers["grpc-timeout"] = f"{int(deadline_s * 1000)}m"
        if protocol == JSON:
            return await self._json(method, request, headers)
        if protocol == CONNECT:
            return await self._connect(method, request, headers)
        return await self._web(method, request, headers)

    async def _json(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        rule = method.GetOptions().Extensions[http_rule]
        verb = rule.WhichOneof("pattern")
        path = _VARIABLE.sub(
            lambda variable: quote(str(getattr(request, variable[1])), safe=""), getattr(rule, verb)
        )
        body = json_format.MessageToJson(request) if rule.body else None
        if not rule.body:
            path += _query(request)
        prefix = _REST_PREFIXES[method.containing_service.file]
        url = URL(f"http://{self.http}{prefix}{path}", encoded=True)
        named = {**headers, **({"content-type": "application/json"} if rule.body else {})}
        async with self.session.request(verb.upper(), url, data=body, headers=named) as got:
            text = await got.read()
        sent = _lower(got.headers.items())
        if got.status == 200:
            response = json_format.Parse(text, _response(method))
            return Answer(0, "", (), response, sent, got.status, text)
        status = json.loads(text)
        packed = json_format.Parse(text, Status()).SerializeToString()
        code, said = status["code"], status.get("message", "")
        return Answer(
            code, said, _details(packed, code, said), None, sent, got.status, text, _run(packed)
        )

    async def _web(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        url = URL(f"http://{self.http}{_path(method)}", encoded=True)
        payload = framed(request.SerializeToString())
        named = {**headers, **_WEB_HEADERS}
        async with self.session.post(url, data=payload, headers=named) as got:
            body = rest = await got.read()
        sent, message = _lower(got.headers.items()), b""
        while rest:
            flags, frame, rest = split_frame(rest)
            if flags & TRAILERS:
                lines = frame.decode("latin-1").split("\r\n")
                sent |= _lower((name, value.strip()) for name, _, value in map(_split, lines))
            else:
                message = frame
        if "grpc-status" not in sent:
            return Answer(_CODE_OF_HTTP.get(got.status, 2), http_status=got.status, body=body)
        if sent["grpc-status"] == "0":
            response = type(_response(method)).FromString(message)
            return Answer(0, "", (), response, sent, got.status, body)
        said = unquote(sent.get("grpc-message", ""))
        encoded = sent.get("grpc-status-details-bin", "")
        packed = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        code = int(sent["grpc-status"])
        return Answer(
            code, said, _details(packed, code, said), None, sent, got.status, body, _run(packed)
        )

    async def _connect(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        url = URL(f"http://{self.http}{_path(method)}", encoded=True)
        body = json_format.MessageToJson(request)
        named = {**headers, **_CONNECT_HEADERS}
        async with self.session.post(url, data=body, headers=named) as got:
            text = await got.read()
        sent = _lower(got.headers.items())
        if got.status == 200:
            response = json_format.Parse(text, _response(method))
            return Answer(0, "", (), response, sent, got.status, text)
        error = json.loads(text)
        code, said = _NUMBER_OF_CODE[error["code"]], error.get("message", "")
        status = Status(code=code, message=said)
        for detail in error.get("details", ()):
            value = base64.b64decode(detail["value"] + "=" * (-len(detail["value"]) % 4))
            status.details.add(type_url=f"type.googleapis.com/{detail['type']}", value=value)
        packed = status.SerializeToString()
        return Answer(code, said, _details(packed, code, said), None, sent, got.status, text)

    async def _native(
        self,
        method: MethodDescriptor,
        request: Message,
        headers: Mapping[str, str],
        deadline_s: float,
    ) -> Answer:
        multi: Any = self.channel.unary_unary(
            _path(method),
            request_serializer=type(request).SerializeToString,
            response_deserializer=type(_response(method)).FromString,
        )
        call = multi(request, metadata=tuple(headers.items()), timeout=deadline_s)
        try:
            response = await call
        except grpc.aio.AioRpcError as error:
            packed = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            sent = _lower((*error.initial_metadata(), *error.trailing_metadata()))
            code, said = error.code().value[0], error.details() or ""
            return Answer(code, said, _details(packed, code, said), None, sent, run=_run(packed))
        sent = _lower((*await call.initial_metadata(), *await call.trailing_metadata()))
        return Answer(0, "", (), response, sent)


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone with a token, at work in one organisation."""

    api: ApiClient
    token: str
    org_id: str

    async def ask(
        self,
        protocol: str,
        request: Message,
        *,
        metadata: Mapping[str, str] = _NOTHING,
        deadline_s: float | None = None,
    ) -> Answer:
        return await self.api.call(
            protocol,
            request,
            token=self.token,
            org_id=self.org_id,
            metadata=metadata,
            deadline_s=deadline_s,
        )

    async def get(self, request: Message) -> Any:
        """The response, by gRPC.

        Raises:
            AssertionError: the call was refused.
        """
        answer = await self.ask(GRPC, request)
        assert answer.code == 0, answer
        return answer.response


def _method(request: Message) -> MethodDescriptor:
    return METHODS[request.DESCRIPTOR.name.removesuffix("Request")]


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def path_fields(request: Message) -> list[str]:
    """The names of the fields that stand in the request's path over REST."""
    rule = _method(request).GetOptions().Extensions[http_rule]
    return _VARIABLE.findall(getattr(rule, rule.WhichOneof("pattern")))


def _query(request: Message) -> str:
    """The other fields, which are scalars, as a query."""
    in_path = path_fields(request)
    pairs = {
        field.json_name: json.dumps(value) if isinstance(value, bool) else value
        for field, value in request.ListFields()
        if field.name not in in_path
    }
    return f"?{urlencode(pairs)}" if pairs else ""


def _response(method: MethodDescriptor) -> Message:
    return GetMessageClass(method.output_type)()


def _details(packed: bytes, code: int, said: str) -> tuple[tuple[str, str], ...]:
    """Returns the details of a status that repeats the code and the message, if there is one."""
    detail = ErrorDetail()
    found = []
    status = Status.FromString(packed)
    assert not packed or (status.code, status.message) == (code, said), status
    for any_ in status.details:
        if not any_.Is(execution_pb2.RunFailure.DESCRIPTOR):
            assert any_.Unpack(detail), any_.type_url
            found.append((detail.id, detail.message))
    return tuple(found)


def _run(packed: bytes) -> execution_pb2.RunFailure | None:
    failure = execution_pb2.RunFailure()
    details = Status.FromString(packed).details
    return failure if any(detail.Unpack(failure) for detail in details) else None


def _lower(pairs: Iterable[tuple[str, object]]) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs if isinstance(value, str)}


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")
