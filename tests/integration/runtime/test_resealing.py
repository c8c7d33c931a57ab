from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.model.trading import AccountKind, VenueCredentials
from domain.ports.accounts import KeyInUse
from domain.ports.unit_of_work import Database
from infra.postgres.pool import Pool
from infra.security import AesVault, hash_keys, reseal_credentials
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


async def test_keys_from_before_they_were_hashed_are_hashed_and_one_that_two_accounts_share_is_named(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    user, vault = new_user(), AesVault(OLD)
    live = replace(new_account(user.id), kind=AccountKind.LIVE)
    first, second, third = (
        replace(live, id=UUID(int=number), name=str(number), created_at=datetime(2026, 1, number, tzinfo=UTC))
        for number in (1, 2, 3)
    )
    lost = replace(live, id=UUID(int=4), name="4")
    other = VenueCredentials("other", "secret")
    async with database.transaction() as transaction:
        await transaction.users.add(user, "argon2id")
        for account, credentials in ((first, CREDENTIALS), (second, CREDENTIALS), (third, other)):
            await transaction.accounts.add(account, vault.seal(credentials, account.id))
        await transaction.accounts.add(lost, AesVault(LOST).seal(CREDENTIALS, lost.id))
    for key in (OLD, NEW):
        # With a new key of the engine all hashes change.
        assert await hash_keys(database, AesVault(key, [OLD])) == 1
        assert f"account {second.id} has the same API key as another one" in caplog.text
        for taken in (CREDENTIALS, other):
            new = replace(live, id=UUID(int=9), name="new")
            with pytest.raises(KeyInUse):
                async with database.transaction() as transaction:
                    await transaction.accounts.add(new, b"sealed", AesVault(key).key_hash(taken))
    assert AesVault(OLD).key_hash(CREDENTIALS) != AesVault(NEW).key_hash(CREDENTIALS)
    assert "secret" not in caplog.text
