"""Calls handlers through the interceptors of the service."""

import pytest

from tests.support.layered import Intercepted


@pytest.fixture
def intercepted() -> Intercepted:
    return Intercepted()
