"""kill -9 of `import zitadel` midway: nothing has moved, or all; then a run moves the same.

Kills come at moments that are spread over the time that the command takes, its start included.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.robustness.scenario import Outcome, Scenario
from tests.support.commandline import run

ORGS: Final = 50
ACTIONS: Final = 1_000
KILLS: Final = 20
FILES: Final = "files"
FIRST_ID: Final = 281_029_384_756_000_000
"""Id of the first organisation; an id tells when it was made."""


def write_export(file: Path, *, orgs: int, actions: int) -> None:
    """Writes what a ZITADEL's Admin API exports of organisations with as many actions each."""
    each = actions // orgs
    document = []
    for number in range(orgs):
        first = FIRST_ID + number * 1000
        ids = [str(first + 1 + at) for at in range(each)]
        named = [
            {"actionId": id, "action": {"name": f"a{at}", "script": f"function a{at}() {{}}"}}
            for at, id in enumerate(ids)
        ]
        trigger = {"flowType": "1", "triggerType": "1", "actionIds": ids[::-1]}
        org = {"orgId": str(first), "org": {"name": f"Org {number}"}, "actions": named}
        document.append({**org, "triggerActions": [trigger]})
    file.write_text(json.dumps({"orgs": document}))


def kill_moves(
    folder: Path, *, orgs: int = ORGS, actions: int = ACTIONS, kills: int = KILLS
) -> Iterator[Outcome]:
    write_export(folder / "export.json", orgs=orgs, actions=actions)
    started = folder / "started"
    started.mkdir()
    assert run("org", "create", "Ours", folder=started).status == 0
    first = Path(shutil.copytree(started, folder / "first"))
    move = ("import", "zitadel", "--no-trial")
    assert run(*move, str(folder / "export.json"), folder=first).status == 0
    moved(first)  # an export of a ZITADEL lacks some dates, these files have them
    command = [*move, str(first / FILES)]
    before = run("events", folder=started).out
    whole = Path(shutil.copytree(started, folder / "whole"))
    begun = time.monotonic()
    assert run(*command, folder=whole).status == 0
    lasts_s = time.monotonic() - begun
    right, events = moved(whole), run("events", folder=whole).out.count("\n")
    killed = left = again = 0
    for number in range(kills):
        here = Path(shutil.copytree(started, folder / str(number)))
        process = subprocess.Popen(
            [sys.executable, "-m", "server", *command],
            cwd=here,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(lasts_s * (number + 1) / kills)
        except subprocess.TimeoutExpired:
            process.kill()
        killed += process.wait() == -signal.SIGKILL
        found = run("events", folder=here).out
        left += found == before or found.count("\n") == events
        assert run(*command, folder=here).status == 0
        is_whole = run("check", folder=here).out == "data has no faults\n"
        again += is_whole and moved(here) == right
        shutil.rmtree(here)
    of_all = f"{kills} of {kills}"
    yield Outcome(
        f"moves, {killed} of them killed, that left nothing or all",
        of_all,
        f"{left} of {kills}",
        left == kills and killed > 0,
    )
    yield Outcome(
        f"moves of {actions} actions that are the same when they are run again",
        of_all,
        f"{again} of {kills}",
        again == kills,
    )


def moved(here: Path) -> dict[str, bytes]:
    """Returns the actions and flows of a store, as files."""
    to = here / FILES
    assert run("export", str(to), "--folder", folder=here).status == 0
    return {
        str(path.relative_to(to)): path.read_bytes()
        for path in sorted(to.rglob("*"))
        if path.is_file()
    }


D5: Final = Scenario("D5", "kill -9 of moves from a ZITADEL", kill_moves)
