"""A door whose handlers stand behind the service's interceptors."""

import pytest

from tests.layered import Door


@pytest.fixture
def door() -> Door:
    return Door()
