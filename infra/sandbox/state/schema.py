"""The tables of the state, and how those of an older version are completed."""

import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    uid INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, api_key TEXT NOT NULL UNIQUE, secret TEXT NOT NULL,
    created_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS balances (
    uid INTEGER NOT NULL, asset TEXT NOT NULL, free INTEGER NOT NULL, locked INTEGER NOT NULL,
    PRIMARY KEY (uid, asset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deposits (
    key TEXT PRIMARY KEY, uid INTEGER NOT NULL, asset TEXT NOT NULL, amount INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL,
    type TEXT NOT NULL, time_in_force TEXT NOT NULL, price INTEGER NOT NULL, quantity INTEGER NOT NULL,
    quote_quantity INTEGER NOT NULL, stop_price INTEGER NOT NULL, self_trade TEXT NOT NULL,
    created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, status TEXT NOT NULL, executed INTEGER NOT NULL,
    quote_executed INTEGER NOT NULL, locked INTEGER NOT NULL, waiting INTEGER NOT NULL, working_ms INTEGER NOT NULL,
    cancel_id TEXT NOT NULL, prevented INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS orders_of_account ON orders (uid, symbol, id);
CREATE INDEX IF NOT EXISTS orders_by_client_id ON orders (uid, symbol, client_id);
CREATE TABLE IF NOT EXISTS fills (
    trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, uid INTEGER NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, price INTEGER NOT NULL, quantity INTEGER NOT NULL, quote INTEGER NOT NULL,
    fee INTEGER NOT NULL, fee_asset TEXT NOT NULL, maker INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    PRIMARY KEY (uid, symbol, trade_id, order_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fills_of_order ON fills (order_id);
CREATE TABLE IF NOT EXISTS order_lists (
    id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, symbol TEXT NOT NULL, client_id TEXT NOT NULL,
    contingency TEXT NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, status TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS lists_of_account ON order_lists (uid, id);
CREATE TABLE IF NOT EXISTS prevented_matches (
    id INTEGER NOT NULL, uid INTEGER NOT NULL, symbol TEXT NOT NULL, taker_id INTEGER NOT NULL,
    maker_id INTEGER NOT NULL, mode TEXT NOT NULL, price INTEGER NOT NULL, taker_quantity INTEGER NOT NULL,
    maker_quantity INTEGER NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY (symbol, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS prevented_of_account ON prevented_matches (uid, symbol, id);
CREATE TABLE IF NOT EXISTS amendments (
    id INTEGER PRIMARY KEY, uid INTEGER NOT NULL, symbol TEXT NOT NULL, order_id INTEGER NOT NULL,
    old_client_id TEXT NOT NULL, new_client_id TEXT NOT NULL, old_quantity INTEGER NOT NULL,
    new_quantity INTEGER NOT NULL, time_ms INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS amendments_of_order ON amendments (order_id, id);
CREATE TABLE IF NOT EXISTS candles (
    symbol TEXT NOT NULL, open_ms INTEGER NOT NULL, open INTEGER NOT NULL, high INTEGER NOT NULL,
    low INTEGER NOT NULL, close INTEGER NOT NULL, volume INTEGER NOT NULL, quote INTEGER NOT NULL,
    trades INTEGER NOT NULL, taker_volume INTEGER NOT NULL, taker_quote INTEGER NOT NULL,
    PRIMARY KEY (symbol, open_ms)) WITHOUT ROWID;
"""
ADDED_COLUMNS = {
    "orders": {
        "list_id": "INTEGER NOT NULL DEFAULT -1",
        "trailing_delta": "INTEGER NOT NULL DEFAULT 0",
        "trailing_ms": "INTEGER NOT NULL DEFAULT -1",
        "best_price": "INTEGER NOT NULL DEFAULT 0",
        "iceberg": "INTEGER NOT NULL DEFAULT 0",
        "strategy_id": "INTEGER NOT NULL DEFAULT -1",
        "strategy_type": "INTEGER NOT NULL DEFAULT -1",
        "prevented_match": "INTEGER NOT NULL DEFAULT -1",
    },
    "fills": {"list_id": "INTEGER NOT NULL DEFAULT -1"},
}
"""What tables have got since they were first released: a folder of any version gets the columns that it lacks."""
INDEXES = """
DROP INDEX IF EXISTS open_orders;
CREATE INDEX IF NOT EXISTS unfinished_orders ON orders (id) WHERE status IN ('NEW', 'PARTIALLY_FILLED', 'PENDING_NEW');
CREATE INDEX IF NOT EXISTS orders_of_list ON orders (list_id, id) WHERE list_id >= 0;
"""


def create_schema(database: sqlite3.Connection) -> None:
    """Make the tables that are missing, and add the columns that a table of an older version lacks."""
    database.executescript(SCHEMA)
    for table, columns in ADDED_COLUMNS.items():
        present = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        for name, kind in columns.items():
            if name not in present:
                database.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
    database.executescript(INDEXES)
