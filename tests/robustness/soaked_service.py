"""The service as `python -m server`, which also tells how many tasks it has.

At SIGUSR1 it collects garbage, so that a task that nobody awaits any more is gone, and what it
raised is in the log; then it prints a line.
"""

import asyncio
import gc
import os
import signal
from typing import Final

from server.__main__ import main

TASKS_LINE: Final = "tasks "


def _signalled(*_: object) -> None:
    # A signal that comes while another's handler runs is handled twice by uvloop.
    asyncio.get_running_loop().call_soon(_tell)


def _tell() -> None:
    gc.collect()
    os.write(1, f"{TASKS_LINE}{len(asyncio.all_tasks())}\n".encode())


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _signalled)
    main()
