"""Serves the stand-in for a ZITADEL's Action API over gRPC, in the messages of a real client.

The client brings its messages as a FileDescriptorSet, so that what the stand-in reads and writes as
JSON is held to them: a field that they do not have is an error.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.support.upstream_actions import ActionsV2, JsonObject
from tests.support.upstream_actions import Refused as RefusedAction

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class ActionMessages:
    """Messages of one version of the service, as a client has them."""

    def __init__(self, version: str, encoded: str) -> None:
        """Takes the version, and a FileDescriptorSet in base64."""
        pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(base64.b64decode(encoded)).file:
            pool.Add(file)
        self.service = f"zitadel.action.{version}.ActionService"
        methods = pool.FindServiceByName(self.service).methods
        self.types: Mapping[str, tuple[type[Message], type[Message]]] = {
            method.name: (GetMessageClass(method.input_type), GetMessageClass(method.output_type))
            for method in methods
        }


class CheckedActions(ActionsV2):
    """Targets and executions, whose requests and answers are messages of a client."""

    messages: ActionMessages

    def call(self, method: str, asked: JsonObject) -> JsonObject:
        request, answer = self.messages.types[method]
        json_format.ParseDict(asked, request())
        answered = super().call(method, asked)
        json_format.ParseDict(answered, answer())
        return answered


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, actions: CheckedActions, token: str) -> None:
        self._actions = actions
        self._token = token

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        _, service, method = details.method.split("/")
        if service != self._actions.messages.service:
            return None
        request, answer = self._actions.messages.types[method]
        bearer = ("authorization", f"Bearer {self._token}")

        async def behave(message: Message, context: Any) -> Message:
            if bearer not in tuple(details.invocation_metadata):
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Errors.Token.Invalid")
            try:
                answered = self._actions.call(method, json_format.MessageToDict(message))
            except RefusedAction as refused:
                await context.abort(_CODES[refused.code], refused.message)
            return json_format.ParseDict(answered, answer())

        return grpc.unary_unary_rpc_method_handler(
            behave,
            request_deserializer=request.FromString,
            response_serializer=answer.SerializeToString,
        )


@asynccontextmanager
async def action_service(actions: CheckedActions, token: str) -> AsyncIterator[str]:
    """Serves on a free port; yields the address."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(actions, token),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def printed(*command: str | Path) -> str:
    """Returns what a program prints.

    Raises:
        AssertionError: it fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()
