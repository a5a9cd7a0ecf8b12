"""Opens both sides of a bridge for commands: the service here, and a ZITADEL.

Rule: the token of the ZITADEL comes from a file; neither it nor a signing key is ever shown.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from server.cli.failures import Failed
from server.cli.settings import settings
from server.cli.token_file import token_in

if TYPE_CHECKING:
    from server.connecting.connection import Connection
    from server.moving.zitadel_api import ZitadelApi


def base_url(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    """Checks a URL that paths are added to."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii():
        raise click.BadParameter(f"expected a URL, https://HOST, got {url[:40]!r}")
    return url.rstrip("/")


TOKEN_FILE: Final = click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    required=True,
    help="File with a token of an IAM_OWNER of the ZITADEL.",
)
FUNCTIONS: Final = click.option(
    "--function",
    "functions",
    multiple=True,
    metavar="NAME",
    help="Only this function of ZITADEL; repeatable.  [default: all that run actions here]",
)
LOGIN_V2: Final = click.option(
    "--login-v2",
    "has_login_v2",
    is_flag=True,
    help="Also at methods and an event of ZITADEL, in place of flows 1 and 3: Login V2 only.",
)
DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Show the plan, and do nothing.")


ZITADEL: Final = click.argument("zitadel", callback=base_url)


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of a connection, and the name of the target here that belongs to it."""

    connection: "Connection"
    zitadel: "ZitadelApi"
    name: str


def show(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")


@asynccontextmanager
async def both_sides(url: str, token_file: Path, flags: dict[str, object]) -> AsyncIterator[Sides]:
    """Opens both sides; their errors are the command's."""
    from google.protobuf.message import Message

    from server.cli.store import send_within
    from server.connecting.actions_api import ActionsApi
    from server.connecting.connection import Connection
    from server.connecting.errors import ConnectError
    from server.connecting.probe import probe
    from server.moving.source import SourceError
    from server.moving.zitadel_api import ZitadelApi
    from server.zitadel_client import zitadel_client

    config = settings(flags).config

    async def ask(request: Message) -> Message:
        return await send_within(config, request)

    try:
        async with zitadel_client(url, token_in(token_file)) as client:
            connection = Connection(ActionsApi(client), ask, probe)
            yield Sides(connection, ZitadelApi(client), urlsplit(url).netloc)
    except (ConnectError, SourceError) as error:
        raise Failed(str(error)) from error
