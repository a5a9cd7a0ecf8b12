"""Makes the SQL conditions that compare whole texts, byte by byte.

SQLite's own LIKE, lower() and length() fold ASCII only, know wildcards, or end a text at its first
NUL character.
"""

from typing import TypeAlias

from server.domain.names import fold
from server.store.action_lists import Match, NameFilter

SqlValue: TypeAlias = str | int | bytes
Condition: TypeAlias = tuple[str, *tuple[SqlValue, ...]]
"""A condition, then its values."""


def name_condition(asked: NameFilter, *, name: str, folded: str) -> Condition:
    """Returns the condition of a name.

    Args:
        asked: the filter.
        name: the column of names.
        folded: the column of folded names, which are unique and have an index.
    """
    if asked.match is Match.WHOLE and not asked.ignores_case:
        return f"{folded} = ? AND {name} = ?", fold(asked.text), asked.text
    if asked.ignores_case:
        return text_condition(folded, fold(asked.text), asked.match)
    return text_condition(name, asked.text, asked.match)


def text_condition(column: str, text: str, match: Match) -> Condition:
    match match:
        case Match.WHOLE:
            return f"{column} = ?", text
        case Match.START:
            return f"instr({column}, ?) = 1", text
        case Match.ANYWHERE:
            return f"instr({column}, ?) > 0", text
        case Match.END:
            # substr() finds the end of a text only if there is no NUL character in it.
            octets = text.encode()
            end = f"substr(CAST({column} AS BLOB), ?, ?)"
            return f"{end} = ?", -len(octets), len(octets), octets
