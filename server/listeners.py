"""Opens the addresses of the service: certificates, the pipes from HTTP to gRPC, what is bound.

Must not know services, methods or the store: it gets servers that have what they serve.
Rule: what is opened is closed by the exit stack that it gets, in the reverse order.
"""

from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Final

import structlog

from server.certificates import CertificateFiles, CertificateWatch, InvalidCertificate
from server.config import NO_ADDRESS, Address, Config
from server.metrics.serving import MetricsServer
from server.rpc.grpc_server import GrpcServer
from server.socket_folder import GRPC_SOCKET_FILE, SocketFolder
from server.system_errors import naming_listener, reason
from server.threads import ThreadPool
from transcoder import Http2Pipes, SchemaError, Transcoder
from transcoder.http.accepting import bind
from transcoder.http.unix_sockets import cleared, socket_path_of

log = structlog.get_logger()


class Listeners:
    """Opens what the settings name, one kind at a time."""

    def __init__(
        self, config: Config, running: AsyncExitStack, *, worker: int, threads: ThreadPool
    ) -> None:
        """Opens nothing yet.

        Args:
            config: the settings.
            running: closes what is opened.
            worker: number of this process, if others listen on the same addresses; else 0.
            threads: read certificates.
        """
        self._config: Final = config
        self._running: Final = running
        self._worker: Final = worker
        self._threads: Final = threads
        self._certificates: CertificateWatch | None = None

    async def load_certificates(self) -> None:
        """Reads the certificates, if there are any, and watches their files.

        Raises:
            OSError: they cannot be used.
        """
        config = self._config
        if not config.tls_cert:
            return
        authorities = Path(config.tls_client_ca) if config.tls_client_ca else None
        files = CertificateFiles(Path(config.tls_cert), Path(config.tls_key), authorities)
        certificates = CertificateWatch(files, threads=self._threads)
        try:
            await certificates.load()
        except InvalidCertificate as error:
            raise OSError(f"TLS is not possible: {error}") from error
        certificates.start()
        self._running.push_async_callback(certificates.close)
        self._certificates = certificates

    @property
    def has_tls(self) -> bool:
        return self._certificates is not None

    def reload(self) -> None:
        """Reads the certificates again now; says so if there is nothing to read again."""
        if self._certificates is not None:
            self._certificates.reload()
        elif not self._config.tls_cert:
            log.info("nothing to read again: certificates alone are, and there are none")

    def pipes(self, *, connections_max: int) -> Http2Pipes | None:
        """Returns the pipes from the address of HTTP to gRPC; their socket is in a new folder.

        Returns:
            None if there can be no such socket, and gRPC has an address of its own.

        Raises:
            OSError: there can be no such socket, and gRPC has no other address.
        """
        try:
            folder = SocketFolder()
            self._running.callback(folder.remove)
            path = folder.path / GRPC_SOCKET_FILE
            pipes = Http2Pipes(f"unix:{path}", connections_max=connections_max)
        except (OSError, SchemaError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            if self._config.grpc_listen == NO_ADDRESS:
                raise OSError(f"gRPC needs a socket in the temporary folder: {why}") from error
            log.error("gRPC is served at its own address alone", reason=why)
            return None
        self._running.callback(pipes.close)
        return pipes

    async def serve(
        self, grpc_server: GrpcServer, transcoder: Transcoder, pipes: Http2Pipes | None
    ) -> tuple[str, str]:
        """Starts both servers, which are not ready yet.

        Returns:
            Their addresses as bound, of gRPC and of HTTP; twice that of HTTP if gRPC has no other.

        Raises:
            OSError: an address cannot be bound.
        """
        config, certificates = self._config, self._certificates
        self._running.push_async_callback(grpc_server.stop, 0)
        grpc_listen = await self._serve_grpc(grpc_server, pipes)
        with naming_listener(config.listen, "--listen, ACTIONS_LISTEN"):
            listen = await transcoder.start(
                config.listen,
                is_ready=False,
                http2=pipes,
                proxy_protocol=config.proxy_protocol,
                ssl=None if certificates is None else certificates.context,
                reuse_port=self._worker > 0,
            )
        return grpc_listen or listen, listen

    async def _serve_grpc(self, server: GrpcServer, pipes: Http2Pipes | None) -> str:
        """Serves gRPC, through pipes and at its own address; returns that, if there is one."""
        address, certificates = self._config.grpc_listen, self._certificates
        # Another process may listen on a unix socket; grpc would take it.
        path = socket_path_of(address)
        with (
            naming_listener(address, "--grpc-listen, ACTIONS_GRPC_LISTEN"),
            nullcontext() if path is None else cleared(path),
        ):
            return await server.start(
                None if address == NO_ADDRESS else address,
                is_ready=False,
                piped="" if pipes is None else f"unix:{pipes.path}",
                credentials=None if certificates is None else certificates.grpc_credentials(),
            )

    async def serve_metrics(self, server: MetricsServer) -> str:
        """Serves the page of metrics; returns its address as bound.

        Raises:
            OSError: the address cannot be bound.
        """
        wanted = Address.parse(self._config.metrics_listen)
        with naming_listener(str(wanted), "--metrics-listen, ACTIONS_METRICS_LISTEN"):
            sockets = await bind(*wanted, reuse_port=False)
            await server.start(sockets)
        return str(wanted._replace(port=sockets[0].getsockname()[1]))
