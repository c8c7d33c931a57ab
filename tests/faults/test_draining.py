"""A node that is drained, or stopped, gives its work to the other one at once, and can take work up again."""

import asyncio
import time
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.e2e.test_bad_sockets import closing_code
from tests.faults.test_lost_parts import Answers, fills_again, keep_placing
from tests.faults.test_two_nodes import cluster, follow, log_is_whole, nothing_is_doubled, through
from tests.support.engine import Engine, run_program
from tests.support.graphql_client import Client
from tests.support.http_client import http_client
from tests.support.trader_client import ORDER_EVENTS, TraderClient, new_trader
from tests.support.waiting import eventually, read_until

EVERY = "web,collector,trader,worker"
DRAIN = """mutation($name: String!) { engineNodeDrain(name: $name, input: {reason: "an update"}) {
  node { name status } errors { code message path } } }"""
RESUME = "mutation($name: String!) { engineNodeResume(name: $name) { node { name } errors { code } } }"
NODES = "{ engine { nodes { name status leases { kind count } runningJobs } } }"


async def _names(operator: Client) -> list[str]:
    return [node["name"] for node in (await operator.one(NODES))["nodes"]]


async def _held(connection: asyncpg.Connection, name: str) -> set[tuple[str, str]]:
    rows = await connection.fetch("SELECT kind, key FROM leases WHERE holder = $1 AND expires_at > now()", name)
    return {(row["kind"], row["key"]) for row in rows}


async def _readiness(node: Engine) -> int:
    async with http_client(timeout=30) as client:
        return (await client.get(f"{node.url}/readyz")).status_code


async def _all_is_held_by(connection: asyncpg.Connection, name: str, expected: set[tuple[str, str]]) -> None:
    started = time.monotonic()
    await read_until(lambda: _held(connection, name), lambda held: expected <= held, f"{name} has what the other had")
    print(f"handed over {len(expected)} leases in {time.monotonic() - started:.2f} s")  # noqa: T201  # a measurement


async def _is_stopped_as_the_last_node(node: Engine, trader: TraderClient, connection: asyncpg.Connection) -> None:
    """Stop a node under orders: each that it has taken is decided about, since nobody would do so afterwards."""
    stop, answers = asyncio.Event(), Answers()
    placing = [asyncio.create_task(keep_placing(trader, stop, answers)) for _ in range(20)]
    await eventually(lambda: sum(map(bool, answers.values())) > 20, "orders flow")
    await node.terminate()
    stop.set()
    await asyncio.gather(*placing)
    assert await connection.fetchval("SELECT count(*) FROM orders WHERE status = 'PENDING'") == 0


@pytest.mark.timeout(240)
async def test_a_drained_node_hands_its_work_over_and_works_again_when_asked(
    data_folder: Path, database_dsn: str
) -> None:
    async with cluster(data_folder, database_dsn, (EVERY, EVERY)) as shared:
        first, second = shared.nodes
        connection = await asyncpg.connect(database_dsn)
        await first.start()
        trader = await new_trader(first.client())
        await connection.execute("UPDATE users SET role = 'OPERATOR'")
        start = await trader.head()
        assert (await trader.place())["status"] == "FILLED"
        (first_name,) = await _names(trader.client)

        (refused,) = await trader.client.refusal(DRAIN, name=first_name)
        assert (refused["code"], refused["path"]) == ("CONFLICT", ["name"])

        await second.start()
        other = through(trader, second)
        (second_name,) = set(await _names(other.client)) - {first_name}
        held = await _held(connection, first_name)
        assert {kind for kind, _ in held} >= {"account", "feed"}
        async with trader.client.subscribed(ORDER_EVENTS, after=start) as events:
            await events.next()
            drained = await other.client.change(DRAIN, name=first_name)
            assert drained["node"] == {"name": first_name, "status": "DRAINING"}
            await _all_is_held_by(connection, second_name, held)
            assert await _readiness(first) == httpx.codes.SERVICE_UNAVAILABLE
            assert await closing_code(events.socket) == 1012
        await follow(other, other)
        # What is asked of the drained node is done by the other one.
        await fills_again(trader)  # an account that has just moved may not have reconciled yet

        await other.client.change(RESUME, name=first_name)
        await first.ready()
        command = await asyncio.to_thread(
            run_program, "node", "drain", second_name, "--wait", "60", R3EDGE_DATABASE_URL=database_dsn
        )
        assert (command.returncode, command.stdout) == (0, f"{second_name} is drained\n"), command.stderr
        await _all_is_held_by(connection, first_name, held)
        await follow(trader, trader)

        await trader.client.change(RESUME, name=second_name)
        await second.ready()
        terminating = asyncio.create_task(first.terminate())
        await _all_is_held_by(connection, second_name, held)
        await terminating
        await follow(other, other)
        assert await _names(other.client) == [second_name]
        await log_is_whole(other, start)
        await nothing_is_doubled(shared, other)
        await _is_stopped_as_the_last_node(second, other, connection)
        await connection.close()
