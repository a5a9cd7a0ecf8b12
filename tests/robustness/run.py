"""`make robustness`: what is done to a real server, the figure asked, the figure reached.

Follows docs/robustness.md. Ends with 1 if a figure is missed. A part of it: ARGS="--only R19 R8".
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.robustness.bad_streams import R35
from tests.robustness.bodies import R16
from tests.robustness.bombs import R17, R18
from tests.robustness.crowds import R8_PG, R23, R27
from tests.robustness.cut_commits import R3_PG, R4_PG, R5_PG
from tests.robustness.documents import R12, R13, R14
from tests.robustness.drain import R8
from tests.robustness.drained_runs import S4
from tests.robustness.ended_streams import R30
from tests.robustness.event_order import R6_PG
from tests.robustness.first_start import S10
from tests.robustness.fuzz import R11
from tests.robustness.greedy import S3
from tests.robustness.grpc_port import S9
from tests.robustness.heads import R15
from tests.robustness.http2_floods import R24, R25, R26
from tests.robustness.kill import R1, R1_PG
from tests.robustness.killed_commands import D4, D4_PG, R7, R7_PG
from tests.robustness.killed_moves import D5
from tests.robustness.killed_scripts import S2
from tests.robustness.large_files import R33
from tests.robustness.leaving_streams import R34
from tests.robustness.lost_databases import P3, R2_PG
from tests.robustness.lost_upstreams import R29
from tests.robustness.moves import D6
from tests.robustness.overloaded_streams import R28
from tests.robustness.prompt_endings import R36
from tests.robustness.readers import R22
from tests.robustness.refused import S5
from tests.robustness.refusing_databases import R31
from tests.robustness.rolling_restart import R10
from tests.robustness.scripts import S1
from tests.robustness.slow import R19, R20, R21
from tests.robustness.slow_names import S6
from tests.robustness.soak import R32, R32_SHORT, R32_SQLITE
from tests.robustness.storage import D1, D2, D3
from tests.robustness.tokenless import S7
from tests.robustness.two_services import P1, P2
from tests.robustness.unread_log import S8
from tests.robustness.waiting_runs import S12
from tests.robustness.web_servers import S11

SCENARIOS: Final = (
    *(
        R1,
        R7,
        R8,
        R11,
        R12,
        R13,
        R14,
        R15,
        R16,
        R17,
        R18,
        R19,
        R20,
        R21,
        R22,
        R28,
        R29,
        R30,
        R33,
        R34,
        R35,
        R36,
    ),
    *(S1, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, S12),
    *(D1, D2, D3, D4, D5, D6),
    *(
        R1_PG,
        R2_PG,
        R3_PG,
        R4_PG,
        R5_PG,
        R6_PG,
        R7_PG,
        R8_PG,
        R10,
        R23,
        R24,
        R25,
        R26,
        R27,
        R31,
        D4_PG,
    ),
    *(P1, P2, P3),
    *(R32, R32_SQLITE, R32_SHORT),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make robustness ARGS=...", description=__doc__)
    numbers = [scenario.number for scenario in SCENARIOS]
    usual = [scenario.number for scenario in SCENARIOS if not scenario.is_asked_for]
    parser.add_argument("--only", nargs="+", choices=numbers, default=usual)
    chosen = parser.parse_args().only
    missed = 0
    for scenario in SCENARIOS:
        if scenario.number not in chosen:
            continue
        print(f"{scenario.number}  {scenario.title}", flush=True)
        started_at = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="robustness-") as folder:
            for outcome in scenario.run(Path(folder)):
                missed += not outcome.is_reached
                print(
                    f"  {'pass' if outcome.is_reached else 'FAIL'}  {outcome.what}: "
                    f"asked {outcome.asked}; reached {outcome.reached}",
                    flush=True,
                )
        print(f"        {time.monotonic() - started_at:.0f} s", flush=True)
    print(f"{missed} figures missed" if missed else "all figures reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
