"""Holds a complete example of each trigger's context, which GetExampleContext answers."""

from collections.abc import Mapping
from typing import Final

from server import triggers
from server.scripts.host.context_schema import (
    ApplicationData,
    AuthRequest,
    BrowserInfo,
    ExternalAuthentication,
    ExternalUser,
    HttpRequestData,
    Human,
    InternalAuthentication,
    MetadataEntry,
    MetadataList,
    OidcRequest,
    Part,
    ProtocolRequest,
    SamlResponse,
    TokenCreation,
    UserCreation,
    UserData,
    UserGrant,
    UserGrantList,
)
from server.triggers import Trigger

_USER_ID: Final = "318838604669387137"
_ORG_ID: Final = "318838541687652737"
_IDP_ID: Final = "318838666690558337"
_PROJECT_ID: Final = "318838800000000001"
_APPLICATION_ID: Final = "318838900000000003"
_EARLY: Final = "2025-03-04T05:06:07.123456789Z"
_LATE: Final = "2025-03-05T06:07:08Z"


def _human(*, gender: int = 1, avatar_key: str = "") -> Human:
    return Human(
        first_name="Ada",
        last_name="Lovelace",
        nick_name="ada",
        display_name="Ada Lovelace",
        avatar_key=avatar_key,
        preferred_language="en",
        gender=gender,
        email="ada@example.com",
        is_email_verified=True,
        phone="+41791234567",
        is_phone_verified=False,
    )


def _stored_user(human: Human, *, login_names: list[str]) -> UserData:
    return UserData(
        id=_USER_ID,
        creation_date=_EARLY,
        change_date=_LATE,
        resource_owner=_ORG_ID,
        sequence=42,
        state=1,
        username="ada",
        login_names=login_names,
        preferred_login_name="ada@example.com",
        human=human,
    )


def _metadata_entry(key: str, value: str) -> MetadataEntry:
    return MetadataEntry(
        creation_date=_EARLY,
        change_date=_EARLY,
        resource_owner=_ORG_ID,
        sequence=7,
        key=key,
        value=value,
    )


_STORED_HUMAN: Final = _human(avatar_key="users/1/avatar")
_NEW_USER: Final = _stored_user(_human(gender=0), login_names=[])
_TOKEN_USER: Final = _stored_user(_STORED_HUMAN, login_names=[])
_STORED_USER: Final = _stored_user(_STORED_HUMAN, login_names=["ada@example.com"])
_EXTERNAL_USER: Final = ExternalUser(external_id="ext-1", external_idp_id=_IDP_ID, human=_human())

_USER_METADATA: Final = MetadataList(
    sequence=7,
    timestamp=_EARLY,
    metadata=[
        _metadata_entry("department", "engineering"),
        _metadata_entry("limits", '{"seats":5}'),
    ],
)
_ORG_METADATA: Final = MetadataList(
    sequence=8, timestamp=_EARLY, metadata=[_metadata_entry("tenant", "acme")]
)
_USER_GRANTS: Final = UserGrantList(
    sequence=9,
    timestamp=_EARLY,
    grants=[
        UserGrant(
            id="318838700000000001",
            state=1,
            user_grant_resource_owner=_ORG_ID,
            user_grant_resource_owner_name="Acme",
            creation_date=_EARLY,
            change_date=_EARLY,
            sequence=3,
            user_id=_USER_ID,
            user_resource_owner=_ORG_ID,
            roles=["admin", "viewer"],
            project_id=_PROJECT_ID,
            project_name="Portal",
            org_metadata=_ORG_METADATA,
        )
    ],
)

_AUTH_REQUEST: Final = AuthRequest(
    id="V2_318838900000000001",
    agent_id="318838900000000002",
    creation_date=_EARLY,
    change_date=_EARLY,
    browser_info=BrowserInfo(user_agent="Mozilla/5.0", accept_language="en", remote_ip="192.0.2.7"),
    application_id=_APPLICATION_ID,
    callback_uri="https://app.example.com/callback",
    transfer_state="xyz",
    prompt=[2],
    ui_locales=["en"],
    login_hint="ada@example.com",
    max_auth_age=3_600_000_000_000,
    instance_id="318838000000000000",
    request=ProtocolRequest(oidc=OidcRequest(scopes=["openid", "profile", "email"])),
    user_id=_USER_ID,
    user_name="ada",
    login_name="ada@example.com",
    display_name="Ada Lovelace",
    resource_owner=_ORG_ID,
    requested_org_id=_ORG_ID,
    requested_org_name="Acme",
    requested_primary_domain="acme.example.com",
    requested_org_domain=True,
    application_resource_owner=_ORG_ID,
    private_labeling_setting=1,
    selected_idp_config_id=_IDP_ID,
    linking_users=[_EXTERNAL_USER],
    password_verified=True,
    mfas_verified=[0],
    audience=[_APPLICATION_ID, _PROJECT_ID],
    auth_time=_EARLY,
)
_HTTP_REQUEST: Final = HttpRequestData(
    method="POST",
    url="/ui/login/password",
    proto="HTTP/1.1",
    content_length=23,
    host="login.example.com",
    form={"loginName": ["ada@example.com"]},
    post_form={"loginName": ["ada@example.com"]},
    remote_addr="192.0.2.7:53211",
    headers={"User-Agent": ["Mozilla/5.0"], "Accept-Language": ["en"]},
)

_EXTERNAL_AUTHENTICATION: Final = ExternalAuthentication(
    access_token="an access token",  # noqa: S106  an example
    id_token="an id token",  # noqa: S106  an example
    id_token_claims={
        "iss": "https://idp.example.com",
        "sub": "ext-1",
        "picture": "https://idp.example.com/ada.png",
    },
    external_user=_EXTERNAL_USER,
    provider_info={
        "subject": "ext-1",
        "name": "Ada Lovelace",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "nickname": "ada",
        "picture": "https://idp.example.com/ada.png",
        "locale": "en",
        "updatedAt": 1741064767,
        "preferredUsername": "ada",
        "email": "ada@example.com",
        "emailVerified": True,
        "phoneNumber": "+41791234567",
        "claims": {"groups": ["staff"]},
    },
    auth_request=_AUTH_REQUEST,
    http_request=_HTTP_REQUEST,
    org_metadata=_ORG_METADATA,
)
_INTERNAL_AUTHENTICATION: Final = InternalAuthentication(
    auth_method="password", auth_request=_AUTH_REQUEST, http_request=_HTTP_REQUEST
)
_PRE_CREATION: Final = UserCreation(
    user=_NEW_USER,
    auth_request=_AUTH_REQUEST,
    http_request=_HTTP_REQUEST,
    org_metadata=_ORG_METADATA,
)
_POST_CREATION: Final = UserCreation(
    user=_STORED_USER,
    auth_request=_AUTH_REQUEST,
    http_request=_HTTP_REQUEST,
    org_metadata=_ORG_METADATA,
)
_TOKEN_CREATION: Final = TokenCreation(
    claims={
        "sub": _USER_ID,
        "name": "Ada Lovelace",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "preferred_username": "ada@example.com",
        "email": "ada@example.com",
        "email_verified": True,
        "locale": "en",
        "updated_at": 1741151228,
        "urn:zitadel:iam:user:resourceowner:id": _ORG_ID,
    },
    user=_TOKEN_USER,
    user_metadata=_USER_METADATA,
    user_grants=_USER_GRANTS,
    org_metadata=_ORG_METADATA,
    application=ApplicationData(client_id="318838900000000004"),
    actor={
        "userId": "318838604669387199",
        "issuer": "https://login.example.com",
        "actor": None,
    },
)
_SAML_RESPONSE: Final = SamlResponse(
    user=_STORED_USER,
    user_metadata=_USER_METADATA,
    user_grants=_USER_GRANTS,
    org_metadata=_ORG_METADATA,
)

EXAMPLES: Final[Mapping[Trigger, Part]] = {
    triggers.EXTERNAL_POST_AUTHENTICATION: _EXTERNAL_AUTHENTICATION,
    triggers.EXTERNAL_PRE_CREATION: _PRE_CREATION,
    triggers.EXTERNAL_POST_CREATION: _POST_CREATION,
    triggers.PRE_USERINFO: _TOKEN_CREATION,
    triggers.PRE_ACCESS_TOKEN: _TOKEN_CREATION,
    triggers.INTERNAL_POST_AUTHENTICATION: _INTERNAL_AUTHENTICATION,
    triggers.INTERNAL_PRE_CREATION: _PRE_CREATION,
    triggers.INTERNAL_POST_CREATION: _POST_CREATION,
    triggers.PRE_SAML_RESPONSE: _SAML_RESPONSE,
}
