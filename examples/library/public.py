"""Serves the library to pages of one site: strict, with small bodies and verbose JSON."""

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from library_pb2_grpc import add_LibraryServicer_to_server
from serve import LibrariansWrite, Library

from transcoder import JsonOptions, Limits, SchemaError, Transcoder


async def serve(http: str, key: str) -> None:
    transcoder = Transcoder(
        interceptors=[LibrariansWrite(key)],
        service_config=Path(__file__).with_name("routes.yaml"),
        json=JsonOptions(emit_defaults=True, proto_names=True, enums_as_ints=True),
        strict=True,
        cors_origins=["https://app.example"],
        limits=Limits(body_max_bytes=200, connections_max=1000),
    )
    add_LibraryServicer_to_server(Library(), transcoder.at("/v1"))
    await transcoder.serve(http)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", default="127.0.0.1:8082", help="default: %(default)s")
    parser.add_argument("--key", default="secret", help="the librarians'; default: %(default)s")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        asyncio.run(serve(options.http, options.key))
    except (OSError, SchemaError) as error:  # an address that cannot be had
        sys.exit(f"error: {error}")
