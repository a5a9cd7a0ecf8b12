"""Settings of all tests; fixtures stand beside the tests that share them."""

import gc
import os
import signal
import sys

import pytest

from tests.support import api_table, client_table, permission_table, row_counts

# A test configures what it starts; what the shell happens to hold must not.
for _name in [name for name in os.environ if name.startswith("ACTIONS_")]:
    del os.environ[_name]

# Hundreds of processes are started from here: what one of them compiles, the next ones read.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What a shell puts into the background ignores Ctrl-C, and so would all that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keeps 15,000 tests out of each collection of garbage, which took them 0.2 s."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cells = client_table.cells_of(terminalreporter.stats)
    if cells:
        terminalreporter.section("gRPC-Web clients")
        for line in client_table.table(cells):
            terminalreporter.write_line(line)
    counts = api_table.counts_of(terminalreporter.stats)
    if counts:
        terminalreporter.section("rows of the Actions API")
        for line in api_table.lines_of(counts):
            terminalreporter.write_line(line)
    permissions = permission_table.lines_of(terminalreporter.stats)
    if permissions:
        terminalreporter.section("permissions")
        for line in permissions:
            terminalreporter.write_line(line)
    rows = row_counts.lines_of(terminalreporter.stats)
    if rows:
        terminalreporter.section("rows of logins")
        for line in rows:
            terminalreporter.write_line(line)
