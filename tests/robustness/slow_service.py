"""The real composition over a servicer that takes its time: `slow_service FOLDER CALLS SECONDS`.

Prints a line when that many calls are in flight.
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from tests.support import composition
from zitadel import management_pb2, management_pb2_grpc


class Slow(management_pb2_grpc.ManagementServiceServicer):
    """Answers each call when as many are in flight as it was told, and some time has passed."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._missing = calls
        self._all_in_flight = asyncio.Event()
        self._seconds = seconds

    async def ReactivateAction(
        self, request: management_pb2.ReactivateActionRequest, context: object
    ) -> management_pb2.ReactivateActionResponse:
        self._missing -= 1
        if not self._missing:
            print("all in flight", flush=True)
            self._all_in_flight.set()
        await self._all_in_flight.wait()
        await asyncio.sleep(self._seconds)
        answer = management_pb2.ReactivateActionResponse()
        answer.details.sequence = 3
        return answer


async def main(folder: Path, calls: int, seconds: float) -> None:
    await composition.serve(Slow(calls, seconds), folder, access_log=False)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
