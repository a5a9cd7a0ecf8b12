"""Reads fields of a request from its query: "?page.size=5&tag=a&tag=b".

Follows google/api/http.proto, "gRPC Transcoding": a parameter names a field, or a field of a field;
repeated fields may come several times. Names are JSON names or proto names; "+" is a space.
Where the document is silent: an entry of a map is `map[key]=value`, or `map[key].field=value` if
its values are messages. An element of a list of messages is `list[0].field=value`; without an
index, `list.field=value` is the first element. A singular field with two values is refused, and so
are two members of one oneof. Parameters that are no field, or that path or body bind, are ignored;
strict refuses them.
Rule: the query is unescaped here, once.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from transcoder.binding.fields import Field, FieldsByName
from transcoder.codec.scalars import Fault
from transcoder.errors import TranscodeError, malformed, shown
from transcoder.percent import percent_decoded

_FIELD_NAME: Final = re.compile(r"[^.\[]*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,4}")

FieldValues = dict[str, object]
"""Arguments of a message's constructor, by field name; a message within is the same again."""
_Container = dict[object, object]
"""Field values, the entries of a map by key, or the elements of a list of messages by index."""


class _Step(NamedTuple):
    """A field in the name of a parameter, and the text in brackets behind it."""

    field: Field
    selector: str | None


class _Target(NamedTuple):
    """The field that a parameter names, and the steps to it."""

    steps: list[_Step]
    """From the top."""
    levels: int
    """Max levels of messages in the value."""
    has_wrong_form: bool = False
    """True if the name does not fit the kind of its last field: a key for a scalar, or none."""


class QueryReader:
    """Reads the queries of one rule."""

    def __init__(
        self,
        fields: FieldsByName,
        *,
        nesting_max: int,
        bound: Collection[tuple[str, ...]],
        body: str,
        strict: bool,
        ignored: Collection[str] = (),
    ) -> None:
        """Makes a reader.

        Args:
            fields: the fields of the request.
            nesting_max: max levels of messages that a parameter may name.
            bound: the fields that the path binds, each as a tuple of names from the top.
            body: the field that the body binds, or empty.
            strict: refuse parameters that would have no effect.
            ignored: names of parameters that `strict` passes over.
        """
        self._fields = fields
        self._nesting_max = nesting_max
        self._bound = {*bound, (body,)}
        self._bound_tops = frozenset(names[0] for names in self._bound)
        self._body = body
        self._is_strict = strict
        self._ignored = ignored

    def read(self, query: str) -> FieldValues:
        """Reads a query.

        Raises:
            TranscodeError: INVALID_ARGUMENT, naming the parameter.
        """
        values: FieldValues = {}
        lists: list[_Elements] = []
        for parameter in query.split("&"):
            if parameter:
                name, _, text = parameter.partition("=")
                self._bind(values, _unescaped(name), _unescaped(text), lists)
        for elements in lists:
            elements.put_in_order()
        return values

    def is_ignored(self, query: str) -> bool:
        """True if `strict` passes over all parameters of a query."""
        names = (parameter.partition("=")[0] for parameter in query.split("&") if parameter)
        return all(_unescaped(name) in self._ignored for name in names)

    def _bind(self, values: FieldValues, name: str, text: str, lists: "list[_Elements]") -> None:
        target = self._resolve(name)
        if target is None:
            if self._is_strict and name not in self._ignored:
                raise malformed(f"query parameter {shown(name)}: no such field")
            return
        steps = target.steps
        if steps[0].field.name in self._bound_tops and self._is_bound(steps):
            if self._is_strict:
                raise malformed(f"query parameter {shown(name)}: bound by the path or the body")
            return
        leaf = steps[-1].field
        is_whole_map = leaf.is_map and steps[-1].selector is None
        if target.has_wrong_form or leaf.read is None or is_whole_map:
            raise _wrong_form(name, leaf)
        container, key = _place(values, steps, name, lists)
        try:
            value = leaf.read(text, target.levels)
        except Fault as fault:
            raise malformed(f"query parameter {shown(name)}: {fault.problem}") from None
        if leaf.is_list:
            container.setdefault(key, []).append(value)  # type: ignore[attr-defined]  # made here
        elif key in container:
            raise malformed(f"query parameter {shown(name)}: expected one value, got two")
        else:
            container[key] = value

    def _is_bound(self, steps: Sequence[_Step]) -> bool:
        names = tuple(step.field.name for step in steps)
        return names[0] == self._body or names in self._bound

    def _resolve(self, name: str) -> _Target | None:
        """Returns the field that a parameter names; None if it names none."""
        field = self._fields.get(name)
        if field is not None:
            return _Target([_Step(field, None)], self._nesting_max - 1)
        levels = self._nesting_max
        steps: list[_Step] = []
        fields = self._fields
        start = 0
        while True:
            end = _end_of_name(fields, name, start)
            field = fields.get(name[start:end])
            if field is None:
                return None
            selector = None
            if name.startswith("[", end) and (field.is_map or field.is_message_list):
                start, end = end + 1, _closing(name, end, field)
                selector, end = name[start:end], end + 1
            steps.append(_Step(field, selector))
            levels -= field.levels
            if end == len(name):
                return _Target(steps, levels)
            is_whole_map = field.is_map and selector is None
            if name[end] == "[" or field.fields is None or is_whole_map:
                return _Target(steps, levels, has_wrong_form=True)
            if levels < 1:
                raise malformed(f"query parameter {shown(name)}: nested too deeply")
            fields = field.fields
            start = end + 1


class _Elements(NamedTuple):
    """The elements of a list of messages, while its query is read: by index, in any order."""

    owner: FieldValues
    field: Field
    by_index: _Container

    def put_in_order(self) -> None:
        indices = range(len(self.by_index))
        for index in indices:
            if index not in self.by_index:
                raise malformed(f"query: {self.field.json_name}[{index}] is left out")
        self.owner[self.field.name] = [self.by_index[index] for index in indices]


def refuse_rivals(values: FieldValues, field: Field, name: str) -> None:
    """Checks that no other member of the field's oneof is set.

    Raises:
        TranscodeError: INVALID_ARGUMENT, naming `name` and the other member.
    """
    for rival in field.rivals:
        if rival.name in values:
            raise malformed(f"{name}: excludes {rival.json_name}, which is given too")


def _place(
    values: FieldValues, steps: Sequence[_Step], name: str, lists: list[_Elements]
) -> tuple[_Container, object]:
    """Returns the container of a parameter's value and its key there; makes missing containers."""
    owner = values
    container: _Container = {}
    key: object = None
    for field, selector in steps:
        if key is not None:
            owner = container.setdefault(key, {})  # type: ignore[assignment]  # made here
        if field.rivals:
            refuse_rivals(owner, field, f"query parameter {shown(name)}")
        if field.read_key is not None:
            container = owner.setdefault(field.name, {})  # type: ignore[assignment]  # made here
            try:
                key = field.read_key(selector or "", 0)
            except Fault as fault:
                raise malformed(f"query parameter {shown(name)}: key: {fault.problem}") from None
        elif field.is_message_list:
            key = _index(selector, name)
            held = owner.get(field.name)
            if held is None:
                held = owner[field.name] = {}
                lists.append(_Elements(owner, field, held))
            container = held  # type: ignore[assignment]  # made here
        else:
            container, key = owner, field.name  # type: ignore[assignment]  # names are keys too
    return container, key


def _index(selector: str | None, name: str) -> int:
    if selector is None:
        return 0
    if not _INDEX.fullmatch(selector):
        raise malformed(
            f"query parameter {shown(name)}: expected an index from 0, got {shown(selector)}"
        )
    return int(selector)


def _end_of_name(fields: FieldsByName, name: str, start: int) -> int:
    for odd in fields.odd_names:
        end = start + len(odd)
        if name.startswith(odd, start) and name[end : end + 1] in ("", ".", "["):
            return end
    return _FIELD_NAME.match(name, start).end()  # type: ignore[union-attr]  # it matches nothing too


def _closing(name: str, opened_at: int, field: Field) -> int:
    """Returns the index of the closing bracket: the last one behind a key with a scalar value."""
    if field.fields is not None:
        closed_at = name.find("].", opened_at)
        if closed_at > 0:
            return closed_at
    if not name.endswith("]"):
        raise malformed(f"query parameter {shown(name)}: expected ']' behind the key")
    return len(name) - 1


def _wrong_form(name: str, field: Field) -> TranscodeError:
    shape, form = _form(field)
    problem = f"{shape}, expected {field.json_name}{form}" if form else f"{shape}, not a value"
    return malformed(f"query parameter {shown(name)}: {field.json_name} is {problem}")


def _form(field: Field) -> tuple[str, str]:
    """Returns the kind of a field in words, and its form in a query; "" if it has none."""
    inner = ".field" if field.fields else ""
    if field.is_map:
        return "a map", f"[key]{inner}"
    if field.read is not None:
        return ("a list", "=value for each value") if field.is_list else ("one value", "=value")
    if field.is_list:
        return "a list of messages", f"[0]{inner}" if inner else ""
    return "a message", inner


def _unescaped(text: str) -> str:
    if text.isascii() and "%" not in text:
        return text.replace("+", " ")
    try:
        return percent_decoded(text.replace("+", " "))
    except ValueError:
        raise malformed(f"query: expected percent-encoded UTF-8, got {shown(text)}") from None
