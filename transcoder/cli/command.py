"""Runs the command `transcoder`: serves gRPC servers, or prints the routes of services.

A build can run it on generated code, so that an invalid rule is found before a server starts.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from google.protobuf.descriptor import FileDescriptor

from transcoder.app import Transcoder
from transcoder.backends.reflection import UnansweredError
from transcoder.call import Method
from transcoder.cli.arguments import parse
from transcoder.cli.certificates import channel_credentials, listener_context
from transcoder.cli.errors import MisusedError
from transcoder.cli.options import Options, read_options
from transcoder.codec.codec import Codec
from transcoder.descriptor_sets import read_set, services_in
from transcoder.errors import SchemaError
from transcoder.gateway import Server, files_of, serve
from transcoder.options import OpenApi
from transcoder.registry import Registry, methods_of
from transcoder.routing.service_config import ServiceConfig

INVALID: Final = 1
MISUSED: Final = 2

_HEAD: Final = ("HTTP", "PATH", "METHOD", "SERVED AS")


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status.

    It is 1 if a rule is invalid, or what the network is asked for fails; 2 if an argument does not
    fit.
    """
    try:
        given = parse(arguments)
        options = read_options(vars(given), os.environ)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109  as `python -m` has it
        return _run(given, options)
    except MisusedError as error:
        sys.stderr.write(f"error: {error}\n")
        return MISUSED
    except (SchemaError, UnansweredError) as error:
        sys.stderr.write(f"error: {error}\n")
        return INVALID


def _run(given: argparse.Namespace, options: Options) -> int:
    targets = [each for each in given.sources if ":" in each]
    files = [_file_of(name) for name in given.sources if name not in targets]
    if options.descriptor_set:
        files += read_set(options.descriptor_set)
    if len(targets) > 1:
        both = " and ".join(targets)
        raise MisusedError(f"expected one server, got {both}: name services of others by --route")
    if not (targets or files or options.route):
        expected = "expected a server, as localhost:50051, or generated code, as library_pb2"
        raise MisusedError(f"{expected}; --help lists all options")
    servers = _servers(targets, files, options)
    if options.listen and not (given.routes or given.check):
        return _serve(servers, options)
    if not files:
        for server in servers:
            files += files_of(server.target, channel_credentials(options))
    lines = _routes(files, options)
    if not given.check:
        _print([_HEAD, *lines])
    return 0


def _servers(
    targets: Sequence[str], files: Sequence[FileDescriptor], options: Options
) -> list[Server]:
    """Returns the servers, each with the services it has.

    A server whose services no file declares is asked for them.
    """
    declared = list(services_in(files))
    by_target: dict[str, list[str]] = {}
    for service, target in options.route:
        by_target.setdefault(target, []).append(service)
    servers = []
    for target, services in by_target.items():
        known = [each for each in services if each in declared]
        asked = [each for each in services if each not in declared]
        servers += [Server(target, known, files)] if known else []
        servers += [Server(target, asked, ())] if asked else []
    if targets:
        routed = {each.service for each in options.route}
        rest = [each for each in declared if each not in routed]
        servers.append(Server(targets[0], rest, files if rest else ()))
    return servers


def _serve(servers: Sequence[Server], options: Options) -> int:
    if not servers:
        raise MisusedError("--listen: expected the address of a server too, as localhost:50051")
    ssl = listener_context(options)
    transcoder = _transcoder(options)
    credentials = channel_credentials(options)
    for server in servers:
        transcoder.forward(
            server.target,
            credentials=credentials,
            files=server.files,
            services=server.services,
            prefix=options.prefix,
        )
    try:
        serve(transcoder, options.listen, ssl)
    except OSError as error:
        sys.stderr.write(f"error: --listen {options.listen}: {error.strerror or error}\n")
        return INVALID
    return 0


def _transcoder(options: Options) -> Transcoder:
    document = OpenApi(
        title=options.openapi_title,
        version=options.openapi_version,
        descriptor_set=options.descriptor_set or b"",
    )
    return Transcoder(
        service_config=options.service_config or None,
        json=options.json,
        strict=options.strict,
        cors_origins=options.cors_origins,
        trusted_proxies=options.trusted_proxies,
        openapi=document if options.openapi else None,
        limits=options.limits,
    )


def _file_of(name: str) -> FileDescriptor:
    """Returns the descriptor of generated code.

    Raises:
        MisusedError: there is no such module, or it has no services.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name != name:
            raise MisusedError(
                f"module {name}: it needs {error.name}, which cannot be found"
            ) from None
        raise MisusedError(f"module {name}: not found here or among installed packages") from None
    descriptor = getattr(module, "DESCRIPTOR", None)
    if not isinstance(descriptor, FileDescriptor) or not descriptor.services_by_name:
        raise MisusedError(f"module {name}: expected generated code with a service, as library_pb2")
    return descriptor


def _routes(files: Sequence[FileDescriptor], options: Options) -> list[tuple[str, str, str, str]]:
    """Returns a line for each route, by path.

    Raises:
        SchemaError: lists what is wrong with the rules of a service.
    """
    config = ServiceConfig(options.service_config) if options.service_config else None
    registry = Registry(Codec(), config=config, strict=False)
    lines = []
    for file in files:
        for service in services_in([file]):
            for route in registry.add(methods_of(service, file.pool), prefix=options.prefix):
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
