"""Runs `bridge connect`: targets here and in a ZITADEL, and its executions.

Rule: the token of the ZITADEL comes from a file; neither it nor a signing key is ever shown.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from server.cli import output
from server.cli.bridge import ORGS, TIMEOUT
from server.cli.failures import Failed
from server.cli.performing import AS_JSON, keyed, stored
from server.cli.settings import settings
from server.cli.token_file import token_in

if TYPE_CHECKING:
    from server.connecting.connection import Connection
    from server.connecting.plan import Plan, Wanted
    from server.moving.zitadel_api import ZitadelApi

_TOKEN_FILE: Final = click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    required=True,
    help="File with a token of an IAM_OWNER of the ZITADEL.",
)
_FUNCTIONS: Final = click.option(
    "--function",
    "functions",
    multiple=True,
    metavar="NAME",
    help="Only this function of ZITADEL; repeatable.  [default: all that run actions here]",
)
_DRY_RUN: Final = click.option("--dry-run", is_flag=True, help="Show the plan, and do nothing.")


def _base_url(_context: click.Context, _parameter: click.Parameter, url: str) -> str:
    """Checks a URL that paths are added to."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.query or parts.fragment or "@" in parts.netloc or not url.isascii():
        raise click.BadParameter(f"expected a URL, https://HOST, got {url[:40]!r}")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides of a connection, and the name of the target here that belongs to it."""

    connection: "Connection"
    zitadel: "ZitadelApi"
    name: str


@click.command(
    "connect",
    short_help="Have a ZITADEL run actions here.",
    epilog="Example: python -m server bridge connect https://zitadel.example --token-file token"
    " --public-url https://actions.example --dry-run",
)
@click.argument("zitadel", callback=_base_url)
@_TOKEN_FILE
@click.option(
    "--public-url",
    required=True,
    callback=_base_url,
    metavar="URL",
    help="URL of this service, as ZITADEL reaches it.",
)
@ORGS
@_FUNCTIONS
@TIMEOUT
@click.option(
    "--ignore-failures/--fail",
    default=None,
    help="Let logins go on without a run that failed, or a service that is away.",
)
@_DRY_RUN
@click.option("--no-test", "skips_test", is_flag=True, help="Do not call the public URL from here.")
@AS_JSON
@keyed
@stored
def connect(
    zitadel: str,
    token_file: Path,
    public_url: str,
    orgs: dict[str, str],
    functions: tuple[str, ...],
    timeout_s: float | None,
    ignore_failures: bool | None,
    dry_run: bool,
    skips_test: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Have the ZITADEL at this URL call a target here at its logins.

    Makes the target on both sides, stores its signing key here, calls it once through the public
    URL, and adds it to ZITADEL's functions, behind targets of others. Without --org, organisations
    with the same id on both sides are bound. Shows the plan first. Run it as often as you like:
    what is as it should be stays, and what an interrupted run left is completed.
    """
    import asyncio

    from server.connecting.plan import Wanted

    wanted = Wanted(
        name=urlsplit(zitadel).netloc,
        name_there=urlsplit(public_url).netloc,
        public_url=public_url,
        functions=functions,
        orgs=orgs,
        timeout_ms=None if timeout_s is None else int(timeout_s * 1000),
        ignores_failures=ignore_failures,
    )

    async def connected() -> None:
        async with _sides(zitadel, token_file, flags) as sides:
            await _connect(sides, wanted, as_json, is_dry=dry_run, is_tested=not skips_test)

    asyncio.run(connected())


async def _connect(
    sides: _Sides, wanted: "Wanted", as_json: bool, *, is_dry: bool, is_tested: bool
) -> None:
    from dataclasses import replace

    from server.connecting.by_hand import about_url, active_there

    link, there = await sides.connection.read(wanted.name)
    bound: Mapping[str, str] = {} if link.here is None else link.here.orgs
    if not wanted.orgs:
        wanted = replace(wanted, orgs=await _same_orgs(sides, bound))
    plan = await sides.connection.plan(wanted, link, there)
    if not plan.orgs:
        raise Failed(
            "no organisation has the same id here and in ZITADEL, so no login would run actions:"
            " import some (import zitadel), or bind them (--org THEIRS=OURS)"
        )
    by_hand = await active_there(sides.zitadel, plan.orgs, plan.all_functions)
    by_hand += about_url(wanted.public_url)
    if not as_json:
        _show_plan(plan)
    ids = ("", "")
    if not is_dry:
        ids = await sides.connection.carry_out(plan, is_tested=is_tested)
    result = "dry run" if is_dry else "connected" if plan.lines else "unchanged"
    if as_json:
        target = {"here": ids[0], "there": ids[1]}
        output.as_json(
            {"result": result, "changes": [*plan.lines], "byHand": by_hand, "target": target}
        )
        return
    _show("by hand", by_hand)
    if not is_dry:
        functions = ", ".join(plan.all_functions)
        click.echo(f"connected: ZITADEL calls target {ids[0]} here at {functions}")


async def _same_orgs(sides: _Sides, bound: Mapping[str, str]) -> dict[str, str]:
    """Returns organisations with the same id on both sides that are not bound yet."""
    same = await sides.zitadel.org_ids() & await sides.connection.orgs_here()
    return {id: id for id in sorted(same) if id not in bound}


def _show_plan(plan: "Plan") -> None:
    _show("plan", plan.lines or ["nothing to change"])


def _show(title: str, lines: Sequence[str]) -> None:
    if lines:
        click.echo(f"{title}:")
        for line in lines:
            click.echo(f"  {line}")


@asynccontextmanager
async def _sides(url: str, token_file: Path, flags: dict[str, object]) -> AsyncIterator[_Sides]:
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
            yield _Sides(connection, ZitadelApi(client), urlsplit(url).netloc)
    except (ConnectError, SourceError) as error:
        raise Failed(str(error)) from error
