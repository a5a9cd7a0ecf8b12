"""echo.v1.Echo on a free port, under uvloop: `stream_service SECONDS CALLS`.

Prints its address; and a line once calls 0 to CALLS - 1 are cancelled and over. A reader that stops
is cut after that many seconds.
"""

import asyncio
import sys

import uvloop

from tests.support.grpcweb_fixture import serving
from transcoder import Limits


async def main(write_timeout_s: float, calls: int) -> None:
    async with serving(limits=Limits(write_timeout_s=write_timeout_s)) as server:
        print(server.address, flush=True)
        for name in map(str, range(calls)):
            await server.servicer.cancelled[name].wait()
            await server.servicer.ended[name].wait()
        print("all over", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]), int(sys.argv[2])))
