"""Calls a method over JSON, gRPC or gRPC-Web, and returns the answer as JSON.

Follows google/api/http.proto for JSON, and grpc/doc/PROTOCOL-WEB.md for gRPC-Web.

Rule: does not use the transcoder: a fault in it would affect both sides, and not show.
"""

import base64
import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import quote, unquote, urlencode

import grpc
from google.api.annotations_pb2 import http as http_extension
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import execution_pb2, secrets_pb2, versions_pb2
from server.config import Address, SocketPath
from zitadel import admin_pb2, management_pb2, message_pb2

_MANAGEMENT: Final = management_pb2.DESCRIPTOR.services_by_name["ManagementService"]
_ADMIN: Final = admin_pb2.DESCRIPTOR.services_by_name["AdminService"]
_EXECUTION: Final = execution_pb2.DESCRIPTOR.services_by_name["ExecutionService"]
_VERSIONS: Final = versions_pb2.DESCRIPTOR.services_by_name["VersionService"]
_SECRETS: Final = secrets_pb2.DESCRIPTOR.services_by_name["SecretService"]
_ACCOUNTS: Final = accounts_pb2.DESCRIPTOR.services_by_name["AdminService"]
METHODS: Final[Mapping[str, MethodDescriptor]] = {
    method.name: method
    for service in (_MANAGEMENT, _ADMIN, _EXECUTION, _VERSIONS, _SECRETS, _ACCOUNTS)
    for method in service.methods
}
"""All methods by name; no two share one."""

_REST_PREFIX: Final = {_MANAGEMENT.full_name: "/management/v1", _ADMIN.full_name: "/admin/v1"}
# Imported so that json_format finds the types of details of a status.
_DETAILS: Final = (message_pb2.ErrorDetail, execution_pb2.RunFailure)

_VARIABLE: Final = re.compile(r"\{([\w.]+)(?:=[^}]*)?\}")
_TRAILERS: Final = 0x80
_DEADLINE_EXCEEDED: Final = 4
_LOCALHOST: Final = "localhost"
_GRACE_S: Final = 2.0
"""Seconds by which the client waits longer, so that the server reports the deadline."""

_TIMEOUT_MAX_MS: Final = 99_999_999
"""Max milliseconds of grpc-timeout, which has at most 8 digits."""

# grpc/doc/http-grpc-status-mapping.md; any other status is UNKNOWN.
_CODE_OF_HTTP: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_UNKNOWN: Final = 2
_UNAUTHENTICATED: Final = 16


_MISSING_ANSWERS: Final = {
    http.client.RemoteDisconnected: "none",
    http.client.IncompleteRead: "a part of one",
}
"""Text for what came in place of an answer, by error."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Says whom to trust, and who calls.

    Attributes:
        authorities: a file of certificates in PEM; None trusts those that the system does.
        certificate, key: the caller's, in PEM, for a server that asks; None for none.
    """

    authorities: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Returns the context of a client.

        Raises:
            OSError: a file cannot be read, or has not what it should.
        """
        context = ssl.create_default_context(cafile=self.authorities)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def credentials(self) -> grpc.ChannelCredentials:
        """Returns the same for gRPC.

        Raises:
            OSError: a file cannot be read.
        """
        path = self.authorities or ssl.get_default_verify_paths().cafile
        files = (path, self.key or self.certificate, self.certificate)
        return grpc.ssl_channel_credentials(
            *(Path(file).read_bytes() if file else None for file in files)
        )


@dataclass(frozen=True, slots=True)
class ClientCall:
    """Describes one call, for any protocol.

    Attributes:
        headers: with lower-case names; metadata for gRPC.
        tls: whom to trust; None calls without TLS.
    """

    address: Address | SocketPath
    method: MethodDescriptor
    message: Message
    headers: Mapping[str, str]
    timeout_s: float
    tls: Tls | None = None

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    @property
    def rest_prefix(self) -> str:
        """Returns the prefix of the path of its HTTP rule."""
        return _REST_PREFIX.get(self.method.containing_service.full_name, "")


class CallFailed(Exception):
    """The answer is a status other than OK.

    Attributes:
        status: a google.rpc.Status as JSON.
    """

    def __init__(self, status: object) -> None:
        super().__init__(status)
        self.status = status

    @property
    def is_unauthenticated(self) -> bool:
        return isinstance(self.status, dict) and self.status.get("code") == _UNAUTHENTICATED


Send: TypeAlias = Callable[[ClientCall], object]
"""Sends a call, and returns the answer as JSON."""


def over_json(call: ClientCall) -> object:
    """Calls by the method's HTTP rule.

    Raises:
        CallFailed: the answer is a status.
        OSError: there is no answer.
        ValueError, DecodeError: the answer is not of this protocol.
    """
    rule = call.method.GetOptions().Extensions[http_extension]
    pattern = rule.WhichOneof("pattern")
    verb, template = pattern.upper(), getattr(rule, pattern)
    fields: dict[str, object] = json_format.MessageToDict(
        call.message, preserving_proto_field_name=True
    )
    path = _VARIABLE.sub(lambda match: quote(str(fields.pop(match[1], "")), safe=""), template)
    body = b""
    if rule.body:
        body = json.dumps(fields if rule.body == "*" else fields.pop(rule.body, None)).encode()
    if rule.body != "*" and fields:
        path += "?" + urlencode({name: _text(value) for name, value in fields.items()}, doseq=True)
    headers = {**call.headers, "content-type": "application/json"}
    status, _, answer = _exchange(call, verb, call.rest_prefix + path, headers, body)
    try:
        value: object = json.loads(answer)
    except ValueError:
        raise CallFailed(_http_status(status)) from None
    if status != http.client.OK:
        raise CallFailed(value)
    return value


def over_grpc_web(call: ClientCall) -> object:
    """Calls by gRPC-Web.

    Raises:
        CallFailed: the answer is a status.
        OSError: there is no answer.
        ValueError, DecodeError: the answer is not of this protocol.
    """
    content_type = "application/grpc-web+proto"
    headers = {
        **call.headers,
        "content-type": content_type,
        "accept": content_type,
        "x-grpc-web": "1",
    }
    payload = call.message.SerializeToString()
    body = b"\0" + len(payload).to_bytes(4, "big") + payload
    http_status, answer_headers, answer = _exchange(call, "POST", call.path, headers, body)
    message, trailers = b"", answer_headers
    while answer:
        flag, length = answer[0], int.from_bytes(answer[1:5], "big")
        frame, answer = answer[5 : 5 + length], answer[5 + length :]
        if flag & _TRAILERS:
            lines = frame.decode("latin-1").split("\r\n")
            trailers = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
        else:
            message = frame
    if "grpc-status" not in trailers:
        raise CallFailed(_http_status(http_status))
    if trailers["grpc-status"] != "0":
        text = trailers.get("grpc-status-details-bin", "")
        details = base64.b64decode(text + "=" * (-len(text) % 4))
        code, said = int(trailers["grpc-status"]), unquote(trailers.get("grpc-message", ""))
        raise CallFailed(_status(code, said, details))
    return _answer(call, message)


def over_grpc(call: ClientCall) -> object:
    """Calls by gRPC.

    Raises:
        CallFailed: the answer is a status.
        OSError: there is no answer.
        ValueError, DecodeError: the answer is not of this protocol.
    """
    # Connects once: a channel reports a refused connection late, and only in a text.
    _connected(call, call.timeout_s).close()
    with _channel(call) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            call.path, request_serializer=None, response_deserializer=None
        )
        try:
            answer: bytes = method(
                call.message.SerializeToString(),
                timeout=call.timeout_s,
                metadata=tuple(call.headers.items()),
            )
        except grpc.RpcError as error:
            trailers = {entry.key: entry.value for entry in error.trailing_metadata() or ()}
            if error.code() is grpc.StatusCode.UNAVAILABLE and not trailers:
                # Of the channel itself, as the peer left or does not speak gRPC: a server sends
                # metadata with its status.
                raise ConnectionError("expected a gRPC answer, got none") from error
            details = trailers.get("grpc-status-details-bin", b"")
            code: int = error.code().value[0]
            raise CallFailed(_status(code, error.details(), bytes(details))) from error
    return _answer(call, answer)


PROTOCOLS: Final[Mapping[str, Send]] = {
    "json": over_json,
    "grpc": over_grpc,
    "grpc-web": over_grpc_web,
}


def _exchange(
    call: ClientCall, verb: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    host = call.address.host if isinstance(call.address, Address) else _LOCALHOST
    port = call.address.port if isinstance(call.address, Address) else None
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = _connected(call, call.timeout_s + _GRACE_S)
        deadline = {"grpc-timeout": f"{min(int(call.timeout_s * 1000), _TIMEOUT_MAX_MS)}m"}
        connection.request(verb, target, body or None, {**headers, **deadline})
        response = connection.getresponse()
        answered = {name.lower(): value for name, value in response.getheaders()}
        return response.status, answered, response.read()
    except TimeoutError:
        raise CallFailed(_status(_DEADLINE_EXCEEDED, "no answer in time", b"")) from None
    except http.client.HTTPException as error:
        got = _MISSING_ANSWERS.get(type(error), "something else")
        raise ConnectionError(f"expected an HTTP answer, got {got}") from error
    finally:
        connection.close()


def _channel(call: ClientCall) -> grpc.Channel:
    options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if call.tls is None:
        return grpc.insecure_channel(str(call.address), options=options)
    if isinstance(call.address, SocketPath):
        options.append(("grpc.default_authority", _LOCALHOST))
    return grpc.secure_channel(str(call.address), call.tls.credentials(), options=options)


def _connected(call: ClientCall, timeout_s: float) -> socket.socket:
    """Connects to the address, and shakes hands if the call has TLS.

    Raises:
        OSError: nothing listens there, or it has no certificate that is trusted.
    """
    address = call.address
    if isinstance(address, Address):
        connection = socket.create_connection(address, timeout=timeout_s)
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
    try:
        if isinstance(address, SocketPath):
            connection.connect(address.path)
        if call.tls is None:
            return connection
        host = address.host if isinstance(address, Address) else _LOCALHOST
        return _shaken(connection, call.tls.context(), host)
    except OSError:
        connection.close()
        raise


def _shaken(connection: socket.socket, context: ssl.SSLContext, host: str) -> socket.socket:
    """Returns the connection with TLS.

    Raises:
        OSError: the peer does not speak TLS, or its certificate is not trusted.
    """
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message.rstrip(".")
        expected = f"expected a certificate that is trusted: {why} (see --ca and --address)"
        raise ConnectionError(expected) from error
    except ssl.SSLError as error:
        raise ConnectionError("expected TLS, got something else") from error


def _answer(call: ClientCall, payload: bytes) -> object:
    message = GetMessageClass(call.method.output_type).FromString(payload)
    return json_format.MessageToDict(message)


def _text(value: object) -> object:
    """Returns a value in the form that a query has it."""
    return json.dumps(value) if isinstance(value, bool) else value


def _http_status(status: int) -> dict[str, object]:
    code = _CODE_OF_HTTP.get(status, _UNKNOWN)
    return _status(code, f"HTTP status {status} without a google.rpc.Status", b"")


def _status(code: int, message: str | None, details: bytes) -> dict[str, object]:
    """Returns a google.rpc.Status as JSON; details that cannot be parsed are left out."""
    try:
        status = Status.FromString(details) if details else Status(code=code, message=message or "")
        value: dict[str, object] = json_format.MessageToDict(status)
    except (DecodeError, TypeError):
        value = {"code": code, "message": message or ""}
    return value
