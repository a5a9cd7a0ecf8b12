"""Expects the library's errors for malformed requests and wrong schemas, word for word."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from transcoder.errors import SchemaError, TranscodeError


@contextmanager
def malformed(message: str, *, status: int = 400) -> Iterator[None]:
    with pytest.raises(TranscodeError) as caught:
        yield
    assert (caught.value.http_status, caught.value.message) == (status, message)


@contextmanager
def misconfigured(message: str) -> Iterator[None]:
    with pytest.raises(SchemaError) as caught:
        yield
    assert str(caught.value) == message
