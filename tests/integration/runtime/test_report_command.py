"""`r3edge report` writes files, and says what is wrong with what it was given."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from pydantic import SecretStr

from infra.cli.arguments import BadArgument
from infra.cli.report_files import Subject, write_report
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings
from resolvers.ids import encode_id
from tests.support.fill_ledgers import BUY, MARKETS, SELL
from tests.support.reporting import START, hour, set_account_opening, set_balances, store_fills
from tests.support.trading import World, stored_world


@pytest.fixture
async def world(database: PostgresDatabase, pool: Pool) -> World:
    async with pool.acquire() as driver:
        world = await stored_world(Connection(driver))
    async with database.transaction() as transaction:
        await transaction.market_data.save_markets(list(MARKETS.values()))
    await set_account_opening(pool, world, START)
    await store_fills(database, world, (hour(1), BUY, 1, 100), (hour(2), SELL, 1, 130))
    await set_balances(database, world, USDT=1_030)
    return world


@pytest.fixture
def settings(world: World, database_dsn: str) -> Settings:
    return Settings(database_url=SecretStr(database_dsn))


async def test_the_files_of_a_report_are_written(settings: Settings, world: World, tmp_path: Path) -> None:
    subject = Subject(user=str(world.user.email), account=world.account.name, end=START + timedelta(days=1))
    written = await write_report(settings, subject, tmp_path / "new" / "folder")
    assert [path.name for path in written.paths] == ["csv.zip", "report.html", "parquet.zip"]
    page = (tmp_path / "new" / "folder" / "report.html").read_text()
    assert f"<h1>Account {world.account.name}</h1>" in page
    with ZipFile(written.paths[0]) as tables:
        assert tables.read("fills.csv").count(b"\n") == 3
    again = await write_report(settings, Subject(user=str(world.user.email)), tmp_path / "new" / "folder")
    assert "<h1>All accounts</h1>" in again.paths[1].read_text()


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (Subject(account="a", strategy="b"), "--account and --strategy: a report is about one of them"),
        (Subject(benchmark="BTC"), "--benchmark is 'BTC'; write a market as sandbox:BTC/USDT"),
        (Subject(benchmark="nowhere:BTC/USDT"), "There is no market nowhere:BTC/USDT"),
        (Subject(session="x"), "--session is 'x', which is no id of the API's type TradingSession"),
        (Subject(session=encode_id("TradingSession", "7d1f0a5e-0000-4000-8000-000000000000")), "nothing like that"),
        (Subject(account="nobody's"), "there is no account"),
        (Subject(strategy="none"), "the user has no strategy 'none'"),
        (Subject(start=START + timedelta(days=9_000)), "The period is empty"),
    ],
)
async def test_what_cannot_be_reported_on_is_said(
    settings: Settings, world: World, tmp_path: Path, subject: Subject, message: str
) -> None:
    with pytest.raises(BadArgument, match=message):
        await write_report(settings, replace(subject, user=str(world.user.email)), tmp_path)


async def test_a_folder_that_cannot_be_written_is_said(settings: Settings, world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadArgument, match="can't be written"):
        await write_report(settings, Subject(user=str(world.user.email)), tmp_path / "file")
