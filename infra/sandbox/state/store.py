"""The durable state of the exchange: one SQLite file, write-ahead logged and synced at every commit."""

import os
import sqlite3
import sys
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from infra.sandbox.orders import OPEN_STATES, Fill, Order

EXIT_CANNOT_WRITE = 74
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
CREATE INDEX IF NOT EXISTS open_orders ON orders (id) WHERE status IN ('NEW', 'PARTIALLY_FILLED');
CREATE TABLE IF NOT EXISTS fills (
    trade_id INTEGER NOT NULL, order_id INTEGER NOT NULL, uid INTEGER NOT NULL, symbol TEXT NOT NULL,
    side TEXT NOT NULL, price INTEGER NOT NULL, quantity INTEGER NOT NULL, quote INTEGER NOT NULL,
    fee INTEGER NOT NULL, fee_asset TEXT NOT NULL, maker INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    PRIMARY KEY (uid, symbol, trade_id, order_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS fills_of_order ON fills (order_id);
CREATE TABLE IF NOT EXISTS candles (
    symbol TEXT NOT NULL, open_ms INTEGER NOT NULL, open INTEGER NOT NULL, high INTEGER NOT NULL,
    low INTEGER NOT NULL, close INTEGER NOT NULL, volume INTEGER NOT NULL, quote INTEGER NOT NULL,
    trades INTEGER NOT NULL, taker_volume INTEGER NOT NULL, taker_quote INTEGER NOT NULL,
    PRIMARY KEY (symbol, open_ms)) WITHOUT ROWID;
"""

_ORDER_COLUMNS = tuple(Order.__dataclass_fields__)
_FILL_COLUMNS = tuple(Fill.__dataclass_fields__)


def _upsert(table: str, columns: Sequence[str]) -> str:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    return f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names are constants here


_SAVE_ORDER = _upsert("orders", _ORDER_COLUMNS)
_SAVE_FILL = _upsert("fills", _FILL_COLUMNS)
_SELECT_ORDER = f"SELECT {', '.join(_ORDER_COLUMNS)} FROM orders "  # noqa: S608 - as above
_SELECT_FILL = f"SELECT {', '.join(_FILL_COLUMNS)} FROM fills "  # noqa: S608 - as above


@dataclass(frozen=True, slots=True)
class Account:
    """An account: a number, a name, and the credentials that sign its requests."""

    uid: int
    name: str
    api_key: str
    secret: str
    created_ms: int


class Store:
    """Reads and writes the state; nothing is durable before `commit` returns."""

    def __init__(self, path: Path | None) -> None:
        """Open the file at `path`, or an in-memory database without one."""
        # One thread uses the connection, but any thread that collects this object may close it.
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        # Python 3.13 warns about a connection that isn't closed, as when a file turns out to be no database.
        weakref.finalize(self, self._db.close)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        if path:
            path.chmod(0o600)

    def commit(self) -> None:
        """Commit everything that was written since the last commit."""
        try:
            if self._db.in_transaction:
                self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            _exit_on_write_error(error)

    def close(self) -> None:
        """Commit and close the file."""
        self.commit()
        self._db.close()

    def meta(self, key: str, default: str = "") -> str:
        """Return the value saved under `key`."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def set_meta(self, key: str, value: str) -> None:
        """Save `value` under `key`."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def accounts(self) -> list[Account]:
        """Return every account."""
        return [Account(*row) for row in self._db.execute("SELECT * FROM accounts ORDER BY uid")]

    def add_account(self, account: Account) -> None:
        """Save a new account."""
        row = (account.uid, account.name, account.api_key, account.secret, account.created_ms)
        self._write("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", row)

    def balances(self) -> list[tuple[int, str, int, int]]:
        """Return every balance as (uid, asset, free, locked)."""
        return self._db.execute("SELECT uid, asset, free, locked FROM balances").fetchall()

    def save_balances(self, rows: Iterable[tuple[int, str, int, int]]) -> None:
        """Save balances, replacing existing ones."""
        for row in rows:
            self._write("INSERT OR REPLACE INTO balances VALUES (?, ?, ?, ?)", row)

    def add_deposit(self, key: str, uid: int, asset: str, amount: int) -> bool:
        """Save a deposit; returns False if one with `key` was made before."""
        sql = "INSERT OR IGNORE INTO deposits VALUES (?, ?, ?, ?)"
        return self._write(sql, (key, uid, asset, amount)).rowcount == 1

    def save_order(self, order: Order) -> None:
        """Save the present state of an order."""
        self._write(_SAVE_ORDER, tuple(getattr(order, name) for name in _ORDER_COLUMNS))

    def add_fill(self, fill: Fill) -> None:
        """Save an execution."""
        self._write(_SAVE_FILL, tuple(getattr(fill, name) for name in _FILL_COLUMNS))

    def last_order_id(self) -> int:
        """Return the greatest order id given out, 0 for none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0])

    def open_orders(self) -> list[Order]:
        """Return all open orders, oldest first."""
        states = ", ".join(f"'{state}'" for state in sorted(OPEN_STATES))
        return self._orders(f"WHERE status IN ({states}) ORDER BY id", ())

    def order_by_id(self, uid: int, symbol: str, order_id: int) -> Order | None:
        """Return an account's order, or None."""
        found = self._orders("WHERE uid = ? AND symbol = ? AND id = ?", (uid, symbol, order_id))
        return found[0] if found else None

    def order_by_client_id(self, uid: int, symbol: str, client_id: str) -> Order | None:
        """Return an account's newest order with that client id, or None."""
        where = "WHERE uid = ? AND symbol = ? AND client_id = ? ORDER BY id DESC LIMIT 1"
        found = self._orders(where, (uid, symbol, client_id))
        return found[0] if found else None

    def order_by_cancel_id(self, uid: int, symbol: str, cancel_id: str) -> Order | None:
        """Return the newest order that was cancelled under that client id, or None."""
        where = "WHERE uid = ? AND symbol = ? AND cancel_id = ? ORDER BY id DESC LIMIT 1"
        found = self._orders(where, (uid, symbol, cancel_id))
        return found[0] if found else None

    def orders(self, uid: int, symbol: str, first_id: int | None, start: int, end: int, limit: int) -> list[Order]:
        """Return an account's orders by id: from `first_id` on, or the newest made within [start, end] ms."""
        if first_id is not None:
            where = "WHERE uid = ? AND symbol = ? AND id >= ? ORDER BY id LIMIT ?"
            return self._orders(where, (uid, symbol, first_id, limit))
        order = "ASC" if start else "DESC"
        where = f"WHERE uid = ? AND symbol = ? AND created_ms BETWEEN ? AND ? ORDER BY id {order} LIMIT ?"
        return sorted(self._orders(where, (uid, symbol, start, end, limit)), key=lambda found: found.id)

    def fills(
        self, uid: int, symbol: str, *, order_id: int | None, from_id: int | None, start: int, end: int, limit: int
    ) -> list[Fill]:
        """Return an account's executions by trade id: from `from_id` or `start` on, else the newest."""
        where = "WHERE uid = ? AND symbol = ? AND time_ms BETWEEN ? AND ?"
        values: list[int | str] = [uid, symbol, start, end]
        if order_id is not None:
            where, values = where + " AND order_id = ?", [*values, order_id]
        if from_id is not None:
            where, values = where + " AND trade_id >= ?", [*values, from_id]
        order = "ASC" if start or from_id is not None else "DESC"
        sql = f"{_SELECT_FILL}{where} ORDER BY trade_id {order} LIMIT ?"
        found = [_fill(row) for row in self._db.execute(sql, (*values, limit))]
        return sorted(found, key=lambda fill: (fill.trade_id, fill.order_id))

    def save_candle(self, symbol: str, row: tuple[int, ...]) -> None:
        """Save a one-minute candle, `row` in the order of the table's columns after the symbol."""
        self._write("INSERT OR REPLACE INTO candles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (symbol, *row))

    def candles(self, symbol: str, start: int, end: int) -> list[tuple[int, ...]]:
        """Return the saved one-minute candles that open within [start, end) ms, oldest first."""
        columns = "open_ms, open, high, low, close, volume, quote, trades, taker_volume, taker_quote"
        where = "WHERE symbol = ? AND open_ms >= ? AND open_ms < ? ORDER BY open_ms"
        sql = f"SELECT {columns} FROM candles {where}"  # noqa: S608 - constants
        return self._db.execute(sql, (symbol, start, end)).fetchall()

    def last_candle(self, symbol: str, before: int) -> tuple[int, ...] | None:
        """Return the newest saved candle that opens before `before` ms, or None."""
        sql = "SELECT open_ms FROM candles WHERE symbol = ? AND open_ms < ? ORDER BY open_ms DESC LIMIT 1"
        row = self._db.execute(sql, (symbol, before)).fetchone()
        return self.candles(symbol, row[0], row[0] + 1)[0] if row else None

    def _orders(self, where: str, values: tuple[int | str, ...]) -> list[Order]:
        return [_order(row) for row in self._db.execute(_SELECT_ORDER + where, values)]

    def _write(self, sql: str, values: Sequence[int | str]) -> sqlite3.Cursor:
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            return self._db.execute(sql, values)
        except sqlite3.OperationalError as error:
            _exit_on_write_error(error)


def _exit_on_write_error(error: sqlite3.OperationalError) -> NoReturn:
    """End the process as a crash would: what is in memory is ahead of the disk, and must not be served.

    Nothing was acknowledged, and a restart reads the last commit.
    """
    sys.stderr.write(f"the sandbox's state can't be written: {error}\n")
    sys.stderr.flush()
    os._exit(EXIT_CANNOT_WRITE)


def _order(row: tuple[int | str, ...]) -> Order:
    """Return the order of a row; msgspec turns the texts and numbers of the columns into the fields' types."""
    return msgspec.convert(dict(zip(_ORDER_COLUMNS, row, strict=True)), Order, strict=False)


def _fill(row: tuple[int | str, ...]) -> Fill:
    return msgspec.convert(dict(zip(_FILL_COLUMNS, row, strict=True)), Fill, strict=False)
