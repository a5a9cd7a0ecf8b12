"""Serves the service of connectconformance by the transcoder, as one process of a run of the suite.

A ServerCompatRequest comes on standard input and a ServerCompatResponse goes out, each behind its
length, as the comments of the suite's server_compat.proto say. SIGTERM ends the process.
Rule: HTTP/2 is piped to grpc.aio with the same servicer; with `--grpc-aio` it serves alone.
"""

import argparse
import asyncio
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool

from tests.conformance.connect.servicer import DEFECTS, Servicer, message_type
from transcoder import Limits, Transcoder
from transcoder.http.http2_pipes import Http2Pipes

_LENGTH: Final = struct.Struct(">I")
_ADDRESS: Final = "127.0.0.1:0"


async def serve(asked: Any, defect: str | None, *, is_alone: bool) -> None:
    """Serves until SIGTERM.

    Args:
        asked: a ServerCompatRequest.
        defect: of the servicer; None for a sound one.
        is_alone: True has grpc.aio serve without the transcoder.
    """
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    servicer = Servicer(defect)
    limit_bytes = asked.message_receive_limit
    options = [("grpc.max_receive_message_length", limit_bytes)] if limit_bytes else []
    native = grpc.aio.server(options=options)
    servicer.add_to(native)
    if is_alone:
        port = native.add_insecure_port(_ADDRESS)
        await native.start()
        _tell(port)
        await stopped.wait()
    else:
        limits = Limits() if not limit_bytes else _limits(limit_bytes)
        transcoder = Transcoder(limits=limits)
        servicer.add_to(transcoder)
        with tempfile.TemporaryDirectory(prefix="connect-") as folder:
            behind = f"unix:{folder}/grpc"
            native.add_insecure_port(behind)
            await native.start()
            bound = await transcoder.start(_ADDRESS, http2=Http2Pipes(behind))
            _tell(int(bound.rpartition(":")[2]))
            await stopped.wait()
            await transcoder.stop()
    await native.stop(None)


def _limits(message_max_bytes: int) -> Limits:
    return Limits(message_max_bytes=message_max_bytes, body_max_bytes=message_max_bytes)


def _tell(port: int) -> None:
    answer = message_type("ServerCompatResponse")(host="127.0.0.1", port=port).SerializeToString()
    sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
    sys.stdout.buffer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("descriptor_set", type=Path)
    parser.add_argument("--defect", choices=DEFECTS)
    parser.add_argument("--grpc-aio", action="store_true")
    given = parser.parse_args()
    pool = descriptor_pool.Default()
    for file in descriptor_pb2.FileDescriptorSet.FromString(given.descriptor_set.read_bytes()).file:
        if not file.name.startswith("google/"):
            pool.AddSerializedFile(file.SerializeToString())
    stdin = sys.stdin.buffer
    asked = message_type("ServerCompatRequest").FromString(
        stdin.read(*_LENGTH.unpack(stdin.read(_LENGTH.size)))
    )
    asyncio.run(serve(asked, given.defect, is_alone=given.grpc_aio))


if __name__ == "__main__":
    main()
