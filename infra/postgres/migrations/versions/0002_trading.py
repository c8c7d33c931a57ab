"""Markets and their history, accounts, strategies, trading sessions, orders, fills, positions, jobs and reports.

Candles, trades and depth snapshots are partitioned by month; orders and fills are not, since a partitioned table can't
keep (account, venue trade id) unique. Markets are named by text and not by foreign key: a venue may tell of a fill on
a market before it lists it to us, and what happened must be storable. For the same reason no check forbids an overfill.
Names that are compared or sorted use the collation "C": the order that Python has, and indexes that survive a new libc.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

MARKET_DATA = (
    """
    CREATE TABLE markets (
        symbol text COLLATE "C" PRIMARY KEY,
        venue text COLLATE "C" NOT NULL,
        base text NOT NULL,
        quote text NOT NULL,
        active boolean NOT NULL,
        price_increment numeric NOT NULL CHECK (price_increment >= 0),
        quantity_increment numeric NOT NULL CHECK (quantity_increment >= 0),
        minimum_quantity numeric NOT NULL,
        maximum_quantity numeric,
        minimum_notional numeric,
        maker_fee numeric NOT NULL,
        taker_fee numeric NOT NULL
    )
    """,
    "CREATE INDEX markets_venue ON markets (venue)",
    """
    CREATE TABLE candles (
        market text COLLATE "C" NOT NULL,
        timeframe text COLLATE "C" NOT NULL CHECK (timeframe IN ('M1', 'M5', 'M15', 'H1', 'H4', 'D1')),
        open_time timestamptz NOT NULL,
        open numeric NOT NULL,
        high numeric NOT NULL,
        low numeric NOT NULL,
        close numeric NOT NULL,
        volume numeric NOT NULL,
        PRIMARY KEY (market, timeframe, open_time)
    ) PARTITION BY RANGE (open_time)
    """,
    """
    CREATE TABLE trades (
        market text COLLATE "C" NOT NULL,
        at timestamptz NOT NULL,
        venue_trade_id text COLLATE "C" NOT NULL,
        price numeric NOT NULL,
        quantity numeric NOT NULL,
        side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
        PRIMARY KEY (market, at, venue_trade_id)
    ) PARTITION BY RANGE (at)
    """,
    """
    CREATE TABLE depth_snapshots (
        market text COLLATE "C" NOT NULL,
        at timestamptz NOT NULL,
        epoch text COLLATE "C" NOT NULL,
        sequence bigint NOT NULL,
        venue_time timestamptz,
        bids jsonb NOT NULL,
        asks jsonb NOT NULL,
        PRIMARY KEY (market, at, epoch, sequence)
    ) PARTITION BY RANGE (at)
    """,
)

ACCOUNTS = (
    """
    CREATE TABLE engine_state (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        trading_state text NOT NULL CHECK (trading_state IN ('ACTIVE', 'REDUCING', 'HALTED'))
    )
    """,
    "INSERT INTO engine_state (trading_state) VALUES ('ACTIVE')",
    """
    CREATE TABLE accounts (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('PAPER', 'LIVE')),
        venue text NOT NULL,
        currency text NOT NULL,
        created_at timestamptz NOT NULL,
        archived_at timestamptz,
        trading_state text NOT NULL CHECK (trading_state IN ('ACTIVE', 'REDUCING', 'HALTED')),
        risk jsonb NOT NULL,
        reconciled_at timestamptz,
        sealed_credentials bytea NOT NULL
    )
    """,
    "CREATE INDEX accounts_of_user ON accounts (user_id, id)",
    """
    CREATE TABLE balances (
        account_id uuid NOT NULL REFERENCES accounts,
        currency text COLLATE "C" NOT NULL,
        total numeric NOT NULL,
        free numeric NOT NULL,
        PRIMARY KEY (account_id, currency)
    )
    """,
)

STRATEGIES = (
    """
    CREATE TABLE strategies (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        name text NOT NULL,
        description text,
        created_at timestamptz NOT NULL,
        archived_at timestamptz,
        current_version integer NOT NULL CHECK (current_version >= 1)
    )
    """,
    "CREATE INDEX strategies_of_user ON strategies (user_id, id)",
    """
    CREATE TABLE strategy_versions (
        id uuid PRIMARY KEY,
        strategy_id uuid NOT NULL REFERENCES strategies,
        user_id uuid NOT NULL REFERENCES users,
        number integer NOT NULL CHECK (number >= 1),
        created_at timestamptz NOT NULL,
        definition jsonb NOT NULL,
        language_version integer NOT NULL,
        UNIQUE (strategy_id, number)
    )
    """,
    "CREATE INDEX strategy_versions_of_strategy ON strategy_versions (strategy_id, id)",
)

TRADING_SESSIONS = (
    """
    CREATE TABLE trading_sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        strategy_version_id uuid NOT NULL REFERENCES strategy_versions,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        timeframe text NOT NULL CHECK (timeframe IN ('M1', 'M5', 'M15', 'H1', 'H4', 'D1')),
        parameters jsonb NOT NULL,
        started_at timestamptz NOT NULL,
        status text NOT NULL CHECK (status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING', 'STOPPED', 'FAILED')),
        sizing jsonb,
        risk jsonb,
        status_reason text,
        stopped_at timestamptz,
        trading_state text NOT NULL CHECK (trading_state IN ('ACTIVE', 'REDUCING', 'HALTED')),
        close_on_stop boolean NOT NULL,
        last_candle_at timestamptz,
        start_equity numeric
    )
    """,
    "CREATE INDEX trading_sessions_of_user ON trading_sessions (user_id, id)",
    """
    CREATE INDEX trading_sessions_live ON trading_sessions (account_id, id)
    WHERE status IN ('STARTING', 'RUNNING', 'PAUSED', 'STOPPING')
    """,
    """
    CREATE TABLE signals (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        trading_session_id uuid NOT NULL REFERENCES trading_sessions,
        at timestamptz NOT NULL,
        action text NOT NULL CHECK (action IN ('ENTER_LONG', 'EXIT_LONG', 'ENTER_SHORT', 'EXIT_SHORT')),
        price numeric NOT NULL,
        reason text NOT NULL,
        candle_at timestamptz,
        missed boolean NOT NULL,
        order_id uuid
    )
    """,
    "CREATE INDEX signals_of_session ON signals (trading_session_id, id)",
    """
    CREATE UNIQUE INDEX signals_once_a_candle ON signals (trading_session_id, candle_at, action)
    WHERE candle_at IS NOT NULL
    """,
)

ORDERS = (
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        client_order_id text COLLATE "C" NOT NULL,
        side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
        type text NOT NULL CHECK (type IN ('MARKET', 'LIMIT', 'STOP', 'STOP_LIMIT', 'TAKE_PROFIT',
            'TAKE_PROFIT_LIMIT', 'TRAILING_STOP')),
        role text NOT NULL CHECK (role IN ('ENTRY', 'EXIT', 'STOP_LOSS', 'TAKE_PROFIT', 'TRAILING_STOP', 'CLOSE',
            'MANUAL', 'FOREIGN')),
        quantity numeric NOT NULL CHECK (quantity > 0),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        status text NOT NULL CHECK (status IN ('PENDING', 'DENIED', 'SUBMITTED', 'IN_DOUBT', 'OPEN',
            'PARTIALLY_FILLED', 'FILLED', 'PENDING_CANCEL', 'CANCELED', 'REJECTED', 'EXPIRED')),
        revision integer NOT NULL CHECK (revision >= 1),
        price numeric,
        stop_price numeric,
        time_in_force text CHECK (time_in_force IN ('GTC', 'IOC', 'FOK', 'GTD')),
        expires_at timestamptz,
        post_only boolean NOT NULL,
        reduce_only boolean NOT NULL,
        trading_session_id uuid REFERENCES trading_sessions,
        signal_id uuid REFERENCES signals DEFERRABLE INITIALLY DEFERRED,
        parent_id uuid REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
        replaces_id uuid REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
        venue_order_id text,
        filled_quantity numeric NOT NULL CHECK (filled_quantity >= 0),
        filled_cost numeric NOT NULL,
        denials jsonb,
        reject_reason text,
        submitted_at timestamptz,
        cancel_requested_at timestamptz,
        absences integer NOT NULL CHECK (absences >= 0),
        UNIQUE (account_id, client_order_id)
    )
    """,
    """
    ALTER TABLE signals ADD FOREIGN KEY (order_id) REFERENCES orders DEFERRABLE INITIALLY DEFERRED
    """,
    "CREATE INDEX orders_of_user ON orders (user_id, id)",
    "CREATE INDEX orders_of_account ON orders (account_id, id)",
    "CREATE INDEX orders_of_session ON orders (trading_session_id, id) WHERE trading_session_id IS NOT NULL",
    "CREATE INDEX orders_replacing ON orders (replaces_id) WHERE replaces_id IS NOT NULL",
    "CREATE INDEX orders_protecting ON orders (parent_id) WHERE parent_id IS NOT NULL",
    "CREATE INDEX orders_by_submission ON orders (account_id, submitted_at) WHERE submitted_at IS NOT NULL",
    "CREATE INDEX orders_by_change ON orders (account_id, updated_at)",
    """
    CREATE INDEX orders_active ON orders (account_id, id)
    WHERE status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')
    """,
    """
    CREATE INDEX orders_active_of_user ON orders (user_id, id)
    WHERE status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')
    """,
    """
    CREATE INDEX orders_commands ON orders (account_id, id)
    WHERE status = 'PENDING' OR (cancel_requested_at IS NOT NULL
        AND status IN ('SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED'))
    """,
    """
    CREATE TABLE fills (
        id uuid PRIMARY KEY,
        order_id uuid NOT NULL REFERENCES orders,
        user_id uuid NOT NULL REFERENCES users,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
        venue_trade_id text COLLATE "C" NOT NULL,
        at timestamptz NOT NULL,
        price numeric NOT NULL,
        quantity numeric NOT NULL CHECK (quantity > 0),
        fee numeric NOT NULL,
        fee_currency text NOT NULL,
        maker boolean,
        trading_session_id uuid REFERENCES trading_sessions,
        UNIQUE (account_id, market, venue_trade_id)
    )
    """,
    "CREATE INDEX fills_of_user ON fills (user_id, id)",
    "CREATE INDEX fills_of_account ON fills (account_id, id)",
    "CREATE INDEX fills_of_order ON fills (order_id, id)",
    "CREATE INDEX fills_of_session ON fills (trading_session_id, id) WHERE trading_session_id IS NOT NULL",
)

POSITIONS = (
    """
    CREATE TABLE positions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        trading_session_id uuid REFERENCES trading_sessions,
        opened_at timestamptz NOT NULL,
        quantity numeric NOT NULL,
        dust numeric NOT NULL,
        average_price numeric,
        realized_profit numeric NOT NULL,
        fees numeric NOT NULL,
        closed_at timestamptz,
        stop_loss_price numeric,
        take_profit_price numeric
    )
    """,
    "CREATE INDEX positions_of_user ON positions (user_id, id)",
    "CREATE INDEX positions_of_session ON positions (trading_session_id, id) WHERE trading_session_id IS NOT NULL",
    "CREATE INDEX positions_open_of_user ON positions (user_id, id) WHERE closed_at IS NULL",
    """
    CREATE UNIQUE INDEX positions_open ON positions (account_id, market, trading_session_id) NULLS NOT DISTINCT
    WHERE closed_at IS NULL
    """,
)

REPORTS = (
    """
    CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        kind text NOT NULL,
        created_at timestamptz NOT NULL,
        status text NOT NULL CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
        progress double precision NOT NULL,
        message text,
        finished_at timestamptz,
        result_type text,
        result_id uuid,
        worker text,
        lease_until timestamptz
    )
    """,
    "CREATE INDEX jobs_of_user ON jobs (user_id, id)",
    "CREATE INDEX jobs_unfinished ON jobs (id) WHERE status IN ('QUEUED', 'RUNNING')",
    """
    CREATE TABLE reports (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        scope text NOT NULL CHECK (scope IN ('ACCOUNT', 'TRADING_SESSION', 'STRATEGY', 'BACKTEST')),
        scope_id uuid NOT NULL,
        period_start timestamptz NOT NULL,
        period_end timestamptz NOT NULL,
        created_at timestamptz NOT NULL,
        job_id uuid NOT NULL UNIQUE REFERENCES jobs,
        result jsonb
    )
    """,
    "CREATE INDEX reports_of_user ON reports (user_id, id)",
)


def upgrade() -> None:
    for statement in (*MARKET_DATA, *ACCOUNTS, *STRATEGIES, *TRADING_SESSIONS, *ORDERS, *POSITIONS, *REPORTS):
        op.execute(statement)
