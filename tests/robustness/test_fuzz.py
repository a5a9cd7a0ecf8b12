"""Short forms of R11 to R14, R17 and R18: a slice of the generated requests, all of the corpus."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from tests.proto import everything_pb2
from tests.robustness.attack import Attempt, Connection, attack
from tests.robustness.bodies import peak_growth_mib
from tests.robustness.bombs import COMPRESS, filled, health_while
from tests.robustness.documents import DEEP, DISPUTED, NESTED, nested_binary, refused
from tests.robustness.fuzz import everything, requests_to_everything, saved
from tests.robustness.generate import Generator, bindings_of
from tests.robustness.raw import Client, exchange, request
from tests.support.processes import Process
from tests.support.tables import cases

Service = tuple[str, Process, Path]
SERVICE = everything_pb2.DESCRIPTOR.services_by_name["Everythings"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with everything(tmp_path_factory.mktemp("everything")) as running:
        yield running


def test_generated_requests_find_no_fault(service: Service) -> None:
    address, _, _ = service
    report = uvloop.run(attack(address, requests_to_everything(1500, 500)))
    assert report.faults == []
    assert report.sent == 2000
    # They reach what they are to reach: the handler, and every way to be refused before it.
    assert report.statuses.keys() >= {200, 204, 400, 404, 405, 415}
    assert report.of(200) - report.of(300) > 500


def test_the_corpus_is_there() -> None:
    assert len(saved()) >= 50


@pytest.mark.parametrize("path", saved(), ids=lambda path: path.stem)
def test_a_request_of_the_corpus_is_answered_as_it_was(service: Service, path: Path) -> None:
    address, _, _ = service

    statuses = uvloop.run(Connection(address).raw(path.read_bytes()))
    assert statuses[:1] == [int(path.name[:3])]


@pytest.mark.parametrize("name", [*DEEP, *DISPUTED, *NESTED])
def test_an_invalid_document_is_refused(service: Service, name: str) -> None:
    address, _, _ = service
    with Client(address) as client:
        answer, _ = refused(client, *{**DEEP, **DISPUTED, **NESTED}[name])
    assert answer is not None
    assert (answer.status, answer.json["code"]) == (400, 3)


def test_a_binary_message_that_is_too_deep_is_refused(service: Service) -> None:
    address, _, _ = service
    answer = exchange(address, nested_binary())
    assert answer is not None
    assert answer.body[5:].startswith(b"grpc-status:13\r\n")


@pytest.mark.parametrize("coding", COMPRESS)
def test_a_bomb_is_refused_before_it_exists(service: Service, coding: str) -> None:
    address, process, _ = service
    body = COMPRESS[coding](bytes(48 << 20))
    headers = {"Content-Encoding": coding, "Content-Length": str(len(body))}
    octets = request("POST", "/v1/write", body, headers=headers)
    statuses: list[int] = []

    def explode() -> None:
        answer = exchange(address, octets)
        statuses.append(0 if answer is None else answer.status)

    assert peak_growth_mib(process, explode) < 32
    assert statuses == [413]


def test_others_are_answered_while_large_documents_are_read(service: Service) -> None:
    address, _, _ = service
    octets = request(
        "POST", "/v1/body/list", filled(b"[", b"1", b"]")[: 200 << 10].rstrip(b",") + b"]"
    )
    statuses, _ = health_while(address, octets, 4)
    assert statuses == {200}


def test_nothing_of_all_that_was_logged_as_a_fault(service: Service) -> None:
    _, process, log = service
    assert process.is_running
    assert "Traceback" not in log.read_text(encoding="utf-8")


# Of the generator and the judge themselves.


def test_a_seed_gives_the_same_requests() -> None:
    bindings = list(bindings_of(SERVICE, ""))
    first, second = (Generator(bindings, seed=7) for _ in range(2))
    assert [first.structured() for _ in range(50)] == [second.structured() for _ in range(50)]
    assert [first.raw() for _ in range(50)] == [second.raw() for _ in range(50)]


HEAD = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


@pytest.mark.parametrize("is_raw", [False, True], ids=["structured", "raw"])
@cases(
    "answer, fault",
    {
        "5xx": (HEAD % (b"500 Oops", 10, b'{"code":2}'), "status 500"),
        "other words": (HEAD % (b"400 Bad", 2, b"[]"), "400 in other words: b'[]'"),
        "no JSON": (HEAD % (b"400 Bad", 2, b"x\n"), "400 in other words: b'x\\n'"),
        "no HTTP/1.1": (
            b"HTTP/1.0 200 OK\r\n\r\n",
            "no HTTP answer: b'HTTP/1.0 200 OK\\r\\n\\r\\n'",
        ),
        "cut short": (b"HTTP/1.1 200", "ends within a head: b'HTTP/1.1 200'"),
        "silence": (None, "nothing within 0.2 s"),
    },
)
async def test_the_judge_sees_every_fault(
    monkeypatch: pytest.MonkeyPatch, is_raw: bool, answer: bytes | None, fault: str
) -> None:
    monkeypatch.setattr("tests.robustness.attack.PATIENCE_S", 0.2)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        report = await attack(
            f"{host}:{port}", [Attempt(b"GET / HTTP/1.1\r\n\r\n", is_raw)], at_once=1
        )
    assert [what for what, _ in report.faults] == [fault]


def test_every_rule_is_asked() -> None:
    bindings = list(bindings_of(SERVICE, ""))
    assert {binding.verb for binding in bindings} == {
        *("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "LOCK", "*")
    }
    asked = {binding.template for binding in bindings}
    assert asked > {
        "/",
        "/v1/write/{name}",
        "/v1/response/any",
        "/everything.v1.Everythings/NoRule",
    }
