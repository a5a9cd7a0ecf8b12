"""Writers in a process of its own, to be killed: `writers.py <data folder> <log> <how many>`.

Each makes an action and deactivates and reactivates it for ever; what was answered goes to the log,
one write(2) a line, so that a kill loses no line that was written.
"""

import asyncio
import os
import sys
from itertools import cycle
from pathlib import Path

from server.commands.actions import DeactivateAction, ReactivateAction
from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.ids import IdGenerator
from server.store.opening import open_store
from server.store.read_model import OrgById
from tests.support.action_commands import create_action


async def write(queue: CommandQueue, action_id: str, log: int) -> None:
    action = await queue.execute(create_action("org", action_id, action_id))
    os.write(log, f"{action.id} {action.sequence}\n".encode())
    for command in cycle(
        (DeactivateAction("org", action_id, ""), ReactivateAction("org", action_id, ""))
    ):
        action = await queue.execute(command)
        os.write(log, f"{action.id} {action.sequence}\n".encode())


async def main(folder: Path, log: Path, writers: int) -> None:
    store = await open_store(folder)
    ids = IdGenerator(await store.claim_machine_id())
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    async with CommandQueue(store) as queue, asyncio.TaskGroup() as group:
        if await store.read(OrgById("org")) is None:
            await queue.execute(CreateOrg("org", "org", ""))
        for _ in range(writers):
            group.create_task(write(queue, ids.next(), descriptor))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
