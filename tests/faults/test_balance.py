"""A node that joins gets its share of accounts and feeds, while orders are placed and followed."""

from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.faults.test_draining import EVERY
from tests.faults.test_lost_parts import fills_again
from tests.faults.test_two_nodes import cluster, follow, log_is_whole, nothing_is_doubled, through
from tests.support.trader_client import MARKET, new_trader
from tests.support.waiting import read_until

TICKER = 'subscription { ticker(market: "%s") { last } }'


async def _counts(connection: asyncpg.Connection, kind: str) -> list[int]:
    rows = await connection.fetch("SELECT holder FROM leases WHERE kind = $1 AND expires_at > now()", kind)
    return sorted(Counter(row["holder"] for row in rows).values())


@pytest.mark.timeout(240)
async def test_a_node_that_joins_gets_its_share_and_no_order_is_lost(data_folder: Path, database_dsn: str) -> None:
    async with cluster(data_folder, database_dsn, (EVERY, EVERY)) as shared:
        first, second = shared.nodes
        connection = await asyncpg.connect(database_dsn)
        await first.start()
        traders = [await new_trader(first.client()) for _ in range(4)]
        starts = [await trader.head() for trader in traders]
        for trader in traders:
            assert (await trader.place())["status"] == "FILLED"
        other_market = MARKET.replace("BTC", "ETH")
        async with traders[0].client.subscribed(TICKER % other_market) as tickers:
            await tickers.next()
            assert await _counts(connection, "account") == [4]
            await second.start()
            others = [through(trader, second) for trader in traders]

            async def shares() -> tuple[list[int], list[int]]:
                for trader, other in zip(traders, others, strict=True):
                    await follow(other, trader)
                return await _counts(connection, "account"), await _counts(connection, "feed")

            await read_until(shares, lambda seen: seen == ([2, 2], [1, 1]), "equal shares of accounts and feeds")
            await tickers.next()
        for trader, other, start in zip(traders, others, starts, strict=True):
            await fills_again(other)  # an account that has just moved may not have reconciled yet
            await follow(trader, other)
            await log_is_whole(other, start)
            await nothing_is_doubled(shared, trader)
        await connection.close()
