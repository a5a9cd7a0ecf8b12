"""kill -9 loses nothing that was acknowledged."""

import asyncio
import os
import sys
from pathlib import Path

from tests.robustness.durability import check

WRITERS = Path(__file__).parents[1] / "robustness" / "writers.py"
KILLS = 3
ACKNOWLEDGED_A_RUN = 2_000


async def test_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    folder, log = tmp_path / "data", tmp_path / "acknowledged"
    log.touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for _ in range(KILLS):
        before = log.stat().st_size
        process = await asyncio.create_subprocess_exec(
            sys.executable, WRITERS, folder, log, "32", env=environment
        )
        async with asyncio.timeout(20):
            while log.stat().st_size < before + ACKNOWLEDGED_A_RUN * len("123456789012345678 9\n"):
                assert process.returncode is None
                await asyncio.sleep(0.01)
        process.kill()
        assert await process.wait() == -9
        verdict = await check(folder, log)
        assert verdict.is_sound, verdict
    assert verdict.acknowledged >= KILLS * ACKNOWLEDGED_A_RUN * 0.9
