"""The metrics of a trading session, live: computed again when its positions have changed, for as long as it trades."""

from asyncio import sleep
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.accounts.live_valuation import Portfolio
from domain.accounts.position_values import Convert, total_unrealized_profit
from domain.core.clock import Clock
from domain.core.errors import Unavailable
from domain.model.markets import MarketSymbol
from domain.model.reports import PerformanceMetrics
from domain.model.trading import TradingSession

REFRESH_SECONDS: Final = 60.0
"""How often metrics are computed again though no position has changed: some depend on the time that has passed."""

REST: Final = 10.0
"""How many times as long as a computation took none follows: those of a session with very many fills take seconds."""

RETRY_SECONDS: Final = 1.0

Compute = Callable[[TradingSession], Awaitable[PerformanceMetrics | None]]


@dataclass(frozen=True, slots=True)
class LiveSessionMetrics:
    """A trading session at one time: its metrics so far, None before the first round trip, and what it holds.

    `unrealized_profit` is in the account's currency, before fees.
    """

    trading_session: TradingSession
    at: datetime = field(compare=False)
    metrics: PerformanceMetrics | None
    open_positions: int
    unrealized_profit: Decimal | None
    unpriced_markets: tuple[MarketSymbol, ...]


class LiveMetrics:
    """Follows one trading session through its user's portfolio."""

    def __init__(
        self,
        portfolio: Portfolio,
        session: TradingSession,
        currency: str,
        convert: Convert,
        compute: Compute,
        clock: Clock,
    ) -> None:
        self._portfolio = portfolio
        self._session = session
        self._currency = currency
        self._convert = convert
        self._compute = compute
        self._clock = clock
        self._metrics: PerformanceMetrics | None = None
        self._computed_from: Hashable = None
        self._due_at = self._refresh_at = float("-inf")

    async def values(self, every_seconds: float) -> AsyncIterator[LiveSessionMetrics]:
        """Yield the session's metrics, then the newest whenever they have changed, at most every `every_seconds`.

        Ends when the session has ended and holds nothing any more. Raises `Unavailable` if the database stays
        unreachable.
        """
        shown: LiveSessionMetrics | None = None
        with self._portfolio.subscribe() as wakeup:
            while True:
                wakeup.clear()
                is_computed = await self._refresh()
                value = self._value()
                if value != shown:
                    shown = value
                    yield value
                if is_computed and value.trading_session.status.is_final and not value.open_positions:
                    return
                await sleep(every_seconds)
                due = self._refresh_at if is_computed else self._due_at
                if self._clock.monotonic() < due:
                    await self._portfolio.wait_for_change(wakeup, due)

    async def _refresh(self) -> bool:
        """Compute the metrics if that is due; return whether they are those of the present positions."""
        self._session = self._portfolio.trading_sessions.get(self._session.id, self._session)
        held, closed = self._portfolio.of_trading_session(self._session.id)
        now, facts = self._clock.monotonic(), (self._session, *(each.position for each in held), *closed)
        is_known = facts == self._computed_from
        if now < (self._refresh_at if is_known else self._due_at):
            return is_known
        try:
            self._metrics = await self._compute(self._session)
        except Unavailable:
            if self._computed_from is None:
                raise
            self._due_at = self._refresh_at = self._clock.monotonic() + RETRY_SECONDS
            return False
        ended = self._clock.monotonic()
        self._computed_from = facts
        self._due_at = ended + REST * (ended - now)
        self._refresh_at = max(self._due_at, ended + REFRESH_SECONDS)
        return True

    def _value(self) -> LiveSessionMetrics:
        held, _ = self._portfolio.of_trading_session(self._session.id)
        profit = total_unrealized_profit(held, self._currency, self._convert)
        return LiveSessionMetrics(
            self._session, self._clock.now(), self._metrics, len(held), profit.total, profit.unpriced_markets
        )
