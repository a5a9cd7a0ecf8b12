"""Makes the values of rows of current states, and finds the columns in which two states differ.

The columns of a table are the fields of its state, with the same names, and columns that are
computed of a field. A new field needs a column with its name.
Rule: an update writes the columns that differ, so no field can be forgotten.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from operator import attrgetter, ne
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from server.domain.aggregates import Key, State
from server.store.forms import Form, Row, forms_of

U = TypeVar("U")
"""The statement of an update, as an engine makes it."""

Encoder: TypeAlias = Callable[[Any], object]
Values: TypeAlias = Callable[[State], tuple[Any, ...]]
"""Returns attributes of a state as a tuple: an `operator.attrgetter` of two or more."""

_USUAL: Final = ("sequence",)


class _Update(NamedTuple, Generic[U]):
    """Updates some columns of a row.

    Attributes:
        values: returns the values of these columns, then the position.
        encoders: of some of these values, with their indexes.
        rest: returns the values of all other columns.
    """

    statement: U
    values: Values
    encoders: Sequence[tuple[int, Encoder]]
    rest: Values


class StateTable(ABC, Generic[U]):
    """Makes the values of one table; an engine's class makes its statements.

    Attributes:
        name: of the table.
        kind: the type of its states.
        to_state: makes a state of a row.
        names: of all columns, in the order of the values of `row`.
    """

    def __init__(
        self,
        name: str,
        kind: type[State],
        to_state: Callable[[Row], State],
        *,
        computed: Mapping[str, tuple[str, Encoder]] | None = None,
    ) -> None:
        """Reads the fields.

        Args:
            name: of the table.
            kind: the type of its states.
            to_state: makes a state of a row.
            computed: columns that are not a field, by name: the field they are made of, and how.
        """
        self.name: Final = name
        self.kind: Final = kind
        self.to_state = to_state
        forms, computed = forms_of(kind, self.form_of), computed or {}
        sources = {
            name: f"{name}.{form.attribute}" if form.attribute else name
            for name, form in forms.items()
        }
        encoders = {name: form.encode for name, form in forms.items() if form.encode is not None}
        self._sources = sources | {name: source for name, (source, _) in computed.items()}
        self._encoders = encoders | {name: encode for name, (_, encode) in computed.items()}
        self.names = tuple(self._sources)
        self._values = _getter(self._sources.values())
        self._row_encoders = self._encoders_of(self.names)
        self._updates: dict[tuple[str, ...], _Update[U]] = {}
        self._usual = self._update(_USUAL)

    @staticmethod
    @abstractmethod
    def form_of(name: str, type_: object, /) -> Form | None:
        """Returns the form of a field in this engine; None if it has none."""

    @abstractmethod
    def update_of(self, columns: Sequence[str]) -> U:
        """Returns the statement that updates some columns; called once for each set of them."""

    def row(self, state: State) -> Row:
        """Returns the values of all columns."""
        return _encoded(self._values(state), self._row_encoders)

    def change(self, before: State, after: State) -> tuple[U, Row]:
        """Returns the statement that writes the columns that differ, and its values.

        An update of all columns would write a long script and every index again. Mostly the same
        columns differ as in the last call, so it first checks that all others are equal.
        """
        update = self._usual
        if update.rest(before) != update.rest(after):
            update = self._usual = self._update(self._difference(before, after))
        row = update.values(after)
        return update.statement, _encoded(row, update.encoders) if update.encoders else row

    def _difference(self, before: State, after: State) -> tuple[str, ...]:
        return tuple(compress(self.names, map(ne, self._values(before), self._values(after))))

    def _update(self, columns: tuple[str, ...]) -> _Update[U]:
        update = self._updates.get(columns)
        if update is None:
            rest = (source for column, source in self._sources.items() if column not in columns)
            update = self._updates[columns] = _Update(
                self.update_of(columns),
                _getter([*(self._sources[column] for column in columns), "position"]),
                self._encoders_of(columns),
                _getter(rest),
            )
        return update

    def _encoders_of(self, columns: Sequence[str]) -> list[tuple[int, Encoder]]:
        return [
            (columns.index(column), encode)
            for column, encode in self._encoders.items()
            if column in columns
        ]


class RowChanges(NamedTuple, Generic[U]):
    """Groups the rows that a batch changes.

    Attributes:
        removed: the ids of rows, each as a row of one value, by type of aggregate.
        changed: the values of updates, by their statement.
        added: whole rows, by type of aggregate; some take the place of removed ones.
    """

    removed: dict[str, list[Row]]
    changed: dict[U, list[Row]]
    added: dict[str, list[Row]]


def row_changes(
    tables: Mapping[str, StateTable[U]],
    before: Mapping[Key, State | None],
    after: Mapping[Key, State | None],
) -> RowChanges[U]:
    """Returns the rows that make the stored states those after a batch."""
    changes = RowChanges[U]({}, {}, {})
    for key, state in after.items():
        kind, id_ = key
        old = before.get(key)
        if old is not None and (state is None or state.position != old.position):
            changes.removed.setdefault(kind, []).append((id_,))  # ended, perhaps created again
            old = None
        if state is None:
            continue
        if old is None:
            changes.added.setdefault(kind, []).append(tables[kind].row(state))
        else:
            statement, row = tables[kind].change(old, state)
            changes.changed.setdefault(statement, []).append(row)
    return changes


def _getter(sources: Iterable[str]) -> Values:
    get: Values = attrgetter(*sources)
    return get


def _encoded(values: Row, encoders: Sequence[tuple[int, Encoder]]) -> Row:
    row = [*values]
    for index, encode in encoders:
        row[index] = encode(row[index])
    return row
