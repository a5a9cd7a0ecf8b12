"""How a call by grpc.aio's client is refused."""

import asyncio
from collections.abc import Awaitable
from typing import Final

import grpc
import pytest
from google.rpc.status_pb2 import Status

from zitadel.message_pb2 import ErrorDetail

DEADLINE_S: Final = 10.0


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, DEADLINE_S)
    return caught.value


def detail_of(error: grpc.aio.AioRpcError) -> tuple[int, str, str, str]:
    """The code and the message of the status with details, and its one detail."""
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    (packed,) = status.details
    detail = ErrorDetail()
    assert packed.Unpack(detail)
    return status.code, status.message, detail.id, detail.message
