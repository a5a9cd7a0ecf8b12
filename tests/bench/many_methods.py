"""Makes the file of a service with many methods, each with a request and a response of its own."""

from typing import Final

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto

FIELDS: Final = 10


def file_of_methods(package: str, count: int) -> FileDescriptorProto:
    """Returns a file with a service `Things`."""
    file = FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax="proto3",
        dependency=["google/api/annotations.proto"],
    )
    service = file.service.add(name="Things")
    for number in range(count):
        for role in ("Request", "Response"):
            message = file.message_type.add(name=f"{role}{number}")
            for index in range(FIELDS):
                message.field.add(
                    name=f"field_{index}",
                    number=index + 1,
                    type="TYPE_STRING" if index % 2 else "TYPE_INT64",
                    label="LABEL_OPTIONAL",
                )
        method = service.method.add(
            name=f"Get{number}",
            input_type=f".{package}.Request{number}",
            output_type=f".{package}.Response{number}",
        )
        method.options.Extensions[annotations_pb2.http].get = f"/v1/things{number}/{{field_1}}"
    return file
