"""What transfers and fills come to is kept as they are written, and is what adding all of them up gives."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.money import EXACT, ZERO
from domain.model.order_side import OrderSide
from domain.model.trading import AccountTransfer, TransferKind
from domain.performance.equity_curve import replay
from domain.ports.orders import OrderFilter
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.transfers import UNEXPLAINED, PostgresTransfers
from tests.support.fill_ledgers import ETH, ETH_BTC, MARKETS
from tests.support.trading import BTC, NOW, World, new_id, stored_world

CURRENCIES = ["BTC", "USDT", "ETH", "BNB"]
amounts = st.builds(lambda digits, places: Decimal(f"{digits}E-{places}"), st.integers(1, 10**12), st.integers(0, 18))


@dataclass(frozen=True)
class Bought:
    """A fill, which may be of any time; `again` reports it twice."""

    fields: dict[str, object]
    again: bool


@dataclass(frozen=True)
class Paid:
    """A transfer, which is given another amount later where there is one."""

    currency: str
    amount: Decimal
    later: Decimal | None


@dataclass(frozen=True)
class Corrected:
    """The opening becomes what explains such a balance of BTC and nothing else."""

    amount: Decimal


steps = st.lists(
    st.builds(
        Bought,
        st.fixed_dictionaries(
            {
                "market": st.sampled_from([BTC, ETH, ETH_BTC]),
                "side": st.sampled_from(OrderSide),
                "price": amounts,
                "quantity": amounts,
                "fee": st.just(ZERO) | amounts,
                "fee_currency": st.sampled_from(CURRENCIES),
                "at": st.integers(-(10**6), 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
            }
        ),
        st.booleans(),
    )
    | st.builds(Paid, st.sampled_from(CURRENCIES), amounts, st.none() | amounts)
    | st.builds(Corrected, amounts),
    max_size=8,
)


async def carry_out(connection: Connection, world: World, step: Bought | Paid | Corrected) -> None:
    orders, transfers = PostgresOrders(connection), PostgresTransfers(connection)
    match step:
        case Bought():
            order = world.order(market=step.fields["market"])
            await orders.add(order)
            fill = world.fill(order, **step.fields)
            assert await orders.add_fill(fill)
            assert not (step.again and await orders.add_fill(replace(fill, id=new_id())))
        case Paid():
            paid = a_transfer(world, step.currency, step.amount)
            assert await transfers.add(paid)
            assert not await transfers.add(replace(paid, id=new_id()))
            if step.later is not None:
                await transfers.update(replace(paid, amount=step.later))
        case Corrected():
            await connection.execute("DELETE FROM balances WHERE account_id = $1", world.account.id)
            await connection.execute("INSERT INTO balances VALUES ($1, 'BTC', $2, $2)", world.account.id, step.amount)
            await transfers.correct_opening(world.account.id, await transfers.unexplained(world.account.id))
            assert await transfers.unexplained(world.account.id) == {}


def a_transfer(world: World, currency: str, amount: Decimal) -> AccountTransfer:
    id_, kind = new_id(), TransferKind.DEPOSIT
    return AccountTransfer(id_, world.user.id, world.account.id, kind, currency, amount, NOW, str(id_))


async def all_added_up(connection: Connection, world: World) -> dict[str, Decimal]:
    """Return what each fill and each transfer of the account comes to, by currency."""
    fills = await PostgresOrders(connection).list_all_fills(world.user.id, OrderFilter(account_id=world.account.id))
    total: dict[str, Decimal] = {}
    for transfer in await PostgresTransfers(connection).list_all(world.account.id):
        total[transfer.currency] = EXACT.add(total.get(transfer.currency, ZERO), transfer.amount)
    return {currency: amount for currency, amount in replay(total, fills, MARKETS).items() if amount}


async def kept(connection: Connection, world: World) -> dict[str, Decimal]:
    rows = await connection.fetch(
        "SELECT currency, amount FROM ledger_totals WHERE account_id = $1 AND amount <> 0", world.account.id
    )
    return {row["currency"]: row["amount"] for row in rows}


@given(steps=steps)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_totals_are_what_adding_everything_up_gives(
    connection: Connection, world: World, stranger: World, steps: Sequence[Bought | Paid | Corrected]
) -> None:
    for step in steps:
        await carry_out(connection, world, step)
        assert await kept(connection, world) == await all_added_up(connection, world)
    assert await kept(connection, stranger) == {}


async def test_rows_that_are_changed_or_taken_away_by_hand_are_followed_too(
    connection: Connection, world: World
) -> None:
    order = world.order()
    await PostgresOrders(connection).add(order)
    for _ in range(3):
        await PostgresOrders(connection).add_fill(world.fill(order))
    await PostgresTransfers(connection).add(a_transfer(world, "USDT", Decimal(7)))
    await connection.execute("UPDATE fills SET price = price / 7, fee_currency = 'BNB', side = 'SELL'")
    assert await kept(connection, world) == await all_added_up(connection, world)
    await connection.execute("DELETE FROM fills")
    assert await kept(connection, world) == {"USDT": 7}
    await connection.execute("DELETE FROM account_transfers")
    assert await kept(connection, world) == {}


async def test_what_is_rolled_back_is_in_no_total(database: PostgresDatabase, pool: Pool) -> None:
    async with pool.acquire() as driver:
        connection = Connection(driver)
        world = await stored_world(connection)
        order = world.order()

        async def end_in_between() -> None:
            async with database.transaction() as transaction:
                await transaction.orders.add(order)
                await transaction.orders.add_fill(world.fill(order))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await end_in_between()
        assert await kept(connection, world) == {}


async def test_writers_at_once_lose_nothing_of_each_other(database: PostgresDatabase, pool: Pool) -> None:
    async with pool.acquire() as driver:
        connection = Connection(driver)
        world = await stored_world(connection)

        async def trade() -> None:
            for fee_currency in ("BNB", "USDT", "BTC", "ETH"):
                async with database.transaction() as transaction:
                    order = world.order()
                    await transaction.orders.add(order)
                    await transaction.orders.add_fill(world.fill(order, fee_currency=fee_currency))

        async def pay() -> None:
            for currency in CURRENCIES * 2:
                async with database.transaction() as transaction:
                    await transaction.transfers.add(a_transfer(world, currency, Decimal("0.1")))

        await asyncio.gather(trade(), pay(), trade(), pay())
        assert await kept(connection, world) == await all_added_up(connection, world)


@pytest.mark.parametrize("fills", [1, 300])
async def test_a_look_reads_a_row_a_currency_however_many_fills_there_are(
    connection: Connection, world: World, stranger: World, fills: int
) -> None:
    for somebody in (world, stranger):
        order = somebody.order()
        await PostgresOrders(connection).add(order)
        await connection.execute(
            "INSERT INTO fills SELECT gen_random_uuid(), $1, $2, $3, 'sandbox:BTC/USDT', 'BUY', n::text, now(), 100, 1,"
            " 0.1, 'BNB', false FROM generate_series(1, $4) n",
            order.id, somebody.user.id, somebody.account.id, fills,
        )  # fmt: skip
    await connection.execute("INSERT INTO balances VALUES ($1, 'BTC', 1, 1)", world.account.id)
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {UNEXPLAINED}", world.account.id)

    def scans(node: dict) -> list[tuple[str, int]]:
        own = [(node["Relation Name"], node["Actual Rows"])] if "Relation Name" in node else []
        return own + [scan for below in node.get("Plans", []) for scan in scans(below)]

    assert sorted(scans(json.loads(explained)[0]["Plan"])) == [("balances", 1), ("ledger_totals", 3)]


async def test_what_was_stored_before_there_were_totals_is_in_them(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for table in ("account_transfers", "fills"):  # back to before, but for the columns that have come since
        await connection.execute(f"DROP FUNCTION keep_totals_of_{table} CASCADE")
    await connection.execute("DROP TABLE ledger_totals")
    for step in (
        Paid("USDT", Decimal("1000.1"), None),
        Bought({"market": ETH_BTC, "fee": Decimal("0.3"), "fee_currency": "BNB"}, again=False),
        Bought({"market": BTC, "side": OrderSide.SELL}, again=True),
    ):
        await carry_out(connection, world, step)
    migration, statements = import_module("infra.postgres.migrations.versions.0013_ledger_totals"), list[str]()
    monkeypatch.setattr(migration, "op", SimpleNamespace(execute=statements.append))
    migration.upgrade()
    for statement in statements:
        await connection.execute(statement)
    totals = await kept(connection, world)
    assert set(totals) == set(CURRENCIES)
    assert totals == await all_added_up(connection, world)
