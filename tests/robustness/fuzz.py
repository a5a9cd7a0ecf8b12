"""Generated requests, 100,000 of them by a fixed seed, and all of the corpus: R11.

Most go to a service of the tests that has a field of every kind and a rule of every form; the
others, with a token, to the real one. A request that finds a fault is kept in tests/corpus.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvloop

from tests.proto import everything_pb2
from tests.robustness.attack import PATIENCE_S, Attempt, Report, attack
from tests.robustness.bodies import peak_growth_mib
from tests.robustness.generate import Generator, bindings_of
from tests.robustness.scenario import Outcome, Scenario, at_most
from tests.support.processes import Process
from tests.support.real_server import RealServer
from zitadel import management_pb2

SEED: Final = 20_261_125
STRUCTURED: Final = 40_000
RAW: Final = 30_000
TO_REAL_SERVICE: Final = 30_000
WARM_UP: Final = 1_000
MEMORY_MIB: Final = 50.0
KEPT_MAX: Final = 20

CORPUS: Final = Path(__file__).parents[1] / "corpus/json"
"""Octets as they were sent; a name begins with the status of the first answer."""


@contextlib.contextmanager
def everything(folder: Path) -> Iterator[tuple[str, Process, Path]]:
    """The service of the tests: its address, its process, its log."""
    log = folder / "everything.log"
    with (
        log.open("wb") as errors,
        Process(["-m", "tests.robustness.everything_service"], errors=errors) as process,
    ):
        yield process.line().strip(), process, log


def requests_to_everything(count: int, raw: int, *, seed: int = SEED) -> Iterator[Attempt]:
    """So many to the service of the tests, and raw ones among them."""
    services = everything_pb2.DESCRIPTOR.services_by_name
    generator = Generator(list(bindings_of(services["Everythings"], "")), seed=seed)
    raw_left = raw
    for left in range(count + raw, 0, -1):
        is_raw = raw_left * (count + raw) >= left * raw and raw_left > 0
        raw_left -= is_raw
        yield Attempt(generator.raw() if is_raw else generator.structured(), is_raw)


def saved() -> list[Path]:
    return sorted(CORPUS.glob("*.http"))


def judged(what: str, report: Report, log: str, grown_mib: float) -> Iterator[Outcome]:
    keep(report)
    yield Outcome(
        f"{report.sent:,} {what}: 5xx, other words, no answer within {PATIENCE_S:g} s",
        "0",
        f"{len(report.faults)}{''.join(sorted({f' ({fault})' for fault, _ in report.faults}))}; "
        f"{report.of(200) - report.of(300):,} times 2xx, {report.of(400):,} times 4xx",
        not report.faults,
    )
    tracebacks = log.count("Traceback")
    yield Outcome(f"{what}: tracebacks in the log", "0", f"{tracebacks}", not tracebacks)
    yield at_most(f"{what}: memory", grown_mib, MEMORY_MIB, "MiB more")


def keep(report: Report) -> None:
    """Add what found a fault to the corpus, under the name of what it did."""
    for fault, octets in report.faults[:KEPT_MAX]:
        digest = hashlib.sha256(octets).hexdigest()[:8]
        slug = "".join(letter if letter.isalnum() else "-" for letter in fault[:40])
        (CORPUS / f"found-{slug}-{digest}.http").write_bytes(octets)


def fuzz(folder: Path) -> Iterator[Outcome]:
    with everything(folder) as (address, process, log):
        uvloop.run(attack(address, requests_to_everything(WARM_UP, 0, seed=1)))
        reports: list[Report] = []

        def flood() -> None:
            reports.append(uvloop.run(attack(address, requests_to_everything(STRUCTURED, RAW))))
            corpus = [Attempt(path.read_bytes(), is_raw=True) for path in saved()]
            reports.append(uvloop.run(attack(address, corpus)))

        grown = peak_growth_mib(process, flood)
        text = log.read_text(encoding="utf-8")
        yield from judged("generated requests, 3 of 7 raw", reports[0], text, grown)
        yield from judged("requests of the corpus", reports[1], text, grown)
    with RealServer(folder / "data") as server:
        server.new_action()
        service = management_pb2.DESCRIPTOR.services_by_name["ManagementService"]
        bindings = list(bindings_of(service, "/management/v1"))
        generator = Generator(bindings, seed=SEED, token=server.token)

        def requests(count: int) -> Iterator[Attempt]:
            return (Attempt(generator.structured(), is_raw=False) for _ in range(count))

        uvloop.run(attack(server.http, requests(WARM_UP)))

        def flood_real() -> None:
            reports.append(uvloop.run(attack(server.http, requests(TO_REAL_SERVICE))))

        grown = peak_growth_mib(server.process, flood_real)
        yield from judged("to the real service", reports[2], server.log(), grown)


R11: Final = Scenario("R11", "generated requests", fuzz)
