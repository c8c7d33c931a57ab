"""Keeps the partitions of the coming months in the database, so that what happens then can be stored."""

import logging
from functools import partial
from typing import Final, NoReturn

from domain.core.repeating import repeat
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 6 * 3_600.0
RETRY_SECONDS: Final = 30.0
MONTHS_AHEAD: Final = 2


async def keep_partitions_ahead(database: Database) -> NoReturn:
    """Create partitions ahead of time. Every worker may: nothing happens to those that exist."""
    work = partial(create_partitions, database)
    await repeat(work, "partitions could not be created", EVERY_SECONDS, retry_seconds=RETRY_SECONDS)


async def create_partitions(database: Database) -> None:
    """Create the partitions of this month and of the next ones that don't exist. Raises `Unavailable`."""
    async with database.transaction() as transaction:
        created = await transaction.market_data.ensure_partitions(MONTHS_AHEAD)
    for partition in created:
        log.info("created the partition %s", partition)
