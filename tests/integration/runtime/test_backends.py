"""What every part stands on, opened on a real database."""

import pytest
from pydantic import SecretStr

from domain.events.leases import acquire_lease
from domain.ports.leases import StaleLease
from infra.runtime.backends import open_backends
from infra.settings import Settings


async def test_the_leases_of_a_killed_engine_are_free_at_once_for_the_next_one_on_its_data_directory(
    database_dsn: str,
) -> None:
    settings = Settings()
    async with open_backends(settings, database_dsn) as base:
        killed = await acquire_lease(base.database, base.clock, "account", "a1", "the killed engine")
    assert killed is not None
    assert killed.current is not None
    async with open_backends(settings, database_dsn) as base:
        taken = await acquire_lease(base.database, base.clock, "account", "a1", "the restarted engine")
        assert taken is not None
        assert taken.current is not None
        assert taken.current.epoch == killed.current.epoch + 1
        with pytest.raises(StaleLease):
            async with base.database.transaction() as transaction:
                await transaction.leases.check(killed.current)


async def test_the_leases_in_a_shared_database_stay_with_their_holders(database_dsn: str) -> None:
    settings = Settings(database_url=SecretStr(database_dsn))
    async with open_backends(settings, database_dsn) as base:
        assert await acquire_lease(base.database, base.clock, "account", "a1", "another node") is not None
    async with open_backends(settings, database_dsn) as base:
        assert await acquire_lease(base.database, base.clock, "account", "a1", "this node") is None
