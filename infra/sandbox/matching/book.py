"""One market's order book: price levels with external liquidity and, in time priority, users' orders.

External liquidity (of synthetic makers, a recording or a live venue) is one quantity per level. Each resting user
order remembers how much of it was there before (`ahead`), which is all that price-time priority needs: later liquidity
queues behind the order, and cancelled liquidity leaves from the back.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.sandbox.orders import Order, Side


@dataclass(slots=True, eq=False)
class RestingOrder:
    """A user's order in a level's queue; an iceberg's `hidden` part follows, piece by piece, at the queue's end."""

    order: Order
    left: int
    ahead: int
    hidden: int = 0


@dataclass(slots=True)
class Level:
    """One price level: the external liquidity, and users' orders, oldest first."""

    liquidity: int = 0
    queue: list[RestingOrder] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The quantity that the market sees."""
        return self.liquidity + sum(resting.left for resting in self.queue)

    @property
    def depth(self) -> int:
        """The quantity that can trade: what the market sees, and what icebergs hide."""
        return self.liquidity + sum(resting.left + resting.hidden for resting in self.queue)

    def liquidity_ahead(self) -> int:
        """Return the liquidity ahead of the oldest user order; all of it without an order."""
        return min(self.liquidity, self.queue[0].ahead) if self.queue else self.liquidity

    def reduce_liquidity(self, quantity: int, *, from_front: bool) -> None:
        """Remove liquidity: traded from the front of the queue, or cancelled from its back."""
        self.liquidity -= quantity
        for resting in self.queue:
            resting.ahead = max(0, resting.ahead - quantity) if from_front else min(resting.ahead, self.liquidity)


@dataclass(frozen=True, slots=True)
class Match:
    """One execution found by a taker: at the maker's price; `maker` is None for external liquidity."""

    price: int
    quantity: int
    maker: Order | None


class BookSide:
    """The levels of one side, best first."""

    __slots__ = ("_keys", "_levels", "_sign", "side")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._sign = -1 if side is Side.BUY else 1
        self._levels: dict[int, Level] = {}
        self._keys: list[int] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[tuple[int, Level]]:
        for key in self._keys:
            price = key * self._sign
            yield price, self._levels[price]

    def best(self) -> int | None:
        """Return the best price, or None for an empty side."""
        return self._keys[0] * self._sign if self._keys else None

    def worst(self) -> int | None:
        """Return the price farthest from the touch, or None for an empty side."""
        return self._keys[-1] * self._sign if self._keys else None

    def price_at(self, index: int) -> int:
        """Return the price of the level at `index`, counted from the best."""
        return self._keys[index] * self._sign

    def get(self, price: int) -> Level | None:
        """Return the level at `price`, if any."""
        return self._levels.get(price)

    def total(self, price: int) -> int:
        """Return the quantity at `price`, 0 for no level."""
        level = self._levels.get(price)
        return level.total if level else 0

    def level(self, price: int) -> Level:
        """Return the level at `price`, made if absent."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = Level()
            insort(self._keys, price * self._sign)
        return level

    def drop_if_empty(self, price: int) -> None:
        """Remove the level at `price` if it is empty."""
        level = self._levels.get(price)
        if level is not None and level.liquidity == 0 and not level.queue:
            del self._levels[price]
            del self._keys[bisect_left(self._keys, price * self._sign)]

    def reaches(self, price: int, limit: int | None) -> bool:
        """Return whether a taker with `limit` (None: any price) trades against a level at `price`."""
        return limit is None or (limit - price) * self._sign >= 0

    def top(self, count: int) -> list[tuple[int, int]]:
        """Return up to `count` levels, best first, as (price, quantity)."""
        return [(key * self._sign, self._levels[key * self._sign].total) for key in self._keys[:count]]


class Book:
    """Both sides of a market, and the prices whose levels changed since they were last published."""

    def __init__(self) -> None:
        self.bids = BookSide(Side.BUY)
        self.asks = BookSide(Side.SELL)
        self.changed_bids: set[int] = set()
        self.changed_asks: set[int] = set()

    def side(self, side: Side) -> BookSide:
        """Return the resting orders of `side`."""
        return self.bids if side is Side.BUY else self.asks

    def crosses(self, side: Side, price: int) -> bool:
        """Return whether an order of `side` at `price` would trade at once."""
        best = self.side(side.other).best()
        return best is not None and self.side(side.other).reaches(best, price)

    def set_liquidity(self, side: Side, price: int, quantity: int) -> None:
        """Set the external liquidity of a level, as a depth update does."""
        resting = self.side(side)
        level = resting.level(price)
        if quantity < level.liquidity:
            level.reduce_liquidity(level.liquidity - quantity, from_front=False)
        level.liquidity = quantity
        self._changed(side, price)

    def add(self, order: Order) -> None:
        """Add a user's order at the end of its level's queue; it must not cross."""
        level = self.side(order.side).level(order.price)
        shown = min(order.iceberg or order.remaining, order.remaining)
        level.queue.append(RestingOrder(order, shown, level.liquidity, order.remaining - shown))
        self._changed(order.side, order.price)

    def remove(self, order: Order) -> None:
        """Remove a user's order from its level, if it is there."""
        level = self.side(order.side).get(order.price)
        if level is not None:
            level.queue = [resting for resting in level.queue if resting.order is not order]
            self._changed(order.side, order.price)

    def available(self, side: Side, limit: int | None, enough: int, uid: int) -> int:
        """Return what a taker of `side` could trade within `limit`, up to `enough`, without the orders of `uid`."""
        found = 0
        resting = self.side(side.other)
        for price, level in resting:
            if found >= enough or not resting.reaches(price, limit):
                break
            found += level.depth - sum(own.left + own.hidden for own in level.queue if own.order.uid == uid)
        return min(found, enough)

    def next_match(self, side: Side, limit: int | None, quantity: int) -> Match | None:
        """Return the first match of a taker of `side`, at most `quantity`; the book doesn't change."""
        resting = self.side(side.other)
        price = resting.best()
        if price is None or quantity <= 0 or not resting.reaches(price, limit):
            return None
        level = resting.level(price)
        liquidity = level.liquidity_ahead()
        if liquidity > 0:
            return Match(price, min(liquidity, quantity), None)
        first = level.queue[0]
        return Match(price, min(first.left, quantity), first.order)

    def apply_match(self, side: Side, match: Match) -> None:
        """Remove a match that `next_match` has just found for a taker of `side`."""
        level = self.side(side.other).level(match.price)
        if match.maker is None:
            level.reduce_liquidity(match.quantity, from_front=True)
        else:
            self._fill_first(level, match.quantity)
        self._changed(side.other, match.price)

    def fill_resting(self, order: Order, quantity: int) -> None:
        """Fill part of a resting order out of turn, because a recorded trade passed its price."""
        level = self.side(order.side).level(order.price)
        for resting in level.queue:
            if resting.order is order:
                hidden = min(resting.hidden, max(0, quantity - resting.left))
                resting.hidden -= hidden
                resting.left -= quantity - hidden
        for resting in [resting for resting in level.queue if resting.left == 0]:
            level.queue.remove(resting)
            _show_more(level, resting)
        self._changed(order.side, order.price)

    def reduce(self, order: Order, quantity: int) -> None:
        """Take `quantity` from a resting order, which keeps its place; what an iceberg hides goes first."""
        level = self.side(order.side).level(order.price)
        for resting in level.queue:
            if resting.order is order:
                hidden = min(resting.hidden, quantity)
                resting.hidden -= hidden
                resting.left -= quantity - hidden
        self._changed(order.side, order.price)

    def drain_changes(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return and clear the changed (price, quantity) pairs of bids and asks; quantity 0 is a removed level."""
        bids = [(price, self.bids.total(price)) for price in sorted(self.changed_bids, reverse=True)]
        asks = [(price, self.asks.total(price)) for price in sorted(self.changed_asks)]
        self.changed_bids.clear()
        self.changed_asks.clear()
        return bids, asks

    @staticmethod
    def _fill_first(level: Level, quantity: int) -> None:
        first = level.queue[0]
        first.left -= quantity
        if first.left == 0:
            _show_more(level, level.queue.pop(0))

    def _changed(self, side: Side, price: int) -> None:
        self.side(side).drop_if_empty(price)
        (self.changed_bids if side is Side.BUY else self.changed_asks).add(price)


def _show_more(level: Level, spent: RestingOrder) -> None:
    """Let the next piece of an iceberg whose shown part has traded queue up at the end of its level."""
    if spent.hidden:
        shown = min(spent.order.iceberg, spent.hidden)
        level.queue.append(RestingOrder(spent.order, shown, level.liquidity, spent.hidden - shown))
