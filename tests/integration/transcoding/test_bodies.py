"""docs/transcoding.md, "Bodies": a test for each of its lines, over a real Transcoder."""

import base64
import gzip
import hashlib
import json
from unittest.mock import ANY

from tests.support.everything_fixture import Exchange, Row, refused, run
from tests.support.files_fixture import Sent, content
from tests.support.tables import cases
from transcoder import JsonOptions, Limits


def patch(query: str, body: str, mask: str | None, part: object) -> Exchange:
    answer = {"name": "x", "part": part} | ({} if mask is None else {"updateMask": mask})
    return Exchange(f"PATCH /v1/part/x{query}", answer, body=body, by="WritePart")


def write(body: str, answer: dict[str, object]) -> Exchange:
    return Exchange("POST /v1/write", answer, body=body, by="Write")


def answered(field: str, body: str, answer: object, **options: bool) -> Exchange:
    """Returns the JSON of one field."""
    return Exchange(f"POST /v1/response/{field}", answer, body=body, json=JsonOptions(**options))


def bad(body: str, message: str, **rest: bool) -> Exchange:
    return refused("POST /v1/write", message, body=body, **rest)


def got(
    size: int,
    content_type: str = "",
    body: bytes | None = None,
    *,
    name: str = "",
    note: str = "",
) -> str:
    """Returns what the service tells of a body."""
    body = content(size) if body is None else body
    told: dict[str, object] = {"name": name, "note": note, "contentType": content_type}
    told |= {"size": str(size) if size else "", "pieces": 1}
    told |= {"largest": told["size"], "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":"))


def part(name: str, value: str, parameters: str = "", content_type: str = "") -> str:
    """Returns a part of a form, as it is sent."""
    head = f'Content-Disposition: form-data; name="{name}"'
    head += f"; {parameters}" if parameters else ""
    head += f"\r\nContent-Type: {content_type}" if content_type else ""
    return f"--x\r\n{head}\r\n\r\n{value}\r\n"


def form(*parts: str, answer: dict[str, object], path: str = "/v1/forms/n") -> Sent:
    expected = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
    body = ("".join(parts) + "--x--\r\n").encode()
    return Sent(f"POST {path}", expected, body, {"Content-Type": "multipart/form-data; boundary=x"})


def bad_form(message: str, *parts: str, end: str = "--x--\r\n", strict: bool = False) -> Sent:
    return Sent(
        "POST /v1/forms/n",
        json.dumps({"code": 3, "message": message}, separators=(",", ":")),
        ("".join(parts) + end).encode() or b"-",
        {"Content-Type": "multipart/form-data; boundary=x"},
        status=400,
        strict=strict,
    )


def body_of(data: str, content_type: str, filename: str | None = None) -> dict[str, object]:
    """Returns the JSON of an HttpBody."""
    body: dict[str, object] = {
        "contentType": content_type,
        "data": base64.b64encode(data.encode()).decode(),
    }
    if filename is not None:
        named = {"filename": filename}
        body["extensions"] = [
            {"@type": "type.googleapis.com/google.protobuf.Struct", "value": named}
        ]
    return body


def lists(levels: int) -> str:
    """Lists in a Value, each of which is two messages."""
    return '{"value": ' + "[" * levels + "]" * levels + "}"


TEXT_X = {"Content-Type": "text/x; a=b"}
NAMED = "?metadata=content-disposition%3Dattachment&metadata=etag%3D%22a%22"
DISPOSITION = {"Content-Disposition": "attachment", "ETag": '"a"'}
A_B = {"Content-Type": "a/b"}
JSON_TYPE = {"Content-Type": "application/json"}
ID = {"X-Request-Id": "an-id"}
FAULT = '{"code":13,"message":"internal error (request id an-id)"}'
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Content-Encoding": None, "Vary": None}
EMPTY_PART = {"first": "", "size": 0, "notes": [], "byKey": {}, "inners": []}
UNKNOWN_ANY = '{"any": {"@type": "type.googleapis.com/no.Such", "a": 1}}'

ROWS = {
    "defaults in an answer": (
        answered("part", '{"part": {"size": 0}}', {}),
        answered("part", '{"part": {"size": 0}}', EMPTY_PART, emit_defaults=True),
    ),
    "proto names, enums as numbers": (
        answered("part", '{"part": {"by_key": {"a": {}}}}', {"byKey": {"a": {}}}),
        answered("part", '{"part": {"byKey": {"a": {}}}}', {"by_key": {"a": {}}}, proto_names=True),
        answered("colors", '{"colors": [1, -2]}', ["COLOR_RED", "COLOR_BLUE"]),
        answered("colors", '{"colors": ["COLOR_RED"]}', [1], enums_as_ints=True),
    ),
    "an unknown member": (
        write('{"nope": [{}], "name": "a"}', {"name": "a"}),
        bad('{"nope": 1}', "body: 'nope' is no field of everything.v1.Everything", strict=True),
    ),
    "an unknown name of an enum": (
        write(
            '{"colors": ["COLOR_RED", "NO_COLOR"], "name": "a"}',
            {"colors": ["COLOR_RED"], "name": "a"},
        ),
        bad(
            '{"colors": ["NO_COLOR"]}',
            "colors[0]: expected a value of everything.v1.Color, got 'NO_COLOR'",
            strict=True,
        ),
    ),
    "a member twice": (
        bad('{"name": "a", "name": "a"}', "name: given twice"),
        bad('{"struct": {"a": 1, "\\u0061": 2}}', "struct.a: given twice"),
    ),
    "64 bits, NaN, bytes": (
        write(
            '{"anInt64": 9007199254740993, "aUint64": "18446744073709551615"}',
            {"anInt64": "9007199254740993", "aUint64": "18446744073709551615"},
        ),
        write(
            '{"aDouble": "NaN", "aFloat": "-Infinity"}', {"aDouble": "NaN", "aFloat": "-Infinity"}
        ),
        write('{"someBytes": "-_8"}', {"someBytes": "+/8="}),
        bad('{"aDouble": NaN}', "body: expected JSON, got 'NaN}' at line 1, column 13"),
    ),
    "an Any of an unknown type": (
        bad(UNKNOWN_ANY, "any: expected a type that this server knows, got 'no.Such'"),
        write(
            '{"any": {"@type": "a/everything.v1.Part", "size": 2}}',
            {"any": {"@type": "a/everything.v1.Part", "size": 2}},
        ),
    ),
    "depth": (
        Exchange("POST /v1/write", ANY, body=lists(49)),
        bad(lists(50), "value: nested too deeply"),
    ),
    "the mask of a PATCH": (
        patch("", '{"first": "a", "size": 0}', "first,size", {"first": "a"}),
        patch("?updateMask=", '{"first": null}', "first", {}),
        patch(
            "",
            '{"inner": {"inner": {"first": "a"}}, "notes": ["b"], "byKey": {"c": {"size": 1}}}',
            "inner.inner.first,notes,byKey",
            {"inner": {"inner": {"first": "a"}}, "notes": ["b"], "byKey": {"c": {"size": 1}}},
        ),
        patch("?update_mask=size", '{"first": "a"}', "size", {"first": "a"}),
        patch("", '{"nope": 1, "size": 2}', "size", {"size": 2}),
        patch("", "{}", None, {}),
        Exchange("PUT /v1/part/x", {"name": "x", "part": {"size": 2}}, body='{"size": 2}'),
        refused(
            "PATCH /v1/part/x",
            "part: 'nope' is no field of everything.v1.Part",
            body='{"nope": 1, "size": 2}',
            strict=True,
        ),
    ),
    "HttpBody as an answer": (
        Sent(
            "GET /v1/files/300?content_type=image/png",
            content(300),
            has={"Content-Type": "image/png", "Content-Length": "300", "Vary": None},
        ),
        Sent("GET /v1/held/3?content_type=text/x;%20a=b", content(3), has=TEXT_X),
        Sent("GET /v1/files/0", b"", has={"Content-Type": "application/octet-stream"}),
        Sent("HEAD /v1/files/300", b"", has={"Content-Length": "300"}),
        Sent(f"GET /v1/files/3{NAMED}", content(3), has=DISPOSITION),
        Sent("GET /v1/files/3?code=5", '{"code":5,"message":"as asked"}', status=404),
        Sent("GET /v1/files/3?content_type=a/b%0D%0AX:y", FAULT, headers=ID, status=500),
        Sent("GET /v1/files/1?metadata=x-http-code%3D204", b"", status=204),
    ),
    "HttpBody at the method's own path": (
        Sent(
            "POST /files.v1.Files/NoRule",
            '{"contentType":"a/b","data":"AAEC"}',
            b'{"data":"AAEC","contentType":"a/b"}',
            JSON_TYPE,
            has=JSON_TYPE,
        ),
        Sent(
            "POST /files.v1.Files/Get",
            '{"contentType":"a/b","data":"AAEC"}',
            b'{"size":3,"contentType":"a/b"}',
            JSON_TYPE,
            has=JSON_TYPE,
        ),
    ),
    "ranges of an HttpBody": (
        Sent(
            "GET /v1/files/5?metadata=content-range%3Dbytes%200-4/9",
            content(5),
            status=206,
            has={"Content-Range": "bytes 0-4/9", "Content-Length": "5"},
        ),
        Sent(
            "GET /v1/downloads/5?pieces=1&metadata=content-range%3Dbytes%200-4/9",
            content(5),
            status=206,
            has={"Content-Range": "bytes 0-4/9"},
        ),
        Sent(
            "GET /v1/files/5?code=11&metadata=content-range%3Dbytes%20*/9",
            '{"code":11,"message":"as asked"}',
            headers={"Range": "bytes=9-"},
            status=416,
            has={"Content-Range": "bytes */9"},
        ),
        Sent(
            "GET /v1/downloads/5?code=11",
            '{"code":11,"message":"as asked"}',
            headers={"Range": "bytes=9-"},
            status=416,
        ),
        Sent("GET /v1/files/5?code=11", '{"code":11,"message":"as asked"}', status=400),
    ),
    "compression of an HttpBody": (
        Sent(
            "GET /v1/files/9000?content_type=text/plain",
            content(9000),
            headers=GZIP,
            has={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"},
        ),
        Sent("GET /v1/files/9000?content_type=image/png", content(9000), headers=GZIP, has=PLAIN),
        Sent(
            "GET /v1/files/9000?content_type=text/plain&metadata=accept-ranges%3Dbytes",
            content(9000),
            headers=GZIP,
            has=PLAIN,
        ),
        Sent(
            "GET /v1/downloads/9000?pieces=1&content_type=text/plain",
            content(9000),
            headers=GZIP,
            has=PLAIN,
        ),
    ),
    "HttpBody in a stream of answers": (
        Sent(
            "GET /v1/downloads/300?pieces=3&content_type=image/png",
            content(300) * 3,
            has={"Content-Type": "image/png", "Transfer-Encoding": "chunked"},
        ),
        Sent(
            "GET /v1/held_downloads/3?pieces=2&content_type=text/x;%20a=b",
            content(3) * 2,
            has=TEXT_X,
        ),
        Sent("GET /v1/downloads/20000?pieces=3", content(20_000) * 3),
        Sent("GET /v1/downloads/3", b"", has={"Content-Type": "application/octet-stream"}),
        Sent("HEAD /v1/downloads/3?pieces=2&content_type=a/b", b"", has={"Content-Type": "a/b"}),
        Sent(f"GET /v1/downloads/3{NAMED}&pieces=1", content(3), has=DISPOSITION),
        Sent("GET /v1/downloads/3?code=5", '{"code":5,"message":"as asked"}', status=404),
        Sent("GET /v1/downloads/3?pieces=1&code=5", content(3), is_cut=True),
        Sent("GET /v1/downloads/3?pieces=1&content_type=x", FAULT, headers=ID, status=500),
    ),
    "HttpBody as a request": (
        Sent("PUT /v1/files", got(300, "image/png"), content(300), {"Content-Type": "image/png"}),
        # JSON is bytes like any others.
        Sent("PUT /v1/files", got(2, "application/json", b"{]"), b"{]", JSON_TYPE),
        Sent(
            "PUT /v1/files/a%2Fb?note=c",
            got(3, "x/y; z", name="a/b", note="c"),
            content(3),
            {"Content-Type": "x/y; z"},
        ),
        Sent("PUT /v1/files/a", got(0, name="a")),
        Sent("PUT /v1/files", got(3), gzip.compress(content(3)), {"Content-Encoding": "gzip"}),
        Sent("PUT /v1/files?note=c", got(3), content(3)),
        Sent(
            "PUT /v1/files/a?file.data=AA",
            got(3, name="a"),
            content(3),
        ),
        Sent(
            "PUT /v1/files?note=c",
            '{"code":3,"message":"query: expected none, as the body is the whole request"}',
            content(3),
            status=400,
            strict=True,
        ),
        Sent(
            "PUT /v1/files",
            '{"code":3,"message":"header content-type: expected printable ASCII characters"}',
            content(3),
            {"Content-Type": "a/\u00e9"},
            status=400,
        ),
        Sent(
            "PUT /v1/files",
            '{"code":8,"message":"the request body is larger than the limit of 100 bytes"}',
            content(101),
            status=413,
            limits=Limits(body_max_bytes=100),
        ),
    ),
    "HttpBody in a stream of requests": (
        Sent(
            "POST /v1/uploads",
            got(300, "image/png"),
            content(300),
            {"Content-Type": "image/png"},
        ),
        Sent(
            "POST /v1/uploads/a?note=c",
            got(3, "x/y", name="a", note="c"),
            content(3),
            {"Content-Type": "x/y"},
        ),
        Sent("POST /v1/uploads/a", got(0, name="a")),
        Sent("POST /v1/echo", content(300), content(300), {"Content-Type": "a/b"}, has=A_B),
        # A body of any size, in pieces.
        Sent("POST /v1/echo", content(5000), content(5000), limits=Limits(body_max_bytes=100)),
        Sent(
            "POST /v1/uploads",
            '{"code":3,"message":"content encoding'
            " 'gzip': expected none for a stream of requests\"}",
            content(3),
            {"Content-Encoding": "gzip"},
            status=415,
            has={"Accept-Encoding": "identity"},
        ),
    ),
    "multipart/form-data": (
        form(
            part("file", "abc", 'filename="../a.txt"', "image/png"),
            part("thumbnail", "\\x00", "filename=b"),
            part("pages", "1"),
            part("pages", "{}", "filename=c", "application/json"),
            part("count", "7"),
            part("tags", "a,b"),
            part("tags", ""),
            part("isPublic", "true"),
            part("inner", '{"name":"i","count":2}', "", "application/json"),
            part("labels", '{"k":"v"}'),
            part("text", "ä"),
            part("nope", "x"),
            answer={
                "name": "n",
                "file": body_of("abc", "image/png", "../a.txt"),
                "thumbnail": base64.b64encode(b"\\x00").decode(),
                "pages": ["MQ==", "e30="],
                "count": 7,
                "tags": ["a,b", ""],
                "inner": {"name": "i", "count": 2},
                "labels": {"k": "v"},
                "isPublic": True,
                "text": "ä",
            },
        ),
        # The path wins; several files; a file that is JSON is a file.
        form(
            part("name", "other"),
            part("files", "a"),
            part("files", "{}", "", "application/json"),
            answer={
                "name": "n",
                "files": [body_of("a", "text/plain"), body_of("{}", "application/json")],
            },
        ),
        form(
            part("tags", '["a"]', "", "application/json"),
            part("tags", "b"),
            answer={"name": "n", "tags": ["b", "a"]},
        ),
        form(
            part("thumbnail", "1"),
            path="/v1/forms/n/inner?count=3",
            answer={"name": "n", "count": 3, "inner": {"thumbnail": "MQ=="}},
        ),
        form(answer={"name": "n"}),
        bad_form("form field 'count': expected int32, got 'x'", part("count", "x")),
        bad_form("form field 'file': expected one part, got two", *[part("file", "x")] * 2),
        bad_form(
            "form field 'number': excludes text, which is given too",
            part("text", "x"),
            part("number", "1"),
        ),
        bad_form("inner.count: expected int32, got 'x'", part("inner", '{"count":"x"}')),
        bad_form("form field 'nope': no such field", part("nope", ""), strict=True),
        bad_form("form: part 1 is malformed, or has no end of its own", end=""),
        Sent(
            "POST /v1/forms/n",
            '{"code":3,"message":"content type \'text/plain\': expected'
            ' application/json or multipart/form-data"}',
            b"a=b",
            {"Content-Type": "text/plain"},
            status=415,
            has={"Accept": "application/json, multipart/form-data"},
        ),
        # A message that has no field for a file takes JSON alone.
        Sent(
            "PUT /v1/written",
            '{"code":3,"message":"content type \'multipart/form-data; boundary=x\':'
            ' expected application/json"}',
            b"--x--",
            {"Content-Type": "multipart/form-data; boundary=x"},
            status=415,
        ),
    ),
}


@cases("row", ROWS)
async def test_bodies(row: Row) -> None:
    await run(row)
