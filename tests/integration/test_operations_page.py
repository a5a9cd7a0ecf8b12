"""docs/operations.md, typed line by line into one shell, prints what it shows."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.certificates import Authority
from tests.support.postgresql import program, shared_server
from tests.support.processes import ROOT
from tests.support.stand_ins import CURL, stand_ins
from tests.support.transcripts import steps
from tests.support.typed_pages import NEXT, free_address, masked, typed

pytestmark = pytest.mark.timeout(240)  # some processes, one after another

PAGE: Final = ROOT / "docs/operations.md"


def test_the_walk_prints_what_it_shows(tmp_path: Path) -> None:
    shown = list(steps(PAGE.read_text("utf-8")))
    assert len(shown) >= 15
    authority = Authority(tmp_path, "ca")
    authority.pair("server")
    authority.pair("renewed")
    listen = free_address()
    script = f"\necho '{NEXT}'\n".join(step.command for step in shown)
    database = asyncio.run(shared_server().new_database())
    for shown_as, here in (
        ("127.0.0.1:8080", listen),
        (".venv/bin/python", sys.executable),
        ("postgresql://actions:PASSWORD@127.0.0.1/actions", database),
    ):
        assert shown_as in script
        script = script.replace(shown_as, here)
    environment = {
        **os.environ,
        "ACTIONS_LISTEN": listen,
        "ACTIONS_GRPC_LISTEN": "none",
        "LC_ALL": "C",
        "PATH": f"{program('psql').parent}:{stand_ins(tmp_path / 'bin', {'curl': CURL})}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}",
    }
    status, out, errors = typed(script, folder=tmp_path, environment=environment)
    assert status == 0, errors
    printed = out.split(f"{NEXT}\n")
    assert [masked(text) for text in printed] == [masked(step.printed) for step in shown]
