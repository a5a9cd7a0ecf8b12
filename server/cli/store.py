"""Sends requests to AdminService, of the server that has locked the data folder or of this process.

One process at a time locks a data folder. If it is a server, the request goes to its admin socket;
if no process has locked the folder, this one does, and answers the request itself.
"""

import asyncio
from typing import Any, Final

from google.protobuf.message import Message

from actions.v1.admin_pb2 import CreateOrgRequest
from server import locale
from server.cli.admin_client import AdminError, ask, method_of
from server.cli.failures import Failed
from server.commands.queue import CommandQueue
from server.config import Config
from server.domain.refusals import Refusal
from server.identity.caller import OPERATOR
from server.ids import IdGenerator
from server.rpc.call_info import CALL, CallInfo
from server.sealing.key_ring import open_key_ring
from server.services.accounts import AccountsService
from server.services.targets import TargetAdministration
from server.store.errors import DataFolderInUse, StorageError
from server.store.opening import engine_of, open_store
from server.threads import ThreadPool

WAIT_S: Final = 5.0
"""Max seconds to wait for the folder while another command has it, or a server is starting."""
RETRY_S: Final = 0.05
"""Seconds between two attempts to open the store."""


def send(config: Config, request: Message) -> Message:
    """Returns the answer of AdminService about the accounts of a database.

    Raises:
        Failed: the request is refused or fails.
    """
    return asyncio.run(send_within(config, request))


async def send_within(config: Config, request: Message) -> Message:
    """Returns the same within a loop.

    Raises:
        Failed: the request is refused or fails.
    """
    # A mistyped folder is not created.
    try:
        engine = engine_of(config.database)
        if not isinstance(request, CreateOrgRequest) and not engine.has_database(config.data_dir):
            raise Failed(f"{config.data_dir} has no database yet; run serve or org create first")
        return await _send(config, request)
    except Refusal as refusal:
        raise Failed(locale.load("en").text(refusal.key, refusal.values)) from refusal
    except (AdminError, StorageError) as error:
        raise Failed(str(error)) from error


async def _send(config: Config, request: Message) -> Message:
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while True:
        try:
            return await _answer_here(config, request)
        except DataFolderInUse as in_use:
            if in_use.admin:
                try:
                    return await ask(in_use.admin, request)
                except (FileNotFoundError, ConnectionRefusedError):
                    pass  # not listening yet, or no longer: try again
                except OSError as error:
                    message = (
                        f"process {in_use.pid}, which holds {config.data_dir}, does not answer"
                    )
                    raise Failed(message) from error
            if asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


async def _answer_here(config: Config, request: Message) -> Message:
    store = await open_store(config.data_dir, database=config.database)
    queue = CommandQueue(store)
    threads = ThreadPool("accounts", threads_max=1)
    try:
        await queue.start()
        ids = IdGenerator(await store.claim_machine_id())
        keys = await open_key_ring(
            store,
            text=config.secret_key,
            file=config.secret_key_file,
            folder=config.data_dir,
            has_own=not config.database,
            threads=threads,
        )
        targets = TargetAdministration(store, queue, ids, keys, threads=threads)
        service = AccountsService(store, queue, ids, threads=threads, targets=targets)
        CALL.set(CallInfo(caller=OPERATOR))
        method: Any = getattr(service, method_of(request).name)
        response: Message = await method(request, None)
        return response
    finally:
        threads.close()
        await queue.close()
        await store.close()
