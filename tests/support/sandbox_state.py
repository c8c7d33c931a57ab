"""The orders and trades of a sandbox exchange, read directly from its database."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VenueBooks:
    """Orders by client order id, how many each has, and the trades of each."""

    orders: Counter[str]
    statuses: dict[str, str]
    trades: dict[str, frozenset[str]]


def venue_books(folder: Path) -> VenueBooks:
    """Return the books of the sandbox whose state lies in `folder`; orders of its own flow are left out."""
    file = folder / "sandbox.sqlite3"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        orders = database.execute("SELECT id, client_id, status FROM orders").fetchall()
        fills = database.execute("SELECT order_id, trade_id FROM fills").fetchall()
    names = {id_: client_id for id_, client_id, _ in orders}
    trades: dict[str, set[str]] = {}
    for order_id, trade_id in fills:
        trades.setdefault(names[order_id], set()).add(str(trade_id))
    return VenueBooks(
        Counter(names.values()),
        {client_id: status for _, client_id, status in orders},
        {client_id: frozenset(found) for client_id, found in trades.items()},
    )
