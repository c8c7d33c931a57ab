"""Computes as jobs how far trading sessions have drifted from backtests over the same candles."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import InputErrors
from domain.core.money import ZERO
from domain.core.pagination import KeysetPage
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.model.backtests import BacktestOutcome, RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.drift import BacktestDrift, Drift
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market
from domain.model.orders import Fill, OrderRole, OrderStatus
from domain.model.plans import Plan
from domain.model.reports import RoundTrip
from domain.model.trading import NO_LIMITS, RiskLimits, Signal, TradingSession
from domain.performance.drift import ComparedRuns, drift_of
from domain.performance.round_trips import RoundTripInput, round_trips
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.backtest_task import BacktestTask, RefusedBacktest, compute_backtest
from domain.research.candle_loader import CandleLoader
from domain.research.candle_needs import excess_of, needs_of
from domain.research.compute_pool import ComputePool, compute_for_job
from domain.research.listed_markets import listed_markets
from domain.rules.costs import TradingCosts, fee_percent
from domain.strategies.compiled import compile_definition

LOADED: Final = 0.3
"""The progress after all candles were read."""
MOST_SIGNALS: Final = 10_000
"""How many signals of a trading session are read: the newest."""
_PAGE = 1_000
_DEFAULT_EQUITY = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """What a trading session did: its definition with its own sizing, its fills and signals, and its orders.

    The `plan` is that of its user, and the `currency` that of its account.
    """

    session: TradingSession
    plan: Plan
    currency: str
    definition: StrategyDefinition
    fills: Sequence[Fill]
    exit_reasons: Mapping[UUID, OrderRole]
    signals: Sequence[Signal]
    order_statuses: Mapping[UUID, OrderStatus]


class DriftHandler:
    """Compares trading sessions with backtests; see `domain.jobs.handler.JobHandler`."""

    kind = JobKind.DRIFT

    def __init__(
        self,
        database: Database,
        candles: CandleLoader,
        processes: ComputePool,
        clock: Clock,
    ) -> None:
        self._database = database
        self._candles = candles
        self._processes = processes
        self._clock = clock

    async def run(self, run: JobRun) -> JobOutcome:
        """Compare the trading session of the job."""
        async with self._database.read_only() as reading:
            requested = await reading.drift.get_for_job(run.job.id)
            record = None if requested is None else await _record(reading, requested)
            markets = [] if record is None else await listed_markets(reading, record.session.markets)
        if requested is None or record is None:
            raise JobFailed("The trading session no longer exists.")
        now = self._clock.now()
        # What is filled after the close of the newest candle is in no candle of the backtest yet.
        until = record.session.timeframe.open_time(min(now, record.session.stopped_at or now))
        drift, message = None, "The strategy has no rule to enter: there is nothing to compare."
        if record.definition.enter_long is not None:
            runs = await self._compare(record, markets, until, run)
            # In a thread: thousands of round trips take longer than the node's loop may stand still.
            drift = None if isinstance(runs, str) else await asyncio.to_thread(drift_of, runs)
            message = runs if isinstance(runs, str) else _summary(drift)
        computed = replace(requested, computed_at=now, until=until, drift=drift)

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.drift.save(computed)
            return ()

        return JobOutcome(message, store)

    async def _compare(
        self, record: LiveRecord, markets: Sequence[Market], until: datetime, run: JobRun
    ) -> list[ComparedRuns] | str:
        """Return both runs on each market, or why there is no backtest."""
        session = record.session
        parameters = {value.name: value.value for value in session.parameters}
        try:
            compiled = compile_definition(record.definition, parameters, session.timeframe)
        except InputErrors as error:
            return f"The strategy can't be run any more: {error}"
        start = session.timeframe.open_time(session.started_at)
        needs = needs_of(markets, session.timeframe, (start, until), [compiled])
        excess = excess_of(needs, record.plan)
        if excess is not None:
            return excess
        loaded = await self._candles.load(needs, lambda share: run.report(LOADED * share))
        task = BacktestTask(
            record.definition,
            parameters,
            loaded.markets,
            session.timeframe,
            start,
            _costs(markets),
            session.start_equity or _DEFAULT_EQUITY,
            settings=RunSettings(session.max_open_positions, risk_limits=_limits(record, markets[0])),
        )
        simulated = await compute_for_job(
            self._processes,
            compute_backtest,
            task,
            lambda share: run.report(LOADED + (1 - LOADED) * share),
            "The backtest",
        )
        if isinstance(simulated, RefusedBacktest):
            return simulated.reason
        return [await self._compared(record, market, simulated, (start, until)) for market in markets]

    async def _compared(
        self, record: LiveRecord, market: Market, simulated: BacktestOutcome, period: tuple[datetime, datetime]
    ) -> ComparedRuns:
        session, symbol, (start, until) = record.session, market.symbol, period
        async with self._database.read_only() as reading:
            gaps = (
                await reading.market_data.candle_gaps(symbol, session.timeframe, start, until) if start < until else []
            )
        return ComparedRuns(
            symbol,
            session.timeframe,
            await asyncio.to_thread(_live_trips, record, market, until),
            [trip for trip in simulated.round_trips if trip.market == symbol],
            [signal for signal in record.signals if (signal.market or session.market) == symbol],
            gaps,
            record.order_statuses,
        )


def _limits(record: LiveRecord, market: Market) -> RiskLimits:
    """Return the session's own limits, as far as they are in the quote currency, in which a backtest counts."""
    own = record.session.risk
    return own if own is not None and record.currency == market.quote else NO_LIMITS


def _costs(markets: Sequence[Market]) -> TradingCosts:
    """Return the fees of the markets, of which the highest count."""
    taker, maker = ([one.taker_fee for one in markets], [one.maker_fee for one in markets])
    return TradingCosts.of_percents(fee_percent(None, *taker), fee_percent(None, *maker), ZERO)


async def _record(reading: UnitOfWork, requested: BacktestDrift) -> LiveRecord | None:
    user_id = requested.user_id
    session = await reading.trading_sessions.get(user_id, requested.trading_session_id)
    version = None if session is None else await reading.strategies.get_version(user_id, session.strategy_version_id)
    user = await reading.users.get(user_id)
    account = None if session is None else await reading.accounts.get(user_id, session.account_id)
    if session is None or version is None or user is None or account is None:
        return None
    definition = version.definition if session.sizing is None else replace(version.definition, sizing=session.sizing)
    fills = await reading.orders.list_all_fills(user_id, OrderFilter(trading_session_id=session.id))
    signals = await _signals(reading, session)
    caused = {signal.order_id for signal in signals if signal.order_id is not None}
    orders = await reading.orders.get_many(list({fill.order_id for fill in fills} | caused))
    reasons = {order.id: order.role for order in orders if order.role is not OrderRole.ENTRY}
    statuses = {order.id: order.status for order in orders}
    return LiveRecord(session, user.plan, account.currency, definition, fills, reasons, signals, statuses)


async def _signals(reading: UnitOfWork, session: TradingSession) -> list[Signal]:
    found: list[Signal] = []
    while len(found) < MOST_SIGNALS:
        page = KeysetPage(limit=_PAGE, after=found[-1].id if found else None)
        newest = await reading.trading_sessions.list_signals(session.user_id, session.id, page)
        found += newest
        if len(newest) < _PAGE:
            break
    return found


def _live_trips(record: LiveRecord, market: Market, until: datetime) -> tuple[RoundTrip, ...]:
    fills = [fill for fill in record.fills if fill.market == market.symbol and fill.at < until]
    if not fills:
        return ()
    reasons = {fill.order_id: role for fill in fills if (role := record.exit_reasons.get(fill.order_id)) is not None}
    return round_trips(RoundTripInput(fills, {market.symbol: market}, reasons))


def _summary(drift: Drift | None) -> str:
    assert drift is not None
    return (
        f"{drift.matched:,} round trips as in the backtest, {drift.missed:,} of the backtest alone, "
        f"{drift.extra:,} of the session alone."
    )
