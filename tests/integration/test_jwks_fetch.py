"""Keys fetched over HTTP, from an issuer that answers well and from ones that do not."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from server.identity import jwks_fetch
from server.identity.jwks import NoKeys
from server.identity.jwks_fetch import DOCUMENT_MAX_BYTES, fetch, jwks_uri_of
from tests.support.issuer import (
    DISCOVERY_PATH,
    KEYS_PATH,
    Answer,
    Issuer,
    Signer,
    answering,
    endless,
    key_set,
)
from tests.support.tables import cases
from tests.support.threads import THREADS

SIGNER = Signer("ES256", "key")
KEYS = key_set(SIGNER)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer(SIGNER) as running:
        yield running


async def failure(issuer: Issuer, jwks_url: str) -> str:
    with pytest.raises(NoKeys) as caught:
        await fetch(issuer.url, jwks_url, threads=THREADS)
    return str(caught.value)


async def test_keys_are_fetched_by_their_url(issuer: Issuer) -> None:
    fetched = await fetch("anyone", issuer.keys_url, threads=THREADS)
    assert fetched.keys.find("key", "ES256") is not None
    assert fetched.max_age_s is None
    assert issuer.asked == [KEYS_PATH]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_keys_are_fetched_where_discovery_says(issuer: Issuer, slash: str) -> None:
    name = issuer.url + slash
    issuer.answers[DISCOVERY_PATH] = answering({"issuer": name, "jwks_uri": issuer.keys_url})
    fetched = await fetch(name, "", threads=THREADS)
    assert fetched.keys.find("key", "ES256") is not None
    assert issuer.asked == [DISCOVERY_PATH, KEYS_PATH]


@cases(
    "cache_control, max_age_s",
    {
        "max-age among others": ("public, max-age=900, must-revalidate", 900),
        "capitals": ("MAX-AGE=9", 9),
        "not to be kept": ("no-store", 0),
        "not to be used unasked": ("max-age=900, no-cache", 0),
        "for shared caches": ("s-maxage=9", None),
        "no number": ("max-age=soon", None),
    },
)
async def test_the_issuer_says_how_long_keys_are_kept(
    issuer: Issuer, cache_control: str, max_age_s: int | None
) -> None:
    issuer.answers[KEYS_PATH] = answering(KEYS, headers=[("Cache-Control", cache_control)])
    assert (await fetch(issuer.url, issuer.keys_url, threads=THREADS)).max_age_s == max_age_s


def cut_off(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"{")


def no_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"SSH-2.0-nobody\r\n")


AT_KEYS = "{url}/keys: "
NO_ANSWER = AT_KEYS + "expected an HTTP answer, got something else or part of one"
NO_SET = AT_KEYS + 'expected a JSON object with a list "keys"'


@cases(
    "answer, line",
    {
        "absent": (answering({}, status=404), AT_KEYS + "expected HTTP status 200, got 404"),
        "fails": (answering(KEYS, status=500), AT_KEYS + "expected HTTP status 200, got 500"),
        "a redirect loop": (
            answering(KEYS, status=302, headers=[("Location", KEYS_PATH)]),
            AT_KEYS + "expected HTTP status 200, got 302",
        ),
        "HTML": (answering(b"<html>"), NO_SET),
        "nothing": (answering(b""), NO_SET),
        "a list": (answering([]), NO_SET),
        "no keys": (
            answering({"keys": []}),
            AT_KEYS + "none of its 0 keys can be used to verify tokens",
        ),
        "compressed, which was not asked for": (
            answering(
                gzip.compress(json.dumps(KEYS).encode()), headers=[("Content-Encoding", "gzip")]
            ),
            NO_SET,
        ),
        "huge": (
            answering(b" " * (DOCUMENT_MAX_BYTES + 1)),
            AT_KEYS + f"expected at most {DOCUMENT_MAX_BYTES} bytes",
        ),
        "without end": (endless, AT_KEYS + f"expected at most {DOCUMENT_MAX_BYTES} bytes"),
        "cut off": (cut_off, NO_ANSWER),
        "no HTTP": (no_http, NO_ANSWER),
    },
)
async def test_keys_that_cannot_be_had_are_a_line_that_names_the_url(
    issuer: Issuer, answer: Answer, line: str
) -> None:
    issuer.answers[KEYS_PATH] = answer
    said = await failure(issuer, issuer.keys_url)
    assert said.startswith(line.format(url=issuer.url))


async def test_a_document_may_be_as_long_as_the_limit(issuer: Issuer) -> None:
    text = json.dumps(KEYS).encode()
    issuer.answers[KEYS_PATH] = answering(text.ljust(DOCUMENT_MAX_BYTES))
    assert len((await fetch("", issuer.keys_url, threads=THREADS)).keys) == 1


@cases(
    "document, line",
    {
        "no discovery document": (b"[]", 'expected a JSON object with "issuer" and "jwks_uri"'),
        "of another issuer": (
            {"issuer": "http://other", "jwks_uri": "https://a"},
            "expected the issuer {url}, got 'http://other'",
        ),
        **{
            f"keys at {uri}": (
                {"issuer": "{url}", "jwks_uri": uri},
                f"expected a jwks_uri with https, got {uri!r}",
            )
            for uri in ("http://10.0.0.1/keys", "file:///etc/passwd", "keys", "")
        },
    },
)
async def test_discovery_is_held_to_what_it_may_say(
    issuer: Issuer, document: object, line: str
) -> None:
    if isinstance(document, dict):
        document = {name: value.replace("{url}", issuer.url) for name, value in document.items()}
    issuer.answers[DISCOVERY_PATH] = answering(document)
    at = issuer.url + DISCOVERY_PATH
    assert await failure(issuer, "") == f"{at}: {line.format(url=issuer.url)}"
    assert KEYS_PATH not in issuer.asked


def test_an_issuer_over_https_has_its_keys_there_too() -> None:
    def document(jwks_uri: str) -> bytes:
        return json.dumps({"issuer": "https://issuer", "jwks_uri": jwks_uri}).encode()

    assert jwks_uri_of(document("https://keys/1"), "https://issuer") == "https://keys/1"
    with pytest.raises(NoKeys, match=r"^expected a jwks_uri with https, got 'http://localhost/'$"):
        jwks_uri_of(document("http://localhost/"), "https://issuer")


async def test_an_issuer_that_does_not_answer_is_left_in_time(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks_fetch, "FETCH_TIMEOUT_S", 0.1)
    released = threading.Event()

    def waiting(_: BaseHTTPRequestHandler) -> None:
        released.wait(30)

    issuer.answers[KEYS_PATH] = waiting
    try:
        said = await failure(issuer, issuer.keys_url)
    finally:
        released.set()
    assert said == f"{issuer.keys_url}: no answer within 0.1 s"


async def test_an_issuer_that_drips_is_left_in_time(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks_fetch, "FETCH_TIMEOUT_S", 0.2)
    pause = threading.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with contextlib.suppress(OSError):
            while not pause.wait(0.01):
                request.wfile.write(b" ")

    issuer.answers[KEYS_PATH] = dripping
    assert await failure(issuer, issuer.keys_url) == f"{issuer.keys_url}: no answer within 0.2 s"


async def test_an_issuer_that_is_down_is_a_line() -> None:
    with Issuer() as gone:
        pass
    assert await failure(gone, "") == f"{gone.url}: cannot connect: Connection refused"
