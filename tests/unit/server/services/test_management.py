"""ManagementService over a real store: messages to commands and queries, and back."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from server import locale
from server.commands.orgs import CreateOrg
from server.commands.queue import CommandQueue
from server.domain.action import Action
from server.identity.caller import Caller
from server.ids import IdGenerator
from server.rpc.call_info import CALL, CallInfo
from server.services import management, messages
from server.services.kept_actions import KeptActions
from server.services.management import ManagementService
from server.store.engine import Store
from server.store.opening import open_store
from tests.support.threads import THREADS
from zitadel import action_pb2, object_pb2
from zitadel import management_pb2 as pb

ORG = "100000000000000001"
T0 = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z


class Clock:
    """Each look at it is a microsecond later."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(tmp_path / "data", clock=Clock())
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def service(store: Store) -> AsyncIterator[ManagementService]:
    CALL.set(CallInfo(caller=Caller("200000000000000001", ORG)))
    actions = KeptActions(store)
    queue = CommandQueue(store, on_commit=actions.forget)
    await queue.start()
    await queue.execute(CreateOrg(ORG, "Acme", ""))
    yield ManagementService(
        store, actions, queue, IdGenerator(7), locale.load_all(), threads=THREADS
    )
    await queue.close()


async def create(service: ManagementService, name: str = "hello", **fields: object) -> str:
    request = pb.CreateActionRequest(name=name, script="return", **fields)  # type: ignore[arg-type]
    return (await service.CreateAction(request, None)).id


async def get(service: ManagementService, id: str) -> action_pb2.Action:
    return (await service.GetAction(pb.GetActionRequest(id=id), None)).action


def us(details: object_pb2.ObjectDetails) -> tuple[int, int]:
    created, changed = details.creation_date, details.change_date
    return (
        created.seconds * 1_000_000 + created.nanos // 1000,
        changed.seconds * 1_000_000 + changed.nanos // 1000,
    )


@pytest.mark.parametrize(
    ("seconds", "nanos", "told"),
    [
        pytest.param(315_576_000_000, 0, (20, 0), id="10,000 years"),
        pytest.param(-1, 0, (20, 0), id="less than none"),
        pytest.param(2**63 - 1, 0, (20, 0), id="all of int64"),
    ],
)
async def test_reader_sees_the_timeout_in_effect_for_any_that_is_stored(
    service: ManagementService, seconds: int, nanos: int, told: tuple[int, int]
) -> None:
    id = await create(service, timeout=Duration(seconds=seconds, nanos=nanos))
    timeout = (await get(service, id)).timeout
    assert (timeout.seconds, timeout.nanos) == told


async def test_change_keeps_the_creation_date_and_moves_the_change_date(
    service: ManagementService,
) -> None:
    id = await create(service)
    made_at, _ = us((await get(service, id)).details)
    deactivated = await service.DeactivateAction(pb.DeactivateActionRequest(id=id), None)
    reactivated = await service.ReactivateAction(pb.ReactivateActionRequest(id=id), None)
    update = pb.UpdateActionRequest(id=id, name="hi", script="return")
    updated = await service.UpdateAction(update, None)
    changes = [response.details for response in (deactivated, reactivated, updated)]
    assert [details.sequence for details in changes] == [2, 3, 4]
    assert {us(details)[0] for details in changes} == {made_at}
    assert made_at < us(changes[0])[1] < us(changes[1])[1] < us(changes[2])[1]
    assert {details.resource_owner for details in changes} == {ORG}


@pytest.mark.parametrize(
    ("most_actions", "most_chars", "is_inline"),
    [
        pytest.param(2, 12, True, id="little"),
        pytest.param(1, 12, False, id="many actions"),
        pytest.param(2, 11, False, id="much text"),
    ],
)
async def test_answer_of_many_actions_is_put_together_off_the_loop(
    service: ManagementService,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    most_actions: int,
    most_chars: int,
    is_inline: bool,
) -> None:
    """Tries an answer of two actions, each with a script of six characters."""
    filled_in: list[int] = []
    fill = messages.fill_action

    def noting(message: action_pb2.Action, action: Action) -> None:
        filled_in.append(threading.get_ident())
        fill(message, action)

    monkeypatch.setattr(management, "INLINE_MAX_ACTIONS", most_actions)
    monkeypatch.setattr(management, "INLINE_MAX_CHARS", most_chars)
    monkeypatch.setattr(messages, "fill_action", noting)
    ids = [await create(service, name) for name in "ab"]
    request = pb.SetTriggerActionsRequest(flow_type="2", trigger_type="4", action_ids=ids)
    await service.SetTriggerActions(request, None)
    listed = await service.ListActions(pb.ListActionsRequest(), None)
    assert [action.id for action in listed.result] == ids
    flow = (await service.GetFlow(pb.GetFlowRequest(type="2"), None)).flow
    assert [action.id for action in flow.trigger_actions[0].actions] == ids
    assert [ident == threading.get_ident() for ident in filled_in] == [is_inline] * 4


WRITTEN: dict[str, tuple[Any, Any]] = {
    "name": ("Greet", "Wave"),
    "script": ("function Greet() {}", "function Wave() {}"),
    "timeout": (Duration(seconds=1), Duration(seconds=2)),
    "allowed_to_fail": (False, True),
}
"""The fields that clients write of an action: a value, and another."""

KEPT_BY_THE_SERVICE = {"id", "details", "state"}

FIRST = {field: value for field, (value, _) in WRITTEN.items()}


def test_every_field_of_an_action_is_written_by_clients_or_kept_by_the_service() -> None:
    assert {*action_pb2.Action.DESCRIPTOR.fields_by_name} == {*WRITTEN} | KEPT_BY_THE_SERVICE
    assert {*pb.CreateActionRequest.DESCRIPTOR.fields_by_name} == {*WRITTEN}
    assert {*pb.UpdateActionRequest.DESCRIPTOR.fields_by_name} == {*WRITTEN, "id"}


async def read_back(service: ManagementService, id: str) -> dict[str, Any]:
    """Returns what GetAction and ListActions both answer."""
    got = (await service.GetAction(pb.GetActionRequest(id=id), None)).action
    listed = await service.ListActions(pb.ListActionsRequest(), None)
    assert [*listed.result] == [got]
    return {field: getattr(got, field) for field in WRITTEN}


@pytest.mark.parametrize("field", WRITTEN)
async def test_each_field_that_clients_write_is_answered_as_it_was_written(
    service: ManagementService, field: str
) -> None:
    others = FIRST | {field: WRITTEN[field][1]}
    created = await service.CreateAction(pb.CreateActionRequest(**others), None)
    assert await read_back(service, created.id) == others
    await service.UpdateAction(pb.UpdateActionRequest(id=created.id, **FIRST), None)
    assert await read_back(service, created.id) == FIRST
    await service.UpdateAction(pb.UpdateActionRequest(id=created.id, **others), None)
    assert await read_back(service, created.id) == others
