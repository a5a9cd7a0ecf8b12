"""Runs schemathesis against a running service by the document that it serves, with all checks.

Knows the command of schemathesis, what it prints, and the counts that excuses.py keeps.
Rule: a run that reaches few operations says nothing, so a case of each operation has to succeed.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.support.processes import ROOT
from tests.support.real_server import RealServer

TALLY_VARIABLE: Final = "DOCUMENT_TALLY"
"""Names the file that gets the counts of the run."""
KEPT_VARIABLE: Final = "DOCUMENT_KEPT"
"""Lists ids that no case may remove: of the caller."""
STORED_VARIABLE: Final = "DOCUMENT_STORED"
"""Holds parts of valid requests by operation, as JSON: of those that chance does not find."""
DEFECT_VARIABLE: Final = "DOCUMENT_DEFECT"
"""Names a defect that the document gets."""
DEFECTS: Final = {
    "leave out failures": "/management/v1/actions",
    "write an int64 as a number": "/management/v1/actions/_search",
    "forget what is required": "/management/v1/actions",
}
"""Defects that a run has to find, each with a path whose operations show it."""


EXAMPLES: Final = 5
"""Cases that fuzzing makes for an operation, if no other number is asked for."""


_COMMAND: Final = Path(sys.executable).with_name("schemathesis")
_CASES: Final = re.compile(r"^  ([\d,]+) generated", re.MULTILINE)
_TESTED: Final = re.compile(r"^  Tested: (\d+)$", re.MULTILINE)


class SuiteError(Exception):
    """schemathesis cannot be run."""


@dataclass(frozen=True)
class Outcome:
    """The counts of a run.

    Attributes:
        operations: how many were tested.
        reached: how many succeeded at least once.
        cases: how many requests were made.
        excused: findings that are no fault, by reason.
        report: of faults; empty if there are none.
    """

    operations: int
    reached: int
    cases: int
    excused: Counter[str]
    report: str


@contextmanager
def serving() -> Iterator[RealServer]:
    """Serves the API with a new database."""
    with TemporaryDirectory() as folder, RealServer(Path(folder, "data")) as server:
        yield server


def run(
    server: RealServer, examples: int, *, seed: int = 1, defect: str = "", path: str = ""
) -> Outcome:
    """Runs all checks.

    Args:
        server: what is called, with the token of its owner.
        examples: cases that fuzzing makes for each operation.
        seed: of what is made at random.
        defect: of the document that schemathesis reads, one of DEFECTS.
        path: of the only operations to test; by default of all.

    Raises:
        SuiteError: the command failed.
    """
    options = ["--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"]
    options += ["--header", f"Authorization: Bearer {server.token}", "--checks", "all"]
    options += ["--no-shrink", "--no-color", "--generation-database", "none"]
    # Many ids that it draws are of the caller, and are left out.
    options += ["--suppress-health-check", "filter_too_much"]
    options += ["--include-path", path] if path else []
    with TemporaryDirectory() as folder:
        tally = Path(folder, "tally.json")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "gen"))),
            "SCHEMATHESIS_HOOKS": "tests.conformance.document.excuses",
            TALLY_VARIABLE: str(tally),
            STORED_VARIABLE: json.dumps(_stored(server)),
            KEPT_VARIABLE: " ".join(_ids_of_the_caller(server)),
            DEFECT_VARIABLE: defect,
        }
        done = subprocess.run(
            [_COMMAND, "run", f"http://{server.http}/openapi.json", *options],
            cwd=folder,  # where it writes a cache
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        tested, cases = _TESTED.search(done.stdout), _CASES.search(done.stdout)
        if done.returncode not in (0, 1) or tested is None or cases is None:
            raise SuiteError(done.stdout + done.stderr)
        counts = json.loads(tally.read_text("utf-8"))
    return Outcome(
        operations=int(tested[1]),
        reached=len(_reached(counts["answers"])),
        cases=int(cases[1].replace(",", "")),
        excused=Counter(counts["excused"]),
        report=done.stdout if done.returncode else "",
    )


def notices(server: RealServer, defect: str) -> bool:
    """True if a run finds a defect of the document."""
    return bool(run(server, 1, defect=defect, path=DEFECTS[defect]).report)


def _stored(server: RealServer) -> dict[str, Any]:
    """Stores what some operations need, and returns the parts of requests that name it."""
    members = []
    for _ in range(2):
        members.append(
            server.ask("POST", "/v1/users", {"name": f"member {os.urandom(4).hex()}"})["user"]["id"]
        )
        server.ask("POST", "/v1/members", {"userId": members[-1], "roles": ["ORG_OWNER"]})
    server.ask("PUT", "/v1/secrets/stored", {"value": "s"})
    changed, removed = ({"path_parameters": {"userId": member}} for member in members)
    return {
        "PUT /v1/members/{userId}": {**changed, "body": {"roles": ["ORG_OWNER_VIEWER"]}},
        "DELETE /v1/members/{userId}": removed,
        "DELETE /v1/secrets/{name}": {"path_parameters": {"name": "stored"}},
    }


def _ids_of_the_caller(server: RealServer) -> Iterator[str]:
    for path in ("orgs", "users", "tokens"):
        for one in server.ask("GET", f"/v1/{path}")[path]:
            yield one["id"]


def _reached(answers: dict[str, int]) -> set[str]:
    """Returns the operations, "GET /v1/users", that answered with a 2xx."""
    named = (label.rsplit(" ", 1) for label in answers)
    return {operation for operation, status in named if status.startswith("2")}
