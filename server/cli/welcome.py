"""Prints where the service listens, and after a first start, commands to paste.

Rule 1: the token is printed only on a terminal: other output may be collected as logs.
Rule 2: the commands work as printed, in this order, in a POSIX shell in the folder in which the
server was started.
"""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from server.config import OWNER_TOKEN_FILE, Address, Config, SocketPath, listening

if TYPE_CHECKING:
    from server.app import Started

# Prints the id in an answer; shows the answer on standard error.
_ID: Final = r"""tee /dev/stderr | sed -n 's/.*"id": *"\([0-9]*\)".*/\1/p'"""
_SERVICE: Final = "zitadel.management.v1.ManagementService"
_ACTION: Final = '{"name":"hello","script":"function hello(ctx, api) {}"}'
_PACKAGE: Final = __package__.partition(".")[0]
_DEFAULT: Final = Config()


def lines(
    started: "Started",
    data_dir: Path,
    *,
    is_terminal: bool,
    has_tls: bool = False,
    has_openapi: bool = True,
) -> Iterator[str]:
    """Yields the text line by line."""
    owner, token_file = started.owner, data_dir / OWNER_TOKEN_FILE
    is_socket = isinstance(listening(started.listen), SocketPath)
    origin = started.listen if is_socket else f"{_scheme(has_tls)}://{started.listen}"
    yield f"JSON and gRPC-Web  {origin}"
    yield f"gRPC               {started.grpc_listen}"
    if has_openapi and not is_socket:
        yield f"OpenAPI            {origin}/openapi.json"
        yield f"docs, try it       {origin}/docs"
    yield f"data folder        {data_dir}"
    if owner is not None:
        yield f"organisation       {owner.org_name} ({owner.org_id}), made just now"
    if owner is not None and is_terminal:
        yield f"owner token        {owner.token}"
        yield f"                   also in {token_file}"
        yield ""
        http, grpc = listening(started.listen), listening(started.grpc_listen)
        yield from _commands(http.reachable, grpc.reachable, data_dir, has_tls=has_tls)
    elif owner is not None:
        yield f"owner token        in {token_file}; it and commands are printed on a terminal only"
    elif started.is_token_refused:
        yield f"owner token        the one in {token_file} was revoked or has expired;"
        yield "                   token create USER_ID --write writes another"
    elif token_file.exists():
        yield f"owner token        in {token_file}"
    else:
        yield f"owner token        none in {token_file}; token create makes one"


def _scheme(has_tls: bool) -> str:
    return "https" if has_tls else "http"


def _commands(
    http: Address | SocketPath, grpc: Address | SocketPath, data_dir: Path, *, has_tls: bool
) -> Iterator[str]:
    # Quotes within $( ) are independent of those around it.
    token_file = shlex.quote(str(data_dir / OWNER_TOKEN_FILE))
    bearer = f'-H "Authorization: Bearer $(cat {token_file})"'
    host = http if isinstance(http, Address) else "localhost"
    if isinstance(http, SocketPath):
        bearer_http = f"--unix-socket {shlex.quote(http.path)} {bearer}"
    else:
        bearer_http = bearer
    actions = f"{_scheme(has_tls)}://{host}/management/v1/actions"
    yield "To paste, in this order, in another shell in the same folder:"
    yield ""
    yield "# JSON: create an action, deactivate it, reactivate it"
    yield (
        f"ID=$(curl -sS -w '\\n' {bearer_http} -H 'Content-Type: application/json' "
        f"-d '{_ACTION}' {actions} | {_ID})"
    )
    for verb in ("_deactivate", "_reactivate"):
        yield f"curl -sS -w '\\n' -X POST {bearer_http} {actions}/$ID/{verb}"
    yield ""
    yield "# The same from the command line, over JSON, gRPC and gRPC-Web"
    for protocol, address, default in (
        ("json", http, _DEFAULT.listen),
        ("grpc", grpc, _DEFAULT.grpc_listen),
        ("grpc-web", http, _DEFAULT.listen),
    ):
        options = f" --protocol {protocol}" + (" --tls" if has_tls else "")
        if str(address) != default:
            options += f" --address {shlex.quote(str(address))}"
        if data_dir != _DEFAULT.data_dir:
            options += f" --data-dir {shlex.quote(str(data_dir))}"
        for method in ("DeactivateAction", "ReactivateAction"):
            yield f'{_python()} -m {_PACKAGE} call {method} "{{\\"id\\":\\"$ID\\"}}"{options}'
    yield ""
    yield "# gRPC, with grpcurl"
    plaintext = "" if has_tls else "-plaintext "
    target = grpc if isinstance(grpc, Address) else f"-unix {shlex.quote(grpc.path)}"
    for method in ("DeactivateAction", "ReactivateAction"):
        yield (
            f'grpcurl {plaintext}{bearer} -d "{{\\"id\\":\\"$ID\\"}}" {target} {_SERVICE}/{method}'
        )


def _python() -> str:
    """Returns the path of this interpreter, quoted; relative if it is below the working folder."""
    python, here = Path(sys.executable), Path.cwd()
    return shlex.quote(str(python.relative_to(here) if python.is_relative_to(here) else python))
