"""Runs the command `transcoder`: serves a gRPC server, or prints the routes of services.

A build can run it on generated code, so that an invalid rule is found before a server starts.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.descriptor import FileDescriptor

from transcoder.backends.reflection import UnansweredError
from transcoder.call import Method
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import read_set, services_in
from transcoder.errors import SchemaError
from transcoder.gateway import Gateway, files_of, serve
from transcoder.registry import Registry, methods_of
from transcoder.routing.service_config import ServiceConfig

DISTRIBUTION: Final = "grpc-transcoder"
INVALID: Final = 1
MISUSED: Final = 2

_HEAD: Final = ("HTTP", "PATH", "METHOD", "SERVED AS")


class _Misused(Exception):
    """An argument does not fit; the text names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status.

    It is 1 if a rule is invalid, or what the network is asked for fails; 2 if an argument does not
    fit.
    """
    given = parser().parse_args(arguments)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m` has it
    try:
        return _run(given)
    except _Misused as error:
        sys.stderr.write(f"error: {error}\n")
        return MISUSED
    except (SchemaError, UnansweredError) as error:
        sys.stderr.write(f"error: {error}\n")
        return INVALID
    except OSError as error:
        sys.stderr.write(f"error: {given.listen}: {error.strerror or error}\n")
        return INVALID


def _run(given: argparse.Namespace) -> int:
    targets = [each for each in given.sources if ":" in each]
    files = [_file_of(name) for name in given.sources if name not in targets]
    if given.descriptor_set is not None:
        files += read_set(given.descriptor_set)
    if len(targets) > 1:
        raise _Misused(f"expected one server, got {' and '.join(targets)}")
    if given.listen is not None:
        if not targets:
            raise _Misused("--listen: expected the address of a server too, as localhost:50051")
        serve(
            Gateway(
                target=targets[0],
                credentials=_credentials(given),
                files=files,
                listen=given.listen,
                prefix=given.prefix,
                service_config=given.service_config,
                strict=given.strict,
                cors_origins=[each for each in given.cors_origins.split(",") if each],
            )
        )
        return 0
    if targets and not files:
        files = files_of(targets[0], _credentials(given))
    lines = _routes(files, given.service_config, given.prefix)
    if not given.check:
        _print([_HEAD, *lines])
    return 0


def _credentials(given: argparse.Namespace) -> grpc.ChannelCredentials | None:
    """Returns what TLS to the server needs; None without TLS.

    Raises:
        _Misused: the file of certificates cannot be read.
    """
    if given.server_ca is None:
        return grpc.ssl_channel_credentials() if given.server_tls else None
    try:
        return grpc.ssl_channel_credentials(Path(given.server_ca).read_bytes())
    except OSError as error:
        raise _Misused(f"--server-ca {given.server_ca}: {error.strerror}") from None


def parser() -> argparse.ArgumentParser:
    """Returns the arguments of the command, with their texts."""
    made = argparse.ArgumentParser(
        prog="transcoder",
        description="Serve a gRPC server as JSON, gRPC-Web and Connect; or print the routes of "
        "services, or all that is wrong with their rules.",
        epilog="Examples: transcoder localhost:50051 --listen 127.0.0.1:8080; "
        "transcoder library_pb2 --prefix /v1 --service-config routes.yaml",
    )
    made.add_argument(
        "sources",
        nargs="+",
        metavar="SERVER|MODULE",
        help="a gRPC server, as localhost:50051, which is asked by reflection for its services; "
        "or generated code with them, as library_pb2; or both",
    )
    made.add_argument(
        "--server-tls", action="store_true", help="call the server by TLS, as the system trusts it"
    )
    made.add_argument(
        "--server-ca", metavar="FILE", help="call the server by TLS, by these certificates in PEM"
    )
    made.add_argument(
        "--descriptor-set", metavar="FILE", help="the services, as protoc --descriptor_set_out"
    )
    made.add_argument(
        "--service-config", metavar="FILE", help="a google.api.Service in YAML or JSON"
    )
    made.add_argument("--prefix", default="", metavar="PATH", help="before all routes, as /v1")
    action = made.add_mutually_exclusive_group()
    action.add_argument("--listen", metavar="ADDRESS", help="serve there, as 127.0.0.1:8080")
    action.add_argument("--routes", action="store_true", help="print the routes: the default")
    action.add_argument("--check", action="store_true", help="print nothing but errors")
    made.add_argument(
        "--strict", action="store_true", help="serve: refuse unknown fields and parameters"
    )
    made.add_argument(
        "--cors-origins",
        default="",
        metavar="LIST",
        help="serve: origins whose pages may call, with commas between",
    )
    made.add_argument("--version", action="version", version=f"{DISTRIBUTION} {_version()}")
    return made


def _version() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "of a checkout, not installed"


def _file_of(name: str) -> FileDescriptor:
    """Returns the descriptor of generated code.

    Raises:
        _Misused: there is no such module, or it has no services.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != name:
            raise _Misused(f"module {name}: it needs {error.name}, which cannot be found") from None
        raise _Misused(f"module {name}: not found here or among installed packages") from None
    descriptor = getattr(module, "DESCRIPTOR", None)
    if not isinstance(descriptor, FileDescriptor) or not descriptor.services_by_name:
        raise _Misused(f"module {name}: expected generated code with a service, as library_pb2")
    return descriptor


def _routes(
    files: Sequence[FileDescriptor], service_config: str | None, prefix: str
) -> list[tuple[str, str, str, str]]:
    """Returns a line for each route, by path.

    Raises:
        SchemaError: lists what is wrong with the rules of a service.
    """
    config = None if service_config is None else ServiceConfig(service_config)
    registry = Registry(Codec(), config=config, strict=False)
    lines = []
    for file in files:
        for service in services_in([file]):
            for route in registry.add(methods_of(service, file.pool), prefix=prefix):
                path = f"{route.prefix}{route.template.text}"
                lines.append(_line(route.verb, path, route.target.method))
    registry.require_selected()
    return sorted(lines, key=lambda line: (line[1], line[0]))


def _line(verb: str, path: str, method: Method) -> tuple[str, str, str, str]:
    served = ["JSON"]
    if not method.client_streaming:
        served.append("gRPC-Web")
    if path == method.path:
        served.append("Connect")
    return verb, path, method.descriptor.full_name, ", ".join(served)


def _print(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{'  '.join(padded).rstrip()}\n")
