"""A transcoder in front of a server whose reflection tells what cannot be."""

import itertools
import logging
from collections.abc import Iterable

import aiohttp
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from tests.support.tables import cases
from tests.support.told_services import Answers, Teller, files, listed, service_file, told
from tests.support.waiting import until_async
from transcoder import Transcoder
from transcoder.backends import reflection

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = service_file("w.S", {"Get": "/v1/{name}"})


def without_type() -> bytes:
    file = FileDescriptorProto(name="T.proto", package="w", syntax="proto3")
    file.service.add(name="T").method.add(name="M", input_type=".no.Such", output_type=".no.Such")
    return file.SerializeToString()


def twice(request: ServerReflectionRequest) -> Iterable[ServerReflectionResponse]:
    if request.HasField("list_services"):
        return [listed("w.S", "w.S")]
    return told({"w.S": SOUND})(request)


@cases(
    "answers, fault",
    {
        "a service without a file": (
            told({"w.S": SOUND, "w.T": b""}),
            "w.T of {}: no file of the server declares its service 'w.T'",
        ),
        "a file that is none": (
            told({"w.S": SOUND, "w.T": b"\xff"}),
            "w.T of {}: expected a descriptor of the file of 'w.T'",
        ),
        "an import that is nowhere": (
            told({"w.S": SOUND, "w.T": service_file("w.T", {}, imports="no.proto")}),
            "w.T of {}: reflection of {}: 'T.proto' imports 'no.proto': "
            "expected the server to tell that file, too",
        ),
        "an import that is none": (
            told(
                {"w.S": SOUND, "w.T": service_file("w.T", {}, imports="no.proto")},
                {"no.proto": b"\xff"},
            ),
            "w.T of {}: reflection of {}: 'T.proto' imports 'no.proto': "
            "expected the server to tell that file, too",
        ),
        "a service of an unknown type": (
            told({"w.S": SOUND, "w.T": without_type()}),
            "w.T of {}: reflection of {}: expected valid descriptors, got those of 'T.proto'",
        ),
        "a file that imports itself": (
            told({"w.S": SOUND, "w.T": service_file("w.T", {}, imports="T.proto")}),
            "w.T of {}: reflection of {}: expected no file that imports itself, got 'T.proto'",
        ),
        "a route that another service has": (
            told({"w.S": SOUND, "w.T": service_file("w.T", {"Get": "/v1/{name}"})}),
            "w.T of {}: w.T.Get: GET /v1/{{name}} is the same route as w.S.Get: GET /v1/{{name}}",
        ),
        "a service that is named twice": (twice, ""),
    },
)
async def test_other_services_are_served(
    caplog: pytest.LogCaptureFixture, answers: Answers, fault: str
) -> None:
    teller = Teller(answers)
    await teller.start()
    transcoder = Transcoder.proxy(teller.target)
    caplog.set_level(logging.INFO, "transcoder")
    address = await transcoder.start("127.0.0.1:0")
    try:
        await until_async(lambda: f"serving w.S of {teller.target}" in caplog.messages)
        ours = [each for each in caplog.records if each.name.startswith("transcoder")]
        warned = [each.message for each in ours if each.levelno >= logging.WARNING]
        expected = f"cannot serve {fault}".format(teller.target, teller.target)
        assert warned == ([expected] if fault else [])
        async with aiohttp.ClientSession(f"http://{address}") as client:
            assert (await client.get("/readyz")).status == 200
            assert (await client.get("/v1/pen")).status == 200
    finally:
        await transcoder.stop()
        await teller.stop()


def endless(request: ServerReflectionRequest) -> Iterable[ServerReflectionResponse]:
    return itertools.repeat(listed("w.S"))


def endless_imports(request: ServerReflectionRequest) -> Iterable[ServerReflectionResponse]:
    if request.HasField("list_services"):
        return [listed("w.S")]
    count = int(request.file_by_filename or "0")
    file = FileDescriptorProto(name=str(count), package="w", dependency=[str(count + 1)])
    if not count:
        file.service.add(name="S")
    serialized = file.SerializeToString()
    return [ServerReflectionResponse(file_descriptor_response=files(serialized))]


def too_large(request: ServerReflectionRequest) -> Iterable[ServerReflectionResponse]:
    return [listed("w." + "S" * (65 << 20))]


@cases(
    "answers, fault",
    {
        "endless answers": (endless, "no file of the server declares its service 'w.S'"),
        "endless imports": (
            endless_imports,
            "its files: expected at most 50 files and 67108864 bytes, got more",
        ),
        "an answer that is too large": (too_large, "RESOURCE_EXHAUSTED: "),
        "too many services": (
            told({f"w.S{number}": b"" for number in range(60)}),
            "expected at most 50 services, got 60",
        ),
        "no service": (told({}), "expected a service, the server tells of none"),
        "no answer": (lambda _: (), "DEADLINE_EXCEEDED: "),
    },
)
async def test_nothing_is_served_of_a_server_that_does_not_end(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    answers: Answers,
    fault: str,
) -> None:
    monkeypatch.setattr(reflection, "ITEMS_MAX", 50)
    monkeypatch.setattr(reflection, "ANSWER_S", 1.0 if fault.startswith("DEADLINE") else 20.0)
    teller = Teller(answers)
    await teller.start()
    transcoder = Transcoder.proxy(teller.target)
    caplog.set_level(logging.WARNING, "transcoder")
    address = await transcoder.start("127.0.0.1:0")
    try:
        expected = f"cannot serve the services of {teller.target}: {fault}"
        await until_async(lambda: expected in caplog.text)
        async with aiohttp.ClientSession(f"http://{address}") as client:
            assert (await client.get("/readyz")).status == 503
    finally:
        await transcoder.stop()
        await teller.stop()
