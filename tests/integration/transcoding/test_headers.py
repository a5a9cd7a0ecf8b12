"""docs/transcoding.md, "Headers": a test for each of its lines, over a real Transcoder."""

from tests.support.everything_fixture import Row, run
from tests.support.operations import Asked, Told
from tests.support.tables import cases

GET = "GET /v1/operations/a"
TIMEOUT = "header grpc-timeout: expected 1 to 8 digits and a unit (H M S m u n), got "


def bad_timeout(text: str) -> Asked:
    answer = {"code": 3, "message": f"{TIMEOUT}{text!r}"}
    return Asked(GET, [("Grpc-Timeout", text)], status=400, answer=answer)


def bad_binary(name: str, text: str) -> Asked:
    answer = {"code": 3, "message": f"header {name}: expected base64, got {text!r}"}
    return Asked(GET, [(name, text)], status=400, answer=answer)


ROWS = {
    "Grpc-Metadata-X": (
        Told([("Grpc-Metadata-Abc", "1")], [("abc", "1")]),
        Told([("Grpc-Metadata-Abc", "1"), ("Abc", "2")], [("abc", "2")]),
        Told([("Grpc-Metadata-Host", "b"), ("Grpc-Metadata-Grpc-Encoding", "gzip")], []),
    ),
    "any other header": (
        Told(
            [("From", "a"), ("Via", "b"), ("X-Own", "c")],
            [("from", "a"), ("via", "b"), ("x-own", "c")],
        ),
        Told([("X-A", "1"), ("X-A", "2")], [("x-a", "1"), ("x-a", "2")]),
        Told(
            [
                *(("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"), ("TE", "trailers")),
                *(("Keep-Alive", "a"), ("Content-Language", "de"), ("Grpc-Status", "5")),
            ],
            [],
        ),
        Told([("Cookie", "a=b")], []),
        Told([("Cookie", "a=b")], [("cookie", "a=b")], {"forward_cookies": True}),
    ),
    "Authorization": (Told([("Authorization", "Bearer a")], [("authorization", "Bearer a")]),),
    "-bin": (
        Told([("X-Data-Bin", "AQI=")], [("x-data-bin", "b'\\x01\\x02'")]),
        Told([("X-Data-Bin", "AQI")], [("x-data-bin", "b'\\x01\\x02'")]),
        Told([("X-Data-Bin", "AQ==,Ag")], [("x-data-bin", "b'\\x01'"), ("x-data-bin", "b'\\x02'")]),
        bad_binary("x-data-bin", "!"),
        bad_binary("x-data-bin", "A"),
    ),
    "names and values that metadata has not": (
        Told([("X-A", "caf\u00e9"), ("X!B", "1"), ("X-C", "2")], [("x-c", "2")]),
        Told([("X-A", "a\tb")], []),
    ),
    "X-Forwarded-For and Host": (
        Told([("X-Forwarded-For", "192.0.2.1")], [("x-forwarded-for", "192.0.2.1")]),
        Told(
            [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")],
            [("x-forwarded-for", "192.0.2.1, 192.0.2.2, 127.0.0.1")],
            {"trusted_proxies": ["127.0.0.0/8"]},
        ),
        Told(
            [("X-Forwarded-For", "192.0.2.1")],
            [("x-forwarded-for", "192.0.2.1")],
            {"trusted_proxies": ["192.0.2.0/24"]},
        ),
        Told(
            [("Grpc-Metadata-X-Forwarded-For", "192.0.2.1")],
            [("x-forwarded-for", "127.0.0.1")],
            {"trusted_proxies": ["127.0.0.1"]},
        ),
        Told([], []),
    ),
    "metadata of an answer": (
        Asked(
            "GET /v1/operations/headers",
            said={
                "X-A": "1",
                "X-Data-Bin": "AQ",
                "Set-Cookie": "a=b",
                "Content-Type": "application/json",
                "Connection": None,
                "Server": None,
                "Grpc-Status": None,
                "X-Bad": None,
                "Grpc-Metadata-X-A": None,
            },
        ),
        Asked(
            "GET /v1/operations/created",
            status=201,
            said={"Location": "/v1/here", "X-Http-Code": None, "Grpc-Trailer-X-Cost": "7"},
        ),
        Asked("GET /v1/operations/303", status=303),
        Asked("GET /v1/operations/204", status=204, answer=None, said={"Content-Type": None}),
    ),
    "trailing metadata": (
        Asked(
            "GET /v1/operations/headers",
            said={"Grpc-Trailer-X-Cost": "7", "Grpc-Trailer-X-Data-Bin": "Ag", "X-Cost": None},
        ),
        Asked("GET /v1/operations/rich", status=400, said={"Grpc-Trailer-X-Left": "1"}),
    ),
    "Grpc-Timeout": (
        Asked(
            "GET /v1/operations/waits",
            [("Grpc-Timeout", "20m")],
            status=504,
            answer={"code": 4, "message": "Deadline Exceeded"},
        ),
        Asked(GET, [("Grpc-Timeout", "0n")], status=504),
        Asked(GET, [("Grpc-Timeout", "99999999H")]),
        bad_timeout("123456789S"),
        bad_timeout("1"),
        bad_timeout("-1S"),
        bad_timeout("1.5S"),
        bad_timeout("soon"),
    ),
}


@cases("row", ROWS)
async def test_headers(row: Row) -> None:
    await run(row)
