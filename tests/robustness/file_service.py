"""files.v1.Files on a free port, under uvloop; prints its address."""

import asyncio

import uvloop

from tests.support.files_fixture import registered


async def main() -> None:
    print(await registered().start("127.0.0.1:0"), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
