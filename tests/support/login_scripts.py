"""Scripts of logins: each member of `ctx` and `api` at functions, and scripts as people have them.

A script puts each value into a claim, or an attribute, of its own. So a token that equals another
one is equal in each of these rows.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from server.scripts.host.context_schema import (
    Human,
    Machine,
    MetadataEntry,
    MetadataList,
    Part,
    UserData,
    UserGrant,
    UserGrantList,
)

_TEXT: Final = (
    "const shown = v => v === undefined ? 'undefined'"
    " : v && v.unix ? String(v) + ' ' + JSON.stringify(v) : JSON.stringify(v);"
)
"""A claim cannot have a date of `ctx`, or undefined, in a form that says so."""


def keys_of(part: type[Part], *, without: Sequence[str] = ()) -> list[str]:
    """Returns the keys that scripts see, of a part of the context."""
    return [key for key in part.__struct_encode_fields__ if key not in without]


def _function(name: str, body: str) -> str:
    return f"function {name}(ctx, api) {{ {body} }}"


_LISTS: Final = keys_of(MetadataList, without=("metadata",))
_ENTRIES: Final = keys_of(MetadataEntry)
_GRANTS: Final = keys_of(UserGrant, without=("orgMetadata",))

_READS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "user": ("ctx.v1.getUser()", keys_of(UserData, without=("human", "machine"))),
    "human": ("ctx.v1.getUser().human || {}", keys_of(Human)),
    "machine": ("ctx.v1.getUser().machine || {}", keys_of(Machine)),
    "metadata": ("ctx.v1.user.getMetadata()", _LISTS),
    "entry": ("ctx.v1.user.getMetadata().metadata[0] || {}", _ENTRIES),
    "JSON": ("ctx.v1.user.getMetadata().metadata[1] || {}", ("key", "value")),
    "octets": ("ctx.v1.user.getMetadata().metadata[2] || {}", ("key", "value")),
    "organisation": ("ctx.v1.org.getMetadata()", _LISTS),
    "organisation's entry": ("ctx.v1.org.getMetadata().metadata[0]", _ENTRIES),
    "grants": (
        "ctx.v1.user.grants || {}",
        keys_of(UserGrantList, without=("grants",)),
    ),
    "grant": ("(ctx.v1.user.grants || {grants: [{}]}).grants[0]", _GRANTS),
    "second grant": ("(ctx.v1.user.grants || {grants: [{}, {}]}).grants[1]", _GRANTS),
    "granting organisation": (
        "ctx.v1.user.grants ? ctx.v1.user.grants.grants[0].getOrgMetadata() : {}",
        _LISTS,
    ),
    "granting organisation's entry": (
        "ctx.v1.user.grants ? ctx.v1.user.grants.grants[1].getOrgMetadata().metadata[1] : {}",
        _ENTRIES,
    ),
}
"""By what is read: an expression, and the keys of its value."""

_TOKEN_READS: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "claims": ("ctx.v1.claims", ("sub", "email", "given_name", "tier", "urn:zitadel:iam:org:id")),
    "application": ("({clientId: ctx.v1.application.getClientId()})", ("clientId",)),
    "actor": ("ctx.v1.actor || {}", ("userId", "issuer", "actor")),
}


def _claims_of(reads: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    return _function(
        "f",
        _TEXT
        + "".join(
            f"{{ const v = {value}; for (const k of {[*keys]!r})"
            f" api.v1.claims.setClaim({f'{name} '!r} + k, shown(v[k])) }}"
            for name, (value, keys) in reads.items()
        ),
    )


def _attributes_of(reads: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    return _function(
        "f",
        _TEXT
        + "".join(
            f"{{ const v = {value}; for (const k of {[*keys]!r})"
            f" api.v1.attributes.setCustomAttribute({f'{name} '!r} + k, 'basic', shown(v[k])) }}"
            for name, (value, keys) in reads.items()
        ),
    )


SET_METADATA: Final = _function(
    "f",
    "const set = api.v1.user.setMetadata; set('text', 'a'); set('number', 5); set('null', null);"
    " set('nothing', undefined); set('object', {b: '<&>', a: [1, true]}); set('text', 'b');"
    " set('department', 'moved')",
)

TOKENS: Final[Mapping[str, Sequence[str]]] = {
    "what is read": [_claims_of({**_READS, **_TOKEN_READS})],
    "setClaim, by type": [
        _function(
            "f",
            "const set = api.v1.claims.setClaim;"
            " set('text', 'a'); set('number', 1.5); set('integer', 7); set('true', true);"
            " set('null', null); set('undefined', undefined); set('array', [1, , undefined]);"
            " set('object', {b: [null], a: {c: 'x'}}); set('date', new Date(0));"
            " set('map', new Map([['a', 1]])); set('set', new Set([1, 2]));"
            " set('octets', new Uint8Array([1, 2])); set('regexp', /a/);"
            " set('error', new Error('x'));"
            " set('user', ctx.v1.getUser()); set('list', ctx.v1.user.getMetadata());"
            " set('JSON', JSON.stringify(ctx.v1.getUser()))",
        )
    ],
    "setClaim, refused or replaced": [
        _function(
            "f",
            "const set = api.v1.claims.setClaim; set('tier', 'x'); set('other', 1);"
            " set('other', 2);"
            " set('urn:zitadel:iam:x', 1); set('email', 'eve@example.com'); set('iss', 'x');"
            " set('picture', 'https://a.example'); set('empty', null); set('empty', 3);"
            " set(5, 'five')",
        )
    ],
    "userinfo, the other name": [
        _function(
            "f",
            "api.v1.userinfo.setClaim('a', 1); api.v1.userinfo.appendLogIntoClaims('by userinfo')",
        )
    ],
    "appendLogIntoClaims, of two actions": [
        _function("f", "api.v1.claims.appendLogIntoClaims('one');" * 2),
        _function("g", "api.v1.claims.appendLogIntoClaims(`two ${ctx.v1.claims.sub}`)"),
    ],
    "setMetadata": [SET_METADATA],
    "a second action sees claims of the first, and the metadata of before": [
        _function(
            "f", "api.v1.claims.setClaim('a', 1); api.v1.user.setMetadata('department', 'x')"
        ),
        _function(
            "g",
            "api.v1.claims.setClaim('b', ctx.v1.claims.a + 1);"
            " api.v1.claims.setClaim('c', ctx.v1.user.getMetadata().metadata.map(m => m.value))",
        ),
    ],
    "add a claim": [_function("addClaim", "api.v1.claims.setClaim('company', 'Acme')")],
    "picture of the identity provider": [
        _function(
            "addPicture",
            "const { metadata } = ctx.v1.user.getMetadata();"
            " const found = metadata.find(({ key }) => key === 'picture');"
            " if (found) api.v1.claims.setClaim('picture', found.value)",
        )
    ],
    "roles as claims": [
        _function(
            "flatRoles",
            "if (ctx.v1.user.grants === undefined || ctx.v1.user.grants === null) return;"
            " const roles = []; ctx.v1.user.grants.grants.forEach(grant =>"
            " grant.roles.forEach(role => roles.push(grant.projectId + ':' + role)));"
            " api.v1.claims.setClaim('my:grants', roles)",
        )
    ],
    "roles with metadata of the granting organisation": [
        _function(
            "rolesOfOrgs",
            "if (!ctx.v1.user.grants?.count) return; const found = {};"
            " for (const grant of ctx.v1.user.grants.grants)"
            " for (const { key, value } of grant.getOrgMetadata().metadata)"
            " (found[grant.userGrantResourceOwnerName] ??= {})[key] ="
            " { value, roles: grant.roles };"
            " api.v1.claims.setClaim('my:orgs', found)",
        )
    ],
    "metadata of the organisation as claims": [
        _function(
            "orgClaims",
            "ctx.v1.org.getMetadata().metadata.forEach(({ key, value }) =>"
            " api.v1.claims.setClaim('org:' + key, value))",
        )
    ],
}
"""Actions of a trigger of tokens, by what they show; the last ones are as people have them."""

SAML: Final[Mapping[str, Sequence[str]]] = {
    "what is read": [_attributes_of(_READS)],
    "setCustomAttribute": [
        _function(
            "f",
            "const set = api.v1.attributes.setCustomAttribute; set('a', 'f', '1');"
            " set('a', 'g', '2');"
            " set('types', 'f', 'a', 1, true, null, undefined); set('array', 'f', ['a', 'b']);"
            " set('none', 'f'); set('no format', undefined, 'x')",
        )
    ],
    "setMetadata, and what is read then": [
        SET_METADATA,
        _function(
            "g",
            "api.v1.user.setMetadata('late', 1);"
            " api.v1.attributes.setCustomAttribute('seen', '', JSON.stringify("
            "ctx.v1.user.getMetadata().metadata.map(m => [m.key, m.value])))",
        ),
    ],
    "attributes of the user": [
        _function(
            "userAttributes",
            "const user = ctx.v1.getUser(); const set = api.v1.attributes.setCustomAttribute;"
            " set('Email', 'urn:oasis:names:tc:SAML:2.0:attrname-format:basic', user.human?.email);"
            " set('Name', '', user.human?.firstName, user.human?.lastName);"
            " const { grants } = ctx.v1.user.grants;"
            " set('Roles', '', ...grants.flatMap(({ roles }) => roles))",
        )
    ],
    "metadata of the organisation as attributes": [
        _function(
            "orgAttributes",
            "ctx.v1.org.getMetadata().metadata.forEach(({ key, value }) =>"
            " api.v1.attributes.setCustomAttribute('org:' + key, '', JSON.stringify(value)))",
        )
    ],
}
"""Actions of the trigger of SAML responses."""
