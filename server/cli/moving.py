"""Runs `import zitadel`, which brings the actions and flows of a ZITADEL here."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.cli import output
from server.cli.exports import counted
from server.cli.failures import Failed, Misused, storage_failures
from server.cli.performing import AS_JSON, store_of, stored
from server.cli.progress import reported
from server.cli.token_file import token_in

if TYPE_CHECKING:
    from server.config import Config
    from server.moving.changes import Changes
    from server.moving.source import SourceOrg
    from server.moving.trial import Problem
    from server.store.engine import Engine


@click.command(
    "zitadel",
    short_help="Import actions and flows of a ZITADEL, its export or a folder.",
    epilog="Example: python -m server import zitadel https://zitadel.example --token-file token"
    " --dry-run",
)
@click.argument("source")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File with a token of an administrator of the ZITADEL.",
)
@click.option(
    "--org",
    "org_ids",
    multiple=True,
    metavar="ID",
    help="Import only this organisation; may be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Read, try and compare, and write nothing.")
@click.option("--update", "updates", is_flag=True, help="Change what is here and differs.")
@click.option("--no-trial", "skips_trial", is_flag=True, help="Run no script.")
@AS_JSON
@stored
def import_zitadel(
    source: str,
    token_file: Path | None,
    org_ids: tuple[str, ...],
    dry_run: bool,
    updates: bool,
    skips_trial: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Import actions and flows of SOURCE, with their ids, states, order, timeouts and dates.

    SOURCE is the URL of a ZITADEL, the JSON that its Admin API exports, or a folder that
    export --folder wrote. What is here already stays as it is, and what differs is listed: --update
    changes it. Nothing is removed. All is written at once, or nothing; run it as often as you like.

    Each script is tried with an example context first; what it fetches, it fetches for real.
    On SQLite no service may run on the data folder.
    """
    from server.moving import source as sources
    from server.moving import writing

    engine, config = store_of(flags)
    try:
        orgs = sources.checked(_read(source, token_file, list(dict.fromkeys(org_ids))))
        if not dry_run:
            _require_owner(engine, config)
        problems = [] if skips_trial else _problems(orgs, config)
        with (
            storage_failures(needs_folder="import"),
            engine.import_transaction(config.data_dir) as transaction,
        ):
            done = writing.write(
                orgs, transaction, updates=updates, progress=reported("compared", "organisations")
            )
            if not dry_run and any(changes.events for changes in done):
                transaction.commit()
    except sources.SourceError as error:
        raise _failed(str(error)) from error
    if as_json:
        output.as_json(_document(orgs, done, problems, dry_run))
    else:
        _tell(orgs, done, problems, dry_run)


def _require_owner(engine: "Engine", config: "Config") -> None:
    """Refuses a database without an owner: nobody could use what is imported."""
    from server.store.log import NO_EVENT

    if engine.has_database(config.data_dir):
        with engine.event_reader(config.data_dir) as reader:
            if reader.last_event() != NO_EVENT:
                return
    raise Failed(
        "the database is empty; start the service once, which makes its owner, then import"
    )


def _failed(text: str) -> Failed:
    """Returns the error; of several faults, all but the last are printed before it."""
    *earlier, last = text.split("\n")
    for line in earlier:
        click.echo(f"error: {line}", err=True)
    return Failed(last)


def _read(source: str, token_file: Path | None, org_ids: Sequence[str]) -> "list[SourceOrg]":
    import asyncio

    from server.moving import admin_export, folder

    if source.startswith(("https://", "http://")):
        if token_file is None:
            raise Misused("expected --token-file, as SOURCE is a URL")
        return asyncio.run(_read_api(source, token_in(token_file), org_ids))
    if token_file is not None:
        raise Misused("--token-file is for a URL as SOURCE, which begins with https://")
    path = Path(source)
    read: Callable[[Path, Sequence[str]], list[SourceOrg]]
    read = folder.read if path.is_dir() else admin_export.read
    return read(path, org_ids)


async def _read_api(url: str, token: str, org_ids: Sequence[str]) -> "list[SourceOrg]":
    from server.moving.zitadel_api import zitadel_api

    async with zitadel_api(url, token) as api:
        return await api.read(org_ids, reported("read", "organisations"))


def _problems(orgs: "Sequence[SourceOrg]", config: "Config") -> "list[Problem]":
    import asyncio

    from server.scripts.contract import ExecutionError

    try:
        return asyncio.run(_try(orgs, config))
    except ExecutionError as error:
        raise Failed(f"scripts cannot be run here: {error}; --no-trial imports without") from error


async def _try(orgs: "Sequence[SourceOrg]", config: "Config") -> "list[Problem]":
    import logging

    import structlog

    from server.moving.trial import problems_of
    from server.scripts.contract import Options
    from server.scripts.host.executor import Executor

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    executor = Executor(
        Options(
            deny=config.script_fetch_deny,
            allow=config.script_fetch_allow,
            dns_servers=config.script_dns_servers,
        )
    )
    await executor.start()
    try:
        return await problems_of(orgs, executor, reported("tried", "actions"))
    finally:
        await executor.close()


def _tell(
    orgs: "Sequence[SourceOrg]",
    done: "Sequence[Changes]",
    problems: "Sequence[Problem]",
    dry_run: bool,
) -> None:
    for problem in problems:
        at = "" if problem.at is None else f", flow {problem.at[0]:d}, trigger {problem.at[1]:d}"
        named = f"action {problem.action.id} ({problem.action.name})"
        click.echo(f"would fail: organisation {problem.org_id}, {named}{at}: {problem.text}")
    for changes in done:
        for org_id, what, how, is_updated in changes.differences:
            verb = "updated" if is_updated else "differs"
            click.echo(f"{verb}: organisation {org_id}, {what}: {how}")
    for lack in _lacks(orgs):
        click.echo(f"unknown: {lack}")
    made = ", ".join(
        counted(sum(getattr(changes, kind) for changes in done), noun)
        for kind, noun in (("orgs", "organisation"), ("actions", "action"), ("triggers", "trigger"))
    )
    differences = [difference for changes in done for difference in changes.differences]
    updated = sum(difference.is_updated for difference in differences)
    click.echo(
        f"{'would import' if dry_run else 'imported'} {made}; "
        f"{counted(len(differences), 'difference')}, {updated} of them updated; "
        f"{counted(len(problems), 'run')} would fail"
    )


def _lacks(orgs: "Sequence[SourceOrg]") -> list[str]:
    """Returns what the source does not say, a line each."""
    from server.triggers import FlowType

    lacks = []
    if any(action.state is None for org in orgs for action in org.actions):
        lacks.append("which actions are inactive: new ones are active here")
    missing = sorted({flow for org in orgs for flow in set(FlowType) - org.flows})
    if missing:
        listed = " and ".join(str(flow.value) for flow in missing)
        lacks.append(f"flows {listed}: they are as before here")
    return lacks


def _document(
    orgs: "Sequence[SourceOrg]",
    done: "Sequence[Changes]",
    problems: "Sequence[Problem]",
    dry_run: bool,
) -> dict[str, Any]:
    return {
        "result": "dry run" if dry_run else "imported",
        "made": {
            kind: sum(getattr(changes, kind) for changes in done)
            for kind in ("orgs", "actions", "triggers")
        },
        "differences": [
            {"orgId": org_id, "what": what, "how": how, "isUpdated": is_updated}
            for changes in done
            for org_id, what, how, is_updated in changes.differences
        ],
        "problems": [
            {
                "orgId": problem.org_id,
                "actionId": problem.action.id,
                "flow": None if problem.at is None else problem.at[0],
                "trigger": None if problem.at is None else problem.at[1],
                "text": problem.text,
            }
            for problem in problems
        ],
        "unknown": _lacks(orgs),
    }
