"""A store with every kind of event, and its export."""

from pathlib import Path

import pytest

from tests.support import every_event, export_files


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    await every_event.fill(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def file(folder: Path) -> Path:
    return export_files.exported(folder, file=folder.with_name("all.jsonl"))
