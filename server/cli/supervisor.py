"""Starts the processes that share the addresses, replaces those that die, and ends them.

It serves nothing itself but the page of metrics of all workers. Each worker has an interpreter of
its own and is never forked: a process with threads, as gRPC has, cannot be. The first is started
alone, as it may make the tables of an empty database; if it fails, the command fails.
"""

import asyncio
import contextlib
import os
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import structlog

from server import logs
from server.binding import bound
from server.cli.signals import FLUSH_MAX_S, stop_event
from server.cli.worker import Job
from server.config import NO_ADDRESS, Config
from server.config.address import Address
from server.line_writer import LineWriter
from server.metrics.serving import MetricsServer
from server.metrics.workers import WorkersFigures
from server.scripts.host.pool import default_workers
from server.system_errors import naming_listener
from server.threads import ThreadPool

STOP_MAX_S: Final = 15.0
"""Max seconds for a worker to end after SIGTERM: its calls have ten."""

STEADY_S: Final = 10.0
"""Seconds after which a worker that dies is replaced at once."""

PAUSE_MIN_S: Final = 0.5
PAUSE_MAX_S: Final = 30.0
"""Seconds before a worker that died young is replaced; doubled each time."""

log = structlog.get_logger()


def run_workers(config: Config) -> int:
    """Serves by several processes until a signal, then drains all.

    Returns:
        The exit status: that of the first worker if it does not start, which says why.

    Raises:
        OSError: an address cannot be bound.
    """
    writer = logs.set_up(config.log_format, access_log=config.access_log)
    try:
        with (
            _reserved(config.listen, "--listen, ACTIONS_LISTEN") as listen,
            _reserved(config.grpc_listen, "--grpc-listen, ACTIONS_GRPC_LISTEN") as grpc_listen,
        ):
            shared = replace(config, listen=listen, grpc_listen=grpc_listen)
            with asyncio.Runner() as runner:
                return runner.run(_serve(shared, writer))
    finally:
        writer.flush(FLUSH_MAX_S)


async def _serve(config: Config, writer: LineWriter) -> int:
    if config.metrics_listen == NO_ADDRESS:
        return await _Supervisor(config, None).run(writer)
    figures = WorkersFigures()
    threads = ThreadPool("metrics", threads_max=1)
    page = MetricsServer(figures.collect, threads=threads)
    wanted = Address.parse(config.metrics_listen)
    try:
        with naming_listener(config.metrics_listen, "--metrics-listen, ACTIONS_METRICS_LISTEN"):
            held = bound(wanted)
            await page.start([held])
        wanted = wanted._replace(port=held.getsockname()[1])
        shared = replace(config, metrics_listen=str(wanted))
        return await _Supervisor(shared, figures).run(writer)
    finally:
        await page.close()
        threads.close()


class _Supervisor:
    def __init__(self, config: Config, figures: WorkersFigures | None) -> None:
        self._config = config
        self._figures = figures
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()

    async def run(self, writer: LineWriter) -> int:
        self._stop = stop_event(writer)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._signal, signal.SIGHUP)
        starting = asyncio.create_task(self._start(1, welcomes=True))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if self._stop.is_set():
            await self._end()
            await starting
            return 0
        first = starting.result()
        if first is None:
            return abs(await self._running[1].wait())
        keeping = [asyncio.create_task(self._keep(1, first))]
        keeping += [
            asyncio.create_task(self._keep(number, None))
            for number in range(2, self._config.workers + 1)
        ]
        try:
            await stopping
        finally:
            await self._end()
            await asyncio.wait(keeping)
        return 0

    async def _keep(self, number: int, worker: asyncio.subprocess.Process | None) -> None:
        """Has one worker run until the supervisor stops."""
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        while not self._stop.is_set():
            began = loop.time()
            worker = worker or await self._start(number)
            status = None if worker is None else await worker.wait()
            self._running.pop(number, None)
            if self._figures is not None:
                self._figures.remove(number)
            if self._stop.is_set():
                return
            is_steady = loop.time() - began > STEADY_S
            pause_s = 0.0 if is_steady else min(max(2 * pause_s, PAUSE_MIN_S), PAUSE_MAX_S)
            log.error("worker ended, another starts", worker=number, status=status, pause_s=pause_s)
            worker = None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause_s)

    async def _start(
        self, number: int, *, welcomes: bool = False
    ) -> asyncio.subprocess.Process | None:
        """Starts a worker, and returns it once it serves; None if it ends before."""
        told, tell = os.pipe()
        asking, giving = socket.socketpair()
        try:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "server.cli.worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=None if welcomes else asyncio.subprocess.DEVNULL,
                pass_fds=(tell, giving.fileno()),
                start_new_session=True,
            )
            self._running[number] = worker
            job = Job(number, self._config_of(number), tell, welcomes, giving.fileno())
        finally:
            os.close(tell)
            giving.close()
        if worker.stdin is not None:
            worker.stdin.write(pickle.dumps(job))
        if not await _first_octet(told):
            asking.close()
            return None
        if self._figures is None:
            asking.close()
        else:
            await self._figures.add(number, asking)
        return worker

    def _config_of(self, number: int) -> Config:
        """Returns the settings of a worker; the first has the data folder, others a part of it."""
        config = self._config
        folder = config.data_dir if number == 1 else config.data_dir / f"worker-{number}"
        scripts = max((config.script_workers or default_workers()) // config.workers, 1)
        return replace(config, data_dir=folder, script_workers=scripts)

    async def _end(self) -> None:
        """Ends all workers; those that do not drain in time are killed."""
        self._stop.set()
        self._signal(signal.SIGTERM)
        waits = [asyncio.create_task(worker.wait()) for worker in self._running.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=STOP_MAX_S)
            if late:
                log.error("workers did not end in time, and are killed", workers=len(late))
                self._signal(signal.SIGKILL)
                await asyncio.wait(late)

    def _signal(self, number: int) -> None:
        for worker in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(number)


async def _first_octet(descriptor: int) -> bytes:
    """Returns what is first written to a pipe; nothing if its other end is closed before."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    try:
        return await reader.read(1)
    finally:
        transport.close()


@contextlib.contextmanager
def _reserved(address: str, set_by: str) -> Iterator[str]:
    """Binds an address without listening, so that workers find its port free; yields it as bound.

    Raises:
        OSError: another program has it.
    """
    if address == NO_ADDRESS:
        yield address
        return
    wanted = Address.parse(address)
    with naming_listener(address, set_by), bound(wanted) as free:
        wanted = wanted._replace(port=free.getsockname()[1])
    with bound(wanted, reuse_port=True):
        yield str(wanted)
