"""What a subscriber to a session's metrics gets, and how often they are computed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from domain.accounts.live_valuation import Portfolio
from domain.accounts.position_values import PositionValue
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.model.reports import PerformanceMetrics
from domain.model.trading import Position, TradingSession, TradingSessionStatus
from domain.trading.live_metrics import REFRESH_SECONDS, LiveMetrics, LiveSessionMetrics
from tests.support.clocks import ManualClock
from tests.support.orders import BTC
from tests.support.trading import NOW, new_session
from tests.support.waiting import PATIENCE_SECONDS

USER, ACCOUNT, VERSION = UUID(int=1), UUID(int=2), UUID(int=3)
SESSION = new_session(USER, ACCOUNT, VERSION)
POSITION = Position(UUID(int=4), USER, ACCOUNT, BTC, SESSION.id, NOW, quantity=Decimal(2), average_price=Decimal(90))


class FakePortfolio:
    """A portfolio that holds what the test says: a wait ends by the change that the test made, or when it is due."""

    def __init__(self, clock: ManualClock) -> None:
        self.trading_sessions: dict[UUID, TradingSession] = {}
        self.held: list[PositionValue] = []
        self.closed: list[Position] = []
        self._has_changed = False
        self._clock = clock

    def change(self, held: list[PositionValue], *closed: Position) -> None:
        self.held, self.closed, self._has_changed = held, list(closed), True

    @contextmanager
    def subscribe(self) -> Any:
        yield Wakeup()

    def of_trading_session(self, _session_id: UUID) -> tuple[list[PositionValue], list[Position]]:
        return self.held, self.closed

    async def wait_for_change(self, _wakeup: Wakeup, due: float) -> None:
        await asyncio.sleep(0)
        if not self._has_changed:
            self._clock.move(due - self._clock.monotonic())
        self._has_changed = False


class Computer:
    """Counts computations, each of which takes as long as the test says and gives a new result."""

    def __init__(self, clock: ManualClock) -> None:
        self.count = 0
        self.seconds = 0.0
        self.fails = False
        self._clock = clock

    async def __call__(self, _session: TradingSession) -> PerformanceMetrics | None:
        if self.fails:
            raise Unavailable("The database is away.")
        self.count += 1
        self._clock.move(self.seconds)
        return cast("PerformanceMetrics", self.count)


class Live:
    """A subscriber, with what it depends on."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.portfolio = FakePortfolio(self.clock)
        self.compute = Computer(self.clock)
        convert = lambda amount, _currency, _into: amount  # noqa: E731
        portfolio = cast("Portfolio", self.portfolio)
        self.values = LiveMetrics(portfolio, SESSION, "USDT", convert, self.compute, self.clock).values(0)

    async def next(self) -> LiveSessionMetrics:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await anext(self.values)

    async def rest(self) -> list[LiveSessionMetrics]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [value async for value in self.values]


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    made = Live()
    async with aclosing(made.values):  # type: ignore[type-var]
        yield made


async def test_a_price_changes_the_profit_and_computes_nothing(live: Live) -> None:
    live.portfolio.held = [PositionValue(POSITION, None)]
    first = await live.next()
    assert (first.open_positions, first.unrealized_profit, first.unpriced_markets) == (1, None, (BTC,))
    live.portfolio.change([PositionValue(POSITION, Decimal(100))])
    second = await live.next()
    assert (second.unrealized_profit, second.unpriced_markets, second.metrics) == (Decimal(20), (), first.metrics)
    assert live.compute.count == 1


async def test_a_changed_position_has_the_metrics_computed_again(live: Live) -> None:
    live.portfolio.held = [PositionValue(POSITION, None)]
    await live.next()
    live.portfolio.change([], POSITION.changed(quantity=Decimal(0), closed_at=NOW))
    closed = await live.next()
    assert (closed.open_positions, closed.unrealized_profit, live.compute.count) == (0, Decimal(0), 2)


async def test_metrics_are_computed_once_a_minute_though_nothing_happens(live: Live) -> None:
    await live.next()
    started = live.clock.monotonic()
    await live.next()
    assert (live.compute.count, live.clock.monotonic() - started) == (2, pytest.approx(REFRESH_SECONDS))


async def test_a_session_that_takes_long_to_compute_is_computed_for_a_tenth_of_the_time_at_most(live: Live) -> None:
    live.compute.seconds = 5.0
    await live.next()
    started = live.clock.monotonic()
    for number in range(3):
        live.portfolio.change([], POSITION.changed(quantity=Decimal(number)))
        await live.next()
    assert (live.compute.count, live.clock.monotonic() - started) == (4, pytest.approx(3 * 55.0))


async def test_the_stream_ends_with_the_state_in_which_the_session_has_ended_and_holds_nothing(live: Live) -> None:
    live.portfolio.held = [PositionValue(POSITION, None)]
    await live.next()
    ended = replace(SESSION, status=TradingSessionStatus.STOPPED, stopped_at=NOW)
    live.portfolio.trading_sessions[SESSION.id] = ended
    assert (await live.next()).open_positions == 1
    live.portfolio.change([], POSITION.changed(quantity=Decimal(0), closed_at=NOW))
    rest = await live.rest()
    assert [value.trading_session for value in rest] == [ended]
    assert rest[-1].open_positions == 0


async def test_an_outage_of_the_database_keeps_the_last_metrics_and_they_are_computed_after_it(live: Live) -> None:
    first = await live.next()
    live.compute.fails = True
    live.portfolio.change([PositionValue(POSITION, Decimal(100))])
    during = await live.next()
    assert (during.metrics, during.open_positions) == (first.metrics, 1)
    live.compute.fails = False
    assert (await live.next()).metrics == cast("PerformanceMetrics", 2)


async def test_a_database_that_is_away_from_the_beginning_is_an_error(live: Live) -> None:
    live.compute.fails = True
    with pytest.raises(Unavailable):
        await live.next()
