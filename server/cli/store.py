"""Admin operations, wherever the store is: in a free data folder, or held by a running server.

Only one process may hold a data folder. Where that is a server, it is asked over its socket.
"""

import asyncio
from pathlib import Path
from typing import Final

from server import locale
from server.admin import Admin
from server.admin_socket import ask
from server.cli.failures import Failed
from server.commands.queue import CommandQueue
from server.ids import IdGenerator
from server.operations import AdminError, CreateOrg, Operation, Result
from server.store.errors import DataFolderInUse, StorageError
from server.store.opening import has_database, open_store

WAIT_S: Final = 5.0
"""For whoever holds the folder: another command that ends soon, a server that is still starting."""
RETRY_S: Final = 0.05


def perform(folder: Path, operation: Operation) -> list[Result]:
    """Perform an operation on the accounts in a data folder.

    Raises:
        Failed: it cannot be done.
    """
    # A folder that was mistyped should not come to be.
    if not isinstance(operation, CreateOrg) and not has_database(folder):
        raise Failed(f"nothing is kept in {folder} yet: serve makes it, or org create")
    try:
        return asyncio.run(_perform(folder, operation))
    except (AdminError, StorageError) as error:
        raise Failed(str(error)) from error


async def _perform(folder: Path, operation: Operation) -> list[Result]:
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            return await _perform_here(folder, operation)
        except DataFolderInUse as in_use:
            if in_use.admin:
                try:
                    return await ask(in_use.admin, operation)
                except (FileNotFoundError, ConnectionRefusedError):
                    pass  # Not listening yet, or not any more: see who holds the folder now.
                except OSError as error:
                    message = f"process {in_use.pid}, which holds {folder}, does not answer"
                    raise Failed(message) from error
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


async def _perform_here(folder: Path, operation: Operation) -> list[Result]:
    store = await open_store(folder)
    queue = CommandQueue(store)
    try:
        await queue.start()
        ids = IdGenerator(await store.claim_machine_id())
        return await Admin(store, queue, ids, locale.load("en")).perform(operation)
    finally:
        await queue.close()
        await store.close()
