"""Short forms of S9 (docs/robustness.md): the gRPC port under slow and many connections."""

from pathlib import Path

import grpc
import pytest
import uvloop

from tests.robustness.grpc_port import attack, crowd
from tests.robustness.held_calls import HEALTHZ, Hold, Seen, call_well_once, continue_headers
from tests.robustness.slow import raise_descriptor_limit
from tests.support.real_server import ONE_PORT, RealServer

FLOOD_MAX_MIB = 100

both_ways = pytest.mark.parametrize(
    "options", [pytest.param((), id="own port"), pytest.param(ONE_PORT, id="port of JSON")]
)


@both_ways
@pytest.mark.parametrize("what", ["message", "answer"])
def test_calls_that_are_held_leave_others_served(
    tmp_path: Path, what: Hold, options: tuple[str, ...]
) -> None:
    with RealServer(tmp_path / "data", "--no-access-log", *options) as server:
        seen = uvloop.run(attack(server, HEALTHZ, what, connections=11, seconds=1.5))
    # On a busy machine one call may be the longest held when room is made; `make robustness`
    # allows none.
    assert len(seen.refused) <= 1
    assert len(seen.good_s) > 1
    assert len(seen.healthz_s) > 1


@both_ways
def test_idle_connections_to_the_grpc_port_leave_all_else_served(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    raise_descriptor_limit()
    with RealServer(tmp_path / "data", "--no-access-log", *options) as server:
        kept, seen = uvloop.run(crowd(server, 1200, 0.5))
    assert kept <= 1000
    assert seen.refused == []
    assert len(seen.good_s) > 1
    assert len(seen.healthz_s) > 1


@both_ways
def test_headers_without_end_hold_little_and_leave_others_served(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with RealServer(tmp_path / "data", "--no-access-log", *options) as server:
        before_mib = server.process.resident_mib()
        seen = uvloop.run(_flooded(server))
        assert server.process.resident_mib() < before_mib + FLOOD_MAX_MIB
    assert seen.refused == []
    assert len(seen.good_s) == 1


async def _flooded(server: RealServer) -> Seen:
    seen = Seen()
    await continue_headers(server.grpc, connections=100, frames=40, size=16_000)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        await call_well_once(channel, server.token, seen)
    return seen
