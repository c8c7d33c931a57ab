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
from domain.model.backtests import RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.drift import BacktestDrift, Drift
from domain.model.events import NewEvent
from domain.model.jobs import JobKind
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderRole, OrderStatus
from domain.model.plans import Plan
from domain.model.reports import RoundTrip
from domain.model.trading import NO_LIMITS, RiskLimits, Signal, TradingSession
from domain.performance.drift import CANDLES_TO_FILL, ComparedRuns, drift_of
from domain.performance.round_trips import RoundTripInput, round_trips
from domain.ports.orders import OrderFilter
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.backtest_task import MAX_ROUND_TRIPS, BacktestTask, RefusedBacktest, compute_backtest
from domain.research.candle_coverage import Span
from domain.research.candle_loader import CandleLoader
from domain.research.candle_needs import excess_of, needs_of
from domain.research.compute_pool import ComputePool, compute_for_job
from domain.research.listed_markets import listed_markets
from domain.rules.costs import TradingCosts, fee_percents
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

    The `plan` is that of its user, and the `currency` that of its account. From `since` on all of its signals are
    known; None from its start on.
    """

    session: TradingSession
    plan: Plan
    currency: str
    definition: StrategyDefinition
    fills: Sequence[Fill]
    exit_reasons: Mapping[UUID, OrderRole]
    signals: Sequence[Signal]
    order_statuses: Mapping[UUID, OrderStatus]
    since: datetime | None


class DriftHandler:
    """Compares trading sessions with backtests; see `domain.jobs.handler.JobHandler`."""

    kind = JobKind.DRIFT

    def __init__(
        self,
        database: Database,
        candles: CandleLoader,
        processes: ComputePool,
        clock: Clock,
        most_signals: int = MOST_SIGNALS,
    ) -> None:
        self._database = database
        self._candles = candles
        self._processes = processes
        self._clock = clock
        self._most_signals = most_signals

    async def run(self, run: JobRun) -> JobOutcome:
        """Compare the trading session of the job."""
        async with self._database.read_only() as reading:
            requested = await reading.drift.get_for_job(run.job.id)
            record = None if requested is None else await _record(reading, requested, self._most_signals)
            markets = [] if record is None else await listed_markets(reading, record.session.markets)
        if requested is None or record is None:
            raise JobFailed("The trading session no longer exists.")
        now = self._clock.now()
        # What is filled after the close of the newest candle is in no candle of the backtest yet.
        until = record.session.timeframe.open_time(min(now, record.session.stopped_at or now))
        drift, message = None, "The strategy has no rule to enter: there is nothing to compare."
        if record.definition.enter_long is not None:
            simulated = await self._simulate(record, markets, until, run)
            if isinstance(simulated, str):
                message = simulated
            else:
                # In a thread: thousands of round trips take longer than the node's loop may stand still.
                drift = await asyncio.to_thread(_drift, record, markets, simulated, until)
                until, message = _known_until(simulated, until), _summary(drift)
        computed = replace(requested, computed_at=now, until=until, drift=drift)

        async def store(transaction: UnitOfWork) -> Sequence[NewEvent]:
            await transaction.drift.save(computed)
            return ()

        return JobOutcome(message, store)

    async def _simulate(
        self, record: LiveRecord, markets: Sequence[Market], until: datetime, run: JobRun
    ) -> "_Simulated | str":
        """Return the backtest, or why there is none."""
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
            kept_from=record.since,
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
        own = {needs.own(market): market.symbol for market in markets}
        gaps = {own[one.request]: one.within_period().gaps for one in loaded.coverages if one.request in own}
        return _Simulated(simulated.round_trips, len(simulated.round_trips) >= MAX_ROUND_TRIPS, gaps)


@dataclass(frozen=True, slots=True)
class _Simulated:
    """The round trips of a backtest, `is_cut` if later ones weren't kept, and the gaps of each market's candles."""

    trips: Sequence[RoundTrip]
    is_cut: bool
    gaps: Mapping[MarketSymbol, Sequence[Span]]


def _known_until(simulated: _Simulated, until: datetime) -> datetime:
    """Return up to when all round trips of the backtest are known."""
    return min(until, simulated.trips[-1].opened_at) if simulated.is_cut else until


def _drift(record: LiveRecord, markets: Sequence[Market], simulated: _Simulated, until: datetime) -> Drift:
    """Compare the round trips of both that were opened in the period in which both are known."""
    session, since, end = record.session, record.since, _known_until(simulated, until)
    runs = [
        ComparedRuns(
            market.symbol,
            session.timeframe,
            [
                trip
                for trip in _live_trips(record, market, until)
                if (since is None or trip.opened_at >= since) and trip.opened_at < end
            ],
            [trip for trip in simulated.trips if trip.market == market.symbol and trip.opened_at < end],
            [signal for signal in record.signals if (signal.market or session.market) == market.symbol],
            _within(simulated.gaps[market.symbol], since, end),
            record.order_statuses,
        )
        for market in markets
    ]
    return replace(drift_of(runs), since=since)


def _within(gaps: Sequence[Span], start: datetime | None, end: datetime) -> list[Span]:
    return [
        (first if start is None else max(first, start), min(until, end))
        for first, until in gaps
        if first < end and (start is None or until > start)
    ]


def _limits(record: LiveRecord, market: Market) -> RiskLimits:
    """Return the session's own limits, as far as they are in the quote currency, in which a backtest counts."""
    own = record.session.risk
    return own if own is not None and record.currency == market.quote else NO_LIMITS


def _costs(markets: Sequence[Market]) -> TradingCosts:
    """Return the fees of the markets, of which the highest count."""
    fees = fee_percents(None, None, markets)
    return TradingCosts.of_percents(fees.taker, fees.maker, ZERO)


async def _record(reading: UnitOfWork, requested: BacktestDrift, most_signals: int) -> LiveRecord | None:
    user_id = requested.user_id
    session = await reading.trading_sessions.get(user_id, requested.trading_session_id)
    version = None if session is None else await reading.strategies.get_version(user_id, session.strategy_version_id)
    user = await reading.users.get(user_id)
    account = None if session is None else await reading.accounts.get(user_id, session.account_id)
    if session is None or version is None or user is None or account is None:
        return None
    definition = version.definition if session.sizing is None else replace(version.definition, sizing=session.sizing)
    fills = await reading.orders.list_all_fills(user_id, OrderFilter(trading_session_id=session.id))
    signals = await _signals(reading, session, most_signals)
    since = None if len(signals) < most_signals else _known_since(signals, session)
    caused = {signal.order_id for signal in signals if signal.order_id is not None}
    orders = await reading.orders.get_many(list({fill.order_id for fill in fills} | caused))
    reasons = {order.id: order.role for order in orders if order.role is not OrderRole.ENTRY}
    statuses = {order.id: order.status for order in orders}
    return LiveRecord(session, user.plan, account.currency, definition, fills, reasons, signals, statuses, since)


async def _signals(reading: UnitOfWork, session: TradingSession, most: int) -> list[Signal]:
    found: list[Signal] = []
    while len(found) < most:
        page = KeysetPage(limit=min(_PAGE, most - len(found)), after=found[-1].id if found else None)
        newest = await reading.trading_sessions.list_signals(session.user_id, session.id, page)
        found += newest
        if len(newest) < page.limit:
            break
    return found


def _known_since(signals: Sequence[Signal], session: TradingSession) -> datetime:
    """Return when the first round trip can open whose signal is certainly among those that were read."""
    timeframe = session.timeframe
    return timeframe.open_time(signals[-1].at) + (CANDLES_TO_FILL + 1) * timeframe.duration


def _live_trips(record: LiveRecord, market: Market, until: datetime) -> tuple[RoundTrip, ...]:
    fills = [fill for fill in record.fills if fill.market == market.symbol and fill.at < until]
    if not fills:
        return ()
    reasons = {fill.order_id: role for fill in fills if (role := record.exit_reasons.get(fill.order_id)) is not None}
    return round_trips(RoundTripInput(fills, {market.symbol: market}, reasons))


def _summary(drift: Drift) -> str:
    return (
        f"{drift.matched:,} round trips as in the backtest, {drift.missed:,} of the backtest alone, "
        f"{drift.extra:,} of the session alone."
    )
