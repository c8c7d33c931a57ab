"""The engine over a pair of PostgreSQL servers, whose parts die, freeze and change places under a load of orders."""

import shutil
import time
from collections.abc import Iterator

import pytest

from infra.postgres.migrate import migrate
from tests.faults.pair.load import flows, load, nothing_is_lost
from tests.support.engine import Engine
from tests.support.http_client import http_client
from tests.support.patroni import PatroniCluster
from tests.support.postgres import run_aside
from tests.support.run_folder import new_folder
from tests.support.trader_client import MARKET, TraderClient, new_trader
from tests.support.waiting import read_until

pytestmark = pytest.mark.timeout(600)

LOCK_SECONDS = 30.0
"""Longer than the primary's lock in etcd lasts: `ttl` and `retry_timeout` of deploy/patroni/patroni.yaml."""

PAST_TRADES = """query($m: MarketSymbol!, $to: DateTime!) { market(symbol: $m) {
  trades(last: 5, to: $to) { nodes { price } } } }"""
LONG_AGO = "2026-01-01T00:00:00Z"
FROM_REPLICA = 'r3edge_reads_of_past_total{server="replica"}'


@pytest.fixture(scope="module")
def module_engine(module_pair: PatroniCluster) -> Iterator[Engine]:
    """One engine for all tests of the module: it lives through all that happens to its database."""
    run_aside(migrate(module_pair.dsn))
    folder = new_folder()
    settings = {"R3EDGE_DATABASE_URL": module_pair.dsn, "R3EDGE_REPLICA_DATABASE_URL": module_pair.dsn}
    engine = Engine(folder / "data", settings=settings, is_forked=True)
    try:
        run_aside(engine.start())
        yield engine
        run_aside(engine.terminate())
        engine.assert_quiet()
    finally:
        print(engine.log[-30_000:])  # noqa: T201  # pytest shows it beside a failure
        engine.clean_up()
        shutil.rmtree(folder)


@pytest.fixture
async def traders(pair: PatroniCluster, module_engine: Engine) -> list[TraderClient]:
    """Two users who have just come, of an engine whose database is in step."""
    await module_engine.ready()
    return [await new_trader(module_engine.client()) for _ in range(2)]


async def test_trades_of_the_past_are_read_from_the_replica(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    async def answered_by_replica() -> str:
        await traders[0].client.run(PAST_TRADES, m=MARKET, to=LONG_AGO)
        async with http_client() as http:
            metrics = (await http.get(f"{module_engine.url}/metrics")).text
        return next(line for line in metrics.splitlines() if line.startswith(FROM_REPLICA))

    await read_until(answered_by_replica, lambda line: float(line.split()[-1]) > 0, "the replica answers")


async def test_the_primarys_server_is_killed_and_nothing_acknowledged_is_lost(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    old = await pair.primary()
    async with load(traders) as users:
        old.postgres.kill()
        await flows(users)
        await flows(users)
    print("no order was acknowledged for", [round(user.longest_pause(), 1) for user in users], "s")  # noqa: T201
    assert await pair.primary() != old
    await nothing_is_lost(module_engine, users)


async def test_the_places_are_changed_for_maintenance_while_orders_are_placed(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    async with load(traders) as users:
        await pair.switch_over()
        await flows(users)
        await pair.in_step()
        await flows(users)
    print("no order was acknowledged for", [round(user.longest_pause(), 1) for user in users], "s")  # noqa: T201
    await nothing_is_lost(module_engine, users)


async def test_commits_go_on_alone_while_the_replica_is_frozen_and_when_it_is_dead(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    (replica,) = await pair.replicas()
    async with load(traders) as users:
        replica.freeze()
        await flows(users)
        replica.kill()
        await flows(users)
    print("no order was acknowledged for", [round(user.longest_pause(), 1) for user in users], "s")  # noqa: T201
    await nothing_is_lost(module_engine, users)


async def test_the_primary_goes_on_without_etcd_as_long_as_it_reaches_its_replica(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    primary = await pair.primary()
    async with load(traders) as users:
        for member in pair.etcd.values():
            member.kill()
        lock_has_ended = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < lock_has_ended:
            await flows(users)
        for member in pair.etcd.values():
            member.start()
        await pair.in_step()
    print("no order was acknowledged for", [round(user.longest_pause(), 1) for user in users], "s")  # noqa: T201
    assert await pair.primary() == primary
    await nothing_is_lost(module_engine, users)


async def test_a_primary_without_its_patroni_is_left_though_it_answers_and_loses_nothing_when_it_returns(
    pair: PatroniCluster, module_engine: Engine, traders: list[TraderClient]
) -> None:
    old = await pair.primary()
    async with load(traders) as users:
        old.patroni.freeze()
        await read_until(pair.primary, lambda now: now != old, "the replica is promoted")
        assert old.postgres.is_running
        await flows(users)
        old.patroni.thaw()
        await flows(users)
        await pair.in_step()
    print("no order was acknowledged for", [round(user.longest_pause(), 1) for user in users], "s")  # noqa: T201
    await nothing_is_lost(module_engine, users)
