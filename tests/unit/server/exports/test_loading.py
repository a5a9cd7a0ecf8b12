"""Imports: to identical rows, of some organisations, and what cannot have happened."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.commands.orgs import CreateOrg
from server.exports import loading, reading
from server.store.errors import StorageError
from server.store.opening import engine_of, open_store
from tests.contract.stores import commit
from tests.support import export_files
from tests.support.action_commands import create_action
from tests.support.every_event import following_rows, rows
from tests.support.export_files import Document
from tests.support.tables import cases


def unheard(_done: int, _all: int) -> None: ...


def bring(file: Path, folder: Path) -> bool:
    """Imports the file; returns True if it was new."""
    contents = reading.check(file, unheard)
    with engine_of("").import_transaction(folder) as transaction:
        is_new = loading.load(file, contents, transaction, unheard)
        transaction.commit()
    return is_new


def refusal_of(file: Path, folder: Path) -> str:
    with pytest.raises(StorageError) as refused:
        bring(file, folder)
    return str(refused.value).removeprefix(str(file))


def edit(file: Path, change: Callable[[list[Document]], object]) -> None:
    documents = export_files.read(file)
    change(documents)
    export_files.write(file, documents)


@pytest.mark.parametrize("events_at_once", [1, 2, 7, 256])
def test_an_instance_has_the_same_rows_elsewhere_however_events_are_divided(
    folder: Path, file: Path, events_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "EVENTS_AT_ONCE", events_at_once)
    other = folder.with_name("other")
    assert bring(file, other)
    assert following_rows(other) == following_rows(folder)
    assert engine_of("").compare(other, unheard) == []


def test_long_lines_are_written_before_more_are_read(
    folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BYTES_AT_ONCE", 500)
    done: list[int] = []
    contents = reading.check(file, unheard)
    with engine_of("").import_transaction(folder.with_name("other")) as transaction:
        loading.load(file, contents, transaction, lambda some, _all: done.append(some))
        transaction.commit()
    assert len(done) > 10
    assert following_rows(folder.with_name("other")) == following_rows(folder)


async def test_an_organisation_joins_others_in_the_next_positions(
    folder: Path, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    store = await open_store(here)
    await commit(store, CreateOrg("z", "Zoo", ""))
    await store.close()
    only_q = export_files.exported(folder, "q", file=tmp_path / "q.jsonl")
    only_o = export_files.exported(folder, "o", file=tmp_path / "o.jsonl")
    assert bring(only_q, here)
    assert bring(only_o, here)
    assert engine_of("").compare(here, unheard) == []
    before = {(row[2], row[3], row[4]): row[5:] for row in rows(folder)["events"] if row[1] != "p"}
    after = {(row[2], row[3], row[4]): row[5:] for row in rows(here)["events"] if row[1] != "z"}
    assert after == before
    positions = [row[0] for row in rows(here)["events"]]
    assert positions == [*range(1, len(positions) + 1)]
    assert [row[1:] for row in rows(here)["actions"] if row[2] == "o"] == [
        row[1:] for row in rows(folder)["actions"] if row[2] == "o"
    ]


def test_what_is_here_already_is_nothing_to_do(folder: Path, file: Path, tmp_path: Path) -> None:
    only_q = export_files.exported(folder, "q", file=tmp_path / "q.jsonl")
    other = tmp_path / "other"
    assert bring(file, other)
    before = rows(other)
    assert not bring(file, other)
    assert not bring(only_q, other)
    assert rows(other) == before


async def test_what_has_gone_on_here_is_nothing_to_do_either(folder: Path, file: Path) -> None:
    store = await open_store(folder)
    await commit(store, create_action("o", "99", "later"))
    await store.close()
    assert not bring(file, folder)


def test_an_organisation_that_is_here_with_other_events_is_refused(
    folder: Path, file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    bring(export_files.exported(folder, "q", file=tmp_path / "q.jsonl"), other)
    before = rows(other)
    refused = (
        "organisation q of the file exists here, and not with all events of the file; "
        "export the others alone, by --org"
    )
    assert refusal_of(file, other) == f":2: {refused}"
    edit(tmp_path / "q.jsonl", lambda documents: documents[1].update(editor="eve"))
    assert refusal_of(tmp_path / "q.jsonl", other) == f":2: {refused}"
    assert rows(other) == before


def test_an_organisation_that_was_removed_stays_so(folder: Path, tmp_path: Path) -> None:
    only_p = export_files.exported(folder, "p", file=tmp_path / "p.jsonl")
    other = tmp_path / "other"
    assert bring(only_p, other)
    assert rows(other)["orgs"] == []
    assert not bring(only_p, other)


def test_a_member_whose_user_is_not_here_is_refused(folder: Path, tmp_path: Path) -> None:
    only_p = export_files.exported(folder, "p", file=tmp_path / "p.jsonl")

    def keep_the_member(documents: list[Document]) -> None:
        gone = [event for event in documents if event.get("type") == "member.removed"]
        documents.remove(gone[-1])

    edit(only_p, keep_the_member)
    assert refusal_of(only_p, tmp_path / "other") == (
        ": member p:bob: user bob of another organisation is neither in the file nor here; "
        "export that organisation too, or remove the membership first"
    )


def renumber(documents: list[Document]) -> None:
    header, *events = documents
    for position, document in enumerate(events, 1):
        document["position"] = position
    header["lastPosition"] = len(events)


def repeat(position: int) -> Callable[[list[Document]], object]:
    return lambda documents: documents.insert(position + 1, {**documents[position]})


def leave_out(position: int) -> Callable[[list[Document]], object]:
    return lambda documents: documents.pop(position)


def change(position: int, **fields: object) -> Callable[[list[Document]], object]:
    return lambda documents: documents[position].update(fields)


def change_payload(position: int, **fields: object) -> Callable[[list[Document]], object]:
    return lambda documents: documents[position]["payload"].update(fields)


@cases(
    "change, refusal",
    {
        "event that makes, twice": (
            repeat(11),
            ":13: action.added of action 1: action 1 exists already",
        ),
        "event that changes, twice": (
            repeat(20),
            ":22: org.flow.trigger_actions.set of org o: expected sequence 3, got 2",
        ),
        "gap": (
            leave_out(22),
            ":28: action.reactivated of action 1: expected sequence 2, got 3",
        ),
        "change of what never was": (
            change(22, aggregateId="77"),
            ":23: action.deactivated of action 77: action 77 does not exist",
        ),
        "change of what ended": (
            change(28, aggregateId="2", sequence=4),
            ":29: action.reactivated of action 2: action 2 does not exist",
        ),
        "sequence that begins anew after an end": (
            change(39, sequence=1),
            ":40: member.added of member o:ada: expected sequence 4, got 1",
        ),
        "organisation that never was": (
            change(48, aggregateType="user", type="user.added", aggregateId="u", orgId="q"),
            ":49: user.added of user u: organisation q does not exist",
        ),
        "organisation that ended": (
            lambda documents: documents.append(
                {**documents[18], "aggregateId": "99", "payload": {"name": "late"}}
            ),
            ":58: action.added of action 99: organisation p does not exist",
        ),
        "sealed value in another place": (
            change_payload(53, name="OTHER"),
            ":54: sealed.added of sealed o:secret:KEPT: expected the id o:secret:OTHER",
        ),
        "organisation of an event is another": (
            change(22, orgId="p"),
            ":23: action.deactivated of action 1: expected organisation o, got 'p'",
        ),
        "organisation in an organisation": (
            change(48, orgId="o"),
            ":49: org.added of org q: expected organisation q, got 'o'",
        ),
        "membership elsewhere than its id says": (
            change_payload(5, userId="bob"),
            ":6: member.added of member o:ada: expected o and the user of o:ada, got o and bob",
        ),
        "token of no user": (
            change_payload(7, userId="eve"),
            ":8: token.added of token t1: user eve does not exist",
        ),
        "token whose hash is none": (
            change_payload(7, secretHash="xyz"),
            ":8: token.added of token t1 cannot be applied: non-hexadecimal number found in "
            "fromhex() arg at position 0",
        ),
        "key of no user": (
            change_payload(50, userId="eve"),
            ":51: machine_key.added of machine_key k1: user eve does not exist",
        ),
        "flow with an action of another organisation": (
            change_payload(20, actionIDs=["1", "7"]),
            ":21: org.flow.trigger_actions.set of org o: action 7 does not exist",
        ),
        "flow with an action that was removed": (
            change_payload(31, actionIDs=["2"]),
            ":32: org.flow.trigger_actions.set of org o: action 2 does not exist",
        ),
        "flow that does not exist": (
            change_payload(31, flowType=99),
            ":32: org.flow.trigger_actions.set of org o cannot be applied: "
            "99 is not a valid FlowType",
        ),
        "action that is not in the flow": (
            change_payload(26, actionID="6"),
            ":27: org.flow.trigger_actions.cascade.removed of org o cannot be applied: "
            "list.remove(x): x not in list",
        ),
        "name of an action that is taken": (
            change_payload(12, name="GREET\0001"),
            r":13: action.added of action 2: the name 'greet\x001' belongs to 1",
        ),
        "name of an organisation that is taken": (
            change_payload(48, name="acmE"),
            ":49: org.added of org q: the name 'acme' belongs to o",
        ),
        "subject that is taken": (
            change_payload(4, subject="ada@issuer"),
            ":5: user.added of user bob: the name 'ada@issuer' belongs to ada",
        ),
    },
)  # fmt: skip
@pytest.mark.parametrize("events_at_once", [1, 256])
def test_what_cannot_have_happened_is_refused_by_line_and_leaves_all_as_it_was(
    folder: Path,
    file: Path,
    change: Callable[[list[Document]], object],
    refusal: str,
    events_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def changed(documents: list[Document]) -> None:
        change(documents)
        renumber(documents)

    edit(file, changed)
    other = folder.with_name("other")
    monkeypatch.setattr(loading, "EVENTS_AT_ONCE", events_at_once)
    assert refusal_of(file, other) == refusal
    assert [path.name for path in other.iterdir()] == ["lock"]


@cases(
    "change, lines",
    {
        "token with the hash of another": (change_payload(10, secretHash="02" * 32), "11 to 11"),
        "number that no database has": (change_payload(11, timeout=2**63), "12 to 12"),
    },
)
def test_what_the_database_refuses_is_refused_by_lines(
    folder: Path,
    file: Path,
    change: Callable[[list[Document]], object],
    lines: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit(file, change)
    monkeypatch.setattr(loading, "EVENTS_AT_ONCE", 1)
    other = folder.with_name("other")
    refused = f": lines {lines} cannot be written: event store {other}/events.sqlite: "
    assert refusal_of(file, other).startswith(refused)
    assert not engine_of("").has_database(other)


def test_a_file_that_is_changed_while_it_is_imported_is_refused(folder: Path, file: Path) -> None:
    contents = reading.check(file, unheard)
    file.write_bytes(file.read_bytes().replace(b"Acme", b"Acne", 1))
    other = folder.with_name("other")
    with (
        pytest.raises(StorageError, match="expected events with SHA-256"),
        engine_of("").import_transaction(other) as transaction,
    ):
        loading.load(file, contents, transaction, unheard)
    assert not engine_of("").has_database(other)


def test_an_import_that_is_not_committed_leaves_a_store_as_it_was(
    folder: Path, tmp_path: Path
) -> None:
    only_q = export_files.exported(folder, "q", file=tmp_path / "q.jsonl")
    only_o = export_files.exported(folder, "o", file=tmp_path / "o.jsonl")
    other = tmp_path / "other"
    bring(only_q, other)
    before = rows(other)
    with engine_of("").import_transaction(other) as transaction:
        assert loading.load(only_o, reading.check(only_o, unheard), transaction, unheard)
    assert rows(other) == before
