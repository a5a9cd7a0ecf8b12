"""Whatever comes in: the input is named or the connection ends, and nothing else happens."""

import json
from collections.abc import Callable
from typing import TypeAlias

import pytest

from tests.robustness.heads import BAD_HEADS
from tests.robustness.raw import Client, request
from tests.robustness.sites import Site
from tests.support.real_server import ACTIONS
from tests.support.tables import by_outcome

Make = Callable[[Site], bytes]

Expected: TypeAlias = tuple[int, str]
"""The status of HTTP, and the body."""


def plain(status: int, code: int, message: str) -> Expected:
    return status, f'{{"code":{code},"message":{json.dumps(message, ensure_ascii=False)}}}'


def invalid(message: str) -> Expected:
    return plain(400, 3, message)


def detailed(status: int, code: int, text: str, id: str) -> Expected:
    detail = f'"@type":"type.googleapis.com/zitadel.v1.ErrorDetail","id":"{id}","message":"{text}"'
    return status, f'{{"code":{code},"message":"{text} ({id})","details":[{{{detail}}}]}}'


def create(body: bytes, **headers: str) -> Make:
    return lambda site: request("POST", ACTIONS, body, token=site.server.token, headers=headers)


def search(body: bytes) -> Make:
    return lambda site: request("POST", f"{ACTIONS}/_search", body, token=site.server.token)


def reactivate(segment: str = "", **headers: str) -> Make:
    """The path segment as it is written; the caller's own action without one."""
    given = {"Content-Type": "application/json", "Content-Length": "2", **headers}

    def make(site: Site) -> bytes:
        path = f"{ACTIONS}/{segment or site.action}/_reactivate"
        return request("POST", path, b"{}", token=site.server.token, headers=given)

    return make


def authorized_by(value: str) -> Make:
    return lambda site: request(
        "POST", f"{ACTIONS}/{site.action}/_reactivate", b"{}", headers={"Authorization": value}
    )


@by_outcome(
    "make, expected",
    {
        detailed(404, 5, "Action not found", "COMMAND-Aa22g"): {
            "unknown id": reactivate("999999999999999999"),
            "another organisation's id": lambda site: reactivate(site.foreign_action)(site),
        },
        plain(404, 5, "Not Found"): {
            "empty segment": lambda site: request(
                "POST", f"{ACTIONS}//_reactivate", b"{}", token=site.server.token
            )
        },
        plain(413, 8, "the request body is larger than the limit of 1048576 bytes"): {
            "1 MiB + 1": create(b'{"name":"n","script":"' + b"s" * (2**20 + 1 - 24) + b'"}')
        },
        invalid(
            "body: expected JSON, got "
            "'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…' at line 1, column 1026"
        ): {"100,000 arrays": create(b"[" * 100_000)},
        invalid("body: expected UTF-8, got 0xff at byte 9"): {
            "invalid UTF-8": create(b'{"name":"\xff"}')
        },
        invalid("body: expected JSON, got '\\\\ud800\"}' at line 1, column 10"): {
            "lone surrogate": create(b'{"name":"\\ud800"}')
        },
        invalid("body: expected an object, got an array"): {
            "an array for the message": create(b"[]")
        },
        invalid("name: expected string, got 5"): {"a number for a string": create(b'{"name":5}')},
        invalid("allowedToFail: expected bool, got 'yes'"): {
            "a string for a bool": create(b'{"name":"n","allowedToFail":"yes"}')
        },
        invalid("timeout: expected a duration in seconds, got '10'"): {
            "a duration without its unit": create(b'{"name":"n","timeout":"10"}')
        },
        invalid("query.limit: expected uint32, got -1, which is out of range"): {
            "a negative limit": search(b'{"query":{"limit":-1}}')
        },
        invalid("sortingColumn: expected a value of zitadel.action.v1.ActionFieldName, got 1.5"): {
            "a fraction for an enum": search(b'{"sortingColumn":1.5}')
        },
        invalid("body: expected JSON, got 'NaN}}' at line 1, column 19"): {
            "NaN": search(b'{"query":{"limit":NaN}}')
        },
        invalid(
            "body: expected a number that a double holds, got "
            "'1111111111111111111111111111111111111111…' at line 1, column 19, "
            "which is out of range"
        ): {"5,000 digits": search(b'{"query":{"limit":' + b"1" * 5000 + b"}}")},
        invalid("name: given twice"): {"duplicate name": create(b'{"name":"a","name":"b"}')},
        invalid("body: allowed_to_fail and allowedToFail are one field, given twice"): {
            "a field under both its names": create(
                b'{"name":"a","allowedToFail":true,"allowed_to_fail":false}'
            )
        },
        invalid("body: expected JSON, got the end of the text at line 1, column 12"): {
            "cut off": create(b'{"name":"n"')
        },
        invalid("path segment '%zz': expected two hex digits after each '%'"): {
            "percent-escape without hex digits": reactivate("%zz")
        },
        invalid("path segment '%ff': expected UTF-8"): {
            "percent-escape of no character": reactivate("%ff")
        },
        plain(
            415, 3, "content type 'application/x-www-form-urlencoded': expected application/json"
        ): {
            "wrong content type": create(
                b"name=n", **{"Content-Type": "application/x-www-form-urlencoded"}
            )
        },
        plain(415, 3, "content encoding 'deflate': expected at most 2 of zstd, br, gzip"): {
            "unknown content encoding": create(b"{}", **{"Content-Encoding": "deflate"})
        },
        invalid("request body, sent as gzip, is not gzip"): {
            "plain text that claims to be gzip": create(b"{}", **{"Content-Encoding": "gzip"})
        },
        detailed(401, 16, "Errors.Token.Invalid", "AUTH-7fs1e"): {
            "garbage token": authorized_by("Bearer garbage")
        },
        detailed(401, 16, "invalid auth header", "AUTH-toLo1"): {
            "not a bearer": authorized_by("Basic Zm9vOmJhcg=="),
            "two bearers": authorized_by("Bearer a Bearer b"),
        },
        plain(401, 16, "auth header missing"): {
            "a token that cannot be metadata": authorized_by("Bearer \xe4\xff")
        },
        detailed(403, 7, "Organisation doesn't exist", "AUTH-Bs7Ds"): {
            "unknown organisation": reactivate(**{"x-zitadel-orgid": "garbage"})
        },
        invalid(
            "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), got 'soon'"
        ): {"garbage grpc-timeout": reactivate(**{"grpc-timeout": "soon"})},
        invalid("header x-thing-bin: expected base64, got '%%%'"): {
            "binary metadata that is not base64": reactivate(**{"x-thing-bin": "%%%"})
        },
        invalid("request body: its chunks are malformed"): {
            "malformed chunk": lambda site: (
                request(
                    "POST",
                    ACTIONS,
                    token=site.server.token,
                    headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
                )
                + b"zz\r\n{}\r\n0\r\n\r\n"
            )
        },
    },
)
def test_bad_input_is_named_and_changes_nothing(site: Site, make: Make, expected: Expected) -> None:
    stored = site.events()
    answer = site.send(make(site))
    assert answer is not None
    assert (answer.status, answer.body.decode()) == expected
    assert answer.headers["content-type"] == "application/json"
    assert site.events() == stored
    assert site.good_answer() == 200


HEAD_ANSWERS: dict[str, Expected] = {
    "10 KB header": plain(431, 8, "request line or header: longer than 8190 bytes"),
    "1,000 headers": plain(431, 8, "headers: more than 128"),
    "20 KB path": plain(431, 8, "request line or header: longer than 8190 bytes"),
    "CL with TE": invalid("headers: expected Content-Length or Transfer-Encoding, got both"),
    "two Content-Length": invalid("header Content-Length: expected one whole number"),
    "two Host": invalid("header Host: expected one"),
    "bare LF": invalid("request line: expected a method, a path and HTTP/1.1"),
    "no version": invalid("request line: expected a method, a path and HTTP/1.1"),
    "HTTP/0.9": invalid("request line: expected a method, a path and HTTP/1.1"),
    "HTTP/2.0": invalid("request line: expected a method, a path and HTTP/1.1"),
    "HTTP/9.9": invalid("request line: expected a method, a path and HTTP/1.1"),
    "HTTP/2 preface that goes on otherwise": invalid(
        "request line: expected a method, a path and HTTP/1.1"
    ),
    "TLS hello": invalid("request: expected HTTP/1.1, got TLS"),
}


@pytest.mark.parametrize("dripped", [pytest.param(0, id="whole"), pytest.param(12, id="dripped")])
@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_head_that_no_server_should_take_ends_its_connection(
    site: Site, name: str, dripped: int
) -> None:
    stored = site.events()
    octets = BAD_HEADS[name]
    with Client(site.server.http) as client:
        for piece in (*(octets[place : place + 1] for place in range(dripped)), octets[dripped:]):
            client.send(piece)
        answer = client.answer()
        assert answer is not None
        assert (answer.status, answer.body.decode()) == HEAD_ANSWERS[name]
        assert answer.headers["connection"] == "close"
        assert client.is_closed_within(2)
    assert site.events() == stored
    assert site.good_answer() == 200


@pytest.mark.parametrize("split", [pytest.param(n, id=f"every {n}") for n in (1, 7)])
def test_a_request_in_pieces_is_the_same_request(site: Site, split: int) -> None:
    whole = create(b'{"name":5}')(site)
    with Client(site.server.http) as client:
        for start in range(0, len(whole), split):
            client.send(whole[start : start + split])
        answer = client.answer()
    assert answer is not None
    assert answer.body == b'{"code":3,"message":"name: expected string, got 5"}'


def test_nothing_bad_was_logged_as_a_fault(site: Site) -> None:
    for make in (create(b"["), create(b'{"name":5}'), reactivate("%zz")):
        site.send(make(site))
    assert "Traceback" not in site.server.log()
