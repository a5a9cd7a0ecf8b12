"""An empty database on the server that all tests of a process share."""

import pytest

from tests.support.postgresql import shared_server


@pytest.fixture
async def url() -> str:
    return await shared_server().new_database()
