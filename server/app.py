"""Composes the service: store, services, interceptors and servers; starts and stops them.

Rule: only this module, listeners and plain_paths know the transcoder.
"""

import asyncio
import errno
import gc
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from actions.v1 import admin_pb2 as accounts_pb2
from actions.v1 import execution_pb2, secrets_pb2, versions_pb2
from actions.v1.admin_pb2_grpc import (
    add_AdminServiceServicer_to_server as add_accounts_to_server,
)
from actions.v1.execution_pb2_grpc import add_ExecutionServiceServicer_to_server
from actions.v1.secrets_pb2_grpc import add_SecretServiceServicer_to_server
from actions.v1.versions_pb2_grpc import add_VersionServiceServicer_to_server
from server import locale, plain_paths
from server.admin_socket import AdminSocket
from server.clock_watch import ClockWatch
from server.commands.queue import CommandQueue
from server.commands.traced import CommitSpans, TracedCommands
from server.config import NO_ADDRESS, OWNER_TOKEN_FILE, Config
from server.descriptors import Shares, raise_limit, shares
from server.domain.events import RecordedEvent
from server.first_start import FirstOwner, is_refused, make_owner
from server.identity.access_tokens import AccessTokens
from server.identity.authorization import Authorizer
from server.identity.issuer_keys import IssuerKeys
from server.identity.issuers import Issuers
from server.identity.jwks_fetch import fetch
from server.identity.jwts import Jwts
from server.identity.machine_logins import MachineLogins
from server.identity.permissions import public_methods, required_permissions
from server.identity.signing import Signing
from server.ids import IdGenerator
from server.line_writer import LineWriter
from server.listeners import Listeners
from server.locale import Locale
from server.measured import Parts, measure
from server.metrics.service import ServiceMetrics
from server.metrics.serving import MetricsServer, ProcessFigures
from server.metrics.workers import FiguresGiver
from server.oauth.discovery import Discovery
from server.oauth.issuer import Issuer
from server.oauth.tokens import TokenEndpoint
from server.rpc.call_info import current_trace
from server.rpc.clients import ForwardedClients
from server.rpc.errors import CallFailures
from server.rpc.grpc_server import GrpcServer
from server.rpc.interceptors import service_chain
from server.rpc.interceptors.access_log import ClientOf
from server.rpc.interceptors.entity_tags import EntityTags
from server.rpc.validation.message_checks import checks_of
from server.runs.counted import CountedRunner
from server.runs.log import RunLog
from server.runs.recorder import RunRecorder
from server.runs.traced import TracedRuns
from server.scripts.contract import Options, Unavailable
from server.scripts.host.executor import Executor
from server.scripts.host.pool import default_workers
from server.sealing.key_ring import open_key_ring
from server.services.accounts import AccountsService
from server.services.active_scripts import ActiveScripts
from server.services.admin import AdminService
from server.services.execution import ExecutionService
from server.services.kept_actions import KeptActions
from server.services.kept_targets import KeptTargets
from server.services.management import ManagementService
from server.services.other_methods import NOT_SERVED_BELOW, other_method
from server.services.secrets import SecretService
from server.services.stored_secrets import StoredSecrets
from server.services.target_calls import TargetCalls
from server.services.targets import TargetAdministration
from server.services.trigger_runs import TriggerRuns
from server.services.versions import VersionService
from server.socket_folder import remove_left_folders
from server.storage_watch import StorageWatch
from server.store.engine import AS_USUAL, Forgetful, Opening, Store
from server.store.errors import StorageError
from server.store.files import risks_of
from server.store.opening import open_store
from server.system_errors import reason
from server.threads import ThreadPool
from server.tracing.export import SpanExport
from server.tracing.tracer import Tracer
from server.upstream.account_client import AccountClient
from server.upstream.metadata import UpstreamMetadata
from server.version import installed_version
from transcoder import Http2Pipes, Limits, OpenApi, Transcoder
from transcoder.http.forwarded import TrustedProxies
from transcoder.sonora import SonoraGrpcWeb
from zitadel import admin_pb2, management_pb2
from zitadel.admin_pb2_grpc import add_AdminServiceServicer_to_server
from zitadel.management_pb2_grpc import add_ManagementServiceServicer_to_server

REST_PREFIX: Final = "/management/v1"
ADMIN_REST_PREFIX: Final = "/admin/v1"

NOTICE_S: Final = 0.2
"""Seconds from not ready to refusing connections, so that frequent probes see it first (R9)."""

DRAIN_S: Final = 10.0
"""Max seconds for calls in flight, over every protocol (R8)."""

OWN_THREADS: Final = 2
"""Threads for the service's own files and keys; no organisation's work delays them."""

_YOUNG_MAX: Final = 10_000
"""Max objects made and not freed before the collector runs; Python's default is 700. Each call
over gRPC leaves six objects of grpc.aio for it, with at most 16 KiB of metadata: 26 MiB in all."""

_RESPONSE_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "Pragma": "no-cache",
    "X-Robots-Tag": "none",
}

_SERVICES: Final = (
    management_pb2.DESCRIPTOR.services_by_name["ManagementService"],
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    execution_pb2.DESCRIPTOR.services_by_name["ExecutionService"],
    versions_pb2.DESCRIPTOR.services_by_name["VersionService"],
    secrets_pb2.DESCRIPTOR.services_by_name["SecretService"],
    accounts_pb2.DESCRIPTOR.services_by_name["AdminService"],
)

_COMMENTS: Final = Path(execution_pb2.__file__).parents[1] / "comments.binpb"
"""A descriptor set with the comments of all .proto files, generated beside their code."""

_DOCS: Final = "README.md of the service"
_DAY_S: Final = 86_400
_MIB: Final = 1 << 20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Started:
    """Describes the service once it answers calls.

    Attributes:
        listen: "host:port" of JSON, gRPC-Web and gRPC, as bound.
        grpc_listen: the same, of gRPC alone; without such an address, `listen`.
        owner: made by the first start on an empty store; None on later starts.
        is_token_refused: True if the token in `owner.token` was revoked or has expired.
        metrics_listen: "host:port" of the page of metrics; empty without one.
    """

    listen: str
    grpc_listen: str
    owner: FirstOwner | None
    is_token_refused: bool = False
    metrics_listen: str = ""


class Application:
    """Runs the service in this process."""

    def __init__(
        self,
        config: Config,
        *,
        opening: Opening = AS_USUAL,
        worker: int = 0,
        log: LineWriter | None = None,
        figures: socket.socket | None = None,
    ) -> None:
        """Prepares the service.

        Args:
            config: the settings.
            opening: how its database is opened.
            worker: number of this process, if others listen on the same addresses; else 0.
            log: writes the log, for metrics of it.
            figures: gives the metrics to the process that has the page of them; None if this one
                has it.
        """
        self._config = config
        self._worker = worker
        self._opening = opening
        self._log = log
        self._figures = figures
        self._metrics = None if config.metrics_listen == NO_ADDRESS else ServiceMetrics()
        self._running = AsyncExitStack()
        # One thread, as more do not end sooner and delay the loop (docs/decisions/0007).
        self._work = ThreadPool("callers' work", threads_max=1)
        self._own = ThreadPool("files and keys", threads_max=OWN_THREADS)
        for pool in (self._work, self._own):
            self._running.callback(pool.close)
        self._listeners = Listeners(config, self._running, worker=worker, threads=self._own)

    async def start(self) -> Started:
        """Opens the store and the servers. Call `stop` also when this fails.

        Raises:
            StorageError: the data folder is in use, invalid or not writable.
            OSError: an address cannot be bound, the owner's token cannot be written, or too few
                files may be open.
        """
        config, running = self._config, self._running
        connections = self._connections()
        await self._listeners.load_certificates()
        tracer = self._tracer()
        texts = locale.load_all()
        await self._own.run("", remove_left_folders)
        admin_socket = AdminSocket(config.data_dir)
        running.push_async_callback(admin_socket.close)
        store = await self._open_store(admin=admin_socket.path)
        keys = await open_key_ring(
            store,
            text=config.secret_key,
            file=config.secret_key_file,
            folder=config.data_dir,
            has_own=not config.database,
            threads=self._own,
        )
        ids = IdGenerator(await _machine_id(store))
        signing = Signing(store)
        own_tokens = AccessTokens(signing)
        authorizer = Authorizer(store, jwts=self._jwts(), own_tokens=own_tokens)
        await self._watch_clock(store, authorizer)
        scripts, actions = ActiveScripts(store), KeptActions(store)
        targets = KeptTargets(store, keys)
        kept = (scripts, actions, authorizer, targets)
        await running.enter_async_context(store.following(kept))
        metrics = self._metrics
        queue = CommandQueue(
            store,
            on_commit=partial(_forget, kept),
            observers=(
                *(() if metrics is None else (metrics.batches,)),
                *(() if tracer is None else (CommitSpans(tracer),)),
            ),
        )
        commands = queue if tracer is None else TracedCommands(queue, tracer)
        await queue.start()
        running.push_async_callback(queue.close)
        # Before the queue, and before another process may have the folder.
        running.push_async_callback(admin_socket.close)

        pipes = self._listeners.pipes(connections_max=connections.grpc)
        grpc_server, transcoder = self._servers(texts, authorizer, connections, pipes, tracer)
        executor, runs = self._executor(StoredSecrets(store, keys), tracer), self._run_log(store)
        runner = executor if metrics is None else CountedRunner(executor, metrics.runs)
        recorder = self._recorder(runs)
        accounts = AccountsService(
            store,
            commands,
            ids,
            threads=self._work,
            targets=TargetAdministration(store, commands, ids, keys, threads=self._own),
        )
        _register(
            grpc_server,
            transcoder,
            management=ManagementService(store, actions, commands, ids, texts, threads=self._work),
            admin=AdminService(store, threads=self._work),
            execution=ExecutionService(store, scripts, runner, recorder, ids, threads=self._work),
            versions=VersionService(store, actions, commands, threads=self._work),
            secrets=SecretService(store, commands, keys),
            accounts=accounts,
        )
        issuer = Issuer(config.public_url, has_tls=self.has_tls)
        issuers = Issuers(threads=self._own)
        running.push_async_callback(issuers.close)
        client = AccountClient()
        running.push_async_callback(client.close)
        calls = TargetCalls(
            targets,
            scripts,
            TriggerRuns(runner, recorder, ids, threads=self._work),
            keys=issuers,
            threads=self._work,
            upstream=self._upstream(client),
            client=client,
            observer=None if metrics is None else metrics.targets,
            lines=config.access_log,
        )
        plain_paths.mount(
            transcoder,
            TokenEndpoint(MachineLogins(store), own_tokens, ids, issuer),
            Discovery(signing, issuer),
            calls,
            access_log=config.access_log,
            tracer=tracer,
        )
        metrics_listen = ""
        if metrics is not None:
            parts = Parts(
                queue=queue,
                store=store,
                executor=executor,
                runs=runs,
                work=self._work,
                grpc_server=grpc_server,
                http_connections=lambda: transcoder.connections_count,
                piped_connections=lambda: 0 if pipes is None else len(pipes.connections()),
                log=self._log,
            )
            metrics_listen = await self._serve_metrics(metrics, parts)
        grpc_listen, listen = await self._listeners.serve(grpc_server, transcoder, pipes)
        running.push_async_callback(asyncio.wait, (asyncio.create_task(_start(executor)),))
        running.push_async_callback(_drain, grpc_server, transcoder, metrics)
        # After the addresses are bound, as a first start shows the token once. Nobody has a token
        # yet who may call meanwhile, and no command finds the store without its owner.
        token_file = config.data_dir / OWNER_TOKEN_FILE
        async with store.starting():
            owner = await make_owner(store, queue, ids, token_file=token_file, threads=self._own)
        await _start_admin(
            admin_socket, accounts, CallFailures(texts), access_log=config.access_log
        )
        _relax_collector()
        # After the owner's token works.
        set_ready = partial(_set_ready, grpc_server, transcoder, metrics)
        await set_ready(True)
        watch = StorageWatch(store.check, set_ready)
        watch.start()
        running.push_async_callback(watch.close)
        self._log_serving(
            store, listen=listen, grpc_listen=grpc_listen, metrics_listen=metrics_listen or "none"
        )
        refused = await is_refused(store, token_file=token_file, threads=self._own)
        return Started(listen, grpc_listen, owner, refused, metrics_listen)

    async def _open_store(self, *, admin: str) -> Store:
        """Opens the store, and logs what the operator must know of its files."""
        folder = self._config.data_dir
        store = await open_store(
            folder, database=self._config.database, admin=admin, opening=self._opening
        )
        self._running.push_async_callback(store.close)
        for risk in await self._own.run("", risks_of, folder):
            log.warning("other users can replace the data", folder=folder, reason=risk)
        for warning in store.warnings:
            log.warning(warning)
        return store

    async def _watch_clock(self, store: Store, authorizer: Authorizer) -> None:
        clocks = ClockWatch(authorizer.forget_all)
        clocks.compare((await store.last_event()).created_at)
        clocks.start()
        self._running.push_async_callback(clocks.close)

    def _log_serving(
        self, store: Store, *, listen: str, grpc_listen: str, metrics_listen: str
    ) -> None:
        log.info(
            "serving",
            version=installed_version() or "not installed",
            listen=listen,
            grpc_listen=grpc_listen,
            metrics_listen=metrics_listen,
            data_dir=str(self._config.data_dir.absolute()),
            migrations=",".join(store.migrations) or "none",
        )

    def _connections(self) -> Shares:
        """Returns how many connections there may be, and warns if they are few."""
        files, wanted = raise_limit(), Limits().connections_max
        workers = self._config.script_workers or default_workers()
        connections = shares(files, http_max=wanted, workers=workers)
        if connections.http < wanted:
            log.warning(
                "fewer connections than by default, as few files may be open",
                files=files,
                http=connections.http,
                grpc=connections.grpc,
            )
        return connections

    def _servers(
        self,
        texts: Locale,
        authorizer: Authorizer,
        connections: Shares,
        pipes: Http2Pipes | None,
        tracer: Tracer | None,
    ) -> tuple[GrpcServer, Transcoder]:
        """Returns both servers, with one chain of interceptors; they have no services yet."""
        config = self._config
        chain = service_chain(
            failures=CallFailures(texts),
            authorizer=authorizer,
            permissions=required_permissions(_SERVICES),
            checks=checks_of(_SERVICES),
            access_log=config.access_log,
            client_of=_client_of(config.trusted_proxies),
            has_subjects=bool(config.tls_client_ca),
            find_other=other_method,
            metrics=self._metrics,
            tracer=tracer,
        )
        transcoder = Transcoder(
            interceptors=(chain.with_inner(EntityTags()),),
            cors_origins=config.cors_origins,
            trusted_proxies=config.trusted_proxies,
            response_headers=_RESPONSE_HEADERS,
            docs=_DOCS,
            not_served=NOT_SERVED_BELOW,
            openapi=_openapi() if config.openapi else None,
            grpc_web=SonoraGrpcWeb,
            limits=Limits(drain_timeout_s=DRAIN_S, connections_max=connections.http),
        )
        grpc_server = GrpcServer(
            chain=chain,
            connections_max=connections.grpc,
            pipes=pipes,
            reuse_port=self._worker > 0,
            on_refusal=None if self._metrics is None else self._metrics.refused,
        )
        return grpc_server, transcoder

    def _executor(self, secrets: StoredSecrets, tracer: Tracer | None) -> Executor:
        """Returns the executor of scripts; it is started once calls are answered."""
        config = self._config
        options = Options(
            workers_max=config.script_workers,
            queue_max=config.script_queue,
            deny=config.script_fetch_deny,
            allow=config.script_fetch_allow,
            dns_servers=config.script_dns_servers,
        )
        watch = None if tracer is None else TracedRuns(tracer)
        executor = Executor(options, secrets=secrets, watch=watch)
        self._running.push_async_callback(executor.close)
        return executor

    def _upstream(self, client: AccountClient) -> UpstreamMetadata:
        """Returns what reads metadata from a ZITADEL; it connects when it is first asked."""
        metadata = UpstreamMetadata(client)
        self._running.push_async_callback(metadata.close)
        return metadata

    def _tracer(self) -> Tracer | None:
        """Returns what makes spans, if traces go anywhere; they are sent until all has ended."""
        config = self._config
        if not config.traces_endpoint:
            return None
        from server.tracing.otlp import OtlpSender  # an extra, which is slow to import

        sender = OtlpSender(config.traces_endpoint, version=installed_version() or "unknown")
        export = SpanExport(sender)
        export.start()
        self._running.push_async_callback(export.close)
        return Tracer(export.add, ratio=config.traces_sample_ratio, current=current_trace)

    def _run_log(self, store: Store) -> RunLog:
        """Returns the log of runs, which is written in the background."""
        config = self._config
        runs = RunLog(
            store, keep_s=config.runs_keep_days * _DAY_S, max_bytes=config.runs_max_mib * _MIB
        )
        runs.start()
        self._running.push_async_callback(runs.close)
        return runs

    def _recorder(self, runs: RunLog) -> RunRecorder:
        return RunRecorder(runs, lines=self._config.access_log)

    async def _serve_metrics(self, metrics: ServiceMetrics, parts: Parts) -> str:
        """Serves the page of metrics until all calls have ended; returns its address as bound."""
        connections = measure(metrics, parts)
        threads = ThreadPool("metrics", threads_max=1)
        self._running.callback(threads.close)
        own = ProcessFigures(metrics.registry, prepare=connections.look, threads=threads)
        if self._figures is not None:
            giver = FiguresGiver(own.collect)
            self._running.push_async_callback(giver.close)
            giver.start(self._figures)
            return self._config.metrics_listen
        server = MetricsServer(own.collect, threads=threads)
        self._running.push_async_callback(server.close)
        return await self._listeners.serve_metrics(server)

    def _jwts(self) -> Jwts | None:
        """Returns the verifier of JWTs, if an issuer is set; it fetches keys in the background."""
        issuer = self._config.jwt_issuer
        if not issuer:
            return None
        keys = IssuerKeys(partial(fetch, issuer, self._config.jwt_jwks_url, threads=self._own))
        keys.start()
        self._running.push_async_callback(keys.close)
        return Jwts(keys, issuer=issuer, audiences=self._config.jwt_audience)

    @property
    def has_tls(self) -> bool:
        return self._listeners.has_tls

    def reload(self) -> None:
        """Reads the certificates again now; says so if there is nothing to read again."""
        self._listeners.reload()

    async def stop(self) -> None:
        """Lets calls in flight end, then closes everything; a second call does nothing."""
        await self._running.aclose()


def _openapi() -> OpenApi:
    return OpenApi(
        title="Actions API",
        version=installed_version() or "unknown",
        security={"token": {"type": "http", "scheme": "bearer"}},
        public_methods=public_methods(_SERVICES),
        descriptor_set=_COMMENTS,
    )


def _client_of(trusted_proxies: Sequence[str]) -> ClientOf | None:
    """Returns what finds a call's client behind proxies; None without proxies."""
    if not trusted_proxies:
        return None
    return ForwardedClients(TrustedProxies(trusted_proxies)).client_of


def _forget(kept: Sequence[Forgetful], events: Sequence[RecordedEvent]) -> None:
    """Forgets what is kept of the states that these events change."""
    for each in kept:
        each.forget(events)


def _register(
    grpc_server: GrpcServer,
    transcoder: Transcoder,
    *,
    management: ManagementService,
    admin: AdminService,
    execution: ExecutionService,
    versions: VersionService,
    secrets: SecretService,
    accounts: AccountsService,
) -> None:
    """Registers each service at both servers."""
    for server in (grpc_server, transcoder.at(REST_PREFIX)):
        add_ManagementServiceServicer_to_server(management, server)  # type: ignore[arg-type]
    for server in (grpc_server, transcoder.at(ADMIN_REST_PREFIX)):
        add_AdminServiceServicer_to_server(admin, server)  # type: ignore[arg-type]
    for server in (grpc_server, transcoder.at("")):
        add_ExecutionServiceServicer_to_server(execution, server)  # type: ignore[arg-type]
        add_VersionServiceServicer_to_server(versions, server)  # type: ignore[arg-type]
        add_SecretServiceServicer_to_server(secrets, server)  # type: ignore[arg-type]
        add_accounts_to_server(accounts, server)  # type: ignore[arg-type]


def _relax_collector() -> None:
    """Makes the garbage collector run less often: it took a tenth of a durable request.

    The objects of the start are never traversed again: they stay. Calls in flight are traversed
    seldom: they leave no cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_MAX, 10, 10)


async def _start(executor: Executor) -> None:
    """Starts the processes of the first runs; if that fails, only runs fail."""
    try:
        await executor.start()
    except Unavailable as error:
        log.error("scripts cannot be run", reason=str(error))
    except Exception:  # nothing awaits this task, so the error would be lost
        log.exception("scripts cannot be run; report this, and restart the service")


async def _set_ready(
    grpc_server: GrpcServer,
    transcoder: Transcoder,
    metrics: ServiceMetrics | None,
    is_ready: bool,
) -> None:
    if metrics is not None:
        metrics.is_ready = is_ready
    transcoder.set_ready(is_ready)
    await grpc_server.set_ready(is_ready)


async def _machine_id(store: Store) -> int:
    """Claims a machine id; takes a spare one if nothing can be written."""
    try:
        return await store.claim_machine_id()
    except StorageError as error:
        log.error("nothing can be written: reads are answered, writes fail", reason=str(error))
        return await store.spare_machine_id()


async def _start_admin(
    socket: AdminSocket, accounts: AccountsService, failures: CallFailures, *, access_log: bool
) -> None:
    """Listens for commands; serves without the socket if the disk has no room for it."""
    try:
        await socket.start(accounts, failures=failures, access_log=access_log)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}:
            raise
        log.error("commands on accounts do not reach this process", reason=reason(error))


async def _drain(
    grpc_server: GrpcServer, transcoder: Transcoder, metrics: ServiceMetrics | None
) -> None:
    log.info("draining", seconds=DRAIN_S)
    if metrics is not None:
        metrics.is_ready = False
    transcoder.set_ready(False)
    await grpc_server.set_not_ready()
    await asyncio.sleep(NOTICE_S)
    await asyncio.gather(transcoder.stop(), grpc_server.stop(DRAIN_S))
