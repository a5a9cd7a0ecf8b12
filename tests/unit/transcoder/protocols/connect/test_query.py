import pytest
from grpc import StatusCode

from tests.support.tables import cases
from transcoder.errors import TranscodeError
from transcoder.protocols.connect.form import Form
from transcoder.protocols.connect.query import GetRequest, is_get_request, parse_query


@cases(
    "query, expected",
    {
        "JSON": (
            "connect=v1&encoding=json&message=%7B%22a%22%3A1%7D",
            GetRequest(Form.JSON, b'{"a":1}', ""),
        ),
        "without a version": ("encoding=json&message=", GetRequest(Form.JSON, b"", "")),
        "octets, escaped": (
            "connect=v1&encoding=proto&message=%0A%01%FF",
            GetRequest(Form.PROTO, b"\x0a\x01\xff", ""),
        ),
        "a plus sign": ("encoding=json&message=a+b%2B", GetRequest(Form.JSON, b"a b+", "")),
        "base64 for URLs": (
            "encoding=proto&base64=1&message=-_8",
            GetRequest(Form.PROTO, b"\xfb\xff", ""),
        ),
        "padded": (
            "encoding=proto&base64=1&message=-_8%3D",
            GetRequest(Form.PROTO, b"\xfb\xff", ""),
        ),
        "no base64": (
            "encoding=proto&base64=0&message=abcd",
            GetRequest(Form.PROTO, b"abcd", ""),
        ),
        "compressed": (
            "encoding=proto&base64=1&message=AA&compression=gzip",
            GetRequest(Form.PROTO, b"\0", "gzip"),
        ),
        "twice, and unknown ones": (
            "encoding=proto&encoding=json&message=a&message=b&utm=1&",
            GetRequest(Form.PROTO, b"a", ""),
        ),
    },
)
def test_a_query_holds_a_request(query: str, expected: GetRequest) -> None:
    assert is_get_request(query)
    assert parse_query(query) == expected


@cases(
    "query, status, complaint",
    {
        "another version": (
            "connect=v2&encoding=json&message=",
            400,
            "query parameter connect: expected v1, got 'v2'",
        ),
        "no form": (
            "connect=v1&message=",
            415,
            "query parameter encoding: expected json or proto, got ''",
        ),
        "another form": (
            "connect=v1&encoding=text&message=",
            415,
            "query parameter encoding: expected json or proto, got 'text'",
        ),
        "no message": (
            "connect=v1&encoding=json",
            400,
            "query parameter message: expected a message, got none",
        ),
        "not base64": (
            "encoding=proto&base64=1&message=%7B%7D",
            400,
            "query parameter message: expected base64 for URLs, got '{}'",
        ),
        "one character too many": (
            "encoding=proto&base64=1&message=AAAAA",
            400,
            "query parameter message: expected base64 for URLs, got 'AAAAA'",
        ),
    },
)
def test_a_bad_query_is_refused_by_parameter(query: str, status: int, complaint: str) -> None:
    with pytest.raises(TranscodeError) as caught:
        parse_query(query)
    error = caught.value
    assert (error.code, error.http_status) == (StatusCode.INVALID_ARGUMENT, status)
    assert error.message == complaint


@pytest.mark.parametrize("query", ["", "message=", "encoding=json", "xconnect=v1", "a=connect=v1"])
def test_a_query_of_something_else_is_no_request(query: str) -> None:
    assert not is_get_request(query)
