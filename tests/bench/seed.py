"""A data folder with many actions: `python -m tests.bench.seed FOLDER 100 100000`.

Makes an organisation of each size, by commands in the queue of the service, and prints one line of
JSON with the ids of the organisations. The owner's token is left where a first start leaves it.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from server.commands.actions import CreateAction
from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.config import OWNER_TOKEN_FILE
from server.first_start import make_owner
from server.ids import IdGenerator
from server.store.opening import open_store
from tests.support.threads import THREADS

AT_ONCE: Final = 5_000
SCRIPT: Final = "function run(ctx, api) { api.v1.claims.setClaim('a', 'b'); }\n" * 8
"""Half a KiB: what is stored of an action does not fit where its name stands."""


def name(number: int) -> str:
    """The name of the action that was created as the number says, from 0."""
    return f"Action {number % 1000:03} of {number:06}"


async def seed(folder: Path, sizes: Sequence[int]) -> list[str]:
    store = await open_store(folder)
    ids = IdGenerator(await store.claim_machine_id())
    org_ids = []
    async with CommandQueue(store) as queue:
        await make_owner(store, queue, ids, token_file=folder / OWNER_TOKEN_FILE, threads=THREADS)
        for size in sizes:
            org_id = ids.next()
            await queue.execute(CreateOrg(org_id, f"{size} actions", ""))
            for first in range(0, size, AT_ONCE):
                commands = (
                    CreateAction(org_id, ids.next(), name(number), SCRIPT, 0, False, "")
                    for number in range(first, min(first + AT_ONCE, size))
                )
                await asyncio.gather(*map(queue.execute, commands))
            org_ids.append(org_id)
    await store.close()
    return org_ids


if __name__ == "__main__":
    made = uvloop.run(seed(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]]))
    print(json.dumps(made), flush=True)
