"""A door whose handlers stand behind the service's interceptors."""

import pytest

from tests.support.layered import Door


@pytest.fixture
def door() -> Door:
    return Door()
