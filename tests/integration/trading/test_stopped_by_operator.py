"""What becomes of a user's trading when an operator stops it, or disables the user: nothing is left unwatched."""

from domain.administration.service import UserAdministration
from domain.model.trading import TradingSessionStatusCode
from domain.model.trading_state import TradingState
from domain.model.users import UserRole
from domain.personal_data.erasure import Erasure
from domain.users.authentication import Authenticator
from domain.users.operators import Administrator
from domain.users.user_mails import UserMails
from infra.embedded.cache import EmbeddedCache
from infra.security import RandomTokens
from tests.support.trading_node import TradingNode, strategy
from tests.support.waiting import read_until

MACHINE = Administrator(reason="asked by mail")


def administration_of(node: TradingNode) -> tuple[UserAdministration, Erasure]:
    authenticator = Authenticator(node.database, EmbeddedCache(node.clock), node.bus, node.clock)
    mails = UserMails(node.ids, is_configured=False)
    database, clock, ids = node.database, node.clock, node.ids
    return (
        UserAdministration(database, authenticator, node.halts, mails, RandomTokens(), clock, ids),
        Erasure(database, authenticator, node.bus, clock, ids),
    )


async def with_another_operator(node: TradingNode) -> None:
    other = await node.another_user()
    async with node.database.transaction() as transaction:
        await transaction.users.set_role(other.email, UserRole.OPERATOR)


async def test_trading_that_an_operator_stops_ends_flat_so_that_the_user_can_be_erased(node: TradingNode) -> None:
    await with_another_operator(node)
    administration, erasure = administration_of(node)
    account = await node.account()
    session = await node.session(account, strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")

    user, stopped = await administration.stop_trading(MACHINE, node.user.id, close_positions=True)

    assert (user.id, stopped) == (node.user.id, 1)
    ended = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert ended.status_code is TradingSessionStatusCode.STOPPED_BY_OPERATOR
    assert (await node.position(session)).closed_at is not None
    async with node.database.read_only() as reading:
        halted = await reading.users.get(node.user.id)
    assert halted is not None
    assert halted.trading_state is TradingState.REDUCING
    assert (await administration.stop_trading(MACHINE, node.user.id))[1] == 0

    async def needs_keeper() -> bool:
        async with node.database.read_only() as reading:
            return bool(await reading.protection.needs_keeper(account.id))

    await read_until(needs_keeper, lambda needed: not needed, "nothing is protected any more")
    await erasure.erase(node.user.id, MACHINE)


async def test_the_position_of_a_disabled_user_is_still_closed_by_its_rules(node: TradingNode) -> None:
    await with_another_operator(node)
    administration, _ = administration_of(node)
    price = node.feed.price
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}"))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")

    await administration.disable(MACHINE, node.user.id)

    assert (await node.position(session)).closed_at is None
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at is not None, "its exit is made")
