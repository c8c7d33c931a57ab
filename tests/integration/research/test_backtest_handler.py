"""Backtests whose candles are missing, whose venue is away, whose process dies, and of which there are too many."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest

from domain.jobs.queue import JobService
from domain.model.backtests import Backtest, BacktestOutcome, RoundTripSlice
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.jobs import Job, JobStatus
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import VenueUnreachable
from domain.research import backtest_task, candle_loader
from domain.research.backtest_service import BacktestRequest, BacktestService
from domain.research.backtest_task import compute_backtest
from domain.research.compute_pool import OnProgress
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.runtime.compute_pool import ProcessPool
from tests.support import computations
from tests.support.background import running
from tests.support.backtest_jobs import HOURS, START, backtest_runner, store_waves, waves
from tests.support.orders import BTC, a_market
from tests.support.trading import World, stored_world
from tests.support.waiting import eventually, read_until

DEFINITION = StrategyDefinition(
    sizing=Sizing(equity_percent=Decimal(50)),
    enter_long="crosses_above(sma(close, 3), sma(close, 12))",
    exit_long="crosses_below(sma(close, 3), sma(close, 12))",
)
FIRST, END = START + timedelta(hours=50), START + timedelta(hours=HOURS)


class Archive:
    """A venue with these candles alone."""

    def __init__(self, candles: list[Candle]) -> None:
        self.candles = candles
        self.requests = 0

    async def fetch_candles(
        self, _market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        self.requests += 1
        assert start is not None
        return [one for one in self.candles if one.open_time >= start and one.timeframe is timeframe][:limit]

    def venue_now(self) -> datetime:
        return SystemClock().now()


class Unreachable(Archive):
    async def fetch_candles(self, *_arguments: object) -> list[Candle]:
        raise VenueUnreachable("no route")


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def service(database: PostgresDatabase) -> BacktestService:
    return BacktestService(database, lambda _symbol: a_market(), EmbeddedBus(), SystemClock(), TimeOrderedIds())


async def asked(service: BacktestService, world: World, **changes: Any) -> Backtest:
    request = BacktestRequest(None, DEFINITION, BTC, Timeframe.H1, FIRST, END, Decimal(10_000))
    return await service.run(world.user.id, replace(request, **changes), None)


async def job_of(database: PostgresDatabase, backtest: Backtest) -> Job:
    async with database.read_only() as reading:
        job = await reading.jobs.get(backtest.user_id, backtest.job_id)
    assert job is not None
    return job


async def outcome_of(database: PostgresDatabase, backtest: Backtest) -> BacktestOutcome:
    async with database.read_only() as reading:
        return (await reading.backtests.outcomes([backtest.id]))[backtest.id]


async def test_missing_candles_are_fetched_first_and_stored(
    database: PostgresDatabase, pool: Pool, processes: ProcessPool, service: BacktestService, world: World
) -> None:
    candles = waves()
    await store_waves(database, candles[:1])
    whole = await asked(service, world)
    archive = Archive(candles)
    assert await backtest_runner(database, pool, processes, archive).work_once()  # type: ignore[arg-type]
    assert (await job_of(database, whole)).status is JobStatus.SUCCEEDED
    assert archive.requests > 0
    async with database.read_only() as reading:
        gaps = await reading.market_data.candle_gaps(BTC, Timeframe.H1, FIRST, END)
    assert gaps == []
    archive.requests = 0
    again = await asked(service, world)
    assert await backtest_runner(database, pool, processes, archive).work_once()  # type: ignore[arg-type]
    assert archive.requests == 0
    outcomes = [await outcome_of(database, backtest) for backtest in (whole, again)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].notes == ()


async def test_round_trips_are_read_page_by_page_in_both_directions(
    database: PostgresDatabase, pool: Pool, processes: ProcessPool, service: BacktestService, world: World
) -> None:
    await store_waves(database, waves())
    backtest = await asked(service, world)
    async with database.read_only() as reading:
        nothing = await reading.backtests.round_trips(backtest.id, 2, None, None, backwards=False)
    assert nothing == RoundTripSlice()
    assert await backtest_runner(database, pool, processes).work_once()
    trips = (await outcome_of(database, backtest)).round_trips
    assert len(trips) > 3
    async with database.read_only() as reading:
        for start, end in combinations_with_replacement([None, *range(len(trips))], 2):
            low, between = 0 if start is None else start + 1, trips[0 if start is None else start + 1 : end]
            forwards = await reading.backtests.round_trips(backtest.id, 2, start, end, backwards=False)
            assert (forwards.trips, forwards.count) == (between[:2], len(trips))
            backwards = await reading.backtests.round_trips(backtest.id, 2, start, end, backwards=True)
            assert (backwards.trips, backwards.count) == (between[-2:], len(trips))
            if between:
                assert (forwards.first, backwards.first) == (low, max(low, low + len(between) - 2))


async def test_what_the_venue_has_not_either_is_named(
    database: PostgresDatabase, pool: Pool, processes: ProcessPool, service: BacktestService, world: World
) -> None:
    candles = waves()
    await store_waves(database, candles[45:100] + candles[120:])
    backtest = await asked(service, world)
    assert await backtest_runner(database, pool, processes).work_once()
    notes = (await outcome_of(database, backtest)).notes
    assert notes[0].startswith(
        "20 1h candles of sandbox:BTC/USDT are missing, and the venue has none, most of them from "
        f"{candles[100].open_time:%Y-%m-%d %H:%M} UTC"
    )
    assert notes[1].startswith(
        "The strategy needs 12 candles before its first signal, and of sandbox:BTC/USDT there are 5 before"
    )
    assert notes[0] in str((await job_of(database, backtest)).message)


async def test_a_strategy_with_too_few_candles_to_warm_up_never_signals_and_says_so(
    database: PostgresDatabase, pool: Pool, processes: ProcessPool, service: BacktestService, world: World
) -> None:
    await store_waves(database, waves())
    rule = "crosses_above(close, sma(close, 4000))"
    backtest = await asked(service, world, definition=replace(DEFINITION, enter_long=rule, exit_long=None))
    assert await backtest_runner(database, pool, processes).work_once()
    outcome = await outcome_of(database, backtest)
    assert (outcome.metrics.round_trips, "it never signals." in outcome.notes[-1]) == (0, True)


async def failed(
    database: PostgresDatabase, runner: Any, backtest: Backtest, expected: str, absent: str = "Traceback"
) -> None:
    assert await runner.work_once()
    job = await job_of(database, backtest)
    assert (job.status, job.message) == (JobStatus.FAILED, job.message)
    assert expected in str(job.message)
    assert absent not in str(job.message)


async def test_a_period_without_any_candle_fails_in_words(
    database: PostgresDatabase, pool: Pool, processes: ProcessPool, service: BacktestService, world: World
) -> None:
    runner = backtest_runner(database, pool, processes)
    await failed(database, runner, await asked(service, world), "sandbox:BTC/USDT is no longer listed")
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets([a_market()])
    await failed(database, runner, await asked(service, world), "There are no 1h candles of sandbox:BTC/USDT from")


async def test_a_venue_that_is_away_and_a_history_too_long_to_fetch_fail_in_words(
    database: PostgresDatabase,
    pool: Pool,
    processes: ProcessPool,
    service: BacktestService,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await store_waves(database, waves()[:1])
    monkeypatch.setattr("domain.market_data.history_download.MAX_FAILURES", 1)
    away = backtest_runner(database, pool, processes, Unreachable([]))  # type: ignore[arg-type]
    await failed(database, away, await asked(service, world), "sandbox doesn't answer. Try again later.", "no route")
    monkeypatch.setattr(candle_loader, "MAX_FETCHED", 100)
    archive = backtest_runner(database, pool, processes, Archive(waves()))  # type: ignore[arg-type]
    await failed(
        database, archive, await asked(service, world), "r3edge backfill sandbox BTC/USDT --timeframe 1h --from"
    )


class Replacing(ProcessPool):
    """Computes something else than it is asked for."""

    def __init__(
        self, function: Callable[[Any, OnProgress], Any], argument: object = None, most_seconds: float | None = None
    ) -> None:
        super().__init__(1, most_seconds=most_seconds)
        self._function, self._argument = function, argument

    async def run(self, function: Any, argument: Any, on_progress: OnProgress) -> Any:
        return await super().run(self._function, self._argument, on_progress)


async def test_a_process_that_dies_or_takes_too_much_memory_fails_the_backtest_in_words(
    database: PostgresDatabase, pool: Pool, service: BacktestService, world: World
) -> None:
    await store_waves(database, waves())
    for function, expected in (
        (computations.killed, "came to an end, as one does when the system is out of memory"),
        (computations.reserving_memory, "needs more memory than a computation may have"),
        (computations.failing, "a fault of the engine, which its log describes"),
    ):
        processes = Replacing(function)
        await failed(database, backtest_runner(database, pool, processes), await asked(service, world), expected)
        await processes.close()


async def test_a_backtest_that_takes_too_long_ends_with_its_process(
    database: PostgresDatabase,
    pool: Pool,
    service: BacktestService,
    world: World,
    tmp_path: Path,
) -> None:
    await store_waves(database, waves())
    file = tmp_path / "pid"
    processes = Replacing(computations.without_end, str(file), most_seconds=0.1)
    await failed(database, backtest_runner(database, pool, processes), await asked(service, world), "took longer than")
    pid = file.read_text() if file.exists() else ""  # it may have ended before it had written it
    assert not (pid and _is_running(int(pid)))
    await processes.close()


async def test_a_cancelled_backtest_ends_its_process_and_the_next_one_runs(
    database: PostgresDatabase, pool: Pool, service: BacktestService, world: World, tmp_path: Path
) -> None:
    await store_waves(database, waves())
    file, bus = tmp_path / "pid", EmbeddedBus()
    processes = Replacing(computations.without_end, str(file))
    runner = backtest_runner(database, pool, processes, bus=bus)
    backtest = await asked(service, world)
    async with running(runner.run()):
        await read_until(
            lambda: job_of(database, backtest), lambda job: job.progress == 0.75, "half of the computation is reported"
        )
        pid = int(file.read_text())
        await JobService(database, bus, SystemClock(), TimeOrderedIds()).cancel(world.user.id, backtest.job_id)
        await eventually(lambda: not _is_running(pid), "the process is gone")
        processes._function, processes._argument = computations.doubled, 1
    assert (await job_of(database, backtest)).status is JobStatus.CANCELED
    await processes.close()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_two_workers_compute_each_backtest_once(
    database: PostgresDatabase, pool: Pool, service: BacktestService, world: World
) -> None:
    await store_waves(database, waves())
    backtests = [await asked(service, world) for _ in range(6)]
    pools = [ProcessPool(1) for _ in range(2)]
    runners = [backtest_runner(database, pool, one, name=f"worker {number}") for number, one in enumerate(pools)]

    async def ended() -> list[Job]:
        return [await job_of(database, backtest) for backtest in backtests]

    async with running(runners[0].run()), running(runners[1].run()):
        jobs = await read_until(ended, lambda jobs: all(job.status.is_final for job in jobs), "all end")
    assert {job.status for job in jobs} == {JobStatus.SUCCEEDED}
    async with database.read_only() as reading:
        events = await reading.events.read_after(world.user.id, 0, None, 100)
    assert sum(event.message == "SUCCEEDED" for event in events) == len(backtests)
    assert len({(await outcome_of(database, backtest)).hash for backtest in backtests}) == 1
    await asyncio.gather(*(processes.close() for processes in pools))


async def test_more_round_trips_than_are_kept_still_count(
    database: PostgresDatabase, pool: Pool, service: BacktestService, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_task, "MAX_ROUND_TRIPS", 3)

    class InThisProcess:
        async def run(self, function: Any, argument: Any, on_progress: OnProgress) -> Any:
            assert function is compute_backtest
            return function(argument, on_progress)

    await store_waves(database, waves())
    backtest = await asked(service, world)
    assert await backtest_runner(database, pool, InThisProcess()).work_once()
    outcome = await outcome_of(database, backtest)
    count = outcome.metrics.round_trips
    assert count > len(outcome.round_trips) == 3
    assert outcome.notes[-1].startswith("The first 3 of ")
    async with database.read_only() as reading:
        without = await reading.backtests.outcomes_without_trips([backtest.id])
    assert without == {backtest.id: replace(outcome, round_trips=())}


async def test_the_oldest_backtests_of_a_user_go_once_there_are_too_many(
    database: PostgresDatabase, service: BacktestService, world: World, pool: Pool
) -> None:
    async with pool.acquire() as driver:
        other = await stored_world(Connection(driver))
    mine = [await asked(service, world) for _ in range(5)]
    theirs = await asked(service, other)
    async with database.transaction() as transaction:
        for backtest in mine[1:]:
            await transaction.jobs.finish(backtest.job_id, JobStatus.CANCELED, None, SystemClock().now())
        assert await transaction.backtests.delete_old(2, 1) == 1
        assert await transaction.backtests.delete_old(2, 100) == 1
        assert await transaction.backtests.delete_old(2, 100) == 0
        left = await transaction.backtests.get_many([backtest.id for backtest in (*mine, theirs)])
        # The oldest one still waits for its turn.
        assert {one.id for one in left} == {mine[0].id, mine[3].id, mine[4].id, theirs.id}
        assert await transaction.jobs.get_many([mine[1].job_id, mine[2].job_id]) == []
