"""A caller's connection for JSON: one request after the other, each with its answer."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

from tests.robustness.raw import request
from tests.support.connections import answer_of


class Connection:
    """Open within its block."""

    def __init__(self, address: str, token: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._token = token

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, int(self._port))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._writer.close()

    async def ask(self, verb: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        """The status and the body of the answer.

        Raises:
            asyncio.IncompleteReadError, ConnectionError: the server is gone.
        """
        self._writer.write(request(verb, path, body, token=self._token))
        head, text = await answer_of(self._reader)
        return int(head.split()[1]), json.loads(text)
