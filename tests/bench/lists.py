"""Reads of actions: one by its id, and pages of lists in an organisation of 100 and of 100,000.

A list is asked for by one caller, one page at a time. Beside it stands another who asks every few
milliseconds whether the server lives: as long as that one waits, the loop was held, or the core.
Rule: an answer is judged by its bytes, which are those of the first; the first is read.
"""

import asyncio
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.callers import REST_PREFIX, http_request
from tests.bench.http1 import HttpConnection
from tests.bench.load import Connection, Load, Measured
from tests.bench.seed import name
from tests.bench.servers import SIZES, Servers
from tests.bench.work import Open, Ratio, Work, connect, http

FEW, MANY = SIZES
PAGE: Final = 100
IN_FLIGHT: Final = 64
ANSWERS_MIN: Final = 10
STAND_BY_S: Final = 0.002
ASKED_MS: Final = 25.0


class Reader:
    """Asks the same again and again."""

    def __init__(self, request: bytes, is_right: Callable[[Any], bool]) -> None:
        self._request = request
        self._is_right = is_right
        self._body: bytes | None = None

    def ask(self) -> bytes:
        return self._request

    def accepts(self, body: bytes) -> bool:
        if self._body is None and self._is_right(json.loads(body)):
            self._body = body
        return body == self._body


class Bystander(HttpConnection):
    """Asks for little, now and then; is not counted, but tells how long it waited."""

    __slots__ = ("_asked_at",)

    def start(self) -> None:
        self._asked_at = time.perf_counter()
        super().start()

    def _answered(self, body: bytes) -> None:
        load = self._load
        load.waited_s = max(load.waited_s, time.perf_counter() - self._asked_at)
        self._rest()
        asyncio.get_running_loop().call_later(STAND_BY_S, self._again)

    def _again(self) -> None:
        if self._load.is_running:
            self.start()


@dataclass(frozen=True, slots=True)
class Listing:
    """A request for a page, and its right answer.

    Attributes:
        asked: the request, as JSON.
        size: of the organisation.
        total: how many match.
        first: the number of the action that comes first.
    """

    name: str
    title: str
    asked: Mapping[str, Any]
    size: int
    total: int
    first: int

    def is_right(self, answer: Any) -> bool:
        result = answer["result"]
        return (
            len(result) == PAGE
            and answer["details"]["totalResult"] == str(self.total)
            and result[0]["name"] == name(self.first)
        )

    def prepare(self, servers: Servers, server: str) -> Open:
        filled = servers.filled()
        request = http_request(
            f"{REST_PREFIX}/actions/_search",
            token=filled.server.token,
            body=json.dumps(self.asked).encode(),
            headers=f"x-zitadel-orgid: {filled.orgs[self.size]}\r\n",
        )
        health = http_request("/healthz", token="none", verb="GET", body=b"")
        reader = Reader(request, self.is_right)
        bystander = Reader(health, lambda _: True)

        async def open_connections(load: Load) -> Sequence[Connection]:
            return await connect(
                filled.server.http,
                (
                    functools.partial(HttpConnection, load, reader),
                    functools.partial(Bystander, load, bystander),
                ),
            )

        return open_connections


def _by_name(text: str) -> Mapping[str, Any]:
    method = "TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE"
    return {"actionNameQuery": {"name": text, "method": method}}


LISTINGS: Final = (
    Listing(
        name="list-100",
        title=f"first {PAGE} of 100 actions",
        asked={"query": {"limit": PAGE}},
        size=FEW,
        total=FEW,
        first=0,
    ),
    Listing(
        name="list-100000",
        title=f"first {PAGE} of 100,000",
        asked={"query": {"limit": PAGE}},
        size=MANY,
        total=MANY,
        first=0,
    ),
    Listing(
        name="list-contains",
        title=f"{PAGE} of 100,000, by a part of the name",
        asked={"query": {"limit": PAGE}, "queries": [_by_name("ACTION 777")]},
        size=MANY,
        total=100,
        first=777,
    ),
    Listing(
        name="list-deep",
        title=f"the last {PAGE} of 100,000",
        asked={"query": {"limit": PAGE, "offset": MANY - PAGE}},
        size=MANY,
        total=MANY,
        first=MANY - PAGE,
    ),
    Listing(
        name="list-sorted",
        title=f"{PAGE} in the middle of 100,000 by name, descending",
        asked={
            "query": {"limit": PAGE, "offset": MANY // 2},
            "sortingColumn": "ACTION_FIELD_NAME_NAME",
        },
        size=MANY,
        total=MANY,
        first=99_499,
    ),
)


def _get(servers: Servers, server: str) -> Open:
    real = servers.service("real")
    callers = []
    for number in range(IN_FLIGHT):
        action_id = real.new_action(f"get{number}")
        path = f"{REST_PREFIX}/actions/{action_id}"
        request = http_request(path, token=real.token, verb="GET", body=b"")
        callers.append(Reader(request, functools.partial(_is_action, action_id)))
    return http(real.http, callers)


def _is_action(action_id: str, answer: Any) -> bool:
    return bool(answer["action"]["id"] == action_id)


LISTS: Final = (
    Work("get", "GetAction over JSON, 64 in flight", "real", _get),
    *(
        Work(
            listing.name,
            f"ListActions over JSON, {listing.title}",
            "filled",
            listing.prepare,
            answers_min=ANSWERS_MIN,
        )
        for listing in LISTINGS
    ),
)


def _ms(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].seconds / works[row].requests * 1000


def _waited_ms(row: str, works: Mapping[str, Measured]) -> float:
    return works[row].waited_s * 1000


def _figures(listing: Listing) -> tuple[Ratio, Ratio]:
    return (
        Ratio(
            name=listing.name,
            title=f"time, {listing.title}",
            unit=" ms",
            needs=frozenset({listing.name}),
            of=functools.partial(_ms, listing.name),
            asked=ASKED_MS,
        ),
        Ratio(
            name=f"{listing.name}-held",
            title="... the longest that another caller waited meanwhile",
            unit=" ms",
            needs=frozenset({listing.name}),
            of=functools.partial(_waited_ms, listing.name),
        ),
    )


FIGURES: Final = (
    Ratio(
        name="list-sizes",
        title="CPU, the first page of 100,000 actions to that of 100",
        needs=frozenset({"list-100", "list-100000"}),
        of=lambda works: works["list-100000"].cpu_us / works["list-100"].cpu_us,
        asked=1.2,
    ),
    *(figure for listing in LISTINGS for figure in _figures(listing)),
)
