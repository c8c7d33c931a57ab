"""What a node should give back and take, by the reports and leases that are in the database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.events.leases import acquire_leases
from domain.events.work_balance import (
    FREE_SECONDS,
    GIVEN_SECONDS,
    PAUSE_SECONDS,
    REST_SECONDS,
    GivenCounts,
    TakeableLeases,
    WorkBalance,
)
from domain.model.node_reports import NodeReport
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock

REPORT = NodeReport(
    "host:1", "1.0", ("trader",), datetime(2026, 1, 1, tzinfo=UTC), venues=("sandbox", "kraken"), balances_work=True
)
KEYS = [f"a{number}" for number in range(6)]


async def report(database: PostgresDatabase, *reports: NodeReport) -> None:
    async with database.transaction() as transaction:
        for one in reports:
            await transaction.overview.save_node(one)


async def hold(database: PostgresDatabase, keys: list[str], holder: str = "host:1") -> None:
    await acquire_leases(database, ManualClock(), "account", keys, holder, 60.0)


def balance_of(database: PostgresDatabase, clock: ManualClock, name: str = "host:1") -> WorkBalance:
    balance = WorkBalance(database, clock, "account", "trader", name, ["sandbox"])
    clock.move(PAUSE_SECONDS)
    return balance


async def test_half_of_the_leases_are_given_to_a_node_that_joins_once_a_pause(database: PostgresDatabase) -> None:
    clock = ManualClock()
    balance = balance_of(database, clock)
    await hold(database, KEYS)
    await report(database, REPORT)
    assert await balance.count_to_give() == 0

    await report(database, replace(REPORT, name="host:2"))
    assert await balance.count_to_give() == 0
    clock.move(PAUSE_SECONDS)
    assert await balance.count_to_give() == len(KEYS) / 2


@pytest.mark.parametrize(
    "other",
    [
        replace(REPORT, balances_work=False),
        replace(REPORT, roles=("web",)),
        replace(REPORT, venues=("kraken",)),
        replace(REPORT, is_draining=True),
        replace(REPORT, pending=("the database",)),
    ],
    ids=["an earlier version", "another role", "without the venue", "draining", "not ready"],
)
async def test_nothing_is_given_to_a_node_that_could_not_take_it(database: PostgresDatabase, other: NodeReport) -> None:
    await hold(database, KEYS)
    await report(database, REPORT, replace(other, name="host:2"))
    assert await balance_of(database, ManualClock()).count_to_give() == 0


async def test_nothing_is_given_to_a_node_that_was_asked_to_drain_or_is_silent(
    database: PostgresDatabase, pool: Pool
) -> None:
    await hold(database, KEYS)
    await report(database, REPORT, replace(REPORT, name="host:2"))
    await pool.execute("UPDATE node_reports SET drain_requested_at = now() WHERE name = 'host:2'")
    assert await balance_of(database, ManualClock()).count_to_give() == 0
    silent = "UPDATE node_reports SET drain_requested_at = NULL, seen_at = now() - interval '7 seconds'"
    await pool.execute(f"{silent} WHERE name = 'host:2'")
    assert await balance_of(database, ManualClock()).count_to_give() == 0


async def test_a_node_with_more_than_others_leaves_a_free_lease_to_them_for_a_moment(
    database: PostgresDatabase,
) -> None:
    clock = ManualClock()
    await hold(database, KEYS[:3])
    await report(database, REPORT, replace(REPORT, name="host:2"))
    full, empty = balance_of(database, clock), balance_of(database, clock, "host:2")
    assert await full.takeable(KEYS[3:5]) == TakeableLeases(("a3", "a4"), 0)
    assert await empty.takeable(KEYS[:5]) == TakeableLeases(("a3", "a4"), 2)
    clock.move(FREE_SECONDS)
    assert await full.takeable(KEYS[3:5]) == TakeableLeases(("a3", "a4"), 2)


async def test_what_nobody_takes_is_taken_by_its_giver_which_gives_nothing_for_a_while(
    database: PostgresDatabase,
) -> None:
    clock = ManualClock()
    given = GivenCounts()
    balance = WorkBalance(database, clock, "account", "trader", "host:1", ["sandbox"], given=given)
    await hold(database, KEYS[1:])
    await report(database, REPORT, replace(REPORT, name="host:2"))
    balance.note_given(KEYS[:1])
    assert given == {"account": 1}
    assert await balance.takeable(KEYS[:1]) == TakeableLeases()
    clock.move(PAUSE_SECONDS)
    assert await balance.count_to_give() == 0  # what was given isn't taken yet
    clock.move(GIVEN_SECONDS)
    assert await balance.takeable(KEYS[:1]) == TakeableLeases(("a0",), 1)

    await hold(database, KEYS[:1])
    balance.note_taken("a0")
    clock.move(PAUSE_SECONDS)
    assert await balance.count_to_give() == 0
    clock.move(REST_SECONDS)
    assert await balance.count_to_give() == len(KEYS) / 2
