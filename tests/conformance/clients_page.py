"""Gives the programs that docs/clients.md prints, and checks what they do.

A program makes each action active, whatever it was before, and prints their names.
"""

import json
import re
from collections.abc import Callable
from typing import Final

from tests.support.processes import ROOT
from tests.support.real_server import RealServer

_PAGE: Final = ROOT / "docs/clients.md"


class ClientFailed(Exception):
    """A program is missing, or does something else than expected."""


def printed_program(section: str, language: str) -> str:
    """Returns the program of a section.

    Raises:
        ClientFailed: the section has none.
    """
    pattern = rf"\n## {section}\n.*?```{language}\n(.*?)```"
    found = re.search(pattern, _PAGE.read_text("utf-8"), re.DOTALL)
    if found is None:
        raise ClientFailed(f"{_PAGE.name}: expected a program in {language} under {section}")
    return found[1]


def require_activation(name: str, server: RealServer, run: Callable[[], str]) -> None:
    """Checks that a program makes an inactive action active, and leaves an active one.

    Args:
        name: of the client, for the error.
        server: has no actions yet.
        run: runs the program, and returns what it prints.

    Raises:
        ClientFailed: it does not.
    """
    active, inactive = server.new_action("active"), server.new_action("inactive")
    server.ask("POST", f"/management/v1/actions/{inactive}/_deactivate", {})
    printed = run()
    listed = server.ask("POST", "/management/v1/actions/_search", {})["result"]
    states = {action["id"]: action["state"] for action in listed}
    expected = dict.fromkeys((active, inactive), "ACTION_STATE_ACTIVE")
    if printed != "active\ninactive\n" or states != expected:
        raise ClientFailed(f"{name} printed {printed!r} and left {json.dumps(states)}")
