from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.model.trading import VenueCredentials
from domain.ports.unit_of_work import Database
from infra.postgres.pool import Pool
from infra.security import AesVault, reseal_credentials
from tests.support.trading import new_account, new_user

OLD, NEW, LOST = b"o" * 32, b"n" * 32, b"l" * 32
CREDENTIALS = VenueCredentials("key", "secret")


async def test_a_new_key_seals_again_what_an_earlier_one_sealed_and_leaves_the_rest(
    database: Database, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    user = new_user()
    accounts = [replace(new_account(user.id), name=name, created_at=datetime.now(UTC)) for name in ("a", "b", "c")]
    async with database.transaction() as transaction:
        await transaction.users.add(user, "argon2id")
        for account, key in zip(accounts, (OLD, NEW, LOST), strict=True):
            await transaction.accounts.add(account, AesVault(key).seal(CREDENTIALS, account.id))

    async def sealed() -> dict[UUID, bytes]:
        async with database.read_only() as reading:
            return await reading.accounts.all_credentials()

    before = await sealed()
    assert await reseal_credentials(database, AesVault(NEW, [OLD])) == 1
    after = await sealed()
    for account in accounts[:2]:
        assert AesVault(NEW).unseal(after[account.id], account.id) == CREDENTIALS
    assert [before[account.id] == after[account.id] for account in accounts] == [False, True, True]
    assert str(accounts[2].id) in caplog.text
    assert await reseal_credentials(database, AesVault(NEW, [OLD])) == 0


async def test_credentials_that_were_replaced_meanwhile_stay(database: Database) -> None:
    user = new_user()
    account = new_account(user.id)
    async with database.transaction() as transaction:
        await transaction.users.add(user, "argon2id")
        await transaction.accounts.add(account, b"replaced")
        assert not await transaction.accounts.replace_credentials(account.id, b"old", b"new")
        assert await transaction.accounts.credentials(account.id) == b"replaced"
