"""Makes the SQL conditions that compare whole texts, byte by byte; texts are bytea here."""

from typing import Final, TypeAlias

from server.domain.names import fold
from server.store.action_lists import Match, NameFilter

SqlValue: TypeAlias = str | int | bytes

_INT64_MAX: Final = 2**63 - 1


class Conditions:
    """Collects the conditions of a statement, and its values, which are numbered parameters."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self._values: list[SqlValue] = []

    @property
    def values(self) -> tuple[SqlValue, ...]:
        return tuple(self._values)

    def __str__(self) -> str:
        return " AND ".join(self._conditions) or "true"

    def add(self, condition: str, *values: SqlValue) -> None:
        """Adds a condition, which has `{}` for each of its values."""
        self._conditions.append(self._numbered(condition, values))

    def name(self, asked: NameFilter, *, name: str, folded: str) -> None:
        """Adds the condition of a name.

        Args:
            asked: the filter.
            name: the column of names.
            folded: the column of folded names, which are unique and have an index.
        """
        if asked.ignores_case:
            self.text(folded, fold(asked.text), asked.match)
            return
        if asked.match is Match.WHOLE:
            self.text(folded, fold(asked.text), asked.match)
        self.text(name, asked.text, asked.match)

    def text(self, column: str, text: str, match: Match) -> None:
        """Adds the condition of a text."""
        octets = text.encode()
        match match:
            case Match.WHOLE:
                self.add(f"{column} = {{}}", octets)
            case Match.START:
                self.add(f"substring({column} FOR {{}}::integer) = {{}}", len(octets), octets)
            case Match.ANYWHERE:
                self.add(f"position({{}}::bytea IN {column}) > 0", octets)
            case Match.END:
                self.add(
                    f"length({column}) >= {{}}::integer "
                    f"AND substring({column} FROM length({column}) + 1 - {{}}::integer) = {{}}",
                    *(len(octets), len(octets), octets),
                )

    def window(self, limit: int, offset: int) -> str:
        """Returns LIMIT and OFFSET, for one row more than the limit; 0 is no limit."""
        rows = limit + 1 if limit else _INT64_MAX
        return self._numbered("LIMIT {} OFFSET {}", (rows, min(offset, _INT64_MAX)))

    def _numbered(self, sql: str, values: tuple[SqlValue, ...]) -> str:
        first = len(self._values) + 1
        self._values += values
        return sql.format(*(f"${number}" for number in range(first, first + len(values))))
