"""All that is stored about a user, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from infra.postgres.archive.events.archived_events import ArchivedEvents
from infra.postgres.archive.events.parts import SELECT_EVENTS, event_columns
from infra.postgres.archive.tables import USER_EVENTS
from infra.postgres.connection import Connection
from infra.postgres.repositories.base import Repository

# An email that nobody can register: its host has no dot.
ERASE_USER: Final = """
UPDATE users SET email = 'erased-' || id || '@invalid', display_name = NULL, password_hash = '', role = 'USER',
    email_verified_at = NULL, time_zone = 'UTC', locale = 'en', report_currency = NULL, notify_sign_in = false,
    disabled_at = NULL, erased_at = $2
WHERE id = $1
"""

CREDENTIALS: Final = (
    "SELECT id FROM login_sessions WHERE user_id = $1 UNION ALL SELECT id FROM api_keys WHERE user_id = $1"
)

ERASE: Final = (
    # Resets name no user: those to an earlier email are found by other mails to it. Nobody else's are touched.
    """DELETE FROM mails WHERE user_id = $1 OR user_id IS NULL AND recipient IN (
        SELECT email FROM users WHERE id = $1 UNION ALL SELECT recipient FROM mails AS other WHERE other.user_id = $1)
        AND NOT EXISTS (SELECT FROM users WHERE email = mails.recipient AND id <> $1)""",
    "DELETE FROM email_codes WHERE user_id = $1",
    "DELETE FROM invitations WHERE user_id = $1 OR email = (SELECT email FROM users WHERE id = $1)",
    """UPDATE invitations SET withdrawn_at = now()
        WHERE invited_by = $1 AND accepted_at IS NULL AND withdrawn_at IS NULL""",
    "DELETE FROM recovery_codes WHERE user_id = $1",
    "DELETE FROM two_factors WHERE user_id = $1",
    "DELETE FROM linked_identities WHERE user_id = $1",
    "DELETE FROM login_sessions WHERE user_id = $1",
    "DELETE FROM api_keys WHERE user_id = $1",
    "DELETE FROM alert_rules WHERE user_id = $1",
    "DELETE FROM report_schedules WHERE user_id = $1",
    "DELETE FROM notification_channels WHERE user_id = $1",
    "DELETE FROM idempotency WHERE user_id = $1",
    "DELETE FROM backtest_drifts WHERE user_id = $1",
    "DELETE FROM recommendation_runs WHERE user_id = $1",
    "DELETE FROM optimization_trials WHERE optimization_id IN (SELECT id FROM optimizations WHERE user_id = $1)",
    "DELETE FROM optimizations WHERE user_id = $1",
    "DELETE FROM backtests WHERE user_id = $1",
    "DELETE FROM reports WHERE user_id = $1",
    "DELETE FROM data_exports WHERE user_id = $1",
    "DELETE FROM jobs WHERE user_id = $1",
    "DELETE FROM plan_changes WHERE user_id = $1",
    "DELETE FROM plan_uses WHERE user_id = $1",
    "DELETE FROM subscription_places WHERE user_id = $1",
    "DELETE FROM user_events WHERE user_id = $1 AND order_id IS NULL",
    """UPDATE activities SET detail = NULL, reason = NULL WHERE (detail IS NOT NULL OR reason IS NOT NULL) AND (
        user_id = $1 OR subject_id IN (SELECT $1::text UNION ALL SELECT id::text FROM accounts WHERE user_id = $1
            UNION ALL SELECT id::text FROM trading_sessions WHERE user_id = $1))""",
    """UPDATE signals SET reason = 'webhook' || substr(reason, 9 + length(name)) FROM signal_webhooks
        WHERE signals.user_id = $1 AND signal_webhooks.user_id = $1 AND starts_with(reason, 'webhook ' || name)
        AND (length(reason) = 8 + length(name) OR starts_with(reason, 'webhook ' || name || ' — '))""",
    """UPDATE signal_webhooks SET name = '', last_error = NULL, revoked_at = coalesce(revoked_at, now())
        WHERE user_id = $1""",
    "UPDATE accounts SET name = '', sealed_credentials = '', key_hash = NULL WHERE user_id = $1",
    """DELETE FROM strategy_versions WHERE user_id = $1 AND strategy_id NOT IN (
        SELECT strategy_id FROM strategy_versions JOIN trading_sessions ON strategy_version_id = strategy_versions.id
        WHERE trading_sessions.user_id = $1)""",
    """DELETE FROM strategies WHERE user_id = $1
        AND NOT EXISTS (SELECT FROM strategy_versions WHERE strategy_id = strategies.id)""",
    "UPDATE account_transfers SET note = NULL WHERE user_id = $1 AND note IS NOT NULL",
    "UPDATE positions SET tag = NULL WHERE user_id = $1 AND tag IS NOT NULL",
    """UPDATE strategies SET name = '', description = NULL, archived_at = coalesce(archived_at, now())
        WHERE user_id = $1""",
    """UPDATE halts SET reason = NULL WHERE reason IS NOT NULL AND subject_id IN (
        SELECT $1 UNION ALL SELECT id FROM accounts WHERE user_id = $1
        UNION ALL SELECT id FROM trading_sessions WHERE user_id = $1)""",
)
"""In an order that foreign keys allow; what refers to a user and isn't here is a record of trading."""

_OF_USER: Final = "user_id = $1"
_OF_ACCOUNTS: Final = "account_id IN (SELECT id FROM accounts WHERE user_id = $1)"
EXPORTED: Final = {
    "users": "id = $1",
    **dict.fromkeys(
        (
            "account_transfers", "accounts", "activities", "alert_rules", "api_keys", "backtest_drifts", "backtests",
            "channel_deliveries", "fills", "idempotency", "invitations", "jobs", "linked_identities",
            "login_sessions", "mails", "notification_channels", "optimizations", "orders", "plan_changes",
            "plan_uses", "position_intents", "position_protections", "positions", "recommendation_runs",
            "report_schedules", "reports",
            "signal_webhooks", "signals", "strategies", "strategy_versions", "trading_sessions", "user_events",
        ),
        _OF_USER,
    ),
    **dict.fromkeys(
        ("account_alerts", "balances", "equity_points", "ledger_totals", "restored_accounts"), _OF_ACCOUNTS
    ),
    "optimization_trials": "optimization_id IN (SELECT id FROM optimizations WHERE user_id = $1)",
    "trading_session_candles": "trading_session_id IN (SELECT id FROM trading_sessions WHERE user_id = $1)",
    "halts": """subject_id IN (SELECT $1 UNION ALL SELECT id FROM accounts WHERE user_id = $1
        UNION ALL SELECT id FROM trading_sessions WHERE user_id = $1)""",
}  # fmt: skip
"""The tables that have data of users, and which of their rows are a user's."""

NOT_EXPORTED: Final = {
    "archived_event_parts": "which files of the archive have which rows of user_events",
    "data_export_pieces": "archives of such data",
    "data_exports": "archives of such data",
    "email_codes": "hashes of secrets",
    "lost_event_parts": "which rows of user_events were in files of the archive that are lost",
    "recovery_codes": "hashes of secrets",
    "report_file_pieces": "files made of the user's reports",
    "report_files": "files made of the user's reports",
    "subscription_places": "how many subscriptions are open on each node at this minute",
    "two_factors": "a sealed secret",
    "user_event_heads": "the number of the last row of user_events",
}
"""The other tables that have a user's rows, and what is in them."""

_SECRETS: Final = {("users", "password_hash")}
"""Columns that are left out, besides all of type bytea, which hold sealed secrets and hashes."""

COLUMNS: Final = """
SELECT attname AS name, attname = ANY(
    SELECT a.attname FROM pg_index JOIN pg_attribute a ON a.attrelid = indrelid AND a.attnum = ANY(indkey)
    WHERE indisprimary AND indrelid = $1::text::regclass
) AS is_key, format_type(atttypid, NULL) AS type
FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""


# Archived events as `row_to_json` shows stored ones.
_AS_STORED: Final = f"SELECT row_to_json(t)::text FROM ({SELECT_EVENTS}) t ORDER BY sequence"


class PostgresPersonalData(Repository):
    """See `domain.ports.personal_data.PersonalData`."""

    def __init__(self, connection: Connection, archive: ArchivedEvents | None = None) -> None:
        super().__init__(connection)
        self._archive = archive or ArchivedEvents()

    async def erase(self, user_id: UUID, at: datetime) -> list[UUID]:
        ended = [row["id"] for row in await self._connection.fetch(CREDENTIALS, user_id)]
        for statement in ERASE:
            await self._connection.execute(statement, user_id)
        await self._connection.execute(ERASE_USER, user_id, at)
        return ended

    def tables(self) -> Sequence[str]:
        return tuple(EXPORTED)

    async def rows(self, user_id: UUID, table: str, after: str | None, limit: int) -> list[str]:
        columns = await self._connection.fetch(COLUMNS, table)
        shown = [row["name"] for row in columns if row["type"] != "bytea" and (table, row["name"]) not in _SECRETS]
        key = ", ".join(f'"{row["name"]}"' for row in columns if row["is_key"])
        fields = ", ".join(f'"{name}"' for name in shown)
        beyond = ""
        arguments: list[object] = [user_id, limit]
        if after is not None:
            beyond = f"AND ({key}) > (SELECT {key} FROM json_populate_record(NULL::{table}, $3::text::json))"
            arguments.append(after)
        query = (
            f"SELECT row_to_json(t)::text FROM (SELECT {fields} FROM {table} WHERE {EXPORTED[table]} {beyond} "
            f"ORDER BY {key} LIMIT $2) t"
        )
        rows = [row[0] for row in await self._connection.fetch(query, *arguments)]
        return rows if table != USER_EVENTS else await self._with_archived(user_id, rows, after, limit)

    async def _with_archived(self, user_id: UUID, stored: list[str], after: str | None, limit: int) -> list[str]:
        """Return a page of the user's events: these stored ones, and those that are in the archive alone."""
        sequence = 0 if after is None else _sequence(after)
        parts = await self._archive.parts(self._connection, user_id, sequence, None)
        if not parts:
            return stored
        archived = await self._archive.page(user_id, parts, sequence, limit)
        texts = await self._connection.fetch(_AS_STORED, *event_columns(archived))
        rows = {_sequence(row[0]): row[0] for row in texts} | {_sequence(row): row for row in stored}
        return [row for _, row in sorted(rows.items())][:limit]


def _sequence(row: str) -> int:
    return int(msgspec.json.decode(row)["sequence"])
