"""Declares who watches runs and their requests, as traces do.

Rule: a watcher changes nothing of a run but headers of its requests.
"""

from collections.abc import Mapping
from typing import Protocol

from server.scripts.contract import ActionResult, Script
from server.triggers import Trigger


class FetchWatch(Protocol):
    """Watches one request of a script."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Returns headers to add, unless the script sets the first."""

    def ended(self, status: int | None) -> None:
        """Takes the status of the answer; None if the request failed or was cancelled."""


class ActionWatch(Protocol):
    """Watches one action while it runs."""

    def fetch_begins(self, method: str, scheme: str, host: str, port: int | None) -> FetchWatch: ...

    def ended(self, result: ActionResult | None) -> None:
        """Takes the result; None if the action did not end by itself."""


class RunWatch(Protocol):
    """Watches runs."""

    def action_begins(self, trigger: Trigger, script: Script) -> ActionWatch:
        """Returns who watches the action."""
