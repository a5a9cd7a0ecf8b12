"""One client of the three doors: a request message in, the answer in one form out.

JSON by the method's HTTP rule and protobuf's own json_format, gRPC by grpc.aio, gRPC-Web framed by
hand, after google/api/http.proto and grpc's PROTOCOL-WEB.md.
Rule: nothing of the transcoder or of the server is used, so that no fault cancels itself out.
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, unquote

import aiohttp
import grpc
from google.api.annotations_pb2 import http as http_rule
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status
from yarl import URL

from zitadel import management_pb2
from zitadel.message_pb2 import ErrorDetail

JSON: Final = "json"
GRPC: Final = "grpc"
WEB: Final = "grpc-web"
DOORS: Final = (JSON, GRPC, WEB)

SERVICE: Final = management_pb2.DESCRIPTOR.services_by_name["ManagementService"]
REST_PREFIX: Final = "/management/v1"
DEADLINE_S: Final = 30.0

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_TRAILERS: Final = 0x80
_WEB_HEADERS: Final = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told.

    Attributes:
        code: the gRPC status, 0 for OK.
        message: of the status.
        details: of the status, as (id, message) of each ErrorDetail.
        response: None unless the code is 0.
        metadata: headers and trailers, by lower-case names.
        http_status: 0 from gRPC.
        body: as it came over HTTP.
    """

    code: int
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()
    response: Any = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    http_status: int = 0
    body: bytes = b""

    @property
    def refusal(self) -> tuple[int, str, tuple[tuple[str, str], ...]]:
        """All that a refused caller is told, at every door the same."""
        return self.code, self.message, self.details


class Doors:
    """The client; open within its block."""

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
            self._grpc, options=[("grpc.max_receive_message_length", -1)]
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.session.close()
        await self.channel.close()

    async def call(
        self,
        door: str,
        request: Message,
        *,
        token: str = "",
        org_id: str = "",
        metadata: Mapping[str, str] = _NOTHING,
    ) -> Answer:
        """Call the method whose request this is.

        Args:
            door: one of `DOORS`.
            request: the message; its type names the method.
            token: a bearer token; empty for none.
            org_id: the organisation that the call is about; empty for the caller's own.
            metadata: more headers, by lower-case names.
        """
        method = SERVICE.methods_by_name[request.DESCRIPTOR.name.removesuffix("Request")]
        headers = {
            **({"authorization": f"Bearer {token}"} if token else {}),
            **({"x-zitadel-orgid": org_id} if org_id else {}),
            **metadata,
        }
        if door == JSON:
            return await self._json(method, request, headers)
        if door == WEB:
            return await self._web(method, request, headers)
        return await self._native(method, request, headers)

    async def _json(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        rule = method.GetOptions().Extensions[http_rule]
        verb = rule.WhichOneof("pattern")
        path = _VARIABLE.sub(
            lambda variable: quote(getattr(request, variable[1]), safe=""), getattr(rule, verb)
        )
        body = json_format.MessageToJson(request) if rule.body else None
        url = URL(f"http://{self.http}{REST_PREFIX}{path}", encoded=True)
        named = {**headers, **({"content-type": "application/json"} if rule.body else {})}
        async with self.session.request(verb.upper(), url, data=body, headers=named) as got:
            text = await got.read()
        sent = _lower(got.headers.items())
        if got.status == 200:
            response = json_format.Parse(text, _response(method))
            return Answer(0, "", (), response, sent, got.status, text)
        status = json.loads(text)
        details = tuple((detail["id"], detail["message"]) for detail in status.get("details", []))
        return Answer(
            status["code"], status.get("message", ""), details, None, sent, got.status, text
        )

    async def _web(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        url = URL(f"http://{self.http}{_path(method)}", encoded=True)
        payload = request.SerializeToString()
        framed = b"\0" + len(payload).to_bytes(4, "big") + payload
        async with self.session.post(url, data=framed, headers={**headers, **_WEB_HEADERS}) as got:
            body = rest = await got.read()
        sent, message = _lower(got.headers.items()), b""
        while rest:
            flag, length = rest[0], int.from_bytes(rest[1:5], "big")
            frame, rest = rest[5 : 5 + length], rest[5 + length :]
            if flag & _TRAILERS:
                lines = frame.decode("latin-1").split("\r\n")
                sent |= _lower((name, value.strip()) for name, _, value in map(_split, lines))
            else:
                message = frame
        if sent["grpc-status"] == "0":
            response = type(_response(method)).FromString(message)
            return Answer(0, "", (), response, sent, got.status, body)
        said = unquote(sent.get("grpc-message", ""))
        packed = sent.get("grpc-status-details-bin", "")
        details = _details(base64.b64decode(packed + "=" * (-len(packed) % 4)))
        return Answer(int(sent["grpc-status"]), said, details, None, sent, got.status, body)

    async def _native(
        self, method: MethodDescriptor, request: Message, headers: Mapping[str, str]
    ) -> Answer:
        multi: Any = self.channel.unary_unary(
            _path(method),
            request_serializer=type(request).SerializeToString,
            response_deserializer=type(_response(method)).FromString,
        )
        call = multi(request, metadata=tuple(headers.items()), timeout=DEADLINE_S)
        try:
            response = await call
        except grpc.aio.AioRpcError as error:
            packed = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
            sent = _lower((*error.initial_metadata(), *error.trailing_metadata()))
            code, said = error.code().value[0], error.details() or ""
            return Answer(code, said, _details(packed), None, sent)
        sent = _lower((*await call.initial_metadata(), *await call.trailing_metadata()))
        return Answer(0, "", (), response, sent)


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone with a token, at work in one organisation."""

    doors: Doors
    token: str
    org_id: str

    async def ask(
        self, door: str, request: Message, *, metadata: Mapping[str, str] = _NOTHING
    ) -> Answer:
        return await self.doors.call(
            door, request, token=self.token, org_id=self.org_id, metadata=metadata
        )

    async def get(self, request: Message) -> Any:
        """The response, by gRPC.

        Raises:
            AssertionError: the call was refused.
        """
        answer = await self.ask(GRPC, request)
        assert answer.code == 0, answer
        return answer.response


def _path(method: MethodDescriptor) -> str:
    return f"/{SERVICE.full_name}/{method.name}"


def _response(method: MethodDescriptor) -> Message:
    return GetMessageClass(method.output_type)()


def _details(packed: bytes) -> tuple[tuple[str, str], ...]:
    detail = ErrorDetail()
    found = []
    for any_ in Status.FromString(packed).details:
        assert any_.Unpack(detail), any_.type_url
        found.append((detail.id, detail.message))
    return tuple(found)


def _lower(pairs: Iterable[tuple[str, object]]) -> dict[str, str]:
    return {name.lower(): value for name, value in pairs if isinstance(value, str)}


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")
