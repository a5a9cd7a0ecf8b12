"""Schemas for tests of the transcoder, made at run time from part of the .proto language."""

import re
from collections.abc import Collection

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    text_format,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

WELL_KNOWN = (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
INTEGERS = [
    *("int32", "int64", "uint32", "uint64", "sint32", "sint64"),
    *("fixed32", "fixed64", "sfixed32", "sfixed64"),
]
SCALARS = [*INTEGERS, "double", "float", "bool", "string", "bytes"]
NAMED = [
    *("Any", "Duration", "Empty", "FieldMask", "Struct", "Value", "ListValue", "Timestamp"),
    *("DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value"),
    *("BoolValue", "StringValue", "BytesValue", "NullValue"),
]
OPENS = re.compile(r"(message|oneof|enum|extend|service) (\S+) \{")
FIELD = re.compile(
    r"(?:(optional|repeated|required) )?(?:map<(\w+), ([\w.]+)>|([\w.]+)) (\w+) = (\d+)"
    r'(?: \[json_name = "([^"]*)"\])?;'
)
ENUM_VALUE = re.compile(r"(\w+) = (-?\d+);")
RPC = re.compile(r"rpc (\w+)\((\w+)\) returns \((\w+)\);")


class Compiler:
    """One statement a line; every type is named in full, or stands in the same file."""

    def __init__(self, text: str) -> None:
        self.file = descriptor_pb2.FileDescriptorProto(
            name="test.proto",
            syntax="proto3",
            package="test",
            dependency=[module.DESCRIPTOR.name for module in WELL_KNOWN],
        )
        self.enums = set(re.findall(r"enum (\w+)", text)) | {"google.protobuf.NullValue"}
        self.message = descriptor_pb2.DescriptorProto()
        self.enum = descriptor_pb2.EnumDescriptorProto()
        self.service = descriptor_pb2.ServiceDescriptorProto()
        self.extended = ""
        self.oneof: str | None = None
        self.optional: list[
            tuple[descriptor_pb2.DescriptorProto, descriptor_pb2.FieldDescriptorProto]
        ] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            self.read(line)
        for message, field in self.optional:  # protobuf wants these oneofs behind all others
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def read(self, line: str) -> None:
        if line == 'syntax = "proto2";':
            self.file.syntax = "proto2"
        elif line == "}":
            # A oneof and an extend end before the message around them goes on.
            self.oneof, self.extended = None, ""
        elif match := OPENS.fullmatch(line):
            self.open(match[1], match[2])
        elif match := RPC.fullmatch(line):
            self.service.method.add(
                name=match[1], input_type=f".test.{match[2]}", output_type=f".test.{match[3]}"
            )
        elif line == "extensions 100 to 199;":
            self.message.extension_range.add(start=100, end=200)
        elif match := ENUM_VALUE.fullmatch(line):
            self.enum.value.add(name=match[1], number=int(match[2]))
        elif match := FIELD.fullmatch(line):
            self.field(*match.groups())
        else:
            raise ValueError(line)

    def open(self, kind: str, name: str) -> None:
        if kind == "message":
            self.message = self.file.message_type.add(name=name)
        elif kind == "enum":
            self.enum = self.file.enum_type.add(name=name)
        elif kind == "service":
            self.service = self.file.service.add(name=name)
        elif kind == "oneof":
            self.oneof = name
            self.message.oneof_decl.add(name=name)
        else:
            self.extended = name

    def field(
        self,
        label: str | None,
        key: str | None,
        held: str | None,
        kind: str | None,
        name: str,
        number: str,
        json_name: str | None,
    ) -> None:
        owner = self.file.extension if self.extended else self.message.field
        field = owner.add(name=name, number=int(number), label="LABEL_OPTIONAL")
        if json_name is not None:
            field.json_name = json_name
        if self.extended:
            field.extendee = f".test.{self.extended}"
        if key is not None and held is not None:
            entry = self.message.nested_type.add(name=name.title().replace("_", "") + "Entry")
            entry.options.map_entry = True
            for entry_name, entry_kind in (("key", key), ("value", held)):
                entry_field = entry.field.add(name=entry_name, number=len(entry.field) + 1)
                entry_field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
                self.type(entry_field, entry_kind)
            self.type(field, f"{self.message.name}.{entry.name}")
            field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            return
        self.type(field, kind or "")
        if label in ("repeated", "required"):
            field.label = descriptor_pb2.FieldDescriptorProto.Label.Value(f"LABEL_{label.upper()}")
        elif label == "optional" and self.file.syntax == "proto3":
            self.optional.append((self.message, field))
        if self.oneof is not None:
            field.oneof_index = [oneof.name for oneof in self.message.oneof_decl].index(self.oneof)

    def type(self, field: descriptor_pb2.FieldDescriptorProto, kind: str) -> None:
        if kind in SCALARS:
            field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
            return
        is_enum = kind in self.enums
        field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(
            "TYPE_ENUM" if is_enum else "TYPE_MESSAGE"
        )
        field.type_name = f".{kind}" if kind.startswith("google.") else f".test.{kind}"


def compiled(text: str) -> DescriptorPool:
    pool = DescriptorPool()
    add_schema(pool, text)
    return pool


def message_type(pool: DescriptorPool, name: str) -> type[Message]:
    return GetMessageClass(pool.FindMessageTypeByName(name))


def add_schema(pool: DescriptorPool, text: str) -> None:
    """Adds a schema, and the well-known types that the pool does not have."""
    _add_well_known(pool)
    pool.AddSerializedFile(Compiler(text).file.SerializeToString())


def _add_well_known(pool: DescriptorPool) -> None:
    for module in WELL_KNOWN:
        try:
            pool.FindFileByName(module.DESCRIPTOR.name)
        except KeyError:
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)


def every_kind() -> str:
    """Returns a schema: its `Kinds` has every kind of field, in every form that a field has.

    Each kind stands alone, repeated, in a map, optional and in a oneof; each kind of key has a map.
    """
    kinds = [*SCALARS, "Color", "Kinds", *(f"google.protobuf.{name}" for name in NAMED)]
    lines = ["enum Color {", "RED = 0;", "GREEN = 1;", "DARK_BLUE = -3;", "}"]
    lines += ["message Kinds {"]
    numbers = iter(range(1, 1000))
    for kind in kinds:
        name = kind.rpartition(".")[2].lower()
        lines += [
            f"{kind} one_{name} = {next(numbers)};",
            f"repeated {kind} many_{name} = {next(numbers)};",
            f"map<string, {kind}> map_{name} = {next(numbers)};",
            f"optional {kind} maybe_{name} = {next(numbers)};",
        ]
    for kind in (*INTEGERS, "bool", "string"):
        lines.append(f"map<{kind}, bool> by_{kind} = {next(numbers)};")
    lines += ["oneof choice {"]
    for kind in kinds:
        lines.append(f"{kind} choose_{kind.rpartition('.')[2].lower()} = {next(numbers)};")
    lines += ["}", "}"]
    return "\n".join(lines)


KINDS_POOL = compiled(every_kind())
KINDS = message_type(KINDS_POOL, "test.Kinds")


def kinds(text: str) -> Message:
    """Makes a `test.Kinds` from text format."""
    return text_format.Parse(text, KINDS(), descriptor_pool=KINDS_POOL)


def narrowed_kinds(names: Collection[str]) -> DescriptorPool:
    """Returns a pool whose `test.Kinds` has those fields alone, by either of their names."""
    file = descriptor_pb2.FileDescriptorProto()
    KINDS.DESCRIPTOR.file.CopyToProto(file)
    (message,) = file.message_type
    wanted = {
        field.name for field in KINDS.DESCRIPTOR.fields if {field.name, field.json_name} & {*names}
    }
    fields = [field for field in message.field if field.name in wanted]
    kept = sorted({field.oneof_index for field in fields if field.HasField("oneof_index")})
    oneofs = [message.oneof_decl[index] for index in kept]
    for field in fields:
        if field.HasField("oneof_index"):
            field.oneof_index = kept.index(field.oneof_index)
    narrowed = descriptor_pb2.DescriptorProto(
        name=message.name, field=fields, nested_type=message.nested_type, oneof_decl=oneofs
    )
    message.CopyFrom(narrowed)
    pool = DescriptorPool()
    _add_well_known(pool)
    pool.AddSerializedFile(file.SerializeToString())
    return pool
