"""Accepts requests for backtests; `domain.research.backtest_handler` computes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.money import ZERO
from domain.events.idempotency import reserve
from domain.jobs.queue import add_job, notify_workers
from domain.market_data.history_download import BEFORE_ALL_MARKETS
from domain.model.backtests import DEFAULT_SETTINGS, Backtest, RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.jobs import Job, JobKind
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.plans import Entitlement
from domain.model.trading import ParameterValue
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.account_limits import with_limits_of
from domain.research.candle_needs import CandleNeeds, excess_of, needs_of
from domain.research.run_numbers import NumberNames, RunNumbers
from domain.risk.limit_validation import validate_limits
from domain.rules.costs import fee_percents
from domain.rules.market_choice import market_choice_errors
from domain.strategies.compiled import compile_definition
from domain.strategies.parameter_values import all_parameter_values, parameter_value_errors
from domain.strategies.validation import unsupported_errors, validate
from domain.users.activity import record_activity
from domain.users.entitlements import use_up
from domain.users.history_limit import beyond_history, earliest_history

MarketLookup = Callable[[MarketSymbol], Market | None]


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to run; exactly one of the strategy version and the definition is given. Fees None are the market's.

    The risk limits are those of the account `limits_of`, if it is given.
    """

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
    other_markets: tuple[MarketSymbol, ...] = ()
    settings: RunSettings = DEFAULT_SETTINGS
    limits_of: UUID | None = None

    @property
    def markets(self) -> tuple[MarketSymbol, ...]:
        """All markets, in the order of the request."""
        return (self.market, *self.other_markets)


@dataclass(frozen=True, slots=True)
class ValidatedBacktest:
    """What a request asks for, the markets it is run on, the candles that it needs, and all its settings."""

    definition: StrategyDefinition
    markets: list[Market]
    needs: CandleNeeds
    settings: RunSettings


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
            validated = await self.validate(transaction, user_id, request)
            ids = (backtest_id, user_id, job_id)
            backtest = _backtest(request, validated, ids, now)
            daily, path = Entitlement.BACKTEST_CANDLES_PER_DAY, ("input", "from")
            await use_up(transaction, user_id, daily, validated.needs.count, path)
            await add_job(
                transaction,
                Job(job_id, user_id, JobKind.BACKTEST, now, result_type="Backtest", result_id=backtest_id),
            )
            await transaction.backtests.add(backtest)
            await record_activity(transaction, self._ids, now, user_id, "backtestRun", ("Backtest", str(backtest_id)))
        await notify_workers(self._bus)
        return backtest

    async def validate(self, transaction: UnitOfWork, user_id: UUID, request: BacktestRequest) -> "ValidatedBacktest":
        """Return what is to be run; raises `InputErrors` with all errors of the request."""
        errors = [
            *_number_errors(request),
            *_period_errors(request, self._clock.now()),
            *market_choice_errors(request.markets, request.settings.max_open_positions),
            *_settings_errors(request),
        ]
        markets = self._listed(request, errors)
        settings = await with_limits_of(request.limits_of, request.settings, markets, transaction, user_id)
        if isinstance(settings, InputError):
            errors.append(settings)
        definition = await _definition(transaction, user_id, request)
        if isinstance(definition, InputError):
            raise InputErrors([definition, *errors])
        errors += _definition_errors(definition, request)
        if errors or isinstance(settings, InputError):
            raise InputErrors(errors)
        needs, errors = self._candle_needs(definition, markets, request)
        plan = await transaction.plans.of_user(user_id)
        earliest = earliest_history(plan, self._clock.now())
        if earliest is not None and request.start < earliest:
            message = beyond_history(plan, earliest)
            errors.append(InputError(ErrorCode.LIMIT_REACHED, message, ("input", "from")))
        excess = excess_of(needs, plan)
        if excess is not None:
            errors.append(InputError(ErrorCode.LIMIT_REACHED, excess, ("input", "from")))
        if errors:
            raise InputErrors(errors)
        return ValidatedBacktest(definition, markets, needs, settings)

    def _listed(self, request: BacktestRequest, errors: list[InputError]) -> list[Market]:
        """Return the markets of the request, and add an error for each that can't be traded with the first."""
        markets = []
        for index, symbol in enumerate(request.markets):
            path = ("input", "markets", str(index)) if request.other_markets else ("input", "market")
            market = self._market_lookup(symbol)
            if market is None:
                errors.append(InputError(ErrorCode.NOT_FOUND, f"There is no market {symbol} like that.", path))
                continue
            markets.append(market)
            if market.symbol.venue != markets[0].symbol.venue or market.quote != markets[0].quote:
                message = (
                    f"{symbol} can't share a budget with {markets[0].symbol}: all markets must be of one venue and "
                    "have the same quote currency."
                )
                errors.append(InputError(ErrorCode.INVALID, message, path))
        return markets

    def _candle_needs(
        self, definition: StrategyDefinition, markets: Sequence[Market], request: BacktestRequest
    ) -> tuple[CandleNeeds, list[InputError]]:
        """Return the candles of a request that is right by itself, and an error for each market that isn't listed."""
        values = {value.name: value.value for value in request.parameters}
        compiled = compile_definition(definition, values, request.timeframe)
        period = (request.start, closed_end(request, self._clock.now()))
        needs = needs_of(markets, request.timeframe, period, [compiled], request.settings.detail_timeframe)
        definition_path = ("input", "definition" if request.definition is not None else "strategyVersion")
        errors = []
        for name in sorted({key.market for key in needs.others if key.market is not None}):
            symbol = MarketSymbol(request.market.venue, name)
            if self._market_lookup(symbol) is None:
                message = f"The rules name {symbol}, which isn't listed."
                errors.append(InputError(ErrorCode.NOT_FOUND, message, definition_path))
        return needs, errors


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


def _settings_errors(request: BacktestRequest) -> Iterator[InputError]:
    detail = request.settings.detail_timeframe
    if detail is not None and not detail.divides(request.timeframe):
        message = (
            f"detailTimeframe is {detail.value}; it must be shorter than timeframe, {request.timeframe.value}, and a "
            "whole number of its candles must make one of that."
        )
        yield InputError(ErrorCode.INVALID, message, ("input", "detailTimeframe"))
    yield from validate_limits(request.settings.risk_limits, ("input", "riskLimits"))


def _number_errors(request: BacktestRequest) -> Iterator[InputError]:
    numbers = RunNumbers(
        request.initial_equity,
        request.taker_fee_percent,
        request.maker_fee_percent,
        request.slippage_bps,
        request.latency_milliseconds,
    )
    for name, message in numbers.errors(NumberNames()):
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
    request: BacktestRequest, validated: ValidatedBacktest, ids: tuple[UUID, UUID, UUID], now: datetime
) -> Backtest:
    backtest_id, user_id, job_id = ids
    definition = validated.definition
    fees = fee_percents(request.taker_fee_percent, request.maker_fee_percent, validated.markets)
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
        taker_fee_percent=fees.taker,
        maker_fee_percent=fees.maker,
        slippage_bps=request.slippage_bps,
        latency_milliseconds=request.latency_milliseconds,
        other_markets=request.other_markets,
        settings=validated.settings,
    )


def closed_end(request: BacktestRequest, now: datetime) -> datetime:
    """Return the end of the period, or that of the newest candle which has closed: a later run must see no more."""
    return min(request.end, request.timeframe.open_time(now))
