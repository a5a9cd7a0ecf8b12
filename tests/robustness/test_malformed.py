"""Whatever comes in: the input is named or the connection ends, and nothing else happens."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.robustness.heads import BAD_HEADS
from tests.robustness.raw import Client, request
from tests.robustness.sites import Site
from tests.support.real_server import ACTIONS

Make = Callable[[Site], bytes]

NOT_FOUND = (
    '{"code":5,"message":"Action not found (COMMAND-Aa22g)","details":[{"@type":'
    '"type.googleapis.com/zitadel.v1.ErrorDetail","id":"COMMAND-Aa22g","message":"Action not found"'
    "}]}"
)
BAD_TOKEN = (
    '{"code":16,"message":"Errors.Token.Invalid (AUTH-7fs1e)","details":[{"@type":'
    '"type.googleapis.com/zitadel.v1.ErrorDetail","id":"AUTH-7fs1e","message":'
    '"Errors.Token.Invalid"}]}'
)
BAD_HEADER = (
    '{"code":16,"message":"invalid auth header (AUTH-toLo1)","details":[{"@type":'
    '"type.googleapis.com/zitadel.v1.ErrorDetail","id":"AUTH-toLo1","message":'
    '"invalid auth header"}]}'
)
NO_ORG = (
    '{"code":7,"message":"Organisation doesn\'t exist (AUTH-Bs7Ds)","details":[{"@type":'
    '"type.googleapis.com/zitadel.v1.ErrorDetail","id":"AUTH-Bs7Ds","message":'
    '"Organisation doesn\'t exist"}]}'
)


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


@pytest.mark.parametrize(
    ("make", "status", "body"),
    [
        pytest.param(reactivate("999999999999999999"), 404, NOT_FOUND, id="unknown id"),
        pytest.param(
            lambda site: reactivate(site.foreign_action)(site),
            404,
            NOT_FOUND,
            id="another organisation's id",
        ),
        pytest.param(
            lambda site: request("POST", f"{ACTIONS}//_reactivate", b"{}", token=site.server.token),
            404,
            '{"code":5,"message":"Not Found"}',
            id="empty segment",
        ),
        pytest.param(
            create(b'{"name":"n","script":"' + b"s" * (2**20 + 1 - 24) + b'"}'),
            413,
            '{"code":8,"message":"the request body is larger than the limit of 1048576 bytes"}',
            id="1 MiB + 1",
        ),
        pytest.param(
            create(b"[" * 100_000),
            400,
            '{"code":3,"message":"body: expected JSON, got '
            "'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…' at line 1, column 1026\"}",
            id="100,000 arrays",
        ),
        pytest.param(
            create(b'{"name":"\xff"}'),
            400,
            '{"code":3,"message":"body: expected UTF-8, got 0xff at byte 9"}',
            id="invalid UTF-8",
        ),
        pytest.param(
            create(b'{"name":"\\ud800"}'),
            400,
            '{"code":3,"message":"body: expected JSON, got \'\\\\\\\\ud800\\"}\' at line 1, '
            'column 10"}',
            id="lone surrogate",
        ),
        pytest.param(
            create(b"[]"),
            400,
            '{"code":3,"message":"body: expected an object, got an array"}',
            id="an array for the message",
        ),
        pytest.param(
            create(b'{"name":5}'),
            400,
            '{"code":3,"message":"name: expected string, got 5"}',
            id="a number for a string",
        ),
        pytest.param(
            create(b'{"name":"n","allowedToFail":"yes"}'),
            400,
            '{"code":3,"message":"allowedToFail: expected bool, got \'yes\'"}',
            id="a string for a bool",
        ),
        pytest.param(
            create(b'{"name":"n","timeout":"10"}'),
            400,
            '{"code":3,"message":"timeout: expected a duration in seconds, got \'10\'"}',
            id="a duration without its unit",
        ),
        pytest.param(
            search(b'{"query":{"limit":-1}}'),
            400,
            '{"code":3,"message":"query.limit: expected uint32, got -1, which is out of range"}',
            id="a negative limit",
        ),
        pytest.param(
            search(b'{"sortingColumn":1.5}'),
            400,
            '{"code":3,"message":"sortingColumn: expected a value of '
            'zitadel.action.v1.ActionFieldName, got 1.5"}',
            id="a fraction for an enum",
        ),
        pytest.param(
            search(b'{"query":{"limit":NaN}}'),
            400,
            '{"code":3,"message":"body: expected JSON, got \'NaN}}\' at line 1, column 19"}',
            id="NaN",
        ),
        pytest.param(
            search(b'{"query":{"limit":' + b"1" * 5000 + b"}}"),
            400,
            '{"code":3,"message":"body: expected a number that a double holds, got '
            "'1111111111111111111111111111111111111111…' at line 1, column 19, "
            'which is out of range"}',
            id="5,000 digits",
        ),
        pytest.param(
            create(b'{"name":"a","name":"b"}'),
            400,
            '{"code":3,"message":"name: given twice"}',
            id="duplicate name",
        ),
        pytest.param(
            create(b'{"name":"a","allowedToFail":true,"allowed_to_fail":false}'),
            400,
            '{"code":3,"message":"body: allowed_to_fail and allowedToFail are one field, '
            'given twice"}',
            id="a field under both its names",
        ),
        pytest.param(
            create(b'{"name":"n"'),
            400,
            '{"code":3,"message":"body: expected JSON, got the end of the text at line 1, '
            'column 12"}',
            id="cut off",
        ),
        pytest.param(
            reactivate("%zz"),
            400,
            '{"code":3,"message":"path segment \'%zz\': expected two hex digits after each \'%\'"}',
            id="percent-escape without hex digits",
        ),
        pytest.param(
            reactivate("%ff"),
            400,
            '{"code":3,"message":"path segment \'%ff\': expected UTF-8"}',
            id="percent-escape of no character",
        ),
        pytest.param(
            create(b"name=n", **{"Content-Type": "application/x-www-form-urlencoded"}),
            415,
            '{"code":3,"message":"content type \'application/x-www-form-urlencoded\': expected '
            'application/json"}',
            id="wrong content type",
        ),
        pytest.param(
            create(b"{}", **{"Content-Encoding": "deflate"}),
            415,
            '{"code":3,"message":"content encoding \'deflate\': expected at most 2 of zstd, br, '
            'gzip"}',
            id="unknown content encoding",
        ),
        pytest.param(
            create(b"{}", **{"Content-Encoding": "gzip"}),
            400,
            '{"code":3,"message":"request body, sent as gzip, is not gzip"}',
            id="plain text that claims to be gzip",
        ),
        pytest.param(authorized_by("Bearer garbage"), 401, BAD_TOKEN, id="garbage token"),
        pytest.param(authorized_by("Basic Zm9vOmJhcg=="), 401, BAD_HEADER, id="not a bearer"),
        pytest.param(authorized_by("Bearer a Bearer b"), 401, BAD_HEADER, id="two bearers"),
        pytest.param(
            authorized_by("Bearer \xe4\xff"),
            401,
            '{"code":16,"message":"auth header missing"}',
            id="a token that cannot be metadata",
        ),
        pytest.param(
            reactivate(**{"x-zitadel-orgid": "garbage"}), 403, NO_ORG, id="unknown organisation"
        ),
        pytest.param(
            reactivate(**{"grpc-timeout": "soon"}),
            400,
            '{"code":3,"message":"header grpc-timeout: expected 1 to 8 digits and a unit '
            "(H M S m u n), got 'soon'\"}",
            id="garbage grpc-timeout",
        ),
        pytest.param(
            reactivate(**{"x-thing-bin": "%%%"}),
            400,
            '{"code":3,"message":"header x-thing-bin: expected base64, got \'%%%\'"}',
            id="binary metadata that is not base64",
        ),
        pytest.param(
            lambda site: (
                request(
                    "POST",
                    ACTIONS,
                    token=site.server.token,
                    headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
                )
                + b"zz\r\n{}\r\n0\r\n\r\n"
            ),
            400,
            '{"code":3,"message":"request body: its chunks are malformed"}',
            id="malformed chunk",
        ),
    ],
)
def test_bad_input_is_named_and_changes_nothing(
    site: Site, make: Make, status: int, body: str
) -> None:
    stored = site.events()
    answer = site.send(make(site))
    assert answer is not None
    assert (answer.status, answer.body.decode()) == (status, body)
    assert answer.headers["content-type"] == "application/json"
    assert site.events() == stored
    assert site.good_answer() == 200


HEAD_ANSWERS: dict[str, Any] = {
    "10 KB header": (431, '{"code":8,"message":"request line or header: longer than 8190 bytes"}'),
    "1,000 headers": (431, '{"code":8,"message":"headers: more than 128"}'),
    "20 KB path": (431, '{"code":8,"message":"request line or header: longer than 8190 bytes"}'),
    "CL with TE": (
        400,
        '{"code":3,"message":"headers: expected Content-Length or Transfer-Encoding, got both"}',
    ),
    "two Content-Length": (
        400,
        '{"code":3,"message":"header Content-Length: expected one whole number"}',
    ),
    "two Host": (400, '{"code":3,"message":"header Host: expected one"}'),
    "bare LF": (
        400,
        '{"code":3,"message":"request line: expected a method, a path and HTTP/1.1"}',
    ),
    "no version": (
        400,
        '{"code":3,"message":"request line: expected a method, a path and HTTP/1.1"}',
    ),
    "HTTP/0.9": (
        400,
        '{"code":3,"message":"request line: expected a method, a path and HTTP/1.1"}',
    ),
    "HTTP/2.0": (
        400,
        '{"code":3,"message":"request line: expected a method, a path and HTTP/1.1"}',
    ),
    "HTTP/9.9": (
        400,
        '{"code":3,"message":"request line: expected a method, a path and HTTP/1.1"}',
    ),
    "HTTP/2 preface": (400, '{"code":3,"message":"request: expected HTTP/1.1, got HTTP/2"}'),
    "TLS hello": (400, '{"code":3,"message":"request: expected HTTP/1.1, got TLS"}'),
}


@pytest.mark.parametrize("name", BAD_HEADS)
def test_a_head_that_no_server_should_take_ends_its_connection(site: Site, name: str) -> None:
    stored = site.events()
    with Client(site.server.http) as client:
        client.send(BAD_HEADS[name])
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
