"""Plans as rows, decisions about which user has which, and what of a plan is used up by the day."""

from alembic import op

revision = "0057"
down_revision = "0056"

STATEMENTS = (
    """
    CREATE TABLE plans (
        name text PRIMARY KEY,
        max_trading_sessions integer NOT NULL,
        max_markets integer NOT NULL,
        max_active_orders integer NOT NULL,
        max_subscriptions integer NOT NULL,
        requests_per_minute integer NOT NULL,
        max_api_keys integer NOT NULL,
        max_open_jobs integer NOT NULL,
        max_running_jobs integer NOT NULL,
        max_optimization_trials integer NOT NULL,
        max_backtest_candles integer NOT NULL,
        backtest_candles_per_day integer,
        is_default boolean NOT NULL DEFAULT false,
        archived_at timestamptz,
        CHECK (NOT (is_default AND archived_at IS NOT NULL))
    )""",
    "CREATE UNIQUE INDEX plans_default ON plans (is_default) WHERE is_default",
    """
    INSERT INTO plans (
        name, max_trading_sessions, max_markets, max_active_orders, max_subscriptions, requests_per_minute,
        max_api_keys, max_open_jobs, max_running_jobs, max_optimization_trials, max_backtest_candles, is_default
    ) VALUES ('standard', 20, 1000, 1000, 5000, 60000, 100, 20, 2, 1000, 2000000, true)""",
    """
    CREATE TABLE plan_changes (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        plan_name text REFERENCES plans,
        decided_at timestamptz NOT NULL,
        effective_at timestamptz NOT NULL,
        source text NOT NULL,
        reason text,
        event_id text UNIQUE,
        event_hash bytea,
        cancelled_at timestamptz
    )""",
    "CREATE INDEX plan_changes_of_user ON plan_changes (user_id, decided_at, id)",
    """
    CREATE FUNCTION plan_of(of_user uuid) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT coalesce(
            (SELECT plan_name FROM plan_changes
                WHERE user_id = of_user AND cancelled_at IS NULL AND effective_at <= statement_timestamp()
                ORDER BY decided_at DESC, id DESC LIMIT 1),
            (SELECT name FROM plans WHERE is_default))
    $$""",
    """
    CREATE TABLE plan_uses (
        user_id uuid NOT NULL REFERENCES users,
        entitlement text NOT NULL,
        day date NOT NULL,
        used bigint NOT NULL,
        PRIMARY KEY (user_id, entitlement, day)
    )""",
    "ALTER TABLE users DROP COLUMN plan_name",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
