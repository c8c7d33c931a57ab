"""Sessions over several markets: a position on each, a limit for all of them, and one word that stops them together."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputErrors
from domain.core.polling import read_until
from domain.model.definitions import ExitDistance, StrategyDefinition
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.orders import Order
from domain.model.trading import Position, Signal, TradingSession
from domain.trading.halts import HaltRequest
from domain.trading.signal_requests import SignalRequest
from domain.trading.trading_sessions import TradingSessionRequest
from tests.integration.trading.test_submitted_signals import ENTER, EXIT
from tests.support.trading import BTC, ETH, new_id
from tests.support.trading_node import NEVER, TradingNode, cents, filled_in_part, strategy
from tests.support.waiting import PATIENCE_SECONDS

NO_PLACE = "as many positions are open as maxOpenPositions allows"


@dataclass(frozen=True)
class TwoMarkets:
    """A node on which BTC/USDT and ETH/USDT are traded."""

    node: TradingNode
    prices: dict[MarketSymbol, Decimal]

    async def session(self, definition: StrategyDefinition, most: int | None = None) -> TradingSession:
        """Return a session that runs on both."""
        session = await self.node.session(
            await self.node.account(), definition, other_markets=(ETH,), max_open_positions=most
        )

        async def seen() -> int:
            async with self.node.database.read_only() as reading:
                known = [await reading.trading_sessions.last_candle_at(session.id, market) for market in (BTC, ETH)]
            return sum(at is not None for at in known)

        assert await read_until(seen, lambda count: count == 2, self.node.clock, PATIENCE_SECONDS) == 2
        return session

    async def close(self, *markets: MarketSymbol, factor: str = "1") -> None:
        """Let a candle close on each of the markets, at the present price times the factor."""
        await self.node.feed.close_candles({market: cents(self.prices[market] * Decimal(factor)) for market in markets})

    async def submit(self, session: TradingSession, market: MarketSymbol | None, action: object = ENTER) -> Signal:
        """Submit a signal for one of the markets."""
        request = SignalRequest(session.id, action, "by hand", market)  # type: ignore[arg-type]
        return await self.node.submitted.submit(self.node.user.id, request, str(new_id()))

    async def positions(self, session: TradingSession, count: int) -> dict[MarketSymbol, Position]:
        """Return the session's open positions once there are so many, and no order is filled in part alone."""

        async def read() -> tuple[dict[MarketSymbol, Position], bool]:
            async with self.node.database.snapshot() as reading:
                known = await reading.positions.list_open(session.account_id)
                active = await reading.orders.list_active(session.account_id)
            own = {position.market: position for position in known if position.trading_session_id == session.id}
            return own, filled_in_part(active, session)

        found, has_partial = await read_until(
            read, lambda now: len(now[0]) == count and not now[1], self.node.clock, PATIENCE_SECONDS
        )
        assert len(found) == count, await self.node.summary(session)
        assert not has_partial, await self.node.summary(session)
        return found

    async def signals(self, session: TradingSession, count: int) -> list[Signal]:
        """Return the session's signals once there are so many."""
        found = await read_until(
            lambda: self.node.signals(session), lambda found: len(found) >= count, self.node.clock, PATIENCE_SECONDS
        )
        assert len(found) == count, await self.node.summary(session)
        return found


@pytest.fixture
async def two(node: TradingNode) -> TwoMarkets:
    return TwoMarkets(node, {BTC: node.feed.price, ETH: await node.feed.add_market(ETH)})


async def test_each_market_has_a_position_of_its_own_and_exits_by_its_own_candles(two: TwoMarkets) -> None:
    session = await two.session(strategy(exit_long="close < 0.5 * shift(close, 1)"))
    await two.close(BTC, ETH)
    found = await two.positions(session, 2)
    assert all(abs(position.quantity * two.prices[market] - 500) < 10 for market, position in found.items())
    await two.close(ETH, factor="0.4")
    left = await two.positions(session, 1)
    assert left.keys() == {BTC}
    assert {signal.market for signal in await two.signals(session, 3)} == {BTC, ETH}


async def test_two_markets_that_signal_together_share_one_place(two: TwoMarkets) -> None:
    session = await two.session(strategy(), most=1)
    await two.close(BTC, ETH)
    first, second = await two.signals(session, 2)
    assert {first.market, second.market} == {BTC, ETH}
    assert (first.missed, second.missed) == (False, True)
    assert second.reason.endswith(f"missed: {NO_PLACE}")
    assert second.order_id is None
    (market,) = await two.positions(session, 1)
    assert market == first.market
    refused = await two.submit(session, second.market)
    assert (refused.missed, refused.reason) == (True, f"by hand — missed: {NO_PLACE}")
    assert not (await two.submit(session, market, EXIT)).missed
    await two.positions(session, 0)
    assert not (await two.submit(session, second.market)).missed
    assert (await two.positions(session, 1)).keys() == {second.market}


async def test_a_restart_keeps_the_place_taken_and_each_markets_candles(two: TwoMarkets) -> None:
    session = await two.session(strategy(), most=1)
    await two.close(BTC)
    await two.positions(session, 1)
    await two.node.trader.close()
    await two.close(BTC, ETH)  # nobody acts on these
    await two.node.restart()
    signals = await two.signals(session, 2)
    assert [(signal.market, signal.missed) for signal in signals] == [(BTC, False), (ETH, True)]
    await two.close(ETH)
    assert NO_PLACE in (await two.signals(session, 3))[2].reason


async def test_a_signal_must_name_one_of_several_markets(two: TwoMarkets) -> None:
    session = await two.session(strategy(enter_long=NEVER))
    for market in (None, MarketSymbol("sandbox", "SOL/USDT")):
        with pytest.raises(Exception, match="trades sandbox:BTC/USDT, sandbox:ETH/USDT; n") as refused:
            await two.submit(session, market)
        assert refused.value.code is ErrorCode.INVALID  # type: ignore[attr-defined]
    assert (await two.submit(session, ETH)).market == ETH
    assert (await two.positions(session, 1)).keys() == {ETH}


async def test_stopping_closes_the_positions_of_all_markets(two: TwoMarkets) -> None:
    session = await two.session(strategy())
    await two.close(BTC, ETH)
    await two.positions(session, 2)
    await two.node.trading_sessions.stop(two.node.user.id, session.id, close_position=True)
    await two.node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    await two.positions(session, 0)
    closes = [order for order in await two.node.orders_of(session) if order.role.value == "CLOSE"]
    assert sorted(str(order.market) for order in closes) == ["sandbox:BTC/USDT", "sandbox:ETH/USDT"]


async def test_a_pause_stops_entries_on_all_markets_and_no_exit(two: TwoMarkets) -> None:
    session = await two.session(strategy(enter_long=NEVER, exit_long="close < 0.5 * shift(close, 1)"))
    await two.submit(session, BTC)
    await two.positions(session, 1)
    await two.node.trading_sessions.pause(two.node.user.id, session.id)
    assert (await two.submit(session, ETH)).missed
    await two.close(BTC, ETH, factor="0.4")
    await two.positions(session, 0)
    assert [signal.market for signal in await two.signals(session, 3)] == [BTC, ETH, BTC]


async def test_a_halt_of_the_session_closes_all_of_its_positions(two: TwoMarkets) -> None:
    session = await two.session(strategy())
    await two.close(BTC, ETH)
    await two.positions(session, 2)
    halt = HaltRequest(close_positions=True)
    await two.node.halts.set_halt_of_trading_session(two.node.user.id, session.id, halt)
    await two.positions(session, 0)


async def test_protection_of_one_market_closes_that_position_alone(two: TwoMarkets) -> None:
    session = await two.session(strategy(stop_loss=ExitDistance(percent=Decimal(5))))
    await two.close(BTC, ETH)
    await two.positions(session, 2)
    node = two.node

    async def stops() -> list[Order]:
        # Until the market is watched for this protection too, its trades pass unseen.
        await node.feed.trade(cents(two.prices[BTC] * Decimal("0.9")))
        return [order for order in await node.orders_of(session) if order.role.value == "STOP_LOSS"]

    await read_until(stops, bool, node.clock, PATIENCE_SECONDS)
    assert (await two.positions(session, 1)).keys() == {ETH}
    assert [order.market for order in await stops()] == [BTC]


async def test_markets_are_checked_at_the_start(two: TwoMarkets) -> None:
    node, account = two.node, await two.node.account()
    session = await node.start_session(account, strategy())
    request = TradingSessionRequest(session.strategy_version_id, account.id, BTC, Timeframe.M1)
    nowhere = MarketSymbol("sandbox", "XXX/USDT")
    for changes, path, message in (
        ({"other_markets": (BTC,)}, "markets", "sandbox:BTC/USDT is given twice; name each market once."),
        ({"other_markets": (nowhere,)}, "markets.1", "There is no market sandbox:XXX/USDT like that."),
        ({"max_open_positions": 0}, "maxOpenPositions", "maxOpenPositions is 0; it must be at least 1."),
        ({"other_markets": (ETH,) * 50}, "markets", "51 markets are given; at most 50 can be traded at once."),
    ):
        with pytest.raises(InputErrors) as refused:
            await node.trading_sessions.start(node.user, replace(request, **changes), None)  # type: ignore[arg-type]
        assert (".".join(refused.value.errors[0].path or ()), refused.value.errors[0].message) == (
            f"input.{path}",
            message,
        )


async def test_another_user_has_places_of_their_own(two: TwoMarkets) -> None:
    session = await two.session(strategy(), most=1)
    mine, two.node.user = two.node.user, await two.node.another_user()
    theirs = await two.session(strategy(), most=1)
    await two.close(BTC, ETH)
    assert len(await two.positions(theirs, 1)) == 1
    two.node.user = mine
    assert len(await two.positions(session, 1)) == 1
