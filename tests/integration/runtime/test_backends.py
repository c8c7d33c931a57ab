"""What every part stands on, opened on a real database."""

import pytest
from pydantic import SecretStr

from domain.ports.leases import Lease, StaleLease
from domain.ports.unit_of_work import Database
from infra.runtime.backends import open_backends
from infra.settings import Settings


async def acquire(database: Database, holder: str) -> Lease | None:
    """Acquire the lease of an account for longer than a start takes."""
    async with database.transaction() as transaction:
        return await transaction.leases.acquire("account", "a1", holder, 600)


async def test_the_leases_of_a_killed_engine_are_free_at_once_for_the_next_one_on_its_data_directory(
    database_dsn: str,
) -> None:
    settings = Settings()
    async with open_backends(settings, database_dsn) as base:
        killed = await acquire(base.database, "the killed engine")
    assert killed is not None
    async with open_backends(settings, database_dsn) as base:
        taken = await acquire(base.database, "the restarted engine")
        assert taken is not None
        assert taken.epoch == killed.epoch + 1
        with pytest.raises(StaleLease):
            async with base.database.transaction() as transaction:
                await transaction.leases.check(killed)


async def test_the_leases_in_a_shared_database_stay_with_their_holders(database_dsn: str) -> None:
    settings = Settings(database_url=SecretStr(database_dsn))
    async with open_backends(settings, database_dsn) as base:
        assert await acquire(base.database, "another node") is not None
    async with open_backends(settings, database_dsn) as base:
        assert await acquire(base.database, "this node") is None
