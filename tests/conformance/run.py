"""`make conformance`: two official suites, each also on what is broken on purpose, fuzzes, clients.

The suites are protobuf's and Connect's; the clients are in Go and TypeScript; the services are of
Google's APIs; the server behind the proxy is in Go; schemathesis tests the Actions API by its own
document. A failure, required or recommended, ends with exit status 1; so does a suite that does not
notice, a difference from json_format that is not explained, and one between the two ways of reading
requests.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance import (
    generated_clients,
    go_clients,
    rust_client,
    upstream_programs,
    upstreams,
    ways,
)
from tests.conformance.apis import definitions, services
from tests.conformance.clients_page import ClientFailed
from tests.conformance.connect import servicer
from tests.conformance.connect import suite as connect
from tests.conformance.document import suite as document
from tests.conformance.fuzz import CHUNK, Tally, compare
from tests.conformance.suite import Suite, SuiteError
from tests.conformance.testee import DEFECTS
from tests.support.golang import GoError

COLUMNS = ("successes", "skipped", "expected failures", "unexpected failures")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance ARGS=...", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="of the fuzz, each way")
    parser.add_argument("--requests", type=int, default=200_000, help="of the fuzz of both ways")
    parser.add_argument(
        "--examples", type=int, default=document.EXAMPLES, help="of each operation, by its document"
    )
    parser.add_argument("--seed", type=int, default=1, help="of these examples")
    parser.add_argument(
        "--document", action="store_true", help="run nothing but schemathesis by the document"
    )
    parser.add_argument(
        "--rust", action="store_true", help="run nothing but the client in Rust (needs cargo)"
    )
    parser.add_argument(
        "--apis", action="store_true", help="run nothing but all of Google's APIs: 5 minutes"
    )
    parser.add_argument(
        "--upstreams",
        action="store_true",
        help="run nothing but the proxy in front of grpc-go and grpc-java (needs a JDK and Maven)",
    )
    given = parser.parse_args()
    if given.upstreams:
        is_passed = _run_upstream("grpc-go", upstream_programs.go_server)
        return 0 if _run_upstream("grpc-java", upstream_programs.java_server) and is_passed else 1
    if given.apis:
        return 0 if _run_apis([definitions.ALL]) else 1
    if given.document:
        return 0 if _run_document(given.examples, given.seed) else 1
    if given.rust:
        return 0 if _run_rust_client() else 1
    try:
        suite = Suite()
        is_passed = _run_suite(suite)
    except SuiteError as error:
        print(f"make conformance: {error}", file=sys.stderr)
        return 1
    is_passed = _fuzz(suite.descriptor_set, given.messages) and is_passed
    is_passed = _fuzz_ways(given.requests) and is_passed
    is_passed = _run_connect() and is_passed
    is_passed = _run_document(given.examples, given.seed) and is_passed
    is_passed = _run_apis(definitions.packages()) and is_passed
    is_passed = _run_upstream("grpc-go", upstream_programs.go_server) and is_passed
    is_passed = _run_go_clients() and is_passed
    is_passed = _run_generated_clients() and is_passed
    return 0 if is_passed else 1


def _run_suite(suite: Suite) -> bool:
    outcome = suite.run()
    for name, why in outcome.failures.items():
        print(f"{name}: {why[:400]}")
    print(f"{'protobuf conformance suite':28}{''.join(f'{column:>21}' for column in COLUMNS)}")
    for kind, cases in (
        ("JSON, read or written", outcome.json),
        ("binary to binary", outcome.binary),
        ("text format", outcome.text),
    ):
        print(f"{kind:28}{''.join(f'{number:21}' for number in cases)}")
    is_passed = not outcome.failures
    for defect in DEFECTS:
        noticed = len(suite.run("--defect", defect).failures)
        is_passed = is_passed and noticed > 0
        print(f"codec made to {defect}: {noticed} cases fail, as some must", flush=True)
    return is_passed


def _fuzz(descriptor_set: Path, count: int) -> bool:
    def report(sofar: Tally) -> None:
        if sofar.messages % (20 * CHUNK) == 0 or sofar.messages >= count:
            print(f"against json_format: {sofar.messages:,} messages each way", flush=True)

    tally = compare(descriptor_set, count, report)
    for (verdict, reason), number in sorted(tally.differences.items()):
        print(f"{number:7,}  {verdict}: {reason}")
    for failure in tally.failures[:20]:
        print(f"not explained, message {failure}")
    print(f"{len(tally.failures)} differences that are not explained")
    return not tally.failures


def _fuzz_ways(count: int) -> bool:
    def report(sofar: ways.Tally) -> None:
        if sofar.requests % (40 * ways.CHUNK) == 0 or sofar.requests >= count:
            print(f"whole requests against aiohttp: {sofar.requests:,} connections", flush=True)

    tally = ways.compare_all(count, report)
    for outcome, number in sorted(tally.outcomes.items()):
        print(f"{number:7,}  {outcome}")
    for failure in tally.failures[:20]:
        print(f"not alike, request {failure[:2000]}")
    print(f"{len(tally.failures)} differences between the two ways")
    return not tally.failures


def _run_document(examples: int, seed: int) -> bool:
    try:
        with document.serving() as server:
            outcome = document.run(server, examples, seed=seed)
            noticed = {defect: document.notices(server, defect) for defect in document.DEFECTS}
    except document.SuiteError as failed:
        print(f"schemathesis: {failed}")
        return False
    print(outcome.report, end="")
    for reason, count in sorted(outcome.excused.items()):
        print(f"{count:7,}  findings are no faults: {reason}")
    reached = f"{outcome.reached} of {outcome.operations} operations succeed at least once"
    print(f"schemathesis, all checks: {outcome.cases:,} cases, {reached}", flush=True)
    for defect, is_noticed in noticed.items():
        print(f"document made to {defect}: {'' if is_noticed else 'not '}noticed", flush=True)
    is_deep = outcome.reached == outcome.operations
    return not outcome.report and is_deep and all(noticed.values())


def _run_connect() -> bool:
    try:
        suite = connect.Suite()
        is_passed = _run_grpc(suite)
        for part in connect.PARTS:
            is_passed = _run_part(suite, part) and is_passed
        for defect in servicer.DEFECTS:
            broken = suite.run(connect.PARTS[0], "--defect", defect, attempts=1)
            noticed = len(broken.failures)
            is_passed = is_passed and noticed > 0
            print(f"servicer made to {defect}: {noticed} cases fail, as some must", flush=True)
    except (connect.SuiteError, GoError) as failed:
        print(f"connectconformance: {failed}")
        return False
    return is_passed


def _run_part(suite: connect.Suite, part: connect.Part) -> bool:
    outcome = suite.run(part)
    for name, why in outcome.failures.items():
        print(f"{name}: {why[:400]}")
    passed = outcome.cases - len(outcome.failures)
    print(f"connectconformance, {part.name}: {passed} of {part.cases}", flush=True)
    return passed == part.cases


def _run_grpc(suite: connect.Suite) -> bool:
    """Compares gRPC by the port of JSON with grpc.aio alone: True if it fails no others."""
    part = connect.GRPC
    alone = suite.run(part, "--grpc-aio", attempts=1)
    piped = suite.run(part, known=alone.failures.keys())
    for name in piped.failures.keys() - alone.failures.keys():
        print(f"{name}: {piped.failures[name][:400]}")
    passed, expected = (each.cases - len(each.failures) for each in (piped, alone))
    print(f"connectconformance, {part.name}: {passed} of {part.cases}, grpc.aio alone {expected}")
    return piped.failures.keys() <= alone.failures.keys() and piped.cases == part.cases


def _run_apis(packages: Sequence[str]) -> bool:
    started = time.monotonic()

    def report(name: str, tally: services.Tally) -> None:
        print(f"{name}: {tally.counts['services registered']} services", flush=True)

    tally = services.check_all(packages, report)
    for count, number in sorted(tally.counts.items()):
        print(f"{number:7,}  {count}")
    for fault in tally.faults[:20]:
        print(f"Google's APIs: {fault[:1000]}")
    print(f"{len(tally.faults)} faults, in {time.monotonic() - started:.0f} s")
    return not tally.faults and tally.counts["routes called"] > 0


def _run_upstream(name: str, built: Callable[[], list[str]]) -> bool:
    """Compares callers in front of a server in another language: True if none differs."""
    try:
        tally = upstreams.compare_all(built())
    except (upstream_programs.BuildError, GoError, TimeoutError) as failed:
        print(f"{name} behind the proxy: {failed!r}")
        return False
    for difference in tally.differences:
        print(f"{name} behind the proxy: {difference[:600]}")
    alike = tally.calls - len(tally.differences)
    print(f"{name} behind the proxy: {alike} of {tally.calls} calls as under grpc.aio", flush=True)
    return not tally.differences


def _run_go_clients() -> bool:
    try:
        go_clients.run()
    except (ClientFailed, GoError, AssertionError) as failed:
        print(f"clients in Go: {failed}")
        return False
    print("zitadel-go: its program of docs/clients.md makes an action active")
    print("zitadel-go: it makes, calls and deletes a target at the stand-in for a ZITADEL")
    print("grpc-go: an action lives its life, at each address of gRPC, plain and by TLS")
    return True


def _run_generated_clients() -> bool:
    try:
        with TemporaryDirectory() as folder:
            generated_clients.run(Path(folder))
    except (ClientFailed, AssertionError) as failed:
        print(f"generated clients: {failed}")
        return False
    for name in generated_clients.CLIENTS:
        print(f"{name}: an action lives its life by the client that it makes, compiled strictly")
    return True


def _run_rust_client() -> bool:
    try:
        rust_client.run()
    except (ClientFailed, AssertionError) as failed:
        print(f"client in Rust: {failed}")
        return False
    print("zitadel (Rust): its program of docs/clients.md makes an action active")
    return True


if __name__ == "__main__":
    sys.exit(main())
