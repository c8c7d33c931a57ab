"""What operators do to users: at once on all nodes, once at a time, and in the activity of both."""

import asyncio
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError, RequestFault
from domain.core.pagination import KeysetPage
from domain.model.trading_state import HaltAuthor, HaltLevel, TradingState
from domain.model.users import Activity, ActivityAuthor, ApiScope, Identity, User, UserRole
from domain.trading.halts import HaltRequest, HaltSubject
from domain.users.operators import MAXIMUM_REASON_LENGTH, Administrator
from domain.users.recent_sign_in import RECENT
from tests.support.mailing import MailNode
from tests.support.sign_in import SignInNode

PASSWORD = "correct horse battery"
HERE = "192.0.2.1"
MACHINE = Administrator()


async def signed_in(node: SignInNode, email: str) -> tuple[Identity, str]:
    """Register a user; the first one is an operator. Return the identity and the token."""
    signed = await node.users.register(email, PASSWORD, None, HERE)
    identity = await node.authenticator.identify(signed.token)
    assert identity is not None
    return identity, signed.token


async def operator_and_user(node: SignInNode) -> tuple[Identity, User, str]:
    """Return an operator, and a user with a token."""
    operator, _ = await signed_in(node, "root@example.com")
    user, token = await signed_in(node, "ada@example.com")
    return operator, user.user, token


async def stored(node: SignInNode, user_id: UUID) -> User:
    async with node.database.read_only() as reading:
        user = await reading.users.get(user_id)
    assert user is not None
    return user


async def activity(node: SignInNode, user_id: UUID) -> list[Activity]:
    async with node.database.read_only() as reading:
        return await reading.users.activity(user_id, KeysetPage(50))


def refused_with(error: pytest.ExceptionInfo[InputError]) -> ErrorCode:
    return error.value.code


async def test_a_disabled_user_is_refused_on_all_nodes_at_once_and_keys_work_again_when_enabled(
    node: SignInNode,
) -> None:
    other = node.another_node()
    await other.listen()
    await node.listen()
    operator, user, token = await operator_and_user(node)
    owner = await node.authenticator.identify(token)
    assert owner is not None
    _, secret = await node.keys.create(owner, "bot", frozenset({ApiScope.TRADE}), None)
    for credential in (token, secret):
        assert await other.authenticator.identify(credential) is not None, "both nodes remember it"

    await node.administration.disable(Administrator(operator, "asked by mail"), user.id)

    for each in (node, other, node.another_node()):
        assert [await each.authenticator.identify(credential) for credential in (token, secret)] == [None, None]
    with pytest.raises(InputError) as error:
        await other.users.login("ada@example.com", PASSWORD, HERE)
    assert refused_with(error) is ErrorCode.USER_DISABLED
    with pytest.raises(InputError) as error:
        await other.users.login("ada@example.com", "another password", HERE)
    assert refused_with(error) is ErrorCode.CREDENTIALS_REJECTED, "who doesn't know the password learns nothing"

    await other.administration.enable(Administrator(operator), user.id)

    for each in (node, other):
        assert await each.authenticator.identify(token) is None, "a login session that ended stays ended"
        assert await each.authenticator.identify(secret) is not None
    await node.users.login("ada@example.com", PASSWORD, HERE)


async def test_no_sign_in_at_the_moment_of_disabling_leaves_a_login_session(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    attempts = [node.users.login("ada@example.com", PASSWORD, HERE) for _ in range(4)]

    await asyncio.gather(
        *attempts, node.administration.disable(Administrator(operator), user.id), return_exceptions=True
    )

    async with node.database.read_only() as reading:
        assert await reading.users.login_sessions(user.id, node.clock.now()) == []


async def test_two_operators_who_demote_each_other_at_once_leave_one(node: SignInNode) -> None:
    first, user, token = await operator_and_user(node)
    await node.administration.change_role(Administrator(first), user.id, UserRole.OPERATOR)
    second = await node.authenticator.identify(token)
    assert second is not None

    outcomes = await asyncio.gather(
        node.administration.change_role(Administrator(first), second.user.id, UserRole.USER),
        node.administration.disable(Administrator(second), first.user.id),
        return_exceptions=True,
    )

    assert sorted(isinstance(outcome, RequestFault) for outcome in outcomes) == [False, True]
    left = [await stored(node, identity.user.id) for identity in (first, second)]
    assert sum(one.role is UserRole.OPERATOR and one.disabled_at is None for one in left) == 1


async def test_the_last_operator_stays_and_a_disabled_one_does_not_count(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    administration = node.administration
    for refused in (
        administration.disable(MACHINE, operator.user.id),
        administration.change_role(MACHINE, operator.user.id, UserRole.USER),
    ):
        with pytest.raises(InputError, match="is the last operator") as error:
            await refused
        assert refused_with(error) is ErrorCode.CONFLICT

    await administration.change_role(MACHINE, user.id, UserRole.OPERATOR)
    await administration.disable(MACHINE, user.id)
    with pytest.raises(InputError, match="is the last operator"):
        await administration.disable(MACHINE, operator.user.id)
    await administration.enable(MACHINE, user.id)
    await administration.disable(MACHINE, operator.user.id)


async def test_operators_do_nothing_to_themselves_nor_twice_nor_to_nobody(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    by, administration = Administrator(operator), node.administration
    with pytest.raises(InputError, match="is yourself"):
        await administration.sign_out(by, operator.user.id)
    with pytest.raises(InputError) as error:
        await administration.sign_out(by, UUID(int=5))
    assert refused_with(error) is ErrorCode.NOT_FOUND
    with pytest.raises(InputError, match="isn't disabled"):
        await administration.enable(by, user.id)
    await administration.disable(by, user.id)
    with pytest.raises(InputError, match="is disabled already, since"):
        await administration.disable(by, user.id)
    with pytest.raises(InputError, match="is a user already"):
        await administration.change_role(by, user.id, UserRole.USER)
    with pytest.raises(InputError, match="no two-factor authentication"):
        await administration.reset_two_factor(by, user.id)
    for reason in ("x" * (MAXIMUM_REASON_LENGTH + 1), "nul \0", "\ud800"):
        with pytest.raises(InputError) as error:
            await administration.enable(Administrator(operator, reason), user.id)
        assert (refused_with(error), error.value.path) == (ErrorCode.INVALID, ("input", "reason"))


async def test_who_is_no_operator_any_more_does_nothing_with_an_identity_of_before(node: SignInNode) -> None:
    operator, user, token = await operator_and_user(node)
    await node.administration.change_role(Administrator(operator), user.id, UserRole.OPERATOR)
    former = await node.authenticator.identify(token)
    assert former is not None
    assert former.user.role is UserRole.OPERATOR, "what a node remembered of the user isn't used"

    await node.administration.change_role(Administrator(operator), user.id, UserRole.USER)

    with pytest.raises(Forbidden):
        await node.administration.disable(Administrator(former), operator.user.id)
    for halting in (
        node.halts.set_halt_of_engine(former, HaltRequest()),
        node.halts.set_halt_of_user(former, operator.user.id, HaltRequest()),
    ):
        with pytest.raises(Forbidden):
            await halting


async def test_an_api_key_of_an_operator_disables_users_alone_and_changes_no_credentials_or_roles(
    node: SignInNode,
) -> None:
    operator, user, _ = await operator_and_user(node)
    other, _ = await signed_in(node, "other-root@example.com")
    await node.administration.change_role(Administrator(operator), other.user.id, UserRole.OPERATOR)
    _, secret = await node.keys.create(operator, "automation", frozenset({ApiScope.ADMIN}), None)
    key = await node.authenticator.identify(secret)
    by, administration = Administrator(key), node.administration
    for refused in (
        administration.change_role(by, user.id, UserRole.OPERATOR),
        administration.reset_password(by, user.id),
        administration.reset_two_factor(by, user.id),
        administration.disable(by, other.user.id),
        administration.sign_out(by, other.user.id),
    ):
        with pytest.raises(Forbidden, match="sign in to do so"):
            await refused
    await administration.disable(by, user.id)
    assert (await stored(node, user.id)).disabled_at is not None


async def test_what_a_thief_of_a_login_session_must_not_do_takes_a_recent_sign_in(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    by, administration = Administrator(operator), node.administration
    node.clock.move(RECENT.total_seconds() + 1)
    for refused in (
        administration.change_role(by, user.id, UserRole.OPERATOR),
        administration.reset_password(by, user.id),
        administration.reset_two_factor(by, user.id),
    ):
        with pytest.raises(InputError) as error:
            await refused
        assert refused_with(error) is ErrorCode.CONFIRMATION_REQUIRED
    await administration.disable(by, user.id)
    again = await node.users.login("root@example.com", PASSWORD, HERE)
    identity = await node.authenticator.identify(again.token)
    await administration.change_role(Administrator(identity), user.id, UserRole.OPERATOR)


async def test_what_an_operator_does_is_in_the_activity_of_both_with_the_reason(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    by = Administrator(operator, " a chargeback ")
    await node.administration.disable(by, user.id)
    await node.administration.enable(by, user.id)
    await node.administration.sign_out(by, user.id, revoke_api_keys=True)
    await node.administration.change_role(by, user.id, UserRole.OPERATOR)
    await node.halts.set_halt_of_user(operator, user.id, HaltRequest(reason="a chargeback"))
    await node.administration.disable(Administrator(reason="a chargeback"), user.id)

    done = ["tradingHalt", "userRoleChange", "userSignOut", "userEnable", "userDisable"]
    mine, theirs = await activity(node, user.id), await activity(node, operator.user.id)
    assert [one.action for one in mine[:6]] == ["userDisable", *done]
    assert {one.reason for one in mine[:6]} == {"a chargeback"}
    assert (mine[0].author, mine[0].operator_id) == (ActivityAuthor.COMMAND_LINE, None)
    assert {(one.author, one.operator_id) for one in mine[1:6]} == {(ActivityAuthor.OPERATOR, operator.user.id)}
    assert [one.action for one in theirs[:5]] == done
    assert {(one.author, one.subject_type, one.subject_id, one.reason) for one in theirs[:5]} == {
        (ActivityAuthor.SELF, "ManagedUser", str(user.id), "a chargeback")
    }


async def test_a_disabled_user_opens_nothing_and_the_halt_ends_with_it(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    by, subject = Administrator(operator, "why"), HaltSubject(HaltLevel.USER, user.id, user.id)
    await node.administration.disable(by, user.id, HaltRequest(reduce_only=True, close_positions=True))

    async with node.database.read_only() as reading:
        (halt,) = await reading.halts.get_many([(HaltLevel.USER, user.id)])
    assert (halt.by, halt.state, halt.cancel_orders, halt.close_positions, halt.reason) == (
        HaltAuthor.OPERATOR, TradingState.REDUCING, True, True, "why",
    )  # fmt: skip
    for resuming in (
        node.halts.set_halt_of_user(operator, user.id, None),
        node.halts.set_halt_by_machine(subject, None),
    ):
        with pytest.raises(InputError, match="userEnable"):
            await resuming
    await node.administration.enable(by, user.id)
    assert (await stored(node, user.id)).trading_state is TradingState.ACTIVE


async def test_a_halt_that_an_operator_made_apart_outlasts_disabling(node: SignInNode) -> None:
    operator, user, _ = await operator_and_user(node)
    by = Administrator(operator)
    await node.halts.set_halt_of_user(operator, user.id, HaltRequest(cancel_orders=False, reason="earlier"))
    node.clock.move(5)
    await node.administration.disable(by, user.id)
    async with node.database.read_only() as reading:
        (halt,) = await reading.halts.get_many([(HaltLevel.USER, user.id)])
    assert (halt.state, halt.cancel_orders, halt.reason) == (TradingState.HALTED, True, "earlier")

    await node.administration.enable(by, user.id)
    assert (await stored(node, user.id)).trading_state is TradingState.HALTED
    await node.halts.set_halt_of_user(operator, user.id, None)
    assert (await stored(node, user.id)).trading_state is TradingState.ACTIVE

    await node.administration.disable(by, user.id)
    await node.administration.enable(by, user.id, resume_trading=False)
    assert (await stored(node, user.id)).trading_state is TradingState.REDUCING


@pytest.mark.parametrize("stopped_first", [True, False])
async def test_trading_that_was_stopped_stays_halted_for_its_reason_when_the_user_is_enabled(
    node: SignInNode, *, stopped_first: bool
) -> None:
    operator, user, _ = await operator_and_user(node)
    disabling, stopping = Administrator(operator, "unpaid"), Administrator(operator, "a wrong strategy")
    if stopped_first:
        await node.administration.stop_trading(stopping, user.id)
        node.clock.move(5)
    await node.administration.disable(disabling, user.id, HaltRequest(close_positions=True))
    if not stopped_first:
        node.clock.move(5)
        await node.administration.stop_trading(stopping, user.id)
    await node.administration.enable(disabling, user.id)

    async with node.database.read_only() as reading:
        (halt,) = await reading.halts.get_many([(HaltLevel.USER, user.id)])
    assert (halt.by, halt.state, halt.close_positions, halt.reason) == (
        HaltAuthor.OPERATOR, TradingState.HALTED, True, "a wrong strategy",
    )  # fmt: skip
    await node.halts.set_halt_of_user(operator, user.id, None)
    assert (await stored(node, user.id)).trading_state is TradingState.ACTIVE


async def test_signing_a_user_out_ends_keys_only_if_asked(node: SignInNode) -> None:
    operator, user, token = await operator_and_user(node)
    owner = await node.authenticator.identify(token)
    assert owner is not None
    _, secret = await node.keys.create(owner, "bot", frozenset({ApiScope.TRADE}), None)

    assert (await node.administration.sign_out(Administrator(operator), user.id))[1:] == (1, 0)
    assert await node.authenticator.identify(token) is None
    assert await node.authenticator.identify(secret) is not None
    assert (await node.administration.sign_out(Administrator(operator), user.id, revoke_api_keys=True))[1:] == (0, 1)
    assert await node.authenticator.identify(secret) is None


async def test_a_password_is_reset_by_a_code_for_the_operator_or_by_a_mail_for_the_user(
    node: SignInNode, mail: MailNode
) -> None:
    operator, user, _ = await operator_and_user(node)
    reset = await node.administration.reset_password(Administrator(operator), user.id)
    assert reset.code is not None
    await node.resets.reset(reset.code, "a new password", HERE, None)
    await node.users.login("ada@example.com", "a new password", HERE)

    mailed = await mail.node.administration.reset_password(Administrator(operator), user.id)
    assert mailed.code is None
    assert (await mail.node.administration.reset_password(MACHINE, user.id)).code is not None
