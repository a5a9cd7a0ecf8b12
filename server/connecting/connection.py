"""Reads both sides, and carries out plans.

Rule 1: a run that ends at any point is completed by the next: what is made is found again by its
name here, or by its path there.
Rule 2: ZITADEL calls a target only after a call through the public URL was proved.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message

from actions.v1 import admin_pb2
from actions.v1 import bridge_pb2 as pb
from server.connecting.actions_api import ActionsApi, TargetThere, There
from server.connecting.conditions import Condition, with_target
from server.connecting.errors import ConnectError
from server.connecting.link import Link, calls, link_of
from server.connecting.plan import Key, Plan, plan_of
from server.connecting.probe import Probe, ProbeAnswer
from server.connecting.removal import Removal
from server.connecting.wanted import Wanted

M = TypeVar("M", bound=Message)
Ask: TypeAlias = Callable[[Message], Awaitable[Message]]
"""Sends a request to AdminService here; the type of the request names the method."""


class Connection:
    """Works on both sides."""

    def __init__(self, api: ActionsApi, ask: Ask, probe: Probe) -> None:
        """Takes the API of the ZITADEL, the API here, and how a target is called."""
        self.api = api
        self._ask = ask
        self._probe = probe

    async def read(self, name: str, *, public_url: str = "") -> tuple[Link, There]:
        """Reads both sides.

        Args:
            name: of the target that is made here.
            public_url: of this service; empty if it is not known.

        Raises:
            ConnectError: one cannot be read, or they do not fit.
        """
        there = await self.api.read()
        return link_of(name, await self._targets_here(), there, public_url=public_url), there

    async def links(self) -> list[tuple[pb.Target, TargetThere]]:
        """Returns all targets here that the ZITADEL has targets for, with these.

        Raises:
            ConnectError: one side cannot be read.
        """
        there = await self.api.read()
        return [
            (ours, theirs)
            for ours in await self._targets_here()
            for theirs in there.targets
            if calls(theirs, ours.id)
        ]

    async def _targets_here(self) -> list[pb.Target]:
        answer = await self._asked(pb.ListTargetsRequest(), pb.ListTargetsResponse)
        return [*answer.targets]

    async def orgs_here(self) -> set[str]:
        """Returns the ids of the organisations here, without removed ones."""
        answer = await self._asked(admin_pb2.ListAllOrgsRequest(), admin_pb2.ListAllOrgsResponse)
        return {org.id for org in answer.orgs if org.state == admin_pb2.ORG_STATE_ACTIVE}

    async def tried(self, target: TargetThere, org_id: str = "") -> ProbeAnswer | None:
        """Calls the endpoint of a target, as ZITADEL does; None if ZITADEL hides its key.

        Args:
            target: in ZITADEL.
            org_id: of the users there; empty asks only if the call is proved.
        """
        if not target.signing_key:
            return None
        return await self._probe(target.endpoint, target.signing_key, org_id)

    async def plan(self, wanted: Wanted, link: Link, there: There) -> Plan:
        """Returns what is to change.

        Raises:
            ConnectError: it cannot be as wanted.
        """
        is_key_right = None
        if link.there is not None and link.here is not None and link.here.has_signing_key:
            answer = await self.tried(link.there)
            if answer is not None and (answer.is_unproved or not answer.fault):
                is_key_right = not answer.is_unproved
        return plan_of(wanted, link, there, is_key_right=is_key_right)

    async def carry_out(self, plan: Plan, *, is_tested: bool) -> tuple[str, str]:
        """Makes both sides as planned, and returns the ids of the target here and there.

        Args:
            plan: what is to change.
            is_tested: True has the target called once before ZITADEL is to call it.

        Raises:
            ConnectError: one of the sides refuses, or the call is not proved.
        """
        here = await self._here(plan)
        there, key = await self._there(plan, here)
        if plan.key is not Key.KEEP and key:
            update = pb.UpdateTargetRequest(target_id=here, signing_key=key)
            await self._asked(update, pb.UpdateTargetResponse)
        if is_tested and key:
            await self._test(plan.form(here).endpoint, key)
        await self._call([condition for condition, _ in plan.missing], there)
        for surplus in plan.link.surplus:
            await self.api.delete_target(surplus.id)
        return here, there

    async def disconnect(self, removal: Removal) -> None:
        """Takes out what connects both sides.

        Raises:
            ConnectError: one of the sides refuses.
        """
        for execution in removal.executions:
            await self.api.set_execution(execution)
        for id in removal.ids_there:
            await self.api.delete_target(id)
        if removal.id_here:
            delete = pb.DeleteTargetRequest(target_id=removal.id_here)
            await self._asked(delete, pb.DeleteTargetResponse)

    async def _here(self, plan: Plan) -> str:
        request = plan.here.request
        if isinstance(request, pb.CreateTargetRequest):
            return (await self._asked(request, pb.CreateTargetResponse)).target.id
        if request is not None:
            await self._asked(request, pb.UpdateTargetResponse)
        return plan.here.id

    async def _there(self, plan: Plan, here: str) -> tuple[str, str]:
        """Returns the id of the target in ZITADEL, and its signing key if ZITADEL shows it."""
        form, target = plan.form(here), plan.link.there
        if target is None:
            return await self.api.create_target(plan.wanted.name_there, form)
        if not form.fits(target):
            await self.api.update_target(target.id, form)
        if plan.key is Key.RENEW:
            return target.id, await self.api.new_key(target.id)
        return target.id, target.signing_key

    async def _test(self, endpoint: str, key: str) -> None:
        answer = await self._probe(endpoint, key, "")
        if answer.fault:
            raise ConnectError(
                f"POST {endpoint}: {answer.fault}; ZITADEL is not yet told to call it: run this"
                " again once it answers, or with --no-test if only ZITADEL can reach it"
            )

    async def _call(self, conditions: Sequence[Condition], target_id: str) -> None:
        """Adds the target at conditions, to their lists as they are now."""
        if conditions:
            executions = await self.api.executions()
            for condition in conditions:
                await self.api.set_execution(with_target(condition, target_id, executions))

    async def _asked(self, request: Message, kind: type[M]) -> M:
        answer = await self._ask(request)
        if not isinstance(answer, kind):
            raise TypeError(f"expected {kind.__name__}, got {type(answer).__name__}")
        return answer
