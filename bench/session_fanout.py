"""1,000 trading sessions that follow one strategy on one market: from the closed candle to the last order row.

The sessions are of several accounts of one node. All of them signal on the same candle; their accounts hold nothing, so
that each order is denied and the next candle finds them as they were. What one evaluation costs is measured apart.
"""

import asyncio
import gc
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

import uvloop

from bench.figures import Figure, report, spread
from bench.parts import database, exchange, scratch
from domain.events.leases import LEASE_SECONDS
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.bus import commands_topic
from domain.strategies.compiled import compile_definition
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.strategy_evaluator import evaluate_candle
from infra.postgres.pool import create_pool
from infra.runtime.backends import LEASE_CONNECTIONS
from tests.support.trading import new_session
from tests.support.trading_node import TradingNode, strategy, trading_node

SESSIONS, ACCOUNTS, ROUNDS = 1_000, 10, 5
EVALUATIONS = 2_000
TARGET_EVALUATION_MS = 1.0
TARGET_START_SECONDS = 20.0
TARGET_LAST_ORDER_MS = 300.0
MARKET = MarketSymbol("sandbox", "BTC/USDT")
DEFINITION = StrategyDefinition(
    sizing=Sizing(risk_percent=Decimal(1)),
    enter_long="crosses_above(ema(close, 12), ema(close, 26)) and adx(14) > 20 or close > 0",
    exit_long="crosses_below(ema(close, 12), ema(close, 26)) and close < 0",
    stop_loss=ExitDistance(atr_multiple=Decimal(2)),
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EPOCHS = "SELECT sum(epoch)::int FROM leases WHERE kind = 'account'"
PROCESSED = "SELECT count(*) FROM trading_session_candles WHERE last_candle_at >= $1"
ORDERS = "SELECT count(*) FROM orders"
UNDECIDED = "SELECT count(*) FROM orders WHERE status <> 'DENIED'"


async def measure(sessions: int, accounts: int, rounds: int) -> None:
    evaluation = _evaluation_seconds()
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        database(folder) as dsn,
        await create_pool(dsn) as pool,
        await create_pool(dsn, max_size=LEASE_CONNECTIONS) as lease_pool,
        trading_node(pool, sandbox.url, sandbox.admin_token, lease_pool, LEASE_SECONDS) as node,
    ):
        gc.collect()
        gc.freeze()  # as the engine does at its start
        began, cpu = time.perf_counter(), time.process_time()
        await _start(node, sessions, accounts)
        starting = time.perf_counter() - began, time.process_time() - cpu
        epochs = await node.pool.fetchval(EPOCHS)
        quiet = [await _quiet_candle(node, sessions) for _ in range(rounds)]
        busy = [await _busy_candle(node, sessions) for _ in range(rounds)]
        lost = await node.pool.fetchval(EPOCHS) - epochs
        takeover = await _take_over(node, sessions)
    _report(sessions, accounts, evaluation, starting, quiet, busy)
    print(f"leases lost: {lost}; another node took all over in {takeover:.1f} s")


def _evaluation_seconds() -> list[float]:
    """Return what evaluations of a usual strategy with ATR(14) cost, in seconds of processor time each."""
    compiled = compile_definition(DEFINITION)
    history = CandleBuffer(compiled.warm_up + 501)
    for index in range(compiled.warm_up + 501):
        price = Decimal(1000) + Decimal(index * 7919 % 1009) / 100
        opened_at = NOW + index * Timeframe.M1.duration
        history.append(
            Candle(MARKET, Timeframe.M1, opened_at, price, price + 1, price - 1, price, Decimal(1), closed=True)
        )
    newest, costs = history.newest, []
    assert newest is not None
    for _ in range(EVALUATIONS):
        started = time.process_time()
        evaluate_candle(compiled, history, newest, atr=True)
        costs.append(time.process_time() - started)
    return costs


async def _start(node: TradingNode, sessions: int, accounts: int) -> None:
    """Run the sessions on accounts that can pay for nothing; they enter on a candle that closes far below the price."""
    opened = [await node.account(usdt="1") for _ in range(accounts)]
    first = await node.session(opened[0], strategy(enter_long=f"close < {node.feed.price / 2}"))
    async with node.database.transaction() as transaction:
        for index in range(1, sessions):
            session = new_session(node.user.id, opened[index % accounts].id, first.strategy_version_id, started_at=NOW)
            await transaction.trading_sessions.add(session)
    for account in opened:
        await node.bus.publish(commands_topic(account.id), b"")
    await _until(node, PROCESSED, sessions, NOW)


async def _quiet_candle(node: TradingNode, sessions: int) -> float:
    """Close a candle on which nothing happens; return after how many seconds all sessions have processed it."""
    began = time.perf_counter()
    candle = await node.feed.close_candle()
    await _until(node, PROCESSED, sessions, candle.open_time)
    return time.perf_counter() - began


async def _busy_candle(node: TradingNode, sessions: int) -> tuple[float, float, float]:
    """Close a candle on which all sessions enter.

    Return after how many seconds the last order row is there, after how many the last order is decided, and the node's
    processor time until then.
    """
    before = int(await node.pool.fetchval(ORDERS))
    began, cpu = time.perf_counter(), time.process_time()
    await node.feed.close_candle(close=node.feed.price / 4)
    await _until(node, ORDERS, before + sessions)
    stored = time.perf_counter() - began
    while await node.pool.fetchval(UNDECIDED):  # noqa: ASYNC110  # the database is asked
        await asyncio.sleep(0.02)
    return stored, time.perf_counter() - began, time.process_time() - cpu


async def _take_over(node: TradingNode, sessions: int) -> float:
    """Have another node take all accounts over; return after how many seconds all sessions have gone on."""
    began = time.perf_counter()
    await node.trader.close()
    await node.restart("node-2")
    candle = await node.feed.close_candle()
    await _until(node, PROCESSED, sessions, candle.open_time)
    return time.perf_counter() - began


async def _until(node: TradingNode, count: str, enough: int, *arguments: object) -> None:
    while int(await node.pool.fetchval(count, *arguments)) < enough:  # noqa: ASYNC110  # the database is asked
        await asyncio.sleep(0.005)


def _report(
    sessions: int,
    accounts: int,
    evaluation: list[float],
    starting: tuple[float, float],
    quiet: list[float],
    busy: list[tuple[float, float, float]],
) -> None:
    stored, decided, cpu = (list(values) for values in zip(*busy, strict=True))
    rows: list[list[object]] = [
        ["one evaluation (processor time)", len(evaluation), *spread(evaluation).values()],
        [f"{sessions} sessions, their start", 1, *spread([starting[0]]).values()],
        [f"{sessions} sessions, their start (processor time of the node)", 1, *spread([starting[1]]).values()],
        [f"{sessions} sessions, a candle without a signal", len(quiet), *spread(quiet).values()],
        [f"{sessions} sessions, until the last order row", len(busy), *spread(stored).values()],
        [f"{sessions} sessions, until the last order is denied", len(busy), *spread(decided).values()],
        [f"{sessions} sessions, until then (processor time of the node)", len(busy), *spread(cpu).values()],
    ]
    evaluation_ms, last_ms = median(evaluation) * 1000, median(stored) * 1000
    figures = [
        Figure(
            "evaluating a strategy on a closed candle, processor time",
            f"{evaluation_ms:.2f} ms",
            f"≤ {TARGET_EVALUATION_MS:g} ms",
            evaluation_ms <= TARGET_EVALUATION_MS,
        ),
        Figure(
            f"{sessions:,} sessions ({accounts} accounts), from their rows to the last that runs",
            f"{starting[0]:.1f} s",
            f"≤ {TARGET_START_SECONDS:g} s",
            starting[0] <= TARGET_START_SECONDS,
        ),
        Figure(
            f"{sessions:,} sessions on one market ({accounts} accounts), from the close to the last order row",
            f"{last_ms:.0f} ms (median of {len(busy)})",
            f"≤ {TARGET_LAST_ORDER_MS:g} ms",
            last_ms <= TARGET_LAST_ORDER_MS,
        ),
    ]
    report("session_fanout", ["what", "count", "p50 ms", "p99 ms", "max ms"], rows, figures)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    uvloop.run(measure(*(given + [SESSIONS, ACCOUNTS, ROUNDS][len(given) :])))
