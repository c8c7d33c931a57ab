"""How the engine is doing: numbers over all users, and the nodes by what they report."""

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from domain.model.markets import FeedState
from domain.model.node_reports import LoggedError, NodeReport, NodeState, NodeStatus, ReportedFeed
from domain.model.trading import TradingSessionStatusCode
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.overview import PostgresOverview
from tests.support.trading import stored_world

NOW = datetime.now(UTC)
REPORT = NodeReport(
    "host:1", "0.2.0", ("web", "trader"), NOW, ("the database",), 7, 3, 4,
    (ReportedFeed("sandbox:BTC/USDT", FeedState.STALE, NOW),), (LoggedError(NOW, "domain.x", "it failed"),),
)  # fmt: skip


@pytest.fixture
def overview(connection: Connection) -> PostgresOverview:
    return PostgresOverview(connection)


async def test_figures_count_what_is_open_and_what_failed_in_the_last_day(
    overview: PostgresOverview, connection: Connection, pool: Pool
) -> None:
    empty = await overview.figures()
    assert (empty.users, empty.oldest_job_seconds, empty.mail_error) == (0, 0.0, None)

    worlds = [await stored_world(connection) for _ in range(4)]
    ids = [world.account.id for world in worlds]
    fail = (
        "UPDATE trading_sessions SET status = 'FAILED', status_code = 'INTERNAL', "
        "stopped_at = now() - $2::int * interval '1 hour' WHERE id = $1"
    )
    for world, hours in ((worlds[0], 1), (worlds[1], 25)):
        await pool.execute(fail, world.session.id, hours)
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", worlds[1].user.id)
    await pool.execute("UPDATE users SET erased_at = now() WHERE id = $1", worlds[3].user.id)
    await pool.execute("UPDATE accounts SET archived_at = now() WHERE id = $1", ids[3])
    await pool.execute("UPDATE accounts SET reconciled_at = now() WHERE id = $1", ids[0])
    lease = "INSERT INTO leases VALUES ('account', $1, 'node', 1, now() + $2::int * interval '1 second')"
    for account_id, seconds in ((ids[0], 60), (ids[1], -60)):  # that of an archived account has ended
        await pool.execute(lease, str(account_id), seconds)
    await pool.execute("INSERT INTO account_alerts SELECT $1, key, now() FROM unnest('{a,b}'::text[]) AS key", ids[2])
    await pool.execute(
        "INSERT INTO mails (id, kind, recipient, created_at, due_at, attempts, error, given_up_at) VALUES "
        "(gen_random_uuid(), 'SIGN_IN', 'a@example.com', now(), now(), 3, '421 busy', NULL), "
        "(gen_random_uuid(), 'SIGN_IN', 'a@example.com', now(), now(), 0, NULL, NULL), "
        "(gen_random_uuid(), 'SIGN_IN', 'a@example.com', now(), now(), 9, '550 no', now())"
    )
    jobs = "INSERT INTO jobs (id, user_id, kind, created_at, status, progress, finished_at) VALUES (gen_random_uuid(), $1, 'report', now() - interval '1 minute', $2, 0, $3)"  # noqa: E501  # one statement
    for status, finished_at in (("QUEUED", None), ("RUNNING", None), ("FAILED", NOW)):
        await pool.execute(jobs, worlds[0].user.id, status, finished_at)

    found = await overview.figures()
    assert (found.users, found.operators, found.disabled_users) == (3, 1, 1)
    assert (found.unreconciled_accounts, found.unattended_accounts, found.alerting_accounts) == (2, 2, 1)
    assert (found.queued_jobs, found.running_jobs, found.failed_jobs) == (1, 1, 1)
    assert found.oldest_job_seconds >= 60
    assert (found.retried_mails, found.given_up_mails, found.mail_error) == (1, 1, "421 busy")
    assert found.failed_trading_sessions == 1
    (failed,) = await overview.failed_trading_sessions(20)
    assert (failed.id, failed.user_id, failed.code) == (
        worlds[0].session.id, worlds[0].user.id, TradingSessionStatusCode.INTERNAL,
    )  # fmt: skip


async def test_a_node_is_known_by_its_last_report_lost_if_that_is_old_and_forgotten_after_a_day(
    overview: PostgresOverview, pool: Pool
) -> None:
    await overview.save_node(replace(REPORT, connections=1))
    await overview.save_node(REPORT)
    (node,) = await overview.nodes()
    assert (node.report, node.is_lost) == (REPORT, False)

    await pool.execute("UPDATE node_reports SET seen_at = now() - interval '21 seconds'")
    await overview.save_node(replace(REPORT, name="host:2"))
    assert [(node.report.name, node.is_lost, len(node.feeds)) for node in await overview.nodes()] == [
        ("host:1", True, 0), ("host:2", False, 1),
    ]  # fmt: skip
    await overview.delete_node("host:2")
    await pool.execute("UPDATE node_reports SET seen_at = now() - interval '25 hours'")
    await overview.save_node(replace(REPORT, name="host:3"))
    assert [node.report.name for node in await overview.nodes()] == ["host:3"]
    await overview.delete_all_nodes()
    assert await overview.nodes() == []


async def test_a_node_is_listed_with_what_it_holds_at_that_moment(
    overview: PostgresOverview, connection: Connection, pool: Pool
) -> None:
    worlds = [await stored_world(connection) for _ in range(2)]
    lease = "INSERT INTO leases VALUES ($1, $2, $3, 1, now() + $4::int * interval '1 second')"
    for kind, key, holder, seconds in (
        ("account", str(worlds[0].account.id), "host:1", 60),
        ("account", str(worlds[1].account.id), "host:1", -60),  # it has lapsed
        ("feed", "sandbox:BTC/USDT", "host:1", 60),
        ("feed", "sandbox:ETH/USDT", "host:1", 60),
        ("alerts", "rules", "host:2", 60),
    ):
        await pool.execute(lease, kind, key, holder, seconds)
    await pool.execute(
        "INSERT INTO jobs (id, user_id, kind, created_at, status, progress, worker, lease_until) VALUES "
        "(gen_random_uuid(), $1, 'report', now(), 'RUNNING', 0, 'host:2', now() + interval '1 minute')",
        worlds[0].user.id,
    )
    for name in ("host:1", "host:2", "host:3"):
        await overview.save_node(replace(REPORT, name=name))
    assert [(node.leases, node.trading_sessions, node.running_jobs) for node in await overview.nodes()] == [
        ({"account": 1, "feed": 2}, 1, 0), ({"alerts": 1}, 0, 1), ({}, 0, 0),
    ]  # fmt: skip


async def test_a_report_of_a_version_that_knew_fewer_fields_or_more_is_read(
    overview: PostgresOverview, pool: Pool
) -> None:
    older = {"name": "old", "version": "0.2.0", "roles": ["web"], "started_at": NOW.isoformat(), "pending": []}
    newer = {**older, "name": "young", "is_draining": True, "what_nobody_knows_yet": [1]}
    for report in (older, newer):
        await pool.execute(
            "INSERT INTO node_reports VALUES ($1, now(), $2)", report["name"], msgspec.json.encode(report)
        )
    assert [node.status for node in await overview.nodes()] == [NodeStatus.READY, NodeStatus.DRAINING]


@pytest.mark.parametrize(
    ("pending", "has_been_ready", "is_draining", "status"),
    [
        ((), True, False, NodeStatus.READY),
        (("the database",), False, False, NodeStatus.STARTING),
        (("the database",), True, False, NodeStatus.WAITING),
        (("the database",), True, True, NodeStatus.DRAINING),
    ],
)
def test_the_status_of_a_node_follows_from_what_it_waits_for(
    pending: tuple[str, ...], has_been_ready: bool, is_draining: bool, status: NodeStatus
) -> None:
    report = replace(REPORT, pending=pending, has_been_ready=has_been_ready, is_draining=is_draining)
    assert NodeState(report, NOW, is_lost=False).status is status
