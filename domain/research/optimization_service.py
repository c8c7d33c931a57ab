"""Accepts requests for optimizations; `domain.research.optimization_handler` carries them out."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.events.idempotency import reserve
from domain.jobs.queue import add_job, notify_workers
from domain.model.jobs import Job, JobKind
from domain.model.optimizations import Optimization, OptimizationObjective
from domain.model.plans import Entitlement, Plan
from domain.optimization.folds import folds_of
from domain.optimization.limits import trials_error
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.research.backtest_service import BacktestRequest, BacktestService, closed_end
from domain.research.candle_needs import excess_of
from domain.research.optimization_candles import candles_of
from domain.rules.costs import fee_percents
from domain.strategies.errors import DefinitionError
from domain.users.activity import record_activity
from domain.users.entitlements import use_up

ACTION: Final = "optimizationRun"
_BACKTEST: Final = ("input", "backtest")


@dataclass(frozen=True, slots=True)
class OptimizationRequest:
    """What to search; the parameters of `backtest` have a value and aren't searched."""

    backtest: BacktestRequest
    trials: int
    objective: OptimizationObjective
    folds: int
    seed: int = 0


class OptimizationService:
    """Accepts requests for optimizations."""

    def __init__(
        self, database: Database, backtests: BacktestService, bus: MessageBus, clock: Clock, ids: IdGenerator
    ) -> None:
        self._database = database
        self._backtests = backtests
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def run(self, user_id: UUID, request: OptimizationRequest, idempotency_key: str | None) -> Optimization:
        """Store the optimization and its job, which a worker will claim.

        Raises `InputErrors` (those of a backtest, INVALID, LIMIT_REACHED), CONFLICT of the key, and LIMIT_REACHED if
        the user has too many open jobs.
        """
        optimization_id, job_id = self._ids.next_id(), self._ids.next_id()
        async with self._database.transaction() as transaction:
            if idempotency_key is not None:
                earlier_id = await reserve(
                    transaction, self._clock, user_id, ACTION, idempotency_key, request, optimization_id
                )
                found = await transaction.optimizations.get(user_id, earlier_id) if earlier_id else None
                if found is not None:
                    return found
            optimization = await self._validated(transaction, (optimization_id, user_id, job_id), request)
            candles, path = candles_of(optimization).count * optimization.trials, (*_BACKTEST, "from")
            await use_up(transaction, user_id, Entitlement.BACKTEST_CANDLES_PER_DAY, candles, path)
            now = optimization.created_at
            await add_job(
                transaction,
                Job(job_id, user_id, JobKind.OPTIMIZATION, now, result_type="Optimization", result_id=optimization_id),
            )
            await transaction.optimizations.add(optimization)
            subject = ("Optimization", str(optimization_id))
            await record_activity(transaction, self._ids, now, user_id, ACTION, subject)
        await notify_workers(self._bus)
        return optimization

    async def _validated(
        self, transaction: UnitOfWork, ids: tuple[UUID, UUID, UUID], request: OptimizationRequest
    ) -> Optimization:
        """Return the optimization; raises `InputErrors` with all errors of the request."""
        optimization_id, user_id, job_id = ids
        plan = await transaction.plans.of_user(user_id)
        errors = _trials_errors(request, plan.max_optimization_trials)
        if request.backtest.settings.checks:
            message = "A search makes no checks; run its best parameters as a backtest with checks."
            errors.append(InputError(ErrorCode.INVALID, message, (*_BACKTEST, "checks")))
        try:
            validated = await self._backtests.validate(transaction, user_id, request.backtest)
        except InputErrors as found:
            raise InputErrors([*map(_under_backtest, found.errors), *errors]) from None
        backtest, markets, now = request.backtest, validated.markets, self._clock.now()
        fees = fee_percents(backtest.taker_fee_percent, backtest.maker_fee_percent, markets)
        optimization = Optimization(
            id=optimization_id,
            user_id=user_id,
            job_id=job_id,
            created_at=now,
            strategy_version_id=backtest.strategy_version_id,
            definition=validated.definition,
            parameters=backtest.parameters,
            market=markets[0],
            timeframe=backtest.timeframe,
            period_start=backtest.start,
            period_end=closed_end(backtest, now),
            initial_equity=backtest.initial_equity,
            taker_fee_percent=fees.taker,
            maker_fee_percent=fees.maker,
            slippage_bps=backtest.slippage_bps,
            latency_milliseconds=backtest.latency_milliseconds,
            objective=request.objective,
            trials=request.trials,
            folds=request.folds,
            seed=request.seed,
            other_markets=tuple(markets[1:]),
            settings=validated.settings,
        )
        errors += _search_errors(optimization, plan)
        if errors:
            raise InputErrors(errors)
        return optimization


def _trials_errors(request: OptimizationRequest, most: int) -> list[InputError]:
    message = trials_error(request.trials, request.folds, most)
    if message is None:
        return []
    code = ErrorCode.LIMIT_REACHED if request.trials > most else ErrorCode.INVALID
    return [InputError(code, message, ("input", "trials"))]


def _search_errors(optimization: Optimization, plan: Plan) -> list[InputError]:
    """Return what is wrong with a search whose backtest is right."""
    errors = []
    try:
        folds_of(optimization)
    except InputError as error:
        errors.append(InputError(error.code, error.message, ("input", *(error.path or ()))))
    try:
        excess = excess_of(candles_of(optimization), plan)
        if excess is not None:
            errors.append(InputError(ErrorCode.LIMIT_REACHED, excess, (*_BACKTEST, "from")))
    except InputErrors as found:
        errors += [InputError(error.code, error.message, (*_BACKTEST, *(error.path or ()))) for error in found.errors]
    return errors


def _under_backtest(error: InputError) -> InputError:
    """Return an error of the backtest with its path in the request, whose part it is."""
    if not error.path:
        return error
    path = (*_BACKTEST, *error.path[1:])
    if isinstance(error, DefinitionError):
        return DefinitionError(error.message, path, error.start, error.end, error.suggestion, error.code)
    return InputError(error.code, error.message, path)
