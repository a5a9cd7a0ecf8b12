"""Decisions on callers' permissions, and their cache."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from server.domain.events import RecordedEvent
from server.domain.org import Member, Org
from server.domain.refusals import Kind, Refusal
from server.domain.user import Token, User
from server.identity.authorization import Authorizer
from server.identity.caller import Caller
from server.identity.jwts import BadToken, Verified
from server.identity.tokens import hash_of
from server.store.errors import StorageError
from tests.support.clocks import HandClock
from tests.support.named_answers import NamedAnswers
from tests.support.tables import by_outcome

HOME, OTHER, THIRD = "100000000000000001", "100000000000000002", "100000000000000003"
SECRET = "act_" + "s" * 43
HEADER = f"Bearer {SECRET}"
READ, WRITE = "org.action.read", "org.action.write"


class Accounts(NamedAnswers):
    """One user of the organisation HOME; OTHER exists too; what is asked is counted."""

    def __init__(self) -> None:
        self.token: Token | None = Token(
            "300000000000000001", HOME, "200000000000000001", hash_of(SECRET), "", None, 1, 1, 1, 1
        )
        self.language = ""
        self.subject = "ada@issuer"
        self.orgs = {HOME, OTHER}
        self.roles: dict[str, tuple[str, ...]] = {HOME: ("ORG_OWNER",)}
        self.looked_up = 0
        self.is_broken = False

    async def token_by_hash(self, secret_hash: bytes) -> Token | None:
        if self.is_broken:
            raise StorageError("gone")
        self.looked_up += 1
        token = self.token
        return token if token is not None and token.secret_hash == secret_hash else None

    async def user_by_id(self, user_id: str) -> User | None:
        return User(user_id, HOME, "someone", self.language, "", 1, 1, 1, 1)

    async def user_by_subject(self, subject: str) -> User | None:
        self.looked_up += 1
        known = subject == self.subject
        return (
            User("200000000000000001", HOME, "someone", "", subject, 1, 1, 1, 1) if known else None
        )

    async def org_by_id(self, org_id: str) -> Org | None:
        return Org(org_id, "somewhere", 1, 1, 1, 1) if org_id in self.orgs else None

    async def memberships_of(self, user_id: str) -> Sequence[Member]:
        return [
            Member(f"{org_id}:{user_id}", org_id, user_id, roles, 1, 1, 1, 1)
            for org_id, roles in self.roles.items()
        ]


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_000_000)


@pytest.fixture
def authorizer(accounts: Accounts, clock: HandClock) -> Authorizer:
    return Authorizer(accounts, clock=clock)


def happened(aggregate_type: str) -> RecordedEvent:
    return RecordedEvent(1, HOME, aggregate_type, "1", 1, f"{aggregate_type}.added", {}, "", 1)


async def refusal(authorizer: Authorizer, header: str, org_id: str, permission: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await authorizer.authorize(header, org_id, permission)
    return caught.value


async def test_caller_is_the_tokens_user_in_its_own_organisation(authorizer: Authorizer) -> None:
    caller = await authorizer.authorize(HEADER, "", WRITE)
    assert caller == Caller("200000000000000001", HOME)


async def test_caller_has_the_language_that_the_user_prefers(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    accounts.language = "pt-BR"
    assert (await authorizer.authorize(HEADER, "", WRITE)).language == "pt-BR"


async def test_header_picks_another_organisation(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    accounts.roles[OTHER] = ("ORG_OWNER_VIEWER",)
    caller = await authorizer.authorize(HEADER, OTHER, READ)
    assert caller == Caller("200000000000000001", OTHER)


@by_outcome(
    "asked, told",
    {
        (Kind.UNAUTHENTICATED, "auth header missing", ""): {"no header": ("", "", WRITE)},
        (Kind.UNAUTHENTICATED, "invalid auth header", "AUTH-toLo1"): {
            f"header {header[:20]!r}": (header, "", WRITE)
            for header in (
                SECRET,
                f"bearer {SECRET}",
                f"Bearer{SECRET}",
                "Bearer Bearer x",
                "Basic eA",
            )
        },
        (Kind.UNAUTHENTICATED, "Errors.Token.Invalid", "AUTH-7fs1e"): {
            "garbage token": ("Bearer \x00\udc80garbage", "", WRITE),
            "empty token": ("Bearer ", "", WRITE),
            "unknown token": ("Bearer act_" + "x" * 43, "", WRITE),
            "token and more": (f"{HEADER} ", "", WRITE),
            "token in other letters": (f"Bearer {SECRET.swapcase()}", "", WRITE),
            "the token is judged before the organisation": ("Bearer act_" + "x" * 43, THIRD, WRITE),
        },
        (Kind.PERMISSION_DENIED, "Organisation doesn't exist", "AUTH-Bs7Ds"): {
            "unknown organisation": (HEADER, THIRD, WRITE)
        },
        (Kind.NOT_FOUND, "membership not found", "AUTHZ-cdgFk"): {
            "no membership there": (HEADER, OTHER, WRITE)
        },
        (Kind.PERMISSION_DENIED, "No matching permissions found", "AUTH-5mWD2"): {
            "no role that grants it": (HEADER, "", "org.project.write")
        },
    },
)
async def test_refusal_names_what_is_wrong(
    authorizer: Authorizer, asked: tuple[str, str, str], told: tuple[Kind, str, str]
) -> None:
    refused = await refusal(authorizer, *asked)
    assert (refused.kind, refused.key, refused.id) == told


@pytest.mark.parametrize(
    ("role", "allowed"), [("IAM_OWNER", True), ("IAM_ORG_MANAGER", True), ("ORG_OWNER", False)]
)
async def test_only_iam_roles_count_in_other_organisations(
    authorizer: Authorizer, accounts: Accounts, role: str, allowed: bool
) -> None:
    accounts.roles = {HOME: (role,)}
    if allowed:
        assert (await authorizer.authorize(HEADER, OTHER, WRITE)).org_id == OTHER
    else:
        assert (await refusal(authorizer, HEADER, OTHER, WRITE)).id == "AUTHZ-cdgFk"


async def test_roles_of_one_organisation_do_not_add_to_those_of_another(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    accounts.roles = {HOME: ("ORG_OWNER",), OTHER: ("ORG_OWNER_VIEWER",)}
    assert (await refusal(authorizer, HEADER, OTHER, WRITE)).id == "AUTH-5mWD2"


async def test_a_cached_caller_needs_no_store(authorizer: Authorizer, accounts: Accounts) -> None:
    await authorizer.authorize(HEADER, "", WRITE)
    accounts.is_broken = True
    assert authorizer.known(HEADER, "", READ) == Caller("200000000000000001", HOME)


@pytest.mark.parametrize(
    ("header", "org_id", "permission"),
    [
        pytest.param(HEADER + "x", "", WRITE, id="another token"),
        pytest.param(HEADER, OTHER, WRITE, id="another organisation"),
        pytest.param(HEADER, "", "org.project.write", id="another permission"),
    ],
)
async def test_a_cached_caller_is_that_of_its_token_and_organisation_only(
    authorizer: Authorizer, header: str, org_id: str, permission: str
) -> None:
    await authorizer.authorize(HEADER, "", WRITE)
    assert authorizer.known(header, org_id, permission) is None


async def test_a_refusal_is_not_kept(authorizer: Authorizer, accounts: Accounts) -> None:
    accounts.roles = {}
    await refusal(authorizer, HEADER, "", WRITE)
    accounts.roles = {HOME: ("ORG_OWNER",)}
    assert (await authorizer.authorize(HEADER, "", WRITE)).org_id == HOME


@pytest.mark.parametrize("aggregate_type", ["org", "user", "member", "token"])
async def test_cached_callers_are_dropped_when_accounts_change(
    authorizer: Authorizer, aggregate_type: str
) -> None:
    await authorizer.authorize(HEADER, "", WRITE)
    authorizer.forget([happened("action"), happened(aggregate_type)])
    assert authorizer.known(HEADER, "", WRITE) is None


async def test_cached_callers_outlive_events_of_actions_and_flows(authorizer: Authorizer) -> None:
    await authorizer.authorize(HEADER, "", WRITE)
    cleared = happened("org")._replace(type="org.flow.cleared", payload={"flowType": 2})
    authorizer.forget([happened("action"), cleared])
    assert authorizer.known(HEADER, "", WRITE) is not None


async def test_a_caller_read_before_a_change_is_not_cached_after_it(clock: HandClock) -> None:
    class Slow(Accounts):
        async def memberships_of(self, user_id: str) -> Sequence[Member]:
            found = await super().memberships_of(user_id)
            slow.forget([happened("member")])
            return found

    slow = Authorizer(Slow(), clock=clock)
    await slow.authorize(HEADER, "", WRITE)
    assert slow.known(HEADER, "", WRITE) is None


async def test_expired_token_is_refused(
    authorizer: Authorizer, accounts: Accounts, clock: HandClock
) -> None:
    assert accounts.token is not None
    accounts.token = replace(accounts.token, expires_at=clock.now)
    assert (await refusal(authorizer, HEADER, "", WRITE)).id == "AUTH-7fs1e"


async def test_token_expires_while_it_is_known(
    authorizer: Authorizer, accounts: Accounts, clock: HandClock
) -> None:
    assert accounts.token is not None
    accounts.token = replace(accounts.token, expires_at=clock.now + 1)
    await authorizer.authorize(HEADER, "", WRITE)
    clock.now += 1
    assert authorizer.known(HEADER, "", WRITE) is None
    assert (await refusal(authorizer, HEADER, "", WRITE)).id == "AUTH-7fs1e"


class Jwts:
    """Every text is a good token of one subject, but for one that is bad, and one unknown yet."""

    def __init__(self) -> None:
        self.verified = 0
        self.forgotten = 0

    def forget_all(self) -> None:
        self.forgotten += 1

    async def verify(self, token: str) -> Verified:
        self.verified += 1
        if token == "bad":
            raise BadToken("it is bad")
        if token == "later":
            raise Refusal(Kind.UNAVAILABLE, "later")
        return Verified("ada@issuer", 1_000_100)


@pytest.fixture
def jwts() -> Jwts:
    return Jwts()


@pytest.fixture
def by_jwt(accounts: Accounts, jwts: Jwts, clock: HandClock) -> Authorizer:
    return Authorizer(accounts, jwts=jwts, clock=clock)


async def test_a_jwt_speaks_for_the_user_with_its_subject(by_jwt: Authorizer) -> None:
    assert (await by_jwt.authorize("Bearer e.y.J", "", WRITE)).user_id == "200000000000000001"


async def test_a_personal_access_token_is_no_jwt(by_jwt: Authorizer, jwts: Jwts) -> None:
    await by_jwt.authorize(HEADER, "", WRITE)
    assert jwts.verified == 0


async def test_a_jwt_is_known_until_it_has_to_be_verified_again(
    by_jwt: Authorizer, clock: HandClock
) -> None:
    await by_jwt.authorize("Bearer e.y.J", "", WRITE)
    clock.now = 1_000_099
    assert by_jwt.known("Bearer e.y.J", "", WRITE) is not None
    clock.now += 1
    assert by_jwt.known("Bearer e.y.J", "", WRITE) is None


@pytest.mark.parametrize(
    ("token", "subject", "kind", "id"),
    [
        pytest.param("bad", "ada@issuer", Kind.UNAUTHENTICATED, "AUTH-7fs1e", id="bad"),
        pytest.param("e.y.J", "eve", Kind.UNAUTHENTICATED, "AUTH-7fs1e", id="of nobody here"),
        pytest.param("later", "ada@issuer", Kind.UNAVAILABLE, "", id="not to be known now"),
    ],
)
async def test_a_jwt_is_refused(
    by_jwt: Authorizer, accounts: Accounts, token: str, subject: str, kind: Kind, id: str
) -> None:
    accounts.subject = subject
    refused = await refusal(by_jwt, f"Bearer {token}", THIRD, WRITE)
    assert (refused.kind, refused.id) == (kind, id)


async def test_a_jwt_is_forgotten_when_its_user_is_removed(
    by_jwt: Authorizer, accounts: Accounts
) -> None:
    await by_jwt.authorize("Bearer e.y.J", "", WRITE)
    accounts.subject = "nobody any more"
    by_jwt.forget([happened("user")])
    assert by_jwt.known("Bearer e.y.J", "", WRITE) is None
    assert (await refusal(by_jwt, "Bearer e.y.J", "", WRITE)).id == "AUTH-7fs1e"


async def test_everybody_is_looked_up_again_after_the_clock_was_set(
    by_jwt: Authorizer, jwts: Jwts
) -> None:
    for header in (HEADER, "Bearer e.y.J"):
        await by_jwt.authorize(header, "", WRITE)
    by_jwt.forget_all()
    assert [by_jwt.known(header, "", WRITE) for header in (HEADER, "Bearer e.y.J")] == [None, None]
    assert jwts.forgotten == 1


async def test_the_oldest_is_dropped_when_memory_is_full(
    accounts: Accounts, clock: HandClock
) -> None:
    accounts.roles = {HOME: ("IAM_OWNER",)}
    authorizer = Authorizer(accounts, clock=clock, grants_max=1)
    await authorizer.authorize(HEADER, HOME, WRITE)
    await authorizer.authorize(HEADER, OTHER, WRITE)
    assert authorizer.known(HEADER, HOME, WRITE) is None
    assert authorizer.known(HEADER, OTHER, WRITE) is not None


async def test_where_there_are_no_jwts_only_the_prefix_reaches_the_store(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    await refusal(authorizer, "Bearer 0123456789", "", WRITE)
    assert accounts.looked_up == 0


async def test_broken_store_is_no_refusal(authorizer: Authorizer, accounts: Accounts) -> None:
    accounts.is_broken = True
    with pytest.raises(StorageError):
        await authorizer.authorize(HEADER, "", WRITE)


async def test_token_of_a_removed_organisation_is_no_token(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    accounts.roles[OTHER] = ("ORG_OWNER",)
    accounts.orgs.remove(HOME)
    for org_id in ("", HOME, OTHER):
        refused = await refusal(authorizer, HEADER, org_id, WRITE)
        assert (refused.kind, refused.id) == (Kind.UNAUTHENTICATED, "AUTH-7fs1e")


async def test_instance_role_of_a_removed_organisation_counts_nowhere(
    authorizer: Authorizer, accounts: Accounts
) -> None:
    accounts.roles = {OTHER: ("IAM_OWNER",)}
    assert (await authorizer.authorize(HEADER, "", WRITE)).org_id == HOME
    accounts.orgs.remove(OTHER)
    authorizer.forget([happened("org")._replace(type="org.removed", aggregate_id=OTHER)])
    assert authorizer.known(HEADER, "", WRITE) is None
    assert (await refusal(authorizer, HEADER, "", WRITE)).id == "AUTHZ-cdgFk"
