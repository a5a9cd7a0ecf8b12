"""everything.v1.Everythings on a free port, under uvloop. Prints its address.

Heads and bodies that do not end are cut after a second, so that thousands of them can be tried.
"""

import asyncio
import gc
import logging
from typing import Final

import uvloop

from tests.everything_fixture import SERVICE, handlers
from transcoder import Limits, Transcoder

CUT_S: Final = 1.0


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    limits = Limits(header_timeout_s=CUT_S, body_timeout_s=CUT_S, keepalive_timeout_s=60.0)
    transcoder = Transcoder(limits=limits)
    transcoder.add_registered_method_handlers(SERVICE, handlers())
    # As docs/transcoder.md advises whoever takes large bodies, and the service does.
    gc.freeze()
    gc.set_threshold(5000, 10, 10)
    print(await transcoder.start("127.0.0.1:0"), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
