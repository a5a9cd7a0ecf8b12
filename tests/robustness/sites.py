"""A real server with two organisations, and what to hold against it after something bad came in."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from tests.robustness.raw import Answer, Client, request
from tests.support.real_server import ACTIONS, RealServer


@dataclass(frozen=True, slots=True)
class Site:
    """A server with two organisations, and a caller who behaves.

    Attributes:
        action: of the owner's organisation, active.
        foreign_action: of the other one's.
    """

    server: RealServer
    action: str
    foreign_action: str
    good_caller: Client

    def send(self, *pieces: bytes) -> Answer | None:
        """Returns the answer on a new connection; None if it was closed without one."""
        with Client(self.server.http) as client:
            for piece in pieces:
                client.send(piece)
            return client.answer()

    def events(self) -> int:
        """Returns how many events are stored."""
        database = self.server.data / "events.sqlite"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
        return int(count)

    def good_answer(self) -> int:
        """The status that the good caller gets, on the connection that it has kept."""
        self.good_caller.send(request("GET", f"{ACTIONS}/{self.action}", token=self.server.token))
        answer = self.good_caller.answer()
        assert answer is not None
        return answer.status
