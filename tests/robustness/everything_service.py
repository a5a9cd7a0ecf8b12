"""everything.v1.Everythings on a free port, under uvloop. Prints its address.

Heads and bodies that do not end are cut after a second, so that thousands of them can be tried. A
mask path that a query may hold but JSON may not (`line_1`) is left out of the answer: 500 would be
right, and is what the fuzz looks for.
"""

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvloop
from google.protobuf.field_mask_pb2 import FieldMask

from tests.proto.everything_pb2 import Everything
from tests.support.everything_fixture import SERVICE, handlers
from transcoder import Limits, Transcoder

CUT_S: Final = 1.0


Echo = Callable[[Everything, Any], Awaitable[Everything]]


def answerable_handlers() -> dict[str, Any]:
    made = handlers()
    for name, handler in made.items():
        if handler.unary_unary is not None:
            made[name] = handler._replace(unary_unary=_answerable(handler.unary_unary))
    return made


def _answerable(echo: Echo) -> Echo:
    async def answer(request: Everything, context: Any) -> Everything:
        if not _has_json_form(request.update_mask):
            request.ClearField("update_mask")
        return await echo(request, context)

    return answer


def _has_json_form(mask: FieldMask) -> bool:
    try:
        mask.ToJsonString()
    except ValueError:
        return False
    return True


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    limits = Limits(header_timeout_s=CUT_S, body_timeout_s=CUT_S, keepalive_timeout_s=60.0)
    transcoder = Transcoder(limits=limits)
    transcoder.add_registered_method_handlers(SERVICE, answerable_handlers())
    # As docs/transcoder.md advises whoever takes large bodies, and the service does.
    gc.freeze()
    gc.set_threshold(5000, 10, 10)
    print(await transcoder.start("127.0.0.1:0"), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
