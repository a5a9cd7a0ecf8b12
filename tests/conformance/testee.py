"""The program under test of the protobuf conformance suite: JSON by our codec, binary by protobuf.

Follows conformance/conformance.proto of protobuf: on the pipe, each request and each
answer stands behind its length.
Text format and JSPB are no business of the codec; the suite lets a testee skip them.
When the requests end, it says on standard error how many had JSON in them.
"""

import argparse
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from transcoder.codec import decoder, scalars
from transcoder.codec.codec import Codec
from transcoder.codec.scalars import Fault
from transcoder.errors import TranscodeError

_LENGTH: Final = struct.Struct("<I")
_PROTOBUF: Final = 1
_JSON: Final = 2
_JSON_IGNORE_UNKNOWN: Final = 3


class Testee:
    """Answers requests about the messages of one descriptor set."""

    def __init__(self, descriptor_set: bytes) -> None:
        self._pool = DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file:
            self._pool.AddSerializedFile(file.SerializeToString())
        self._request = self._type("conformance.ConformanceRequest")
        self._response = self._type("conformance.ConformanceResponse")
        self._strict = Codec(pool=self._pool, strict=True)
        self._lenient = Codec(pool=self._pool)
        self.json_requests = 0

    def serve(self, requests: BinaryIO, answers: BinaryIO) -> None:
        while length := requests.read(_LENGTH.size):
            request = self._request.FromString(requests.read(*_LENGTH.unpack(length)))
            answer = self._response(**self._answer(request)).SerializeToString()
            answers.write(_LENGTH.pack(len(answer)) + answer)
            answers.flush()

    def _type(self, name: str) -> type[Message]:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(name))

    def _answer(self, request: Any) -> dict[str, object]:
        if request.WhichOneof("payload") not in ("protobuf_payload", "json_payload"):
            return {"skipped": "only binary and JSON are read"}
        if request.requested_output_format not in (_PROTOBUF, _JSON):
            return {"skipped": "only binary and JSON are written"}
        is_json = request.HasField("json_payload")
        self.json_requests += is_json or request.requested_output_format == _JSON
        codec = self._lenient if request.test_category == _JSON_IGNORE_UNKNOWN else self._strict
        message_type = self._type(request.message_type)
        try:
            message = (
                codec.decode(message_type, request.json_payload.encode())
                if is_json
                else message_type.FromString(request.protobuf_payload)
            )
        except (DecodeError, TranscodeError) as exc:
            return {"parse_error": str(exc)}
        if request.requested_output_format == _PROTOBUF:
            return {"protobuf_payload": message.SerializeToString()}
        try:
            return {"json_payload": codec.encode(message).decode()}
        except Fault as exc:
            return {"serialize_error": str(exc)}


def read_no_int32() -> None:
    decoder.SIMPLE = {**decoder.SIMPLE, FieldDescriptor.TYPE_INT32: lambda value, depth: 0}


def write_no_floats() -> None:
    scalars.shortest_float = lambda number: 0


DEFECTS: Final = {"read-no-int32": read_no_int32, "write-no-floats": write_no_floats}
"""Faults that can be built into the codec, to see that the suite finds them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("descriptor_set", type=Path)
    parser.add_argument("--defect", choices=DEFECTS)
    arguments = parser.parse_args()
    if arguments.defect:
        DEFECTS[arguments.defect]()
    testee = Testee(arguments.descriptor_set.read_bytes())
    testee.serve(sys.stdin.buffer, sys.stdout.buffer)
    sys.stderr.write(f"{testee.json_requests} requests with JSON\n")


if __name__ == "__main__":
    main()
