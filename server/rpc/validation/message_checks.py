"""Compiles the rules of a message type in its .proto to one function.

Follows validate/validate.proto. Texts and their order are those of the Go code that
protoc-gen-validate generates, which clients of the API know. The text names the first field that
fails, in the order of the .proto; fields of a oneof come last.
Rule: an invalid or unsupported rule raises when it is compiled, at start, and names the field; it
is never skipped.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from server.rpc.validation.field_checks import FieldCheck, field_check_of
from validate.validate_pb2 import FieldRules, required, rules

MessageCheck: TypeAlias = Callable[[Any], str | None]
"""Returns what is wrong with a message, as a text; None if it is valid."""

_MESSAGE_OPTIONS: Final = {1071: "disabled", 1072: "ignored"}
"""Unsupported options of protoc-gen-validate, by number; our validate.proto lacks them."""


def checks_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, MessageCheck]:
    """Returns the check of each method whose request has rules, by path ("/pkg.Service/Method").

    Raises:
        ValueError: a rule is not supported, or invalid for its field.
    """
    compiler = _Compiler()
    checks: dict[str, MessageCheck] = {}
    for service in services:
        for method in service.methods:
            check = compiler.check(method.input_type)
            if check is None:
                continue
            if method.client_streaming:
                raise ValueError(
                    f"{method.full_name}: its requests have rules, and it streams them"
                )
            checks[f"/{service.full_name}/{method.name}"] = check
    return checks


class _Compiler:
    """Compiles each message type once."""

    def __init__(self) -> None:
        self._checks: dict[str, FieldCheck] = {}

    def check(self, message: Descriptor) -> MessageCheck | None:
        return self._message_check(message) if _reaches_rules(message, set()) else None

    def _message_check(self, message: Descriptor) -> FieldCheck:
        """Returns the check of a message; of a recursive type, a check that is compiled later."""
        known = self._checks.get(message.full_name)
        if known is not None:
            return known
        checks: list[MessageCheck] = []

        def check_message(value: Message) -> str | None:
            for check in checks:
                fault = check(value)
                if fault is not None:
                    return fault
            return None

        self._checks[message.full_name] = check_message
        _refuse_message_options(message)
        for field in message.fields:
            if field.containing_oneof is None:
                check = self._of_field(field)
                if check is not None:
                    checks.append(_if_present(field.name, check) if field.has_presence else check)
        for oneof in message.oneofs:
            of_fields = {field.name: self._of_field(field) for field in oneof.fields}
            is_required = oneof.GetOptions().Extensions[required]
            if is_required or any(of_fields.values()):
                missing = f"invalid {_where(message, oneof.name)}: value is required"
                checks.append(_one_of(oneof.name, missing if is_required else None, of_fields))
        return check_message

    def _of_field(self, field: FieldDescriptor) -> MessageCheck | None:
        """Returns the check of a field; it runs only if the field is set or has no presence."""
        of_field = _rules_of(field)
        kind = of_field.WhichOneof("type")
        where = _where(field.containing_type, field.name)
        message = field.message_type
        embedded: FieldCheck | None = None
        if message is not None and _reaches_rules(message, set()):
            if message.GetOptions().map_entry:
                raise ValueError(f"{field.full_name}: a map whose values have rules is not checked")
            embedded = _embedded(self._message_check(message))
        if field.is_repeated:
            if kind not in (None, "repeated"):
                raise ValueError(f"{field.full_name}: rules for {kind}, but the field is repeated")
            if kind is None and embedded is None:
                return None
            most = of_field.repeated.max_items if kind is not None else sys.maxsize
            return _repeated(field.name, where, most, embedded)
        field_check = embedded
        if kind is not None:
            try:
                field_check = field_check_of(field, of_field, kind)
            except ValueError as error:
                raise ValueError(f"{field.full_name}: {error}") from error
        return field_check and _singular(field.name, where, field_check)


def _embedded(field_check: FieldCheck) -> FieldCheck:
    def check_embedded(message: Message) -> str | None:
        fault = field_check(message)
        return fault and f"embedded message failed validation | caused by: {fault}"

    return check_embedded


def _singular(name: str, where: str, field_check: FieldCheck) -> MessageCheck:
    def check(message: Message) -> str | None:
        reason = field_check(getattr(message, name))
        return reason and f"invalid {where}: {reason}"

    return check


def _repeated(name: str, where: str, most: int, field_check: FieldCheck | None) -> MessageCheck:
    def check(message: Message) -> str | None:
        items = getattr(message, name)
        if len(items) > most:
            return f"invalid {where}: value must contain no more than {most} item(s)"
        if field_check is not None:
            for index, item in enumerate(items):
                reason = field_check(item)
                if reason is not None:
                    return f"invalid {where}[{index}]: {reason}"
        return None

    return check


def _if_present(name: str, check: MessageCheck) -> MessageCheck:
    def check_present(message: Message) -> str | None:
        return check(message) if message.HasField(name) else None

    return check_present


def _one_of(
    name: str, missing: str | None, of_fields: Mapping[str, MessageCheck | None]
) -> MessageCheck:
    def check(message: Message) -> str | None:
        chosen = message.WhichOneof(name)
        if chosen is None:
            return missing
        of_chosen = of_fields[chosen]
        return of_chosen and of_chosen(message)

    return check


def _rules_of(field: FieldDescriptor) -> FieldRules:
    of_field = field.GetOptions().Extensions[rules]
    for number in _unknown(of_field):
        raise ValueError(f"{field.full_name}: rule {number} is not supported")
    kind = of_field.WhichOneof("type")
    for number in () if kind is None else _unknown(getattr(of_field, kind)):
        raise ValueError(f"{field.full_name}: rule {number} of {kind} is not supported")
    return of_field


def _refuse_message_options(message: Descriptor) -> None:
    for number in _unknown(message.GetOptions()):
        if number in _MESSAGE_OPTIONS:
            name = _MESSAGE_OPTIONS[number]
            raise ValueError(f"{message.full_name}: option validate.{name} is not supported")


def _unknown(message: Message) -> list[int]:
    """Returns the numbers of a message's fields that its type does not have."""
    fields = UnknownFieldSet(message)
    return [fields[index].field_number for index in range(len(fields))]


def _reaches_rules(message: Descriptor, seen: set[str]) -> bool:
    """True if the message, or one that it may contain, has rules."""
    if message.full_name in seen:
        return False
    seen.add(message.full_name)
    return (
        any(field.GetOptions().HasExtension(rules) for field in message.fields)
        or any(oneof.GetOptions().Extensions[required] for oneof in message.oneofs)
        or any(
            _reaches_rules(field.message_type, seen)
            for field in message.fields
            if field.message_type is not None
        )
    )


def _where(message: Descriptor | None, name: str) -> str:
    """Returns a field or a oneof as Go names it: `Outer_Inner.FieldName`."""
    outer = ""
    while message is not None:
        outer = f"{message.name}_{outer}" if outer else message.name
        message = message.containing_type
    return f"{outer}.{_CAPITAL.sub(lambda match: match[1].upper(), name)}"


_CAPITAL: Final = re.compile(r"(?:^|_)([a-z])")
