"""A FastAPI application with a route of its own, and a gRPC service below `/api`."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeAlias

import grpc
from fastapi import FastAPI
from google.protobuf.message import Message
from pydantic import BaseModel
from readings_pb2 import Reading, WatchReadingsRequest
from readings_pb2_grpc import ReadingsServicer, add_ReadingsServicer_to_server

from transcoder import OpenApi, Transcoder

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]


class Readings(ReadingsServicer):
    """The service."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self._added = asyncio.Condition()

    async def AddReading(self, request: Reading, context: Context) -> Reading:
        async with self._added:
            number = len(self.readings) + 1
            self.readings.append(Reading(number=number, celsius=request.celsius))
            self._added.notify_all()
        return self.readings[number - 1]

    async def WatchReadings(
        self, request: WatchReadingsRequest, context: Context
    ) -> AsyncIterator[Reading]:
        sent = 0
        while True:
            async with self._added:
                while sent == len(self.readings):
                    await self._added.wait()
            yield self.readings[sent]
            sent += 1

    async def Convert(
        self, request_iterator: AsyncIterator[Reading], context: Context
    ) -> AsyncIterator[Reading]:
        async for reading in request_iterator:
            yield Reading(fahrenheit=reading.celsius * 9 / 5 + 32)


class Mean(BaseModel):
    """The answer of the route that is FastAPI's."""

    celsius: float | None


readings = Readings()
transcoder = Transcoder(openapi=OpenApi(title="Readings", servers=["/api"]))
add_ReadingsServicer_to_server(readings, transcoder)
api = transcoder.asgi()

application = FastAPI(lifespan=api.lifespan)
application.mount("/api", api)


@application.get("/mean")
async def mean() -> Mean:
    """Returns the mean of all readings."""
    values = [reading.celsius for reading in readings.readings]
    return Mean(celsius=sum(values) / len(values) if values else None)
