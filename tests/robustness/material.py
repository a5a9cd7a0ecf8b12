"""Material of generated requests: texts, JSON, headers, damage; and valid documents."""

import functools
import gzip
from collections.abc import Callable
from typing import Final

import brotli
from google.protobuf.descriptor import FieldDescriptor

from transcoder.http.encodings import zstd

TEXTS: Final = [
    *("", " ", "a", "é", "\0", "\U0001f600", "../..", "%zz", "%2F", "a/b", "a:b", "a.b.c", "+"),
    *("null", "true", "false", "TRUE", "0", "-0", "1", "-1", "1.5", "1e3", "1e999", "NaN", "nan"),
    *("Infinity", "-Infinity", "2147483648", "-2147483649", "4294967296", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775809", "18446744073709551616", "0x1", "1_0", " 1"),
    *("٣", "1" * 400, "COLOR_RED", "color_red", "COLOR_NONE", "99", "-2", "AQ==", "AQ", "_-8", "A"),
    *(
        "2024-02-29T12:00:00Z",
        "2023-02-29T12:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:60Z",
    ),
    *("2024-01-01T00:00:00.1234567890Z", "2024-01-01T00:00:00+24:00", "1.5s", "-0.000000001s", "s"),
    *("315576000001s", "1h", "1.0000000001s", "fooBar,baz.quxQuux", "foo_bar", "a,,b", "[]", "{}"),
    *('{"a":[1]}', '"a"', "[[[[", '{"a":1,"a":2}', "__proto__", "x" * 3000, "\u202e", "a\r\nb: c"),
]
TOKENS: Final = [
    *(b"null", b"true", b"0", b"-0", b"1", b"-1", b"1.5", b"1e3", b"1e999", b"-1e-999", b"NaN"),
    *(b"Infinity", b"01", b"+1", b".5", b"1.", b"0x1", b"2147483648", b"9223372036854775808"),
    *(b"18446744073709551616", b"1.0", b"1e19", b"1" * 5000, b"0." + b"3" * 400, b"{}", b"[]"),
    *(b"[[]]", b'{"a":null}', b'""', b'"a"', b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"'),
    *(
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\t"',
        b'"\\x"',
        b"'a'",
        b"[" * 200 + b"]" * 200,
        b"[" * 5000,
    ),
    *(b'{"a":' * 150 + b"1" + b"}" * 150, b'{"@type":""}', b'{"@type":1}', b'{"@type":"no.Such"}'),
    *(b'{"@type":"type.googleapis.com/google.protobuf.Any","value":{}}', b"undefined", b"//", b""),
    *(
        b'{"a":1,"a":2}',
        b'{"":{"":""}}',
        b"{a:1}",
        b"[1,]",
        b'{"a":1,}',
        b"\xef\xbb\xbf{}",
        b"{} {}",
    ),
]
HEADERS: Final = [
    *((b"Content-Type", value) for value in (b"", b"text/plain", b"application/json; charset=x")),
    *((b"Content-Type", value) for value in (b"a/b+json", b"application/grpc-web+proto", b"json")),
    *((b"Content-Type", value) for value in (b"application/x-www-form-urlencoded", b"\xff", b";")),
    *(
        (b"Content-Encoding", value)
        for value in (b"gzip", b"br", b"zstd", b"gzip,gzip,br", b"x", b"")
    ),
    *(
        (b"Accept-Encoding", value)
        for value in (b"zstd", b"gzip;q=x,*", b"identity;q=0", b"," * 900)
    ),
    *(
        (b"Grpc-Timeout", value)
        for value in (b"1H", b"99999999H", b"1", b"-1S", b"\xb2S", b"9" * 99)
    ),
    *(
        (b"X-Data-Bin", value)
        for value in (b"AQ==", b"AQ", b"!", b"AQ==,AQ", b"", b"====", b"\xff")
    ),
    *((b"Grpc-Metadata-X", value) for value in (b"1", b"\xe9", b"a" * 4000)),
    *((b"Grpc-Metadata-Y-Bin", b"?"), (b"Grpc-Metadata-", b""), (b"Grpc-Status-Details-Bin", b"!")),
    *((b"X-Request-Id", value) for value in (b"mine", b"a b", b"\xff" * 20, b"x" * 200, b"")),
    *(
        (b"Authorization", value)
        for value in (b"", b"Bearer", b"Bearer \xff", b"Basic YQ==", b"a" * 99)
    ),
    *((b"x-zitadel-orgid", value) for value in (b"", b"1", b"999999999999999999", b"\xc3\xa9")),
    *((b"Accept-Language", value) for value in (b"de", b"*;q=0", b"x" * 500, b"\xff", b"," * 500)),
    *((b"Origin", value) for value in (b"null", b"https://evil.example", b"\xff")),
    *((b"Access-Control-Request-Method", b"PUT"), (b"Sec-Fetch-Site", b"cross-site")),
    *((b"Cookie", b"a=b"), (b"Expect", b"100-continue"), (b"Expect", b"x"), (b"TE", b"trailers")),
    *((b"Upgrade", b"websocket"), (b"Upgrade", b"h2c"), (b"Connection", b"X-A"), (b"X-A", b"1")),
    *((b"X-HTTP-Method-Override", b"DELETE"), (b"X!A", b"1"), (b"Forwarded", b"for=\xff")),
]
TAME: Final = {
    FieldDescriptor.CPPTYPE_BOOL: [b"true", b"false"],
    FieldDescriptor.CPPTYPE_DOUBLE: [
        b"0",
        b"-0.0",
        b"1.5e300",
        b'"NaN"',
        b'"-Infinity"',
        b"5e-324",
    ],
    FieldDescriptor.CPPTYPE_FLOAT: [b"0", b"-0", b"3.4e38", b'"Infinity"', b"1e-45", b"0.1"],
    FieldDescriptor.CPPTYPE_ENUM: [b"0", b"1", b"7", b"null"],
    FieldDescriptor.CPPTYPE_INT32: [b"0", b"-1", b'"-2147483648"', b"1e3", b"2147483647.0"],
    FieldDescriptor.CPPTYPE_INT64: [b"0", b'"9223372036854775807"', b"-9223372036854775808"],
    FieldDescriptor.CPPTYPE_UINT32: [b"0", b"4294967295", b'"1"'],
    FieldDescriptor.CPPTYPE_UINT64: [b"0", b'"18446744073709551615"', b"18446744073709551615"],
}
TAME_BYTES: Final = [b'"AQ=="', b'"_-8"', b'""']
TAME_KNOWN: Final = {
    "Any": [b"{}", b'{"@type":"a/google.protobuf.Duration","value":"1s"}'],
    "Duration": [b'"1s"', b'"-0.000000001s"', b'"315576000000s"'],
    "Empty": [b"{}"],
    "FieldMask": [b'""', b'"a,bC.dE"'],
    "ListValue": [b"[]", b'[null,[{}],"a",-0.0,1e300]'],
    "Struct": [b"{}", b'{"a":{"b":[1,true,"",null]},"":0}'],
    "Timestamp": [b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:59.999999999Z"'],
    "Value": [b"null", b"0", b'"a"', b"[{}]", b'{"a":null}'],
    "BoolValue": [b"true", b"null"],
    "BytesValue": [b'"AQ"', b"null"],
    "StringValue": [b'"\\u0000\\ud83d\\ude00"', b"null"],
}
"""Valid values, so that answers are written too; other wrappers take 0."""
VERBS: Final = [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE", b"HEAD", b"OPTIONS", b"LOCK", b"get"]
WOUNDS: Final = [
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t"),
    *(b":", b"/", b"?", b"#", b"%", b"\xff"),
    *(
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"HTTP/1.1",
        b"Host: b\r\n",
        b"Content-Length: 5\r\n",
        b"0\r\n\r\n",
    ),
    *(
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Transfer-Encoding: ",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff\r\n", b"Expect: 100-continue\r\n"),
    *(
        b"Connection: close\r\n",
        b"http://a",
        b"*",
        b"\x16\x03\x01",
        b"PRI * HTTP/2.0\r\n\r\n",
    ),
]

CODINGS: Final[list[tuple[bytes, Callable[[bytes], bytes]]]] = [
    (b"gzip", functools.partial(gzip.compress, mtime=0)),
    (b"br", brotli.compress),
    (b"zstd", zstd.compress),
]
