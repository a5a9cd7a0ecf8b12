"""Describes how a call by grpc.aio's client is refused."""

import asyncio
from collections.abc import Awaitable
from typing import Final

import grpc
import pytest

DEADLINE_S: Final = 10.0


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, DEADLINE_S)
    return caught.value
