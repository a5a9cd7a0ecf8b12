"""Rows of the API's table of refusals; asks one over a protocol.

A row is named by the id that refuses, and prepared over gRPC in an organisation of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import pytest
from google.protobuf.message import Message

from tests.support.api_client import JSON, Caller, path_fields
from tests.support.prepared import last_event_at

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

Prepare: TypeAlias = Callable[[Caller, Caller], Awaitable[Message]]
"""Does what comes before, as a caller and as one of another organisation; the request to refuse."""


@dataclass(frozen=True, slots=True)
class Row:
    prepare: Prepare
    code: int
    text: str
    place: str


def refusal(code: int, text: str, place: str) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """Returns `Answer.refusal` of a call that is refused so."""
    return code, f"{text} ({place})", ((place, text),)


class Refused:
    """The rows of a module; a decorator, which adds one."""

    def __init__(self) -> None:
        self.rows: list[ParameterSet] = []

    def __call__(self, name: str, code: int, text: str) -> Callable[[Prepare], Prepare]:
        """Add a row: its id (what follows is why), the code, and the text without the id."""

        def add(prepare: Prepare) -> Prepare:
            self.rows.append(pytest.param(Row(prepare, code, text, name.split()[0]), id=name))
            return prepare

        return add

    def as_they_are(self, table: Mapping[tuple[int, str], Mapping[str, Message]]) -> None:
        """Add rows of requests that nothing comes before.

        Args:
            table: by code and text, the requests by the name of their row.
        """
        for (code, text), requests in table.items():
            for name, request in requests.items():
                self(name, code, text)(_always(request))


def _always(request: Message) -> Prepare:
    async def prepare(caller: Caller, stranger: Caller) -> Message:
        return request

    return prepare


async def assert_refused(caller: Caller, stranger: Caller, protocol: str, row: Row) -> None:
    """Ask, and see that the answer is the row's and that nothing was written."""
    request = await row.prepare(caller, stranger)
    before = await last_event_at(caller)
    answer = await caller.ask(protocol, request)
    if protocol == JSON and has_empty_segment(request):
        assert (answer.http_status, answer.refusal) == (404, (5, "Not Found", ()))
    else:
        assert answer.refusal == refusal(row.code, row.text, row.place)
    assert await last_event_at(caller) == before


def has_empty_segment(request: Message) -> bool:
    """True if the request's path over REST has an empty segment, which no route has."""
    return any(getattr(request, name) == "" for name in path_fields(request))
