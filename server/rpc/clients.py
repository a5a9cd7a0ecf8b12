"""Finds the client of a gRPC call that a trusted proxy sent.

Rule: of a call over HTTP the transcoder has found the client; its peer is that already.
"""

from collections.abc import Sequence
from typing import Final, Protocol

from server.rpc.connections import address_of, peer_of
from server.rpc.metadata import Metadata

FORWARDED_FOR: Final = "x-forwarded-for"
_UNIX: Final = "unix:"


class Proxies(Protocol):
    """Declares what the transcoder's `TrustedProxies` does."""

    def trusts(self, peername: object, /) -> bool:
        """True if an address, as a socket gives it, is that of a trusted proxy."""

    def client_of(self, peername: object, values: Sequence[str], /) -> object:
        """Returns the client's address, as a socket gives it, by values of X-Forwarded-For."""


class ForwardedClients:
    """Knows the trusted proxies."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies

    def client_of(self, peer: str, metadata: Metadata) -> str:
        """Returns the client of a call.

        Args:
            peer: as the call's context names it.
            metadata: of the call.

        Returns:
            The client, in the form of a peer; the peer, if it is no trusted proxy.
        """
        if not isinstance(metadata, tuple):
            return peer
        peername = _peername(peer)
        if peername is None or not self._proxies.trusts(peername):
            return peer
        values = [str(value) for key, value in metadata if key == FORWARDED_FOR]
        client = self._proxies.client_of(peername, values)
        return peer_of(*client[:2]) if isinstance(client, tuple) and values else peer


def _peername(peer: str) -> object:
    """Returns the address of a peer as its socket gives it; None if it has none."""
    if peer.startswith(_UNIX):
        return peer.removeprefix(_UNIX)
    host, port = address_of(peer)
    return None if port < 0 else (host, port)
