"""Runs `bridge connect`: targets here and in a ZITADEL, and its executions."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from server.cli import output
from server.cli.both_sides import (
    DRY_RUN,
    FUNCTIONS,
    LOGIN_V2,
    TOKEN_FILE,
    ZITADEL,
    Sides,
    base_url,
    both_sides,
    show,
)
from server.cli.bridge import ORGS, TIMEOUT
from server.cli.failures import Failed
from server.cli.performing import AS_JSON, keyed, stored

if TYPE_CHECKING:
    from server.connecting.wanted import Wanted


@click.command(
    "connect",
    short_help="Have a ZITADEL run actions here.",
    epilog="Example: python -m server bridge connect https://zitadel.example --token-file token"
    " --public-url https://actions.example --dry-run",
)
@ZITADEL
@TOKEN_FILE
@click.option(
    "--public-url",
    required=True,
    callback=base_url,
    metavar="URL",
    help="URL of this service, as ZITADEL reaches it.",
)
@ORGS
@FUNCTIONS
@LOGIN_V2
@TIMEOUT
@click.option(
    "--ignore-failures/--fail",
    default=None,
    help="Let logins go on without a run that failed, or a service that is away.",
)
@DRY_RUN
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
    has_login_v2: bool,
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

    from server.connecting.wanted import Wanted

    wanted = Wanted(
        name=urlsplit(zitadel).netloc,
        name_there=urlsplit(public_url).netloc,
        public_url=public_url,
        functions=functions,
        has_login_v2=has_login_v2,
        orgs=orgs,
        timeout_ms=None if timeout_s is None else int(timeout_s * 1000),
        ignores_failures=ignore_failures,
    )

    async def connected() -> None:
        async with both_sides(zitadel, token_file, flags) as sides:
            await _connect(sides, wanted, as_json, is_dry=dry_run, is_tested=not skips_test)

    asyncio.run(connected())


async def _connect(
    sides: Sides, wanted: "Wanted", as_json: bool, *, is_dry: bool, is_tested: bool
) -> None:
    from dataclasses import replace

    from server.connecting.by_hand import about_url, active_there

    link, there = await sides.connection.read(wanted.name, public_url=wanted.public_url)
    bound: Mapping[str, str] = {} if link.here is None else link.here.orgs
    if not wanted.orgs:
        wanted = replace(wanted, orgs=await _same_orgs(sides, bound))
    plan = await sides.connection.plan(wanted, link, there)
    if not plan.here.orgs:
        raise Failed(
            "no organisation has the same id here and in ZITADEL, so no login would run actions:"
            " import some (import zitadel), or bind them (--org THEIRS=OURS)"
        )
    by_hand = await active_there(sides.zitadel, plan.here.orgs, plan.conditions)
    by_hand += about_url(wanted.public_url)
    if not as_json:
        show("plan", plan.lines or ["nothing to change"])
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
    show("by hand", by_hand)
    if not is_dry:
        conditions = ", ".join(condition.name for condition in plan.conditions)
        click.echo(f"connected: ZITADEL calls target {ids[0]} here at {conditions}")


async def _same_orgs(sides: Sides, bound: Mapping[str, str]) -> dict[str, str]:
    """Returns organisations with the same id on both sides that are not bound yet."""
    same = await sides.zitadel.org_ids() & await sides.connection.orgs_here()
    return {id: id for id in sorted(same) if id not in bound}
