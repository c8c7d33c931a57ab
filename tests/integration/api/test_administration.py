"""What operators see of users through the API: a list that is filtered and paged, and what each has, by numbers."""

from datetime import UTC, datetime, timedelta

from domain.model.users import ALL_SCOPES, Identity, LoginSession, User, UserRole
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.users import stored_user

USERS = """query($email: String, $role: UserRole, $status: UserStatus, $plan: String, $first: Int, $after: String,
    $order: TimeOrder! = NEWEST_FIRST) {
  administration { users(email: $email, role: $role, status: $status, plan: $plan, first: $first, after: $after,
    orderBy: $order) { totalCount pageInfo { hasNextPage endCursor } nodes { email } } } }"""


async def emails(api: Api, **variables: object) -> list[str]:
    data = await api.run(USERS, **variables)
    return [node["email"] for node in data["administration"]["users"]["nodes"]]


async def test_users_are_found_filtered_ordered_and_paged_by_keys(api: Api) -> None:
    ann, bob, eve = [await stored_user(api.database, email=f"{name}@Corp.example.com".lower()) for name in "abe"]
    root = api.harness.user.email
    async with api.database.transaction() as transaction:
        await transaction.users.set_role(eve.email, UserRole.OPERATOR)
    everybody = [eve.email, bob.email, ann.email, root]

    assert await emails(api) == everybody
    assert await emails(api, order="OLDEST_FIRST") == everybody[::-1]
    assert await emails(api, email="@CORP") == everybody[:3]
    assert await emails(api, email="%") == [], "it is text, not a pattern"
    assert await emails(api, role="OPERATOR") == [eve.email, root]
    assert await emails(api, plan="none of this name") == []
    pages, cursor = [], None
    for _ in everybody:
        data = (await api.run(USERS, first=1, after=cursor))["administration"]["users"]
        pages += [node["email"] for node in data["nodes"]]
        assert (data["totalCount"], data["pageInfo"]["hasNextPage"]) == (4, len(pages) < 4)
        cursor = data["pageInfo"]["endCursor"]
    assert pages == everybody

    id_ = encode_id("ManagedUser", bob.id)
    disabled = await api.run(
        'mutation($id: ID!) { userDisable(id: $id, input: {reason: "spam"}) { user { status tradingState halts '
        "{ reason by } activity { nodes { action reason author operator { email } operatorName detail } } } "
        "errors { code } } }",
        id=id_,
    )
    user = disabled["userDisable"]["user"]
    assert (user["status"], user["tradingState"], user["halts"]) == (
        "DISABLED", "REDUCING", [{"reason": "spam", "by": "OPERATOR"}],
    )  # fmt: skip
    assert user["activity"]["nodes"] == [
        {
            "action": "userDisable", "reason": "spam", "author": "OPERATOR", "operator": {"email": root},
            "operatorName": None, "detail": None,
        }
    ]  # fmt: skip
    assert await emails(api, status="DISABLED") == [bob.email]
    assert await emails(api, status="ACTIVE") == [eve.email, ann.email, root]
    own = await api.run("{ viewer { activity(first: 1) { nodes { action reason author subject { id } } } } }")
    (entry,) = own["viewer"]["activity"]["nodes"]
    assert entry == {"action": "userDisable", "reason": "spam", "author": "SELF", "subject": {"id": id_}}


async def test_an_operator_sees_how_much_a_user_has_and_no_details_of_what_they_did(api: Api) -> None:
    harness = api.harness
    owner = harness.user
    await api.session()
    await api.stored(api.floor_order())
    eve = await stored_user(api.database, email="eve@example.com")
    async with api.database.transaction() as transaction:
        await transaction.users.set_role(eve.email, UserRole.OPERATOR)
    await api.run('mutation { apiKeyCreate(input: {name: "a secret name", scopes: [READ]}) { errors { code } } }')
    context = await context_of(api, eve)
    answer = await api.run(
        "query($email: String!) { administration { user(email: $email) { email counts { loginSessions apiKeys "
        "paperAccounts liveAccounts liveTradingSessions failedTradingSessions activeOrders openPositions openJobs } "
        'activity(action: ["apiKeyCreate"]) { nodes { action detail subject { id } } } } } }',
        context,
        email=owner.email.upper(),
    )
    user = answer["administration"]["user"]
    assert user["counts"] == {
        "loginSessions": 1, "apiKeys": 1, "paperAccounts": 1, "liveAccounts": 0, "liveTradingSessions": 1,
        "failedTradingSessions": 0, "activeOrders": 1, "openPositions": 0, "openJobs": 0,
    }  # fmt: skip
    assert user["activity"]["nodes"] == [{"action": "apiKeyCreate", "detail": None, "subject": None}]
    mine = await api.run("{ viewer { activity(first: 1) { nodes { detail } } } }")
    assert mine["viewer"]["activity"]["nodes"] == [{"detail": "a secret name"}]


async def test_nobody_but_an_operator_gets_anywhere_by_the_id_of_a_user(api: Api) -> None:
    ann = await stored_user(api.database, email="ann@example.com")
    context = await context_of(api, ann)
    target = encode_id("ManagedUser", api.harness.user.id)
    assert await api.code("{ administration { users { nodes { id } } } }", context) == "FORBIDDEN"
    assert (await api.run("query($id: ID!) { node(id: $id) { id } }", context, id=target))["node"] is None
    for call in (
        "userDisable(id: $id)", "userEnable(id: $id)", "userRoleChange(id: $id, input: {role: OPERATOR})",
        "userPasswordReset(id: $id)", "userTwoFactorReset(id: $id)", "userSignOut(id: $id)",
    ):  # fmt: skip
        for id_ in (target, encode_id("User", ann.id), encode_id("ManagedUser", "x"), "nonsense"):
            document = f"mutation($id: ID!) {{ {call} {{ errors {{ code }} }} }}"
            assert await api.code(document, context, id=id_) == "FORBIDDEN", (call, id_)
    for id_ in ("nonsense", encode_id("Account", api.harness.account.id)):
        answer = await api.run("mutation($id: ID!) { userDisable(id: $id) { errors { code path } } }", id=id_)
        assert answer["userDisable"]["errors"] == [{"code": "NOT_FOUND", "path": ["id"]}]


async def context_of(api: Api, user: User) -> RequestContext:
    """Return a context of the user, signed in apart from the harness's user."""
    now = datetime.now(UTC)
    session = LoginSession(api.harness.ids.next_id(), user.id, now, now, now + timedelta(days=1))
    async with api.database.transaction() as transaction:
        await transaction.users.add_login_session(session, session.id.bytes)
    identity = Identity(user, session.id, ALL_SCOPES, None, is_login_session=True)
    return RequestContext(api.services, identity, "127.0.0.1")
