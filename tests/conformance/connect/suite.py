"""Runs connectconformance, the suite of Connect's authors, with server.py as the server under test.

Its runner is built from the Go module connectrpc.com/conformance, in the version of go/go.mod.
"""

import json
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc_tools
from grpc_tools import protoc

from tests.support.golang import GoFolder
from tests.support.processes import ROOT

_GOOGLE: Final = Path(grpc_tools.__file__).parent / "_proto"
_MODULE: Final = "connectrpc.com/conformance"
_PROTOS: Final = "connectrpc/conformance/v1"
_TALLY: Final = re.compile(r"^Total cases: (\d+)\n(\d+) passed, (\d+) failed", re.MULTILINE)
_FAILED: Final = re.compile(r"^FAILED: (.*):\n((?:\t.*\n|\n)*)", re.MULTILINE)
_RUN_S: Final = 240.0
_CALLS_AT_ONCE: Final = "6"
"""Most of the time of the suite is waits of its cases; with more calls, their deadlines pass."""
_SERVERS_AT_ONCE: Final = "2"
ATTEMPTS: Final = 3
"""Max runs of a case that fails: some have deadlines of 50 ms, and machines are busy."""


class SuiteError(Exception):
    """The suite cannot be run."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the suite: the features of which it runs the cases.

    Attributes:
        name: for the report.
        features: as the suite's config.proto has them.
        cases: how many there are.
        skipped: patterns of cases that are left out.
    """

    name: str
    features: dict[str, object]
    cases: int
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        cases: how many ran.
        failures: the names of the cases that failed, and why.
    """

    cases: int
    failures: dict[str, str]


def _over_http1(protocol: str, *compressions: str, **features: object) -> dict[str, object]:
    return {
        "versions": ["HTTP_VERSION_1"],
        "protocols": [f"PROTOCOL_{protocol}"],
        "compressions": [f"COMPRESSION_{name}" for name in compressions],
        "supportsTls": False,
        **features,
    }


_CONNECT: Final[dict[str, object]] = {"supportsHalfDuplexBidiOverHttp1": True}
_WEB: Final[dict[str, object]] = {
    "codecs": ["CODEC_PROTO"],
    "streamTypes": ["STREAM_TYPE_UNARY", "STREAM_TYPE_SERVER_STREAM"],
}
PARTS: Final = (
    Part("gRPC-Web over HTTP/1.1", _over_http1("GRPC_WEB", "IDENTITY", "GZIP", **_WEB), 124),
    Part("the same in br and zstd", _over_http1("GRPC_WEB", "BR", "ZSTD", **_WEB), 110),
    Part("Connect over HTTP/1.1", _over_http1("CONNECT", "IDENTITY", "GZIP", **_CONNECT), 384),
    Part("the same in br and zstd", _over_http1("CONNECT", "BR", "ZSTD", **_CONNECT), 368),
)
GRPC: Final = Part(
    "gRPC over HTTP/2",
    {
        "versions": ["HTTP_VERSION_2"],
        "protocols": ["PROTOCOL_GRPC"],
        "codecs": ["CODEC_PROTO"],
        "supportsTls": False,
    },
    371,
    (
        # grpc.aio never answers a call of one message that does not come.
        "gRPC Unexpected Requests/**/no-request",
        # After it, grpcio takes a sound grpc-encoding on the same connection for an invalid one.
        "gRPC Unexpected Requests/**/unexpected-compression",
    ),
)
"""Compared with grpc.aio alone, which fails some of its cases."""


class Suite:
    """The runner, and the descriptors that the server under test needs."""

    def __init__(self) -> None:
        """Builds the runner.

        Raises:
            GoError: there is no Go, or it cannot be built.
            SuiteError: the protos of the suite do not compile.
        """
        folder = GoFolder(ROOT / "build" / "connect", sources=Path(__file__).parent / "go")
        self._folder: Final = folder.path
        self._runner = folder.build("connectconformance", f"{_MODULE}/cmd/connectconformance")
        self._descriptor_set = folder.path / "suite.binpb"
        flags = [f"-I{folder.source_of(_MODULE)}/proto", f"-I{_GOOGLE}", "--include_imports"]
        flags.append(f"--descriptor_set_out={self._descriptor_set}")
        files = [f"{_PROTOS}/service.proto", f"{_PROTOS}/server_compat.proto"]
        if protoc.main(["protoc", *flags, *files]):
            raise SuiteError("the protos of connectconformance do not compile")

    def run(
        self, part: Part, *flags: str, attempts: int = ATTEMPTS, known: Collection[str] = ()
    ) -> Outcome:
        """Runs a part of the suite.

        Args:
            part: which cases.
            flags: of the server.
            attempts: how often a case that fails is run, the first time included.
            known: cases that may fail at once.

        Raises:
            SuiteError: it does not come to its end.
        """
        outcome = self._run(part, flags, [f"--skip={pattern}" for pattern in part.skipped])
        expected = {name: why for name, why in outcome.failures.items() if name in known}
        others = {name: why for name, why in outcome.failures.items() if name not in known}
        for _ in range(attempts - 1):
            if others:
                others = self._run(part, flags, [f"--run={name}" for name in others]).failures
        return Outcome(outcome.cases, expected | others)

    def _run(self, part: Part, flags: Sequence[str], chosen: Sequence[str]) -> Outcome:
        config = self._folder / "config.json"  # YAML, which the runner reads, has all of JSON
        config.write_text(json.dumps({"features": part.features}), encoding="utf-8")
        server = (sys.executable, "-m", "tests.conformance.connect.server", *flags)
        done = subprocess.run(
            [
                *(str(self._runner), "--mode", "server", "--conf", str(config), *chosen),
                *("--parallel", _CALLS_AT_ONCE, "--max-servers", _SERVERS_AT_ONCE),
                *("--", *server, str(self._descriptor_set)),
            ],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=_RUN_S,
            check=False,
        )
        tally = _TALLY.search(done.stdout)
        failures = {name: " ".join(why.split()) for name, why in _FAILED.findall(done.stdout)}
        if tally is None or int(tally[3]) != len(failures):
            report = done.stdout + done.stderr
            raise SuiteError(f"connectconformance did not come to its end:\n{report[-2000:]}")
        return Outcome(int(tally[1]), failures)
