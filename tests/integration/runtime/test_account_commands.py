"""`r3edge account`: equity, profit and taxes as CSV, of one's own accounts."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.model.equity import EquityInterval, StoredEquity
from domain.model.profit import ProfitGrouping, ProfitPeriod
from domain.model.tax import DepositCost
from infra.cli.account_reads import AccountReads
from infra.cli.accounts import _period, _write
from infra.cli.arguments import BadArgument
from infra.cli.main import app
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings
from infra.settings_loading import load_settings
from resolvers.ids import encode_id
from tests.support.trading import NOW, World, stored_world

D = Decimal


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> Settings:
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)
    return load_settings()


@pytest.fixture
async def world(database: PostgresDatabase, pool: Pool) -> World:
    async with pool.acquire() as driver:
        world = await stored_world(Connection(driver))
    order = world.order()
    async with database.transaction() as transaction:
        await transaction.orders.add(order)
        await transaction.orders.add_fill(world.fill(order, fee_currency="USDT", fee=D(1)))
        await transaction.positions.save(world.position(closed_at=NOW, realized_profit=D("-12.5"), fees=D(2)))
        for minutes in (1, 200):
            point = (world.account.id, world.account.id, NOW + timedelta(minutes=minutes), D(990), D(1000), D(0))
            await transaction.equity.save(StoredEquity(*point, growth=0.99), {})
    return world


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_equity_has_a_line_for_each_interval_and_each_gap(settings: Settings, world: World) -> None:
    times = (NOW.replace(minute=0), NOW + timedelta(hours=4))
    found = lines(await AccountReads(settings, None).equity("paper", EquityInterval.HOUR, *times))
    assert [(line["time"][11:16], line["equity"], line["profit"], line["return_percent"]) for line in found] == [
        ("12:00", "990", "-10", "-1"), ("13:00", "", "", ""), ("15:00", "990", "-10", "-1"), ("16:00", "", "", ""),
    ]  # fmt: skip


async def test_profit_has_a_line_for_each_group_and_the_total(settings: Settings, world: World) -> None:
    reads, period = AccountReads(settings, world.user.email), (NOW - timedelta(days=3), NOW + timedelta(days=1))
    found = lines(await reads.profit(None, None, ProfitPeriod.DAY, ProfitGrouping.MARKET, *period))
    assert [(line["group"], line["profit"], line["losses"]) for line in found] == [
        ("sandbox:BTC/USDT", "-12.5", "1"), ("total", "-12.5", "1"),
    ]  # fmt: skip
    account = encode_id("Account", world.account.id)
    assert lines(await reads.profit(account, "usdt", None, None, None, None))[0]["group"] == "total"


async def test_taxes_are_written_to_a_file_that_is_whole_or_as_before(
    settings: Settings, world: World, tmp_path: Path
) -> None:
    reads, file = AccountReads(settings, None), tmp_path / "taxes.csv"
    await _write(reads.taxes("paper", None, None, None, DepositCost.UNKNOWN), file)
    (bought,) = lines(file.read_text())
    assert (bought["event"], bought["asset"], bought["value"]) == ("BUY", "BTC", "6001.01")
    before = file.read_bytes()
    with pytest.raises(BadArgument, match="--currency"):
        await _write(reads.taxes("paper", "no currency", None, None, DepositCost.UNKNOWN), file)
    assert file.read_bytes() == before
    assert not (tmp_path / "taxes.csv.part").exists()
    with pytest.raises(BadArgument, match="No such file"):
        await _write(reads.taxes("paper", None, None, None, DepositCost.UNKNOWN), tmp_path / "none" / "taxes.csv")


async def test_bad_arguments_say_what_would_be_right(settings: Settings, world: World) -> None:
    reads = AccountReads(settings, None)
    times = (datetime(2020, 1, 1, tzinfo=UTC), None)
    with pytest.raises(BadArgument, match=r"no account 'papre' \(did you mean paper"):
        await reads.equity("papre", EquityInterval.DAY, None, None)
    with pytest.raises(BadArgument, match="at most 1,000"):
        await reads.equity("paper", EquityInterval.MINUTE, *times)
    with pytest.raises(BadArgument, match="nobody is registered"):
        await AccountReads(settings, "nobody@example.com").profit(None, None, None, None, None, None)


def test_a_time_that_ends_before_it_begins_and_an_unknown_interval_are_refused() -> None:
    with pytest.raises(BadArgument, match="before --to"):
        _period("2026-02-01", "2026-01-01")
    assert CliRunner().invoke(app, ["account", "equity", "paper", "--interval", "year"]).exit_code == 2
