"""Deletes expired rows: ended credentials, idempotency keys, alerts, points of equity, research, messages, files."""

import logging
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple, NoReturn

from domain.core.clock import Clock
from domain.core.repeating import repeat
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

CREDENTIALS_KEPT: Final = timedelta(days=30)
"""How long a login session or an API key is kept after its end."""

IDEMPOTENCY_KEYS_KEPT: Final = timedelta(days=30)
"""How long a mutation with the same key is answered as before."""

ALERTS_KEPT: Final = timedelta(days=400)
"""How long an alert isn't repeated after its cause was last seen."""

EQUITY_POINTS_KEPT: Final = timedelta(days=7)
"""How long all points of equity are kept; after that the last of each hour."""

HOURLY_EQUITY_KEPT: Final = timedelta(days=400)
"""How long the last point of each hour is kept; after that the last of each day, for good."""

RECOMMENDATIONS_KEPT: Final = timedelta(days=30)
"""How long the results of a strategy on a market are kept that nobody has had computed again."""

BACKTESTS_KEPT: Final = 1_000
"""How many backtests of a user are kept with their results: the newest ones."""

OPTIMIZATIONS_KEPT: Final = 100
"""How many optimizations of a user are kept with their trials: the newest ones."""

MAILS_KEPT: Final = timedelta(days=30)
"""How long it is kept that a mail was sent or given up, and what became of an invitation."""

REPORT_FILES_KEPT: Final = timedelta(days=90)
"""How long the files of a report are kept; its figures stay."""

DELIVERIES_KEPT: Final = timedelta(days=30)
"""How long the log of deliveries of notification channels is kept."""

ROWS_AT_ONCE: Final = 1_000
HOUR_SECONDS: Final = 3_600.0
RETRY_SECONDS: Final = 60.0


class Purged(NamedTuple):
    """How many rows were deleted of each kind."""

    credentials: int
    idempotency_keys: int
    alerts: int
    equity_points: int
    backtests: int
    recommendations: int
    optimizations: int
    mails: int
    data_exports: int
    report_files: int
    deliveries: int


async def purge_expired_hourly(database: Database, clock: Clock) -> NoReturn:
    """Delete expired rows once an hour. Every worker may: rows that another one has deleted are no error."""
    work = partial(purge_expired, database, clock)
    await repeat(work, "old rows could not be deleted", HOUR_SECONDS, retry_seconds=RETRY_SECONDS)


async def purge_expired(database: Database, clock: Clock) -> Purged:
    """Delete expired rows in batches; return how many."""
    now, purged = clock.now(), Purged(*[0] * len(Purged._fields))
    while True:
        async with database.transaction() as transaction:
            deleted = Purged(
                await transaction.users.delete_ended_credentials(now - CREDENTIALS_KEPT, ROWS_AT_ONCE),
                await transaction.idempotency.delete_before(now - IDEMPOTENCY_KEYS_KEPT, ROWS_AT_ONCE),
                await transaction.accounts.delete_expired_alerts(ALERTS_KEPT, now, ROWS_AT_ONCE),
                await transaction.equity.delete_old(now - EQUITY_POINTS_KEPT, now - HOURLY_EQUITY_KEPT, ROWS_AT_ONCE),
                await transaction.backtests.delete_old(BACKTESTS_KEPT, ROWS_AT_ONCE),
                await transaction.recommendations.delete_before(now - RECOMMENDATIONS_KEPT, ROWS_AT_ONCE),
                await transaction.optimizations.delete_old(OPTIMIZATIONS_KEPT, ROWS_AT_ONCE),
                await transaction.mails.delete_ended(now - MAILS_KEPT, ROWS_AT_ONCE)
                + await transaction.email_codes.delete_expired(now, ROWS_AT_ONCE)
                + await transaction.oidc.delete_expired(now, ROWS_AT_ONCE)
                + await transaction.invitations.delete_ended(now - MAILS_KEPT, ROWS_AT_ONCE),
                await transaction.data_exports.delete_expired(now, ROWS_AT_ONCE),
                await transaction.report_files.delete_before(now - REPORT_FILES_KEPT, ROWS_AT_ONCE),
                await transaction.channels.delete_deliveries(now - DELIVERIES_KEPT, ROWS_AT_ONCE),
            )
        if not any(deleted):
            break
        purged = Purged(*map(sum, zip(purged, deleted, strict=True)))
    if any(purged):
        message = (
            "deleted %d ended credentials, %d old idempotency keys, %d old alerts' marks, %d points of equity, "
            "%d old backtests, %d old results of recommendations, %d old optimizations, %d old mails, codes, "
            "invitations and sign-ins at providers, %d exports, files of %d reports, %d old deliveries"
        )
        log.info(message, *purged)
    return purged
