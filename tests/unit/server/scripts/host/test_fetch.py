"""Fetches by scripts from servers of the tests."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest
import pytest_asyncio
from aiohttp import web

from server.scripts.host.fetch import IDLE_CLIENTS_MAX, Fetcher
from server.scripts.host.fetch_answer import RESPONSE_MAX_BYTES
from server.scripts.host.fetch_request import is_same_origin, url_of
from tests.support.processes import open_descriptors
from tests.support.tables import by_outcome
from tests.unit.server.scripts.runner import LOCAL, Runner, action, executor_of, run_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def echo(request: web.Request) -> web.Response:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    body = (await request.read()).decode()
    return web.json_response(
        {"method": request.method, "path": request.path, "headers": headers, "body": body}
    )


async def redirect(request: web.Request) -> web.Response:
    status = int(request.query.get("status", "302"))
    return web.Response(status=status, headers={"Location": request.query["to"]})


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b"x" * 65536)
    return response


async def bomb(request: web.Request) -> web.Response:
    body = gzip.compress(b"0" * (RESPONSE_MAX_BYTES * 50))
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def zipped(request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b'{"a":1}'), headers={"Content-Encoding": "gzip"})


async def silent(request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def teapot(request: web.Request) -> web.Response:
    return web.Response(status=418, text="not json", headers={"X-Kind": "tea"})


Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(*handlers: Handler, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serves each handler at the path of its name; yields a URL without a slash at its end."""
    app = web.Application()
    for handler in handlers:
        app.router.add_route("*", f"/{handler.__name__}", handler)
    server = web.AppRunner(app, shutdown_timeout=0.1)
    await server.setup()
    await web.TCPSite(server, host, 0).start()
    try:
        yield f"http://{host}:{server.addresses[0][1]}"
    finally:
        await server.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[str]:
    async with serving(echo, redirect, endless, bomb, zipped, silent, teapot) as url:
        yield url


FETCH = "var { fetch } = require('zitadel/http')"


async def fetched(runner: Runner, call: str) -> dict[str, object]:
    """Returns the request that the echo received."""
    said = await runner.logged(f"{FETCH}; function f() {{ log('%j', {call}.json()) }}")
    heard: dict[str, object] = json.loads(said)
    return heard


async def test_the_defaults_are_a_get_of_json(runner: Runner, site: str) -> None:
    heard = await fetched(runner, f"fetch('{site}/echo')")
    headers = heard["headers"]
    assert isinstance(headers, dict)
    assert (heard["method"], headers["content-type"], headers["accept"]) == (
        "GET",
        ["application/json"],
        ["application/json"],
    )


@pytest.mark.parametrize(
    ("options", "method", "body"),
    [
        pytest.param("{method: 'POST', body: {a: [1]}}", "POST", '{"a":[1]}', id="object"),
        pytest.param("{method: 'PUT', body: 'text'}", "PUT", '"text"', id="text is quoted"),
        pytest.param("{method: 'DELETE'}", "DELETE", "", id="no body"),
        pytest.param("undefined", "GET", "", id="no options"),
    ],
)
async def test_the_body_is_sent_as_json(
    runner: Runner, site: str, options: str, method: str, body: str
) -> None:
    heard = await fetched(runner, f"fetch('{site}/echo', {options})")
    assert (heard["method"], heard["body"]) == (method, body)


async def test_headers_replace_the_defaults(runner: Runner, site: str) -> None:
    options = "{headers: {'X-A': 'a, b', 'X-B': ['c,d', 'e'], 'X-C': 5}}"
    headers = (await fetched(runner, f"fetch('{site}/echo', {options})"))["headers"]
    assert isinstance(headers, dict)
    assert (headers["x-a"], headers["x-b"]) == (["a", "b"], ["c,d", "e"])
    assert "x-c" not in headers
    assert "content-type" not in headers


async def test_an_answer_has_status_headers_body_json_and_text(runner: Runner, site: str) -> None:
    source = f"""{FETCH}; function f() {{
      const r = fetch('{site}/teapot');
      log(r.status, r.headers['X-Kind'][0], r.body, r.text(), r.ok);
      try {{ r.json() }} catch (e) {{ log(e.name) }}
    }}"""
    assert await runner.logged(source) == "418 tea not json not json undefined\nSyntaxError"


async def test_an_answer_is_inflated(runner: Runner, site: str) -> None:
    assert await fetched(runner, f"fetch('{site}/zipped')") == {"a": 1}


FAILED: dict[str, dict[str, str]] = {
    "host is denied (ACTIO-N72d0)": {
        "metadata address": "fetch('http://169.254.169.254/latest/meta-data')",
        "metadata address in IPv6": "fetch('http://[::ffff:a9fe:a9fe]/')",
        "metadata address as a number": "fetch('http://2852039166/')",
        "address with a zone": "fetch('http://[fe80::1%25eth0]/')",
        "redirect to it": "fetch('SITE/redirect?to=http://169.254.169.254/')",
    },
    "url: expected one of http or https, got 'file:///etc/passwd'": {
        "redirect to a file": "fetch('SITE/redirect?to=file:///etc/passwd')",
        "file": "fetch('file:///etc/passwd')",
    },
    "lookup of host.invalid failed (ACTIO-4m9s2)": {
        "unknown name": "fetch('http://host.invalid/')"
    },
    "url: expected one of http or https, got 'http://'": {"no host": "fetch('http://')"},
    "url: expected one of http or https, got 'http://1.2.3.4:99999/'": {
        "port": "fetch('http://1.2.3.4:99999/')"
    },
    "TypeError: url: expected a string, got number": {"no text": "fetch(5)"},
    "no url provided": {"nothing": "fetch()"},
    "too many args": {"too many": "fetch('SITE/echo', {}, 1)"},
    "key is invalid: mode (ACTIO-OfUeA)": {"unknown option": "fetch('SITE/echo', {mode: 1})"},
    "method and names of headers: expected tokens of HTTP": {
        "method": "fetch('SITE/echo', {method: 'A B'})",
        "name of a header": "fetch('SITE/echo', {headers: {'A\\n': 'b'}})",
    },
    "header a: a line break in its value": {
        "value of a header": "fetch('SITE/echo', {headers: {a: 'b\\r\\nc: d'}})"
    },
    "header Host: it is not a script's to set": {
        "host": "fetch('SITE/echo', {headers: {Host: 'x'}})"
    },
    "TypeError: body: undefined has no form in JSON": {
        "body of nothing": "fetch('SITE/echo', {method: 'POST', body: undefined})"
    },
    "TypeError: header a: expected strings, got number": {
        "list of numbers": "fetch('SITE/echo', {headers: {a: [5]}})"
    },
    "a request of 2097": {
        "large body": "fetch('SITE/echo', {method: 'POST', body: 'x'.repeat(2 << 20)})"
    },
    "an answer of more than 1048576 bytes": {
        "endless answer": "fetch('SITE/endless')",
        "inflated answer": "fetch('SITE/bomb')",
    },
    "no connection to 127.0.0.1": {"nobody there": "fetch('http://127.0.0.1:1/')"},
}


@by_outcome("call, text", FAILED)
async def test_a_failed_fetch_has_its_reason(
    runner: Runner, site: str, call: str, text: str
) -> None:
    failure = await runner.failure(f"{FETCH}; function f() {{ {call.replace('SITE', site)} }}")
    assert failure.text.startswith(text), failure.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
async def test_a_name_that_is_loopback_is_denied(site: str, host: str) -> None:
    port = site.rpartition(":")[2]
    source = f"{FETCH}; function f() {{ fetch('http://{host}:{port}/echo') }}"
    async with executor_of(workers=1) as executor:
        result = await executor.run(run_of("org", action(source)))
    assert result.failed is not None
    assert result.failed.failure is not None
    assert result.failed.failure.text.startswith("host is denied (ACTIO-N72d0)")


@pytest.mark.parametrize(
    ("status", "method", "seen"),
    [
        pytest.param(301, "POST", ("GET", ""), id="301"),
        pytest.param(302, "POST", ("GET", ""), id="302"),
        pytest.param(303, "PUT", ("GET", ""), id="303"),
        pytest.param(307, "POST", ("POST", "1"), id="307"),
        pytest.param(308, "PUT", ("PUT", "1"), id="308"),
    ],
)
async def test_redirects_are_followed(
    runner: Runner, site: str, status: int, method: str, seen: tuple[str, str]
) -> None:
    call = f"fetch('{site}/redirect?to=/echo&status={status}', {{method: '{method}', body: 1}})"
    heard = await fetched(runner, call)
    assert (heard["method"], heard["body"]) == seen


async def test_redirects_come_to_an_end(runner: Runner) -> None:
    async def loop(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "/loop"})

    async with serving(loop) as url:
        failure = await runner.failure(f"{FETCH}; function f() {{ fetch('{url}/loop') }}")
    assert failure.text.startswith("stopped after 10 redirects at f")


SECRETS = "{headers: {Authorization: 'secret', cookie: 'c=1', Cookie2: 'c', 'X-A': 'kept'}}"


async def headers_after_a_redirect(runner: Runner, site: str, host: str) -> Any:
    """Requests that a second server on the same host, at another port, gets after a redirect."""
    async with serving(echo, host=host) as elsewhere:
        call = f"fetch('{site}/redirect?to={elsewhere}/echo', {SECRETS})"
        return (await fetched(runner, call))["headers"]


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.1"], ids=["another host", "another port"])
async def test_secrets_do_not_follow_to_another_origin(
    runner: Runner, site: str, host: str
) -> None:
    headers = await headers_after_a_redirect(runner, site, host)
    assert not headers.keys() & {"authorization", "cookie", "cookie2"}
    assert headers["x-a"] == ["kept"]


async def test_secrets_follow_within_an_origin(runner: Runner, site: str) -> None:
    headers: Any = (await fetched(runner, f"fetch('{site}/redirect?to=/echo', {SECRETS})"))[
        "headers"
    ]
    assert (headers["authorization"], headers["cookie"]) == (["secret"], ["c=1"])


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param("http://a.test", "http://A.test:80/x?y", True, id="default port"),
        pytest.param("https://a.test:443/", "https://a.test", True, id="default port of https"),
        pytest.param("http://a.test", "https://a.test", False, id="scheme"),
        pytest.param("https://a.test", "http://a.test:443", False, id="scheme on one port"),
        pytest.param("http://a.test", "http://a.test:8080", False, id="port"),
        pytest.param("http://a.test", "http://b.a.test", False, id="name below"),
        pytest.param("http://a.test", "http://a.test.", False, id="dot at its end"),
    ],
)
async def test_scheme_host_and_port_make_an_origin(one: str, other: str, is_same: bool) -> None:
    assert is_same_origin(url_of(one), url_of(other)) is is_same


async def test_the_deadline_goes_on_while_an_answer_is_awaited(runner: Runner, site: str) -> None:
    source = f"{FETCH}; function f() {{ fetch('{site}/silent') }}"
    failure = await runner.failure(source, timeout_ms=100)
    assert failure.text == "interrupt: the action was not done within 0.1 s"
    assert (await runner.one("function f() {}")).failure is None


async def test_an_error_can_be_caught_and_the_script_goes_on(runner: Runner, site: str) -> None:
    source = f"""{FETCH}; function f(ctx, api) {{
      try {{ fetch('http://10.0.0.1/') }} catch (e) {{ log(e.message) }}
      log(fetch('{site}/echo').status);
    }}"""
    assert await runner.logged(source) == "host is denied (ACTIO-N72d0)\n200"


async def test_organisations_share_no_connection(runner: Runner) -> None:
    peers: list[object] = []

    async def note(request: web.Request) -> web.Response:
        peers.append(request.transport and request.transport.get_extra_info("peername"))
        return web.Response(text="{}")

    async with serving(note) as url:
        source = f"{FETCH}; function f() {{ fetch('{url}/note') }}"
        for org_id in ("one", "one", "two"):
            assert (await runner.run(source, org_id=org_id)).failed is None
    assert peers[0] == peers[1] != peers[2]


async def test_connections_of_idle_organisations_are_closed(site: str) -> None:
    fetcher = Fetcher(allow=LOCAL)
    sockets = open_descriptors()
    for number in range(2 * IDLE_CLIENTS_MAX):
        answer = await fetcher.answer(str(number), b'{"url":"%s/teapot"}' % site.encode())
        assert b'"status":418' in answer
    held = open_descriptors()
    await fetcher.close()
    # The server is here, too: two for each connection.
    assert held - sockets <= 2 * IDLE_CLIENTS_MAX


async def test_organisations_that_fetch_at_once_close_idle_connections_without_a_fault(
    site: str,
) -> None:
    fetcher = Fetcher(allow=LOCAL)
    request = b'{"url":"%s/teapot"}' % site.encode()
    try:
        for part in range(3):
            answers = await asyncio.gather(
                *(fetcher.answer(f"{part}-{number}", request) for number in range(IDLE_CLIENTS_MAX))
            )
            assert all(b'"status":418' in answer for answer in answers)
    finally:
        await fetcher.close()
