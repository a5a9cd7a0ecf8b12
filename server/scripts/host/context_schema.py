"""Declares the context of each trigger as typed structures: keys, types and defaults.

A context is a JSON object. Methods of `ctx` are data in it: `ctx.v1.user.getMetadata()` returns
`userMetadata`, `ctx.getClaim()` reads `idTokenClaims`. Scripts see keys in the order of the fields
here. docs/contexts.md is made from this module.

Rule: these structures take only the exact form; `context_forms` rewrites the other accepted forms.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, TypeAlias

import msgspec
import orjson
from msgspec import UNSET, Meta, Struct, UnsetType

from server import triggers
from server.triggers import Trigger

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
INTEGER_MAX: Final = 2**63 - 1

Date: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339; converted to UTC, with at most nine digits of a second and no trailing zeros."""

Count: TypeAlias = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
ContentLength: TypeAlias = Annotated[int, Meta(ge=-1, le=INTEGER_MAX, description="-1: unknown")]
MaxAuthAge: TypeAlias = Annotated[int, Meta(ge=0, le=INTEGER_MAX, description="nanoseconds")]
Gender: TypeAlias = Annotated[
    int, Meta(ge=0, le=3, description="0 unspecified, 1 female, 2 male, 3 diverse")
]
UserState: TypeAlias = Annotated[
    int,
    Meta(
        ge=0,
        le=6,
        description="0 unspecified, 1 active, 2 inactive, 3 deleted, 4 locked, 5 suspended,"
        " 6 initial",
    ),
]
Prompt: TypeAlias = Annotated[
    int,
    Meta(
        ge=0,
        le=5,
        description="0 unspecified, 1 none, 2 login, 3 consent, 4 select account, 5 create",
    ),
]
LabelingSetting: TypeAlias = Annotated[int, Meta(ge=0, le=2)]
MfaType: TypeAlias = Annotated[
    int,
    Meta(
        ge=0,
        le=4,
        description="0 TOTP, 1 U2F, 2 U2F with user verification, 3 OTP by SMS, 4 OTP by email",
    ),
]

AnyJson: TypeAlias = Any
"""Any JSON: only scripts read it."""

Claims: TypeAlias = dict[str, AnyJson]

_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:[0-5]\d)",
    re.IGNORECASE | re.ASCII,
)


@lru_cache(maxsize=1024)  # dates repeat in a context, and other forms are read twice
def utc(date: str) -> str:
    """Returns a date in UTC, as scripts see it.

    Raises:
        ValueError: it is not RFC 3339, or not between the years 1 and 9999.
    """
    found = _DATE.fullmatch(date)
    if found is None:
        raise ValueError(f"expected a date, got {date[:40]!r}")
    day, clock, fraction, zone = found.groups()
    if zone in ("Z", "z"):
        moment = datetime.fromisoformat(f"{day}T{clock}")
    else:
        moment = _in_utc(f"{day}T{clock}{zone}")
    digits = (fraction or "").rstrip("0")
    return f"{moment.isoformat()}{'.' + digits if digits else ''}Z"


def _in_utc(date: str) -> datetime:
    try:
        return datetime.fromisoformat(date).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise ValueError(f"expected a year from 1 to 9999, got {date!r}") from None


class Part(Struct, rename="camel", kw_only=True):
    """A JSON object with known keys; others are ignored.

    Attributes:
        DATES: fields with dates, which are read as UTC.
    """

    DATES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self.DATES:
            setattr(self, name, utc(getattr(self, name)))


class CountedList(Part):
    """A list with its number of entries, its sequence and its time.

    Attributes:
        ENTRIES: the field that holds the entries; a list alone stands for it.
    """

    DATES = ("timestamp",)
    ENTRIES: ClassVar[str] = ""

    count: Count = 0
    sequence: Count = 0
    timestamp: Date = ZERO_TIME

    def __post_init__(self) -> None:
        super().__post_init__()
        self.count = self.count or len(getattr(self, self.ENTRIES))


class MetadataEntry(Part):
    """An entry of metadata. Its value is the stored text if it is a string, else stored JSON."""

    DATES = ("creation_date", "change_date")

    creation_date: Date = ZERO_TIME
    change_date: Date = ZERO_TIME
    resource_owner: str = ""
    sequence: Count = 0
    key: str = ""
    value: AnyJson = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.value is None:
            self.value = ""
        elif not isinstance(self.value, str):
            self.value = orjson.dumps(self.value).decode()


class MetadataList(CountedList):
    """Metadata. An array of entries may stand for it. A count of 0 becomes their number."""

    ENTRIES = "metadata"

    metadata: list[MetadataEntry] = []


class UserGrant(Part):
    """A grant of a project to the user."""

    DATES = ("creation_date", "change_date")

    id: str = ""
    project_grant_id: str = ""
    state: Count = 0
    user_grant_resource_owner: str = ""
    user_grant_resource_owner_name: str = ""
    creation_date: Date = ZERO_TIME
    change_date: Date = ZERO_TIME
    sequence: Count = 0
    user_id: str = ""
    user_resource_owner: str = ""
    roles: list[str] = []
    project_id: str = ""
    project_name: str = ""
    org_metadata: MetadataList = msgspec.field(default_factory=MetadataList)


class UserGrantList(CountedList):
    """Grants of a user. An array of grants may stand for it. A count of 0 becomes their number."""

    ENTRIES = "grants"

    grants: list[UserGrant] = []


class Human(Part):
    """A human user's profile."""

    first_name: str = ""
    last_name: str = ""
    nick_name: str = ""
    display_name: str = ""
    avatar_key: str = ""
    preferred_language: str = "und"
    gender: Gender = 0
    email: str = ""
    is_email_verified: bool = False
    phone: str = ""
    is_phone_verified: bool = False


class Machine(Part):
    """A machine user."""

    name: str = ""
    description: str = ""


ONE_KIND_OF_USER: Final = "expected one of human and machine, got both"


class UserData(Part):
    """A user of this service: human, or machine where that key is given; not both."""

    DATES = ("creation_date", "change_date")

    id: str = ""
    creation_date: Date = ZERO_TIME
    change_date: Date = ZERO_TIME
    resource_owner: str = ""
    sequence: Count = 0
    state: UserState = 0
    username: str = ""
    login_names: list[str] = []
    preferred_login_name: str = ""
    human: Human | UnsetType = UNSET
    machine: Machine | UnsetType = UNSET

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.machine is UNSET:
            self.human = Human() if self.human is UNSET else self.human
        elif self.human is not UNSET:
            raise ValueError(ONE_KIND_OF_USER)


class ExternalUser(Part):
    """A user of an identity provider."""

    external_id: str = ""
    external_idp_id: str = ""
    human: Human = msgspec.field(default_factory=Human)


class BrowserInfo(Part):
    """The browser of a login."""

    user_agent: str = ""
    accept_language: str = ""
    remote_ip: str = ""


class OidcRequest(Part):
    """The OpenID Connect part of a login's request."""

    scopes: list[str] = []


class ProtocolRequest(Part):
    """The request of a login by its protocol."""

    oidc: OidcRequest = msgspec.field(default_factory=OidcRequest)


class AuthRequest(Part):
    """A login under way."""

    DATES = ("creation_date", "change_date", "auth_time")

    id: str = ""
    agent_id: str = ""
    creation_date: Date = ZERO_TIME
    change_date: Date = ZERO_TIME
    browser_info: BrowserInfo | None = None
    application_id: str = ""
    callback_uri: str = ""
    transfer_state: str = ""
    prompt: list[Prompt] = []
    ui_locales: list[str] = []
    login_hint: str = ""
    max_auth_age: MaxAuthAge | None = None
    instance_id: str = ""
    request: ProtocolRequest = msgspec.field(default_factory=ProtocolRequest)
    user_id: str = ""
    user_name: str = ""
    login_name: str = ""
    display_name: str = ""
    resource_owner: str = ""
    requested_org_id: str = ""
    requested_org_name: str = ""
    requested_primary_domain: str = ""
    requested_org_domain: bool = False
    application_resource_owner: str = ""
    private_labeling_setting: LabelingSetting = 0
    selected_idp_config_id: str = ""
    linking_users: list[ExternalUser] = []
    password_verified: bool = False
    mfas_verified: list[MfaType] = []
    audience: list[str] = []
    auth_time: Date = ZERO_TIME


class HttpRequestData(Part):
    """The HTTP request that led to the trigger."""

    method: str = ""
    url: str = ""
    proto: str = ""
    content_length: ContentLength = 0
    host: str = ""
    form: dict[str, list[str]] = {}
    post_form: dict[str, list[str]] = {}
    remote_addr: str = ""
    headers: dict[str, list[str]] = {}


class ApplicationData(Part):
    """The application that asks for a token."""

    client_id: str = ""


class ExternalAuthentication(Part):
    """Context of 1/1."""

    access_token: str = ""
    id_token: str = ""
    refresh_token: str = ""
    id_token_claims: Claims | None = None
    external_user: ExternalUser = msgspec.field(default_factory=ExternalUser)
    provider_info: Claims | None = None
    auth_request: AuthRequest | None = None
    http_request: HttpRequestData = msgspec.field(default_factory=HttpRequestData)
    auth_error: str = "none"
    org_metadata: MetadataList = msgspec.field(default_factory=MetadataList)


class InternalAuthentication(Part):
    """Context of 3/1."""

    auth_method: str = ""
    auth_error: str = "none"
    auth_request: AuthRequest | None = None
    http_request: HttpRequestData = msgspec.field(default_factory=HttpRequestData)


class UserCreation(Part):
    """Context of 1/2, 1/3, 3/2 and 3/3."""

    user: UserData = msgspec.field(default_factory=UserData)
    auth_request: AuthRequest | None = None
    http_request: HttpRequestData = msgspec.field(default_factory=HttpRequestData)
    org_metadata: MetadataList = msgspec.field(default_factory=MetadataList)


class TokenCreation(Part):
    """Context of 2/4 and 2/5."""

    claims: Claims = {}
    user: UserData = msgspec.field(default_factory=UserData)
    user_metadata: MetadataList = msgspec.field(default_factory=MetadataList)
    user_grants: UserGrantList | None = None
    org_metadata: MetadataList = msgspec.field(default_factory=MetadataList)
    application: ApplicationData = msgspec.field(default_factory=ApplicationData)
    actor: Claims | None = None


class SamlResponse(Part):
    """Context of 4/6."""

    user: UserData = msgspec.field(default_factory=UserData)
    user_metadata: MetadataList = msgspec.field(default_factory=MetadataList)
    user_grants: UserGrantList = msgspec.field(default_factory=UserGrantList)
    org_metadata: MetadataList = msgspec.field(default_factory=MetadataList)


CONTEXTS: Final[Mapping[Trigger, type[Part]]] = {
    triggers.EXTERNAL_POST_AUTHENTICATION: ExternalAuthentication,
    triggers.EXTERNAL_PRE_CREATION: UserCreation,
    triggers.EXTERNAL_POST_CREATION: UserCreation,
    triggers.PRE_USERINFO: TokenCreation,
    triggers.PRE_ACCESS_TOKEN: TokenCreation,
    triggers.INTERNAL_POST_AUTHENTICATION: InternalAuthentication,
    triggers.INTERNAL_PRE_CREATION: UserCreation,
    triggers.INTERNAL_POST_CREATION: UserCreation,
    triggers.PRE_SAML_RESPONSE: SamlResponse,
}
