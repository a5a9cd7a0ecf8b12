"""What a request has to be before anything is done with it: the rules of its .proto, compiled.

Follows validate/validate.proto, and in its texts and their order the Go code that
protoc-gen-validate makes of such rules: the API's clients know them. The first field that fails is
told, in the order of the .proto, fields of a oneof last.
Rule: what is wrong with the rules raises when they are compiled, at start, and names the field; a
rule that is not known here is such a fault, never passed over.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from server.domain.refusals import Kind, Refusal
from server.rpc.chain import Layer
from server.rpc.handlers import Behaviour, Context, Handler
from server.rpc.validation.field_checks import Judge, judge_of
from validate.validate_pb2 import FieldRules, required, rules

Check: TypeAlias = Callable[[Any], str | None]
"""What is wrong with a message, in words; None if nothing is."""

_MESSAGE_OPTIONS: Final = {1071: "disabled", 1072: "ignored"}
"""Of protoc-gen-validate; without them in our validate.proto they would not be seen at all."""


class Validation(Layer):
    """Refuses a request that breaks a rule of its .proto."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        """Take what `checks_of` made."""
        self._checks = checks

    def around(self, method: str, handler: Handler, behaviour: Behaviour) -> Behaviour:
        check = self._checks.get(method)
        if check is None:
            return behaviour

        async def call(request: object, context: Context) -> object:
            fault = check(request)
            if fault is not None:
                raise Refusal(Kind.INVALID_ARGUMENT, fault)
            answering = behaviour(request, context)
            del request
            return await answering

        return call


def checks_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, Check]:
    """The check of each method whose request has rules, by path ("/package.Service/Method").

    Raises:
        ValueError: a rule that is not known, or that makes no sense where it stands.
    """
    compiler = _Compiler()
    checks: dict[str, Check] = {}
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
        self._judges: dict[str, Judge] = {}

    def check(self, message: Descriptor) -> Check | None:
        return self._judge(message) if _reaches_rules(message, set()) else None

    def _judge(self, message: Descriptor) -> Judge:
        """Of a message; one that holds itself refers to what is still being made."""
        known = self._judges.get(message.full_name)
        if known is not None:
            return known
        checks: list[Check] = []

        def judge(value: Message) -> str | None:
            for check in checks:
                fault = check(value)
                if fault is not None:
                    return fault
            return None

        self._judges[message.full_name] = judge
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
        return judge

    def _of_field(self, field: FieldDescriptor) -> Check | None:
        """Of a field that is set, if it can be told whether it is."""
        of_field = _rules_of(field)
        kind = of_field.WhichOneof("type")
        where = _where(field.containing_type, field.name)
        message = field.message_type
        embedded: Judge | None = None
        if message is not None and _reaches_rules(message, set()):
            if message.GetOptions().map_entry:
                raise ValueError(f"{field.full_name}: a map whose values have rules is not checked")
            embedded = _embedded(self._judge(message))
        if field.is_repeated:
            if kind not in (None, "repeated"):
                raise ValueError(f"{field.full_name}: rules for {kind}, but the field is repeated")
            if kind is None and embedded is None:
                return None
            most = of_field.repeated.max_items if kind is not None else sys.maxsize
            return _repeated(field.name, where, most, embedded)
        judge = embedded
        if kind is not None:
            try:
                judge = judge_of(field, of_field, kind)
            except ValueError as error:
                raise ValueError(f"{field.full_name}: {error}") from error
        return judge and _singular(field.name, where, judge)


def _embedded(judge: Judge) -> Judge:
    def judge_within(message: Message) -> str | None:
        fault = judge(message)
        return fault and f"embedded message failed validation | caused by: {fault}"

    return judge_within


def _singular(name: str, where: str, judge: Judge) -> Check:
    def check(message: Message) -> str | None:
        reason = judge(getattr(message, name))
        return reason and f"invalid {where}: {reason}"

    return check


def _repeated(name: str, where: str, most: int, judge: Judge | None) -> Check:
    def check(message: Message) -> str | None:
        items = getattr(message, name)
        if len(items) > most:
            return f"invalid {where}: value must contain no more than {most} item(s)"
        if judge is not None:
            for index, item in enumerate(items):
                reason = judge(item)
                if reason is not None:
                    return f"invalid {where}[{index}]: {reason}"
        return None

    return check


def _if_present(name: str, check: Check) -> Check:
    def check_present(message: Message) -> str | None:
        return check(message) if message.HasField(name) else None

    return check_present


def _one_of(name: str, missing: str | None, of_fields: Mapping[str, Check | None]) -> Check:
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
        raise ValueError(f"{field.full_name}: rule {number} is not known here")
    kind = of_field.WhichOneof("type")
    for number in () if kind is None else _unknown(getattr(of_field, kind)):
        raise ValueError(f"{field.full_name}: rule {number} of {kind} is not known here")
    return of_field


def _refuse_message_options(message: Descriptor) -> None:
    for number in _unknown(message.GetOptions()):
        if number in _MESSAGE_OPTIONS:
            name = _MESSAGE_OPTIONS[number]
            raise ValueError(f"{message.full_name}: option validate.{name} is not known here")


def _unknown(message: Message) -> list[int]:
    """The numbers of fields that it holds and that its type does not have."""
    fields = UnknownFieldSet(message)
    return [fields[index].field_number for index in range(len(fields))]


def _reaches_rules(message: Descriptor, seen: set[str]) -> bool:
    """Whether the message, or one that it may hold, has rules."""
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
    """A field or a oneof as Go names it: `Outer_Inner.FieldName`."""
    outer = ""
    while message is not None:
        outer = f"{message.name}_{outer}" if outer else message.name
        message = message.containing_type
    return f"{outer}.{_CAPITAL.sub(lambda match: match[1].upper(), name)}"


_CAPITAL: Final = re.compile(r"(?:^|_)([a-z])")
