"""A stand-in for the read model: each query is answered by a method with its name."""

import re
from dataclasses import fields
from typing import Any, TypeVar

from server.store.read_model import Query

T = TypeVar("T")


class NamedAnswers:
    """Answers `UserById(user_id)` by `await self.user_by_id(user_id)`."""

    async def read(self, query: Query[T]) -> T:
        name = re.sub(r"\B([A-Z])", r"_\1", type(query).__name__).lower()
        values: Any = query  # a dataclass, as every query is
        answer: T = await getattr(self, name)(
            *(getattr(query, field.name) for field in fields(values))
        )
        return answer
