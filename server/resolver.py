"""Resolves host names without threads, so that a look-up ends when its caller is cancelled.

Follows getaddrinfo(3) as far as c-ares does: /etc/hosts, search domains and options of
/etc/resolv.conf, RFC 6761 for localhost, RFC 6724 for the order of addresses.
`loop.getaddrinfo` is not used: its threads are shared, and a look-up in them cannot be cancelled.

Rule 1: each look-up has its own channel of c-ares. Closing it ends no other look-up, and each reads
/etc/resolv.conf anew.
Rule 2: nothing is cached. This module knows nothing of the service, and checks no address.
"""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

import pycares
from aiohttp.abc import AbstractResolver, ResolveResult

LOOKUP_MAX_S: Final = 5.0
"""Max seconds of one look-up, whatever /etc/resolv.conf says."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_NAME_UNKNOWN: Final = frozenset((pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA))
_NO_ANSWER: Final = frozenset((pycares.errno.ARES_ETIMEOUT, pycares.errno.ARES_ECONNREFUSED))


class Resolver(AbstractResolver):
    """Resolves names for aiohttp's client."""

    def __init__(self, *, servers: Sequence[str] = ()) -> None:
        """Takes the name servers.

        Args:
            servers: name servers as "address:port" or "[IPv6]:port"; empty for the system's.
        """
        self._servers = tuple(servers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolves a name.

        Raises:
            OSError: the name has no address, or no server answered in time (`socket.gaierror`).
        """
        try:
            async with asyncio.timeout(LOOKUP_MAX_S):
                found = await _LookUp(self._servers).addresses(host, port, family)
        except TimeoutError:
            raise _failure(pycares.errno.ARES_ETIMEOUT) from None
        return [
            ResolveResult(
                hostname=host,
                host=node.addr[0].decode(),
                port=port,
                family=node.family,
                proto=0,
                flags=_NUMERIC,
            )
            for node in found.nodes
        ]

    async def close(self) -> None:
        """Does nothing: no look-up outlives its caller."""


class _LookUp:
    """Makes one look-up in the running loop."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Future[pycares.AddrInfoResult] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._channel = pycares.Channel(servers=servers, sock_state_cb=self._watch)
        except pycares.AresError:  # for instance, /etc/resolv.conf cannot be read
            raise _failure(pycares.errno.ARES_EFILE) from None

    async def addresses(
        self, host: str, port: int, family: socket.AddressFamily
    ) -> pycares.AddrInfoResult:
        try:
            self._channel.getaddrinfo(
                host, port, family=family, type=socket.SOCK_STREAM, callback=self._done
            )
            self._set_timer()
            return await self._found
        except pycares.AresError:
            raise _failure(pycares.errno.ARES_EBADNAME) from None
        finally:
            self._end()

    def _done(self, result: pycares.AddrInfoResult | None, error: int | None) -> None:
        if self._found.done():
            return
        if result is not None and result.nodes:
            self._found.set_result(result)
        else:
            self._found.set_exception(_failure(error))

    def _watch(self, fd: int, readable: bool, writable: bool) -> None:
        """Watches a socket that c-ares opened, or stops watching one that it closes."""
        if readable:
            self._loop.add_reader(fd, self._process, fd, pycares.ARES_SOCKET_BAD)
        else:
            self._loop.remove_reader(fd)
        if writable:
            self._loop.add_writer(fd, self._process, pycares.ARES_SOCKET_BAD, fd)
        else:
            self._loop.remove_writer(fd)

    def _process(self, readable: int, writable: int) -> None:
        self._channel.process_fd(readable, writable)
        self._set_timer()

    def _set_timer(self) -> None:
        """Sets the timer at which c-ares sends a query again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._found.done():
            bad = pycares.ARES_SOCKET_BAD
            delay_s = self._channel.timeout() or LOOKUP_MAX_S  # type: ignore[no-untyped-call]
            self._timer = self._loop.call_later(delay_s, self._process, bad, bad)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._channel.cancel()  # calls `_done`, and `_watch` for each socket
        self._channel.close()
        del self._channel, self._found  # both refer to this object: leave no cycle


def _failure(error: int | None) -> socket.gaierror:
    """Returns the error of getaddrinfo(3) for an error of c-ares."""
    if error is None or error in _NAME_UNKNOWN:
        return socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if error in _NO_ANSWER:
        return socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure in name resolution")
