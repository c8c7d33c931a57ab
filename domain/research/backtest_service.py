"""Accepts requests for backtests; `domain.research.backtest_handler` computes them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.backtest.plan import BacktestPlan
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import ZERO, plain
from domain.events.idempotency import reserve
from domain.jobs.queue import add_job, notify_workers
from domain.market_data.history_download import BEFORE_ALL_MARKETS
from domain.model.backtests import Backtest
from domain.model.definitions import StrategyDefinition
from domain.model.jobs import Job, JobKind
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.trading import ParameterValue
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.rules.costs import TradingCosts, fee_percent
from domain.strategies.compiled import compile_definition
from domain.strategies.parameter_values import all_parameter_values, parameter_value_errors
from domain.strategies.validation import unsupported_errors, validate
from domain.users.activity import record_activity

MAX_CANDLES: Final = 2_000_000
"""The most candles of a backtest, those that warm it up included: nearly four years of minutes."""
MAX_EQUITY: Final = Decimal("1E15")
MAX_FEE_PERCENT: Final = Decimal(10)
MAX_SLIPPAGE_BPS: Final = Decimal(1_000)
MAX_LATENCY_MILLISECONDS: Final = 24 * 3_600 * 1_000

MarketLookup = Callable[[MarketSymbol], Market | None]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to run; exactly one of the strategy version and the definition is given. Fees None are the market's."""

    strategy_version_id: UUID | None
    definition: StrategyDefinition | None
    market: MarketSymbol
    timeframe: Timeframe
    start: datetime
    end: datetime
    initial_equity: Decimal
    parameters: tuple[ParameterValue, ...] = ()
    taker_fee_percent: Decimal | None = None
    maker_fee_percent: Decimal | None = None
    slippage_bps: Decimal = ZERO
    latency_milliseconds: int = 0


class BacktestService:
    """Accepts requests for backtests."""

    def __init__(
        self, database: Database, market_lookup: MarketLookup, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._market_lookup = market_lookup
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def run(self, user_id: UUID, request: BacktestRequest, idempotency_key: str | None) -> Backtest:
        """Store the backtest and its job, which a worker will claim.

        Raises `InputErrors` (NOT_FOUND, INVALID, STRATEGY_INVALID, UNSUPPORTED), CONFLICT of the key, and LIMIT_REACHED
        if the user has too many open jobs.
        """
        now = self._clock.now()
        backtest_id, job_id = self._ids.next_id(), self._ids.next_id()
        async with self._database.transaction() as transaction:
            if idempotency_key is not None:
                earlier_id = await reserve(
                    transaction, self._clock, user_id, "backtestRun", idempotency_key, request, backtest_id
                )
                found = await transaction.backtests.get(user_id, earlier_id) if earlier_id else None
                if found is not None:
                    return found
            definition, market = await self.validate(transaction, user_id, request)
            backtest = _backtest(request, definition, market, (backtest_id, user_id, job_id), now)
            await add_job(
                transaction,
                Job(job_id, user_id, JobKind.BACKTEST, now, result_type="Backtest", result_id=backtest_id),
            )
            await transaction.backtests.add(backtest)
            await record_activity(transaction, self._ids, now, user_id, "backtestRun", ("Backtest", str(backtest_id)))
        await notify_workers(self._bus)
        return backtest

    async def validate(
        self, transaction: UnitOfWork, user_id: UUID, request: BacktestRequest
    ) -> tuple[StrategyDefinition, Market]:
        """Return what is to be run, and on which market; raises `InputErrors` with all errors of the request."""
        market = self._market_lookup(request.market)
        errors = [*_number_errors(request), *_period_errors(request, self._clock.now())]
        if market is None:
            message = f"There is no market {request.market} like that."
            errors.append(InputError(ErrorCode.NOT_FOUND, message, ("input", "market")))
        definition = await _definition(transaction, user_id, request)
        if isinstance(definition, InputError):
            raise InputErrors([definition, *errors])
        errors += _definition_errors(definition, request)
        if not errors and market is not None:
            errors += _run_errors(definition, market, request, self._clock.now())
        if errors or market is None:
            raise InputErrors(errors)
        return definition, market


async def _definition(
    transaction: UnitOfWork, user_id: UUID, request: BacktestRequest
) -> StrategyDefinition | InputError:
    if (request.strategy_version_id is None) == (request.definition is None):
        message = "Give either strategyVersion or definition."
        return InputError(ErrorCode.INVALID, message, ("input", "strategyVersion"))
    if request.definition is not None:
        return request.definition
    assert request.strategy_version_id is not None
    version = await transaction.strategies.get_version(user_id, request.strategy_version_id)
    if version is None:
        message = "There is no strategy version like that."
        return InputError(ErrorCode.NOT_FOUND, message, ("input", "strategyVersion"))
    return version.definition


def _definition_errors(definition: StrategyDefinition, request: BacktestRequest) -> list[InputError]:
    prefix = ("input", "definition")
    if request.definition is not None:
        found = [error.under(prefix) for error in (*validate(definition).errors, *unsupported_errors(definition))]
        if found:
            return list(found)
    messages = dict.fromkeys(error.message for error in unsupported_errors(definition))
    errors = [InputError(ErrorCode.UNSUPPORTED, message, ("input", "strategyVersion")) for message in messages]
    if definition.enter_long is None:
        message = "The definition has no enterLong: it acts on signals from outside, of which a backtest has none."
        path = prefix if request.definition is not None else ("input", "strategyVersion")
        errors.append(InputError(ErrorCode.INVALID, message, path))
    return [*errors, *parameter_value_errors(definition, request.parameters, request.timeframe)]


def _run_errors(
    definition: StrategyDefinition, market: Market, request: BacktestRequest, now: datetime
) -> Iterator[InputError]:
    """Yield what is wrong with a definition and a period that are right by themselves."""
    values = {value.name: value.value for value in request.parameters}
    compiled = compile_definition(definition, values, request.timeframe)
    costs = TradingCosts()
    plan = BacktestPlan(definition, compiled, market, request.timeframe, costs, request.initial_equity)
    if plan.unsupported is not None:
        path = ("input", "definition" if request.definition is not None else "strategyVersion")
        yield InputError(ErrorCode.UNSUPPORTED, plan.unsupported, path)
    candles = (closed_end(request, now) - request.start) // request.timeframe.duration + compiled.warm_up
    if candles > MAX_CANDLES:
        message = (
            f"The period has {candles:,} candles of {request.timeframe.venue_name}, with the {compiled.warm_up:,} that "
            f"warm up the strategy; at most {MAX_CANDLES:,} are possible. Choose a shorter period or longer candles."
        )
        yield InputError(ErrorCode.INVALID, message, ("input", "from"))


def _number_errors(request: BacktestRequest) -> Iterator[InputError]:
    equity = request.initial_equity
    if not (equity.is_finite() and ZERO < equity <= MAX_EQUITY):
        message = f"initialEquity is {_shown(equity)}; it must be greater than 0 and at most {MAX_EQUITY:f}."
        yield InputError(ErrorCode.INVALID, message, ("input", "initialEquity"))
    for name, value, most in (
        ("takerFeePercent", request.taker_fee_percent, MAX_FEE_PERCENT),
        ("makerFeePercent", request.maker_fee_percent, MAX_FEE_PERCENT),
        ("slippageBps", request.slippage_bps, MAX_SLIPPAGE_BPS),
        ("latencyMilliseconds", Decimal(request.latency_milliseconds), Decimal(MAX_LATENCY_MILLISECONDS)),
    ):
        if value is not None and not (value.is_finite() and ZERO <= value <= most):
            message = f"{name} is {_shown(value)}; it must be from 0 to {most:f}."
            yield InputError(ErrorCode.INVALID, message, ("input", name))


def _period_errors(request: BacktestRequest, now: datetime) -> Iterator[InputError]:
    if request.start < BEFORE_ALL_MARKETS:
        message = f"from is {request.start.isoformat()}; there are no candles before {BEFORE_ALL_MARKETS.isoformat()}."
        yield InputError(ErrorCode.INVALID, message, ("input", "from"))
    elif request.start >= request.end:
        message = f"The period is empty: from {request.start.isoformat()} to {request.end.isoformat()}."
        yield InputError(ErrorCode.INVALID, message, ("input", "to"))
    elif now - request.timeframe.duration < request.start:
        message = (
            f"from is {request.start.isoformat()}; no {request.timeframe.venue_name} candle has closed since then."
        )
        yield InputError(ErrorCode.INVALID, message, ("input", "from"))
    elif request.end - request.start < request.timeframe.duration:
        message = (
            f"The period from {request.start.isoformat()} to {request.end.isoformat()} is shorter than one "
            f"{request.timeframe.venue_name} candle."
        )
        yield InputError(ErrorCode.INVALID, message, ("input", "to"))


def _backtest(
    request: BacktestRequest,
    definition: StrategyDefinition,
    market: Market,
    ids: tuple[UUID, UUID, UUID],
    now: datetime,
) -> Backtest:
    backtest_id, user_id, job_id = ids
    return Backtest(
        id=backtest_id,
        user_id=user_id,
        job_id=job_id,
        created_at=now,
        strategy_version_id=request.strategy_version_id,
        definition=definition,
        parameters=all_parameter_values(definition, request.parameters),
        market=request.market,
        timeframe=request.timeframe,
        period_start=request.start,
        period_end=closed_end(request, now),
        initial_equity=request.initial_equity,
        taker_fee_percent=fee_percent(request.taker_fee_percent, market.taker_fee),
        maker_fee_percent=fee_percent(request.maker_fee_percent, market.maker_fee),
        slippage_bps=request.slippage_bps,
        latency_milliseconds=request.latency_milliseconds,
    )


def closed_end(request: BacktestRequest, now: datetime) -> datetime:
    """Return the end of the period, or that of the newest candle which has closed: a later run must see no more."""
    return min(request.end, request.timeframe.open_time(now))


def _shown(value: Decimal) -> str:
    return plain(value)[:40] if value.is_finite() else str(value)
