"""A service configuration with something wrong in it is one clear error, or is served; a seed."""

import random
from collections import Counter

from tests.support.everything_fixture import SERVICE, handlers
from transcoder import SchemaError, Transcoder

WHOLE = b"""type: google.api.Service
http:
  rules:
  - selector: everything.v1.Everythings.NoRule
    post: /v1/new/{name=shelves/*}:act
    body: part
    response_body: part
    additional_bindings:
    - get: /v1/new/{an_int64}/{part.first}
    - custom: {kind: LOCK, path: "/v1/new/**"}
"""
WOUNDS = [
    *(b"{", b"}", b"**", b"*", b"/", b":", b"=", b".", b"%", b"[", b"]", b"'", b'"', b"#", b"|"),
    *(b"\n", b"  ", b"- ", b"\t", b"\0", b"\xff", b"\xc3\xa9", b"&a ", b"*a", b"? ", b"<<: ", b"~"),
    *(b"---\n", b"%YAML 9\n", b"!!int ", b"!!binary ", b"!!set ", b"!!omap ", b"!!python/name:os "),
    *(b"null", b"1", b"1.5", b"true", b"12:30:45", b"2024-13-01", b"{a: b}", b"part", b"any"),
]
TEXTS = 600


def wounded(draw: random.Random) -> bytes:
    text = WHOLE
    for _ in range(draw.choice((1, 1, 2, 3))):
        at = draw.randrange(len(text) + 1)
        end = at + draw.randrange(1, 12)
        text = draw.choice(
            (
                text[:at] + draw.choice(WOUNDS) + text[at:],
                text[:at] + draw.choice(WOUNDS) + text[end:],
                text[:at] + text[end:],
                text[:end] + text[at:],
            )
        )
    return text


def test_a_wounded_configuration_is_one_clear_error() -> None:
    draw = random.Random(5)  # noqa: S311  the same ones each time are wanted
    served = handlers()
    outcomes: Counter[str] = Counter()
    for _ in range(TEXTS):
        text = wounded(draw)
        try:
            transcoder = Transcoder(service_config=text)
            transcoder.add_registered_method_handlers(SERVICE, served)
        except SchemaError as error:
            outcomes["refused"] += 1
            for fault in str(error).split("\n- ")[1:] or [str(error)]:
                assert fault.startswith("service configuration: "), text
                assert fault.isprintable(), text
                assert len(fault) < 400, text
        else:
            outcomes["served"] += 1
    assert outcomes["refused"] > TEXTS / 2
    assert outcomes["served"] > 0
