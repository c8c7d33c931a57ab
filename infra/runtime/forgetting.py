"""Deletes what nobody needs any more: ended credentials and old idempotency keys."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from domain.clock import Clock
from domain.errors import Unavailable
from domain.storage import Storage

log = logging.getLogger(__name__)

CREDENTIALS_KEPT: Final = timedelta(days=30)
"""How long a login session or an API key is kept after its end."""

IDEMPOTENCY_KEYS_KEPT: Final = timedelta(days=30)
"""How long a mutation with the same key is answered as before."""

ROWS_AT_ONCE: Final = 1_000
HOUR_SECONDS: Final = 3_600.0
RETRY_SECONDS: Final = 60.0


async def keep_forgetting(storage: Storage, clock: Clock) -> None:
    """Forget once an hour; every worker may, since what is gone already is no mistake."""
    while True:
        try:
            await forget(storage, clock)
        except Unavailable as error:
            log.warning("old rows could not be deleted: %s", error.message)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        await asyncio.sleep(HOUR_SECONDS)


async def forget(storage: Storage, clock: Clock) -> tuple[int, int]:
    """Delete, a few at a time, what is over its time; return how many credentials and idempotency keys that were."""
    now, credentials, keys = clock.now(), 0, 0
    while True:
        async with storage.transaction() as transaction:
            ended = await transaction.users.forget_credentials(now - CREDENTIALS_KEPT, ROWS_AT_ONCE)
            used = await transaction.idempotency.forget(now - IDEMPOTENCY_KEYS_KEPT, ROWS_AT_ONCE)
        credentials, keys = credentials + ended, keys + used
        if not ended and not used:
            break
    if credentials or keys:
        log.info("deleted %d ended credentials and %d old idempotency keys", credentials, keys)
    return credentials, keys
