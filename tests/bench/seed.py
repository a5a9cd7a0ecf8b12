"""A data folder with many actions: `python -m tests.bench.seed FOLDER 100 100000`.

Makes an organisation of each size ("100x50": fifty of 100), by commands in the queue of the
service, and prints one line of JSON with the ids of the organisations. The owner's token is left
where a first start leaves it.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import uvloop

from server.commands.base import Command
from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.config import OWNER_TOKEN_FILE
from server.first_start import make_owner
from server.ids import IdGenerator
from server.store.opening import open_store
from tests.support.action_commands import create_action
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
    async with CommandQueue(store) as queue:
        await make_owner(store, queue, ids, token_file=folder / OWNER_TOKEN_FILE, threads=THREADS)
        org_ids = [ids.next() for _ in sizes]
        orgs = list(zip(org_ids, sizes, strict=True))
        await _execute(queue, (CreateOrg(id_, f"{size} actions, {id_}", "") for id_, size in orgs))
        await _execute(
            queue,
            (
                create_action(id_, ids.next(), name(number), SCRIPT)
                for id_, size in orgs
                for number in range(size)
            ),
        )
    await store.close()
    return org_ids


async def _execute(queue: CommandQueue, commands: Iterator[Command[Any]]) -> None:
    while batch := list(itertools.islice(commands, AT_ONCE)):
        await asyncio.gather(*map(queue.execute, batch))


if __name__ == "__main__":
    sizes: list[int] = []
    for argument in sys.argv[2:]:
        size, _, times = argument.partition("x")
        sizes += [int(size)] * int(times or 1)
    made = uvloop.run(seed(Path(sys.argv[1]), sizes))
    print(json.dumps(made), flush=True)
