"""Operations on order books: truncation, changes between two books, and their application."""

from collections.abc import Sequence
from dataclasses import replace

from domain.core.money import ZERO
from domain.model.markets import Depth, PriceLevel, Ticker

MAX_LEVELS = 100
"""How many levels a side of a book are collected, stored and shown at most."""

Levels = tuple[PriceLevel, ...]


def truncate(depth: Depth, levels: int) -> Depth:
    """Return the book with at most `levels` levels a side."""
    if len(depth.bids) <= levels and len(depth.asks) <= levels:
        return depth
    return replace(depth, bids=depth.bids[:levels], asks=depth.asks[:levels])


def diff(previous: Depth, current: Depth, levels: int) -> tuple[Levels, Levels]:
    """Return the changes from the top `levels` of `previous` to those of `current`, as absolute quantities by price.

    A level that enters the top is included, one that leaves it has a quantity of zero; best level first on both sides.
    """
    return (
        _changes(previous.bids[:levels], current.bids[:levels], descending=True),
        _changes(previous.asks[:levels], current.asks[:levels], descending=False),
    )


def apply_delta(levels: Levels, changes: Sequence[PriceLevel], *, descending: bool) -> Levels:
    """Return a side of the book with `changes` applied, as a client does it."""
    book = {level.price: level for level in levels}
    book.update((change.price, change) for change in changes)
    present = [level for level in book.values() if level.quantity]
    return tuple(sorted(present, key=lambda level: level.price, reverse=descending))


def with_top_of_book(ticker: Ticker, depth: Depth) -> Ticker:
    """Return the ticker with the book's best prices, or its own if a side of the book has no levels."""
    if not (depth.bids and depth.asks):
        return ticker
    return replace(ticker, bid=depth.bids[0].price, ask=depth.asks[0].price)


def is_crossed(bids: Sequence[PriceLevel], asks: Sequence[PriceLevel]) -> bool:
    """Return whether the best bid is at or above the best ask; a side without levels crosses nothing."""
    return bool(bids and asks and bids[0].price >= asks[0].price)


def _changes(previous: Levels, current: Levels, *, descending: bool) -> Levels:
    before = {level.price: level.quantity for level in previous}
    changes = [level for level in current if before.pop(level.price, None) != level.quantity]
    changes += [PriceLevel(price, ZERO) for price in before]
    return tuple(sorted(changes, key=lambda level: level.price, reverse=descending))
