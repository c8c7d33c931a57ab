"""How the engine is doing, over all users, in PostgreSQL."""

from datetime import datetime
from typing import Final

import msgspec

from domain.model.archive import LostFile
from domain.model.node_reports import LOST_AFTER, NodeReport, NodeState
from domain.model.overview import EngineFigures, FailedTradingSession
from domain.model.trading import TradingSessionStatusCode
from infra.postgres.repositories.base import Repository
from infra.postgres.repositories.trading_sessions import IS_LIVE

_LATELY: Final = "statement_timestamp() - interval '24 hours'"

# Each part reads a partial index of what is open or failed, but for the users and the accounts themselves.
_FIGURES: Final = f"""
SELECT
    (SELECT count(*) FROM users WHERE erased_at IS NULL) AS users,
    (SELECT count(*) FROM users WHERE role = 'OPERATOR' AND erased_at IS NULL) AS operators,
    (SELECT count(*) FROM users WHERE disabled_at IS NOT NULL AND erased_at IS NULL) AS disabled_users,
    tradable.unreconciled AS unreconciled_accounts,
    greatest(tradable.count - (SELECT count(*) FROM leases
        WHERE kind = 'account' AND expires_at > statement_timestamp()), 0) AS unattended_accounts,
    (SELECT count(DISTINCT account_id) FROM account_alerts WHERE raised_at > {_LATELY}) AS alerting_accounts,
    (SELECT count(*) FROM trading_sessions WHERE status = 'FAILED' AND stopped_at > {_LATELY})
        AS failed_trading_sessions,
    open_jobs.queued AS queued_jobs, open_jobs.running AS running_jobs, open_jobs.oldest AS oldest_job_seconds,
    (SELECT count(*) FROM jobs WHERE status = 'FAILED' AND finished_at > {_LATELY}) AS failed_jobs,
    open_mails.retried AS retried_mails, open_mails.error AS mail_error,
    (SELECT count(*) FROM mails WHERE given_up_at > {_LATELY}) AS given_up_mails
FROM (
    SELECT count(*) AS count, count(*) FILTER (WHERE reconciled_at IS NULL) AS unreconciled
    FROM accounts WHERE archived_at IS NULL
) AS tradable, (
    SELECT count(*) FILTER (WHERE status = 'QUEUED') AS queued, count(*) FILTER (WHERE status = 'RUNNING') AS running,
        coalesce(
            extract(epoch FROM statement_timestamp() - min(created_at) FILTER (WHERE status = 'QUEUED')), 0
        )::float8 AS oldest
    FROM jobs WHERE status IN ('QUEUED', 'RUNNING')
) AS open_jobs, (
    SELECT count(error) AS retried, (array_agg(error ORDER BY due_at DESC) FILTER (WHERE error IS NOT NULL))[1] AS error
    FROM mails WHERE sent_at IS NULL AND given_up_at IS NULL
) AS open_mails
"""
_FAILED: Final = f"""
SELECT id, user_id, stopped_at, status_code FROM trading_sessions
WHERE status = 'FAILED' AND stopped_at > {_LATELY} ORDER BY stopped_at DESC, id DESC LIMIT $1
"""
_SAVE: Final = """
INSERT INTO node_reports (name, seen_at, report) VALUES ($1, statement_timestamp(), $2)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, report = excluded.report
RETURNING drain_requested_at IS NOT NULL
"""
_NODES: Final = f"""
WITH held AS MATERIALIZED (SELECT holder, kind, key FROM leases WHERE expires_at > statement_timestamp())
SELECT report::text AS report, seen_at, seen_at < statement_timestamp() - $1::interval AS is_lost,
    coalesce(held_leases.counts, '{{}}')::text AS leases, coalesce(live.count, 0) AS trading_sessions,
    coalesce(running.count, 0) AS running_jobs, drain_requested_at IS NOT NULL AS is_drain_requested
FROM node_reports
LEFT JOIN (
    SELECT holder, jsonb_object_agg(kind, count) AS counts
    FROM (SELECT holder, kind, count(*) AS count FROM held GROUP BY holder, kind) AS by_kind GROUP BY holder
) AS held_leases ON held_leases.holder = name
LEFT JOIN (
    SELECT holder, count(*) AS count FROM trading_sessions
    JOIN held ON kind = 'account' AND key = account_id::text WHERE {IS_LIVE} GROUP BY holder
) AS live ON live.holder = name
LEFT JOIN (
    SELECT worker, count(*) AS count FROM jobs WHERE status = 'RUNNING' AND lease_until > statement_timestamp()
    GROUP BY worker
) AS running ON running.worker = name
ORDER BY name
"""
_LOST_FILES: Final = """
SELECT name, source, market, rows, first, last, reason, given_up_at FROM archive_lost_files
ORDER BY given_up_at DESC, name LIMIT $1
"""
_FORGET: Final = f"DELETE FROM node_reports WHERE seen_at < {_LATELY}"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(NodeReport).decode
_decode_counts: Final = msgspec.json.Decoder(dict[str, int]).decode


class PostgresOverview(Repository):
    """See `domain.ports.overview.OverviewRepository`."""

    async def figures(self) -> EngineFigures:
        row = await self._connection.fetchrow(_FIGURES)
        assert row is not None
        return EngineFigures(**dict(row))

    async def failed_trading_sessions(self, limit: int) -> list[FailedTradingSession]:
        return [
            FailedTradingSession(
                row["id"],
                row["user_id"],
                row["stopped_at"],
                None if row["status_code"] is None else TradingSessionStatusCode(row["status_code"]),
            )
            for row in await self._connection.fetch(_FAILED, limit)
        ]

    async def lost_files(self, limit: int) -> list[LostFile]:
        return [LostFile(*row) for row in await self._connection.fetch(_LOST_FILES, limit)]

    async def save_node(self, report: NodeReport) -> bool:
        is_drain_requested = await self._connection.fetchval(_SAVE, report.name, _encode(report))
        await self._connection.execute(_FORGET)
        return bool(is_drain_requested)

    async def request_drain(self, name: str, at: datetime | None) -> None:
        await self._connection.execute("UPDATE node_reports SET drain_requested_at = $2 WHERE name = $1", name, at)

    async def delete_node(self, name: str) -> None:
        await self._connection.execute("DELETE FROM node_reports WHERE name = $1", name)

    async def delete_all_nodes(self) -> None:
        await self._connection.execute("DELETE FROM node_reports")

    async def nodes(self) -> list[NodeState]:
        rows = await self._connection.fetch(_NODES, LOST_AFTER)
        return [
            NodeState(
                _decode(row["report"]),
                row["seen_at"],
                row["is_lost"],
                _decode_counts(row["leases"]),
                row["trading_sessions"],
                row["running_jobs"],
                row["is_drain_requested"],
            )
            for row in rows
        ]
