"""`r3edge account transfers` and `portfolio`: what came in and went out, and what all accounts hold."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from domain.accounts.transfer_entries import TransferEntry
from domain.core.errors import InputError
from domain.model.trading import AccountTransfer, Balance, TransferKind
from infra.cli.account_reads import AccountReads
from infra.cli.arguments import BadArgument
from infra.cli.main import app
from infra.cli.transfer_actions import TransferCommands
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.settings import Settings
from infra.settings_loading import load_settings
from resolvers.ids import encode_id
from tests.support.trading import NOW, World, new_id, stored_world

D = Decimal
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_dsn: str) -> Settings:
    for name, value in {"DATA_DIR": str(tmp_path), "DATABASE_URL": database_dsn}.items():
        monkeypatch.setenv(f"R3EDGE_{name}", value)
    return load_settings()


@pytest.fixture
async def world(database: PostgresDatabase, pool: Pool) -> World:
    async with pool.acquire() as driver:
        world = await stored_world(Connection(driver))
    adjustment = AccountTransfer(
        new_id(), world.user.id, world.account.id, TransferKind.ADJUSTMENT, "USDT", D(500), LATER, "adjustment:USDT:1"
    )
    async with database.transaction() as transaction:
        await transaction.transfers.add(adjustment)
    return world


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_part_of_an_adjustment_is_recorded_once_and_listed(settings: Settings, world: World) -> None:
    commands = TransferCommands(settings, world.user.email)
    entry = TransferEntry(TransferKind.DEPOSIT, "USDT", D(200), NOW + timedelta(minutes=1), "from my bank")
    made = await commands.record("paper", entry, "bank-1")
    assert await commands.record("paper", entry, "bank-1") == made
    found = lines(await commands.list_all("paper"))
    assert [(line["kind"], line["amount"], line["currency"], line["note"]) for line in found] == [
        ("DEPOSIT", "200", "USDT", "from my bank"), ("ADJUSTMENT", "300", "USDT", ""),
    ]  # fmt: skip
    with pytest.raises(InputError):
        await commands.record("paper", TransferEntry(TransferKind.DEPOSIT, "USDT", D(301), LATER), None)
    with pytest.raises(BadArgument, match="there is no account 'other'"):
        await commands.list_all("other")


async def test_another_user_s_account_is_not_found_by_its_id(settings: Settings, world: World, pool: Pool) -> None:
    async with pool.acquire() as driver:
        stranger = await stored_world(Connection(driver))
    commands = TransferCommands(settings, stranger.user.email)
    with pytest.raises(BadArgument, match="there is no account"):
        await commands.list_all(encode_id("Account", world.account.id))


async def test_the_portfolio_has_currencies_accounts_and_the_total(
    settings: Settings, world: World, database: PostgresDatabase
) -> None:
    async with database.transaction() as transaction:
        balances = [Balance(name, D(total), D(0), LATER) for name, total in (("USDT", "750.5"), ("AIRDROP", "12"))]
        await transaction.accounts.replace_balances(world.account.id, balances)
    found = lines(await AccountReads(settings, None).portfolio(None))
    assert [
        (line["group"], line["name"], line["worth"], line["share_percent"], line["unpriced"]) for line in found
    ] == [
        ("asset", "USDT", "750.5", "100", ""),
        ("asset", "AIRDROP", "", "", "12"),
        ("account", "paper", "750.5", "100", "12 AIRDROP"),
        ("total", "", "750.5", "", "12 AIRDROP"),
    ]


@pytest.mark.parametrize("words", ["gift 5 USDT --at 2026-01-01", "deposit 5 USDT"])
def test_what_no_entry_can_be_is_refused(words: str) -> None:
    arguments = ["account", "transfers", "record", "paper", *words.split()]
    assert CliRunner().invoke(app, arguments).exit_code == 2
