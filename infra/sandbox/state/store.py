"""The durable state of the exchange: one SQLite file, write-ahead logged and synced at every commit."""

import os
import sqlite3
import sys
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NoReturn

import msgspec

from infra.sandbox.order_lists import ListStatus, OrderList
from infra.sandbox.orders import OPEN_STATES, Fill, Order
from infra.sandbox.state.order_history import OrderHistory
from infra.sandbox.state.schema import create_schema

EXIT_CANNOT_WRITE = 74
_ORDER_COLUMNS = tuple(Order.__dataclass_fields__)
_FILL_COLUMNS = tuple(Fill.__dataclass_fields__)
_LIST_COLUMNS = tuple(OrderList.__dataclass_fields__)
_values_of_order = attrgetter(*_ORDER_COLUMNS)
_values_of_fill = attrgetter(*_FILL_COLUMNS)
_values_of_list = attrgetter(*_LIST_COLUMNS)


def _upsert(table: str, columns: Sequence[str]) -> str:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    return f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names are constants here


_SAVE_ORDER = _upsert("orders", _ORDER_COLUMNS)
_SAVE_FILL = _upsert("fills", _FILL_COLUMNS)
_SAVE_LIST = _upsert("order_lists", _LIST_COLUMNS)
_SELECT_ORDER = f"SELECT {', '.join(_ORDER_COLUMNS)} FROM orders "  # noqa: S608 - as above
_SELECT_FILL = f"SELECT {', '.join(_FILL_COLUMNS)} FROM fills "  # noqa: S608 - as above
_SELECT_LIST = f"SELECT {', '.join(_LIST_COLUMNS)} FROM order_lists "  # noqa: S608 - as above
_OPEN_STATES = ", ".join(f"'{state}'" for state in sorted(OPEN_STATES))


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
        create_schema(self._db)
        if path:
            path.chmod(0o600)
        self.history = OrderHistory(self._db.execute, self._write)

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
        self._write(_SAVE_ORDER, _values_of_order(order))

    def save_list(self, kept: OrderList) -> None:
        """Save the present state of a list, without its orders."""
        self._write(_SAVE_LIST, _values_of_list(kept))

    def last_list_id(self) -> int:
        """Return the greatest list id given out, 0 for none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM order_lists").fetchone()[0])

    def open_lists(self) -> list[OrderList]:
        """Return all lists with open orders, oldest first."""
        return self._lists(f"WHERE status = '{ListStatus.EXECUTING}' ORDER BY id", ())

    def list_by_id(self, uid: int, list_id: int) -> OrderList | None:
        """Return an account's list, or None."""
        found = self._lists("WHERE uid = ? AND id = ?", (uid, list_id))
        return found[0] if found else None

    def list_by_client_id(self, uid: int, client_id: str) -> OrderList | None:
        """Return an account's newest list with that client id, or None."""
        found = self._lists("WHERE uid = ? AND client_id = ? ORDER BY id DESC LIMIT 1", (uid, client_id))
        return found[0] if found else None

    def lists(self, uid: int, first_id: int | None, start: int, end: int, limit: int) -> list[OrderList]:
        """Return an account's lists by id: from `first_id` on, or the newest made within [start, end] ms."""
        if first_id is not None:
            return self._lists("WHERE uid = ? AND id >= ? ORDER BY id LIMIT ?", (uid, first_id, limit))
        order = "ASC" if start else "DESC"
        where = f"WHERE uid = ? AND created_ms BETWEEN ? AND ? ORDER BY id {order} LIMIT ?"
        return sorted(self._lists(where, (uid, start, end, limit)), key=lambda found: found.id)

    def orders_of_list(self, list_id: int) -> list[Order]:
        """Return the orders of a list, oldest first."""
        return self._orders("WHERE list_id = ? AND list_id >= 0 ORDER BY id", (list_id,))

    def add_fill(self, fill: Fill) -> None:
        """Save an execution."""
        self._write(_SAVE_FILL, _values_of_fill(fill))

    def last_order_id(self) -> int:
        """Return the greatest order id given out, 0 for none."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM orders").fetchone()[0])

    def open_orders(self) -> list[Order]:
        """Return all open orders, oldest first."""
        return self._orders(f"WHERE status IN ({_OPEN_STATES}) ORDER BY id", ())

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

    def _lists(self, where: str, values: tuple[int | str, ...]) -> list[OrderList]:
        return [_order_list(row) for row in self._db.execute(_SELECT_LIST + where, values)]

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


def _order_list(row: tuple[int | str, ...]) -> OrderList:
    return msgspec.convert(dict(zip(_LIST_COLUMNS, row, strict=True)), OrderList, strict=False)
