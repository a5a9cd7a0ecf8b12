"""`python -m server serve` as an operator has it, on free ports of this machine.

Knows what it prints once it serves, and the file that holds the owner's token.
Rule: what is asked here goes over HTTP, as anyone may ask it; nothing of the server is imported.
"""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from tests.support.processes import ROOT, Cores, Process

COMMAND_S: Final = 30.0
ACTIONS: Final = "/management/v1/actions"
ONE_PORT: Final = ("--grpc-listen", "none")
"""Options of a service that serves gRPC at the address of JSON alone."""
_JSON_LINE: Final = "JSON and gRPC-Web  "
_GRPC_LINE: Final = "gRPC               "


class RealServer:
    """A server that is killed at the end of its block, if it has not ended by then.

    Attributes:
        http, grpc: addresses, "127.0.0.1:40001".
        token: the owner's.
        data: its data folder.
    """

    def __init__(
        self,
        data: Path,
        *options: str,
        cores: Cores | None = None,
        errors: IO[bytes] | None = None,
        database: str = "",
        token: str = "",
        module: str = "server",
    ) -> None:
        """Start it, and wait until it serves.

        Args:
            data: the data folder; what an earlier one left in it is served.
            options: more of them, for `serve`.
            cores: where it stays; None leaves that to the system.
            errors: where its log goes; by default a file beside the data folder.
            database: the URL of one that is not in the data folder.
            token: of the caller; by default the owner's, as the data folder has it.
            module: the one that is run, with the command line of `server`.

        Raises:
            AssertionError: it ended instead; the text is what it logged.
        """
        self.data = data
        self._log = data.with_name(f"{data.name}.log")
        self._environment = {"ACTIONS_DATABASE": database} if database else {}
        addresses = ("--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0")
        with self._log.open("ab") as log:
            self.process = Process(
                ["-m", module, "serve", *addresses, "--data-dir", str(data), *options],
                cores=cores,
                errors=errors or log,
                environment=self._environment,
            )
        try:
            self.http = self._printed_after(_JSON_LINE).partition("://")[2]
            self.grpc = self._printed_after(_GRPC_LINE)
            self.token = token or (data / "owner.token").read_text(encoding="ascii").strip()
        except BaseException:  # also a test that is out of time
            self.process.close()
            raise

    def __enter__(self) -> "RealServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.process.close()

    def new_action(self, name: str = "action") -> str:
        """The id of a new action."""
        return str(self.ask("POST", ACTIONS, {"name": name, "script": "s"})["id"])

    def set_action(self, script: str, *, org_id: str = "", **fields: Any) -> str:
        """Has flow 2, trigger 4 run one new action, f; returns its id."""
        action = {"name": "f", "script": script, **fields}
        id = str(self.ask("POST", ACTIONS, action, org_id=org_id)["id"])
        flow = "/management/v1/flows/2/trigger/4"
        self.ask("POST", flow, {"actionIds": [id]}, org_id=org_id)
        return id

    def ask(self, verb: str, path: str, body: Any = None, *, org_id: str = "") -> Any:
        """The answer to the owner.

        Raises:
            AssertionError: it is not a 200.
        """
        status, text = self.answer(verb, path, body, org_id=org_id)
        assert status == 200, (verb, path, status, text)
        return json.loads(text)

    def answer(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        org_id: str = "",
        timeout_s: float = 10,
    ) -> tuple[int, bytes]:
        """The status and the body, whatever they are; by default the owner asks.

        Raises:
            OSError, http.client.HTTPException: there is no answer.
        """
        host, _, port = self.http.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
        caller = token or self.token
        headers = {"Authorization": f"Bearer {caller}", "Content-Type": "application/json"}
        if org_id:
            headers["x-zitadel-orgid"] = org_id
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def command(self, *arguments: str) -> Any:
        """Runs a command on the same data folder, and returns the JSON that it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "server", *arguments, "--json", "--data-dir", str(self.data)],
            cwd=ROOT,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            timeout=COMMAND_S,
            check=True,
        )
        return json.loads(done.stdout)

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def _printed_after(self, label: str) -> str:
        line = self.process.line()
        assert line.startswith(label), f"expected {label!r}, got {line!r}; log:\n{self.log()}"
        return line.removeprefix(label).strip()
