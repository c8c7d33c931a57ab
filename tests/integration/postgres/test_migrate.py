import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.core.errors import Unavailable
from domain.model.plans import STANDARD_PLAN
from infra.postgres.connection import Connection
from infra.postgres.migrate import MigrationFailed, head, is_up_to_date, migrate, present_revision, upgrade
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.repositories.jobs import PostgresJobs
from infra.postgres.repositories.users import PostgresUsers
from tests.support.postgres import patient_pool


async def test_an_empty_database_gets_every_revision_once_and_the_partitions_that_the_first_events_need(
    empty_database_dsn: str,
) -> None:
    applied = await migrate(empty_database_dsn)
    connection = await asyncpg.connect(empty_database_dsn)
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'user_events'::regclass"
    made = await connection.fetchval(partitions)
    await connection.close()

    assert applied[0] == "0001"
    assert applied[-1] == head()
    assert made == 3
    assert await migrate(empty_database_dsn) == []


async def test_two_nodes_that_migrate_at_once_apply_each_revision_once(empty_database_dsn: str) -> None:
    first, second = await asyncio.gather(migrate(empty_database_dsn), migrate(empty_database_dsn))

    assert min(len(first), len(second)) == 0
    assert (first or second)[-1] == head()


async def test_a_database_is_known_to_be_behind_or_at_the_head(empty_database_dsn: str, pool: Pool) -> None:
    async with await patient_pool(empty_database_dsn) as empty:
        assert not await is_up_to_date(empty)
    assert await is_up_to_date(pool)


async def test_trades_that_were_stored_before_there_were_sums_of_them_are_summed(empty_database_dsn: str) -> None:
    await upgrade(empty_database_dsn, "0002")
    connection = await asyncpg.connect(empty_database_dsn)
    await ensure_months(Connection(connection), "trades", datetime.now(UTC), datetime.now(UTC))
    await connection.execute(
        "INSERT INTO trades SELECT 'sandbox:BTC/USDT', date_trunc('month', now()) + n * interval '40 seconds', n::text,"
        " 61234.56, 0.5, CASE WHEN n % 3 = 0 THEN 'SELL' ELSE 'BUY' END FROM generate_series(0, 5) n"
    )
    assert (await migrate(empty_database_dsn))[0] == "0003"
    sums = await connection.fetch("SELECT price, bought, sold FROM minute_volumes ORDER BY minute")
    partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'minute_volumes'::regclass"
    made = await connection.fetchval(partitions)
    await connection.close()

    assert [tuple(map(str, row)) for row in sums] == [
        ("61234", "0.5", "0.5"),
        ("61234", "0.5", "0"),
        ("61234", "0.5", "0.5"),
        ("61234", "0.5", "0"),
    ]
    assert made == 3


async def test_money_that_moved_before_transfers_were_recorded_is_reported_as_far_as_it_is_known(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0004")
    connection = await asyncpg.connect(empty_database_dsn)
    user, paper, live, order = uuid4(), uuid4(), uuid4(), uuid4()
    opened, paid = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 3, 8, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard', 'ACTIVE')", user, opened,
    )  # fmt: skip
    for account, kind in ((paper, "PAPER"), (live, "LIVE")):
        await connection.execute(
            "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
            " sealed_credentials) VALUES ($1, $2, 'a', $3, 'sandbox', 'USDT', $4, 'ACTIVE', '{}', '')",
            account, user, kind, opened,
        )  # fmt: skip
    await connection.execute(
        "INSERT INTO activities VALUES ($1, $2, $3, 'paperDeposit', 'Account', $4, '9000.5 USDT')",
        uuid4(), user, paid, str(paper),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity, created_at,"
        " updated_at, status, revision, post_only, reduce_only, filled_quantity, filled_cost, absences) VALUES ($1, $2,"
        " $3, 'sandbox:BTC/USDT', 'c', 'BUY', 'MARKET', 'MANUAL', 1, $4, $4, 'FILLED', 1, false, false, 1, 100, 0)",
        order, user, paper, paid,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO fills VALUES ($1, $2, $3, $4, 'sandbox:BTC/USDT', 'BUY', 't', $5, 100, 2, 0.002, 'BTC', false)",
        uuid4(), order, user, paper, paid,
    )  # fmt: skip
    await connection.executemany(
        "INSERT INTO balances VALUES ($1, $2, $3, $3)",
        [(paper, "USDT", 9800), (paper, "BTC", 2), (live, "ETH", 3)],
    )

    assert (await migrate(empty_database_dsn))[0] == "0005"
    rows = await connection.fetch(
        "SELECT account_id, kind, currency, amount, at, split_part(reference, ':', 1) AS cause FROM account_transfers"
        " ORDER BY account_id = $1, at, currency", live,
    )  # fmt: skip
    in_order = await connection.fetch("SELECT at FROM account_transfers WHERE account_id = $1 ORDER BY id", paper)
    await connection.close()

    assert [(*list(row.values())[:3], str(row["amount"]), row["at"], row["cause"]) for row in rows] == [
        (paper, "OPENING", "BTC", "0.002", opened, "opening"),
        (paper, "OPENING", "USDT", "999.5", opened, "opening"),
        (paper, "DEPOSIT", "USDT", "9000.5", paid, "activity"),
        (live, "OPENING", "ETH", "3", opened, "estimated"),
    ]  # fmt: skip
    assert [row["at"] for row in in_order] == [opened, opened, paid]


async def test_halts_from_before_they_were_kept_are_reported_as_the_activity_log_knows_them(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0008")
    connection = await asyncpg.connect(empty_database_dsn)
    user, operator, account, halted = uuid4(), uuid4(), uuid4(), datetime(2026, 5, 3, 8, tzinfo=UTC)
    for id_, email, state in ((user, "a@example.com", "REDUCING"), (operator, "o@example.com", "ACTIVE")):
        await connection.execute(
            "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
            " VALUES ($1, $2, '', $3, 'USER', 'standard', $4)", id_, email, halted, state,
        )  # fmt: skip
    await connection.execute(
        "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
        " sealed_credentials) VALUES ($1, $2, 'a', 'PAPER', 'sandbox', 'USDT', $3, 'HALTED', '{}', '')",
        account, user, halted,
    )  # fmt: skip
    for by, kind, key, reason in ((user, "Account", account, "lunch"), (operator, "User", user, "unpaid")):
        await connection.execute(
            "INSERT INTO activities VALUES ($1, $2, $3, 'tradingHalt', $4, $5, $6)",
            uuid4(), by, halted, kind, str(key), reason,
        )  # fmt: skip
    assert "0009" in await migrate(empty_database_dsn)
    rows = await connection.fetch("SELECT level, subject_id, state, since, author, reason FROM halts ORDER BY level")
    await connection.close()
    assert [tuple(row) for row in rows] == [
        ("ACCOUNT", account, "HALTED", halted, "SELF", "lunch"),
        ("USER", user, "REDUCING", halted, "OPERATOR", "unpaid"),
    ]


async def test_coins_that_were_sold_and_never_bought_here_are_no_open_position(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0014")
    connection = await asyncpg.connect(empty_database_dsn)
    user, account, opened = uuid4(), uuid4(), datetime(2026, 5, 1, 12, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard', 'ACTIVE')", user, opened,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
        " sealed_credentials) VALUES ($1, $2, 'a', 'PAPER', 'sandbox', 'USDT', $3, 'ACTIVE', '{}', '')",
        account, user, opened,
    )  # fmt: skip
    for market, quantity in (("sandbox:BTC/USDT", Decimal("-0.00808")), ("sandbox:ETH/USDT", Decimal(2))):
        await connection.execute(
            "INSERT INTO positions (id, user_id, account_id, market, opened_at, quantity, dust, realized_profit, fees)"
            " VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0)", uuid4(), user, account, market, opened, quantity,
        )  # fmt: skip
    assert "0016" in await migrate(empty_database_dsn)
    rows = await connection.fetch("SELECT market, quantity, closed_at FROM positions ORDER BY market")
    await connection.close()
    assert [tuple(row) for row in rows] == [
        ("sandbox:BTC/USDT", Decimal(0), opened),
        ("sandbox:ETH/USDT", Decimal(2), None),
    ]


async def test_a_halt_from_before_halts_were_a_level_still_halts_and_cancels_nothing(empty_database_dsn: str) -> None:
    await upgrade(empty_database_dsn, "0008")
    connection = await asyncpg.connect(empty_database_dsn)
    user, since = uuid4(), datetime(2026, 5, 3, 8, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard', 'HALTED')", user, since,
    )  # fmt: skip
    await connection.execute("UPDATE engine_state SET trading_state = 'REDUCING'")
    await migrate(empty_database_dsn)
    states = [
        await connection.fetchval("SELECT halt_state($1, $2)", level, id_)
        for level, id_ in (("USER", user), ("ENGINE", UUID(int=0)), ("USER", uuid4()))
    ]
    cancels = await connection.fetchval("SELECT bool_or(cancel_orders) FROM halts")
    await connection.close()
    assert (states, cancels) == (["HALTED", "REDUCING", "ACTIVE"], False)


async def test_positions_from_before_protection_had_rows_stay_protected_and_go_on_being_closed(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0014")
    connection = await asyncpg.connect(empty_database_dsn)
    user, account, strategy, version = uuid4(), uuid4(), uuid4(), uuid4()
    opened = datetime(2026, 5, 1, 12, 7, 30, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard', 'ACTIVE')", user, opened,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
        " sealed_credentials) VALUES ($1, $2, 'a', 'PAPER', 'sandbox', 'USDT', $3, 'ACTIVE', '{}', '')",
        account, user, opened,
    )  # fmt: skip
    await connection.execute("INSERT INTO strategies VALUES ($1, $2, 's', NULL, $3, NULL, 1)", strategy, user, opened)
    definition = '{"sizing": {"quote_amount": "1"}, "max_holding_bars": 4}'
    await connection.execute(
        "INSERT INTO strategy_versions VALUES ($1, $2, $3, 1, $4, $5::text::jsonb, 1)",
        version, strategy, user, opened, definition,
    )  # fmt: skip
    sessions = {status: uuid4() for status in ("RUNNING", "FAILED", "STOPPED")}
    for status, session in sessions.items():
        await connection.execute(
            "INSERT INTO trading_sessions (id, user_id, strategy_version_id, account_id, market, timeframe, parameters,"
            " started_at, status, trading_state, close_on_stop)"
            " VALUES ($1, $2, $3, $4, 'sandbox:BTC/USDT', 'M5', '[]', $5, $6, 'ACTIVE', false)",
            session, user, version, account, opened, status,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO positions (id, user_id, account_id, market, trading_session_id, opened_at, quantity, dust,"
            " average_price, realized_profit, fees, stop_loss_price)"
            " VALUES ($1, $2, $3, 'sandbox:BTC/USDT', $1, $4, 1, 0, 60000, 0, 0, 59000)",
            session, user, account, opened,
        )  # fmt: skip
    entry, exit_ = uuid4(), uuid4()
    for order, parent, side, role in ((entry, None, "BUY", "ENTRY"), (exit_, entry, "SELL", "STOP_LOSS")):
        await connection.execute(
            "INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity,"
            " created_at, updated_at, status, revision, post_only, reduce_only, filled_quantity, filled_cost, absences,"
            " trading_session_id, parent_id)"
            " VALUES ($1, $2, $3, 'sandbox:BTC/USDT', ($1::uuid)::text, $4, 'MARKET', $5, 1, $6, $6,"
            " 'DENIED', 1, false, false, 0, 0, 0, $7, $8)",
            order, user, account, side, role, opened, sessions["RUNNING"], parent,
        )  # fmt: skip
    assert (await migrate(empty_database_dsn))[-1] == head()
    protections = await connection.fetch(
        "SELECT trading_session_id, stop_loss_price, exit_at, rules FROM position_protections ORDER BY exit_at,"
        " trading_session_id = $1", sessions["FAILED"],
    )  # fmt: skip
    intents = await connection.fetch(
        "SELECT trading_session_id, position_id, role, order_id, tries FROM position_intents"
    )
    await connection.close()

    assert [tuple(row.values())[:3] for row in protections] == [
        (sessions["RUNNING"], 59_000, datetime(2026, 5, 1, 12, 25, tzinfo=UTC)),
        (sessions["FAILED"], 59_000, datetime(2026, 5, 1, 12, 25, tzinfo=UTC)),
    ]
    assert '"price": "59000"' in protections[0]["rules"]
    running = sessions["RUNNING"]
    assert [tuple(row.values()) for row in intents] == [(running, running, "STOP_LOSS", exit_, 1)]


async def test_sessions_from_before_they_had_several_markets_keep_their_candle_and_signals(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0014")
    connection = await asyncpg.connect(empty_database_dsn)
    user, account, strategy, version, ran, fresh = (uuid4() for _ in range(6))
    at = datetime(2026, 5, 1, 12, 7, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name, trading_state)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard', 'ACTIVE')", user, at,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO accounts (id, user_id, name, kind, venue, currency, created_at, trading_state, risk,"
        " sealed_credentials) VALUES ($1, $2, 'a', 'PAPER', 'sandbox', 'USDT', $3, 'ACTIVE', '{}', '')",
        account, user, at,
    )  # fmt: skip
    await connection.execute("INSERT INTO strategies VALUES ($1, $2, 's', NULL, $3, NULL, 1)", strategy, user, at)
    await connection.execute(
        """INSERT INTO strategy_versions VALUES ($1, $2, $3, 1, $4, '{"sizing": {"quote_amount": "1"}}', 1)""",
        version, strategy, user, at,
    )  # fmt: skip
    for session, last_candle_at in ((ran, at), (fresh, None)):
        await connection.execute(
            "INSERT INTO trading_sessions (id, user_id, strategy_version_id, account_id, market, timeframe, parameters,"
            " started_at, status, trading_state, close_on_stop, last_candle_at)"
            " VALUES ($1, $2, $3, $4, 'sandbox:ETH/USDT', 'M5', '[]', $5, 'RUNNING', 'ACTIVE', false, $6)",
            session, user, version, account, at, last_candle_at,
        )  # fmt: skip
    await connection.execute(
        "INSERT INTO signals (id, user_id, trading_session_id, at, action, price, reason, candle_at, missed)"
        " VALUES ($1, $2, $3, $4, 'ENTER_LONG', 1, 'r', $4, false)", uuid4(), user, ran, at,
    )  # fmt: skip
    await migrate(empty_database_dsn)
    candles = await connection.fetch("SELECT * FROM trading_session_candles")
    signals = await connection.fetch("SELECT market, position_id, add_number FROM signals")
    sessions = await connection.fetch("SELECT market, other_markets, max_open_positions FROM trading_sessions")
    await connection.close()

    assert [tuple(row) for row in candles] == [(ran, "sandbox:ETH/USDT", at)]
    assert [tuple(row) for row in signals] == [("sandbox:ETH/USDT", None, None)]
    assert [tuple(row) for row in sessions] == [("sandbox:ETH/USDT", [], None)] * 2


async def test_jobs_from_before_users_took_turns_are_still_claimed(empty_database_dsn: str) -> None:
    await upgrade(empty_database_dsn, "0038")
    connection = await asyncpg.connect(empty_database_dsn)
    user, job, at = uuid4(), uuid4(), datetime(2026, 5, 1, 12, 7, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name)"
        " VALUES ($1, 'a@example.com', '', $2, 'USER', 'standard')", user, at,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO jobs (id, user_id, kind, created_at, status, progress, worker, lease_until)"
        " VALUES ($1, $2, 'report', $3, 'RUNNING', 0.5, 'gone', $3)", job, user, at,
    )  # fmt: skip
    await migrate(empty_database_dsn)
    claimed = await PostgresJobs(Connection(connection)).claim(("report",), "new", 30)
    await connection.close()
    assert claimed is not None
    assert (claimed.job.id, claimed.attempts) == (job, 1)


async def test_users_from_before_plans_were_rows_have_the_default_plan_with_the_limits_of_before(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0052")
    connection = await asyncpg.connect(empty_database_dsn)
    user, at = uuid4(), datetime(2026, 5, 1, 12, 7, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name)"
        " VALUES ($1, 'a@example.com', 'hash', $2, 'USER', 'standard')", user, at,
    )  # fmt: skip
    await migrate(empty_database_dsn)
    found = await PostgresUsers(Connection(connection)).get(user)
    await connection.close()
    assert found is not None
    assert found.plan == STANDARD_PLAN


async def test_users_and_login_sessions_from_before_there_was_mail_are_as_they_were(empty_database_dsn: str) -> None:
    await upgrade(empty_database_dsn, "0046")
    connection = await asyncpg.connect(empty_database_dsn)
    user, session, at = uuid4(), uuid4(), datetime(2026, 5, 1, 12, 7, tzinfo=UTC)
    await connection.execute(
        "INSERT INTO users (id, email, password_hash, created_at, role, plan_name)"
        " VALUES ($1, 'a@example.com', 'hash', $2, 'OPERATOR', 'standard')", user, at,
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO login_sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at)"
        " VALUES ($1, $2, 'hash', $3, $3, 'infinity')", session, user, at,
    )  # fmt: skip
    await migrate(empty_database_dsn)
    users = PostgresUsers(Connection(connection))
    found = await users.get(user)
    login_sessions = await users.login_sessions(user, at)
    await connection.close()
    assert found is not None
    assert (found.email_verified_at, found.two_factor_enabled_at) == (None, None)
    assert (found.time_zone, found.locale, found.report_currency, found.notify_sign_in) == ("UTC", "en", None, True)
    assert [(each.id, each.address, each.user_agent) for each in login_sessions] == [(session, None, None)]


async def test_points_of_equity_from_before_returns_were_stored_get_their_time_weighted_return(
    empty_database_dsn: str,
) -> None:
    await upgrade(empty_database_dsn, "0052")
    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute("ALTER TABLE equity_points DROP CONSTRAINT equity_points_account_id_fkey")
    subject = uuid4()
    for minute, (equity, deposited) in enumerate([(1000, 1000), (1100, 1000), (5100, 5000), (4845, 5000), (0, 5000)]):
        await connection.execute(
            "INSERT INTO equity_points VALUES ($1, $1, $2, $3, $4, 0)",
            subject, datetime(2026, 1, 1, 0, minute, tzinfo=UTC), equity, deposited,
        )  # fmt: skip
    await migrate(empty_database_dsn)
    rows = await connection.fetch("SELECT growth, highest_growth FROM equity_points ORDER BY at")
    await connection.close()
    assert [(round(row["growth"], 6), round(row["highest_growth"], 6)) for row in rows] == [
        (1, 1), (1.1, 1.1), (1.1, 1.1), (1.045, 1.1), (0, 1.1),
    ]  # fmt: skip


async def test_an_account_that_lost_nearly_all_again_and_again_is_migrated(empty_database_dsn: str) -> None:
    await upgrade(empty_database_dsn, "0052")
    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute("ALTER TABLE equity_points DROP CONSTRAINT equity_points_account_id_fkey")
    await connection.execute(
        "INSERT INTO equity_points SELECT $1, $1, '2026-01-01T00:00Z'::timestamptz + n * interval '1 minute', 1000,"
        " 1000 * (n + 1), 0 FROM generate_series(0, 40) n", uuid4(),
    )  # fmt: skip
    await migrate(empty_database_dsn)
    last = await connection.fetchrow("SELECT growth, highest_growth FROM equity_points ORDER BY at DESC LIMIT 1")
    await connection.close()
    assert last is not None
    assert 0 < last["growth"] < 1e-200
    assert last["highest_growth"] == 1


@pytest.mark.parametrize(
    ("fault", "raised", "message"),
    [
        ("RAISE 'value out of range: underflow' USING ERRCODE = 'numeric_value_out_of_range'", MigrationFailed,
         "is as it was: value out of range: underflow; remove the cause"),
        ("RAISE 'no' USING ERRCODE = 'check_violation'", MigrationFailed, "is as it was: no; remove the cause"),
        ("PERFORM pg_terminate_backend(pg_backend_pid())", Unavailable, "migrate again"),
    ],
)  # fmt: skip
async def test_whatever_fails_in_a_migration_is_said_in_a_sentence_and_changes_nothing(
    empty_database_dsn: str, fault: str, raised: type[Exception], message: str
) -> None:
    await upgrade(empty_database_dsn, "0052")
    connection = await asyncpg.connect(empty_database_dsn)
    await connection.execute("ALTER TABLE equity_points DROP CONSTRAINT equity_points_account_id_fkey")
    await connection.execute("INSERT INTO equity_points VALUES ($1, $1, now(), 1, 1, 0)", uuid4())
    await connection.execute(
        f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {fault}; RETURN NEW; END $$"
    )
    await connection.execute("CREATE TRIGGER fails BEFORE UPDATE ON equity_points EXECUTE FUNCTION fail()")
    with pytest.raises(raised, match=message):
        await migrate(empty_database_dsn)
    assert await present_revision(Connection(connection)) == "0052"
    await connection.close()
