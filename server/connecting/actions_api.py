"""Reads and changes targets and executions of a ZITADEL, by its Action API v2 or v2beta.

Follows docs/bridge.md, and zitadel.action.v2.ActionService as ZITADEL documents it.
Rule 1: creating a target is not repeated where it may have been done: each one has a key.
Rule 2: signing keys are in no text.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec
from google.protobuf.duration_pb2 import Duration

from server.connecting.errors import ConnectError
from server.zitadel_client import PAGE, ZitadelClient, ZitadelError, pages_of, unchanging

_ABSENT: Final = frozenset({404, 405, 501})
"""Statuses of a path that a version of ZITADEL does not have."""

JSON: Final = "PAYLOAD_TYPE_JSON"
JWT: Final = "PAYLOAD_TYPE_JWT"
JWE: Final = "PAYLOAD_TYPE_JWE"

_AS_JSON: Final = frozenset({"", "PAYLOAD_TYPE_UNSPECIFIED", JSON})
"""Types of payloads that are JSON; v2beta has no others, and names none."""

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TargetThere:
    """Describes a target in ZITADEL.

    Attributes:
        is_call: True if ZITADEL takes its answers (restCall).
        interrupts: True if its errors fail what ZITADEL does.
        payload_type: JSON, JWT or JWE.
        signing_key: empty if ZITADEL does not show it.
    """

    id: str
    name: str
    endpoint: str
    timeout_ms: int
    is_call: bool
    interrupts: bool
    payload_type: str
    signing_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TargetForm:
    """Describes what a target in ZITADEL is to be."""

    endpoint: str
    timeout_ms: int
    interrupts: bool
    payload_type: str = JSON

    def fits(self, target: TargetThere) -> bool:
        """True if the target is so already."""
        own = TargetForm(target.endpoint, target.timeout_ms, target.interrupts, target.payload_type)
        return target.is_call and own == self


@dataclass(frozen=True, slots=True)
class Execution:
    """Describes which targets ZITADEL calls, in order, at a condition.

    Attributes:
        condition: as ZITADEL writes it.
        target_ids: an id is empty in place of an execution that is included.
    """

    condition: Mapping[str, object]
    target_ids: tuple[str, ...]

    @property
    def named(self) -> str:
        """Returns the condition for texts: "function preuserinfo", "event user.human.*"."""
        for kind, part in self.condition.items():
            for member, value in part.items() if isinstance(part, dict) else ():
                if member == "all":
                    return f"{kind} of all"
                return f"{kind} {value}{'.*' if member == 'group' else ''}"
        return "no condition"


@dataclass(frozen=True, slots=True)
class There:
    """Holds what a ZITADEL has.

    Attributes:
        functions: at which this version of it calls targets.
        targets: all, oldest first.
        executions: all that have targets.
    """

    functions: frozenset[str]
    targets: Sequence[TargetThere]
    executions: Sequence[Execution]


class AbsentError(ConnectError):
    """The ZITADEL does not have the path."""


class _Kind(msgspec.Struct, rename="camel"):
    interrupt_on_error: bool = False


class _Target(msgspec.Struct, rename="camel"):
    id: str
    name: str = ""
    endpoint: str = ""
    timeout: str = "0s"
    signing_key: str = ""
    payload_type: str = ""
    rest_call: _Kind | None = None
    rest_webhook: _Kind | None = None


class _Pagination(msgspec.Struct, rename="camel"):
    total_result: int | str = 0


class _Targets(msgspec.Struct):
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)
    targets: list[_Target] = []


class _Execution(msgspec.Struct):
    condition: dict[str, object]
    targets: list[str] = []


class _Executions(msgspec.Struct):
    pagination: _Pagination = msgspec.field(default_factory=_Pagination)
    executions: list[_Execution] = []


class _Functions(msgspec.Struct):
    functions: list[str] = []


class _Made(msgspec.Struct, rename="camel"):
    id: str
    signing_key: str = ""


class _Updated(msgspec.Struct, rename="camel"):
    signing_key: str = ""


class _Nothing(msgspec.Struct):
    pass


class ActionsApi:
    """Asks one ZITADEL."""

    def __init__(self, client: ZitadelClient) -> None:
        """Takes a client with the token of an IAM_OWNER."""
        self._client = client
        self._version = "v2"

    @property
    def url(self) -> str:
        return self._client.url

    async def read(self) -> There:
        """Reads what is there.

        Raises:
            ConnectError: it cannot be read, or ZITADEL has no Actions v2.
        """
        return There(await self._functions(), await self._targets(), await self.executions())

    async def create_target(self, name: str, form: TargetForm) -> tuple[str, str]:
        """Creates a target, and returns its id and its signing key.

        Raises:
            ConnectError: it is refused, or nobody knows whether it was made.
        """
        body = {"name": name, **self._message(form)}
        made = await self._ask("POST", "targets", _Made, body, is_repeatable=False)
        return made.id, made.signing_key

    async def update_target(self, id: str, form: TargetForm) -> None:
        """Changes a target.

        Raises:
            ConnectError: it is refused.
        """
        await self._ask("POST", f"targets/{id}", _Updated, self._message(form))

    async def new_key(self, id: str) -> str:
        """Has ZITADEL make a new signing key in place of the old one, and returns it.

        Raises:
            ConnectError: it is refused.
        """
        body = {"expirationSigningKey": "0s"}
        return (await self._ask("POST", f"targets/{id}", _Updated, body)).signing_key

    async def delete_target(self, id: str) -> None:
        """Deletes a target; does nothing if it is gone.

        Raises:
            ConnectError: it is refused.
        """
        await self._ask("DELETE", f"targets/{id}", _Nothing)

    async def set_execution(self, execution: Execution) -> None:
        """Sets the targets of a condition.

        Raises:
            ConnectError: it is refused.
        """
        body = {"condition": execution.condition, "targets": execution.target_ids}
        await self._ask("PUT", "executions", _Nothing, body)

    async def _functions(self) -> frozenset[str]:
        """Lists the functions; takes v2beta if the ZITADEL has no v2."""
        path = "executions/functions"
        try:
            return frozenset((await self._ask("GET", path, _Functions)).functions)
        except AbsentError:
            self._version = "v2beta"
        return frozenset((await self._ask("GET", path, _Functions)).functions)

    async def _targets(self) -> list[TargetThere]:
        async def page(offset: int) -> tuple[int, Sequence[TargetThere]]:
            answer = await self._ask("POST", "targets/search", _Targets, _page(offset))
            found = [_target(each) for each in answer.targets]
            return int(answer.pagination.total_result), found

        return await self._all("the list of targets", page, lambda target: target.id)

    async def executions(self) -> list[Execution]:
        """Lists all executions that have targets; `read` finds the version of the API before.

        Raises:
            ConnectError: they cannot be read.
        """

        async def page(offset: int) -> tuple[int, Sequence[Execution]]:
            answer = await self._ask("POST", "executions/search", _Executions, _page(offset))
            found = [Execution(each.condition, tuple(each.targets)) for each in answer.executions]
            return int(answer.pagination.total_result), found

        return await self._all("the list of executions", page, lambda each: each.named)

    async def _all(
        self,
        what: str,
        page: Callable[[int], Awaitable[tuple[int, Sequence[T]]]],
        key: Callable[[T], str],
    ) -> list[T]:
        try:
            return await unchanging(f"{self.url}: {what}", lambda: pages_of(page, key))
        except ZitadelError as error:
            raise ConnectError(str(error)) from error

    def _message(self, form: TargetForm) -> dict[str, object]:
        message: dict[str, object] = {
            "restCall": {"interruptOnError": form.interrupts},
            "timeout": duration_text(form.timeout_ms),
            "endpoint": form.endpoint,
        }
        if self._version == "v2":
            message["payloadType"] = form.payload_type
        return message

    async def _ask(
        self,
        method: str,
        path: str,
        form: type[S],
        body: Mapping[str, object] | None = None,
        *,
        is_repeatable: bool = True,
    ) -> S:
        whole = f"/{self._version}/actions/{path}"
        try:
            text = await self._client.ask(method, whole, body, is_repeatable=is_repeatable)
        except ZitadelError as error:
            raise _told(error) from error
        try:
            return msgspec.json.decode(text, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            named = self._client.named(method, whole)
            raise ConnectError(
                f"{named}: expected an answer of the Action API as JSON; is it a ZITADEL?"
            ) from None


def duration_text(ms: int) -> str:
    """Returns milliseconds as JSON has a duration: "10s"."""
    duration = Duration()
    duration.FromMilliseconds(ms)
    return duration.ToJsonString()


def _page(offset: int) -> dict[str, object]:
    return {"pagination": {"offset": offset, "limit": PAGE, "asc": True}}


def _target(found: _Target) -> TargetThere:
    kind = found.rest_call or found.rest_webhook
    return TargetThere(
        id=found.id,
        name=found.name,
        endpoint=found.endpoint,
        timeout_ms=_ms(found.timeout),
        is_call=found.rest_call is not None,
        interrupts=kind is not None and kind.interrupt_on_error,
        payload_type=JSON if found.payload_type in _AS_JSON else found.payload_type,
        signing_key=found.signing_key,
    )


def _ms(text: str) -> int:
    duration = Duration()
    try:
        duration.FromJsonString(text)
    except ValueError:
        return 0
    return duration.ToMilliseconds()


def _told(error: ZitadelError) -> ConnectError:
    kind = AbsentError if error.status in _ABSENT else ConnectError
    return kind(f"{error}{_advice(error)}")


def _advice(error: ZitadelError) -> str:
    if error.status == 401:
        return "; is the token (--token-file) one of that ZITADEL, and still valid?"
    if error.status == 403:
        return "; the user of the token needs the role IAM_OWNER there"
    if error.status in _ABSENT:
        return "; is it a ZITADEL that has Actions v2, 4.0 or newer?"
    if "Errors.Target.DeniedURL" in str(error):
        return (
            "; ZITADEL calls no private address and no name that it cannot resolve: give another"
            " --public-url, or set ZITADEL_HTTPCLIENT_DENYLIST there"
        )
    return ""
