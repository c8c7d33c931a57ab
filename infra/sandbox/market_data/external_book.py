"""Matches users' orders against a book and trades of elsewhere: a recording, or a live venue."""

from infra.sandbox.matching.book import RestingOrder
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.orders import Order, Side


class ExternalBook:
    """One market whose liquidity is an external book.

    What users take from a level stays taken until that level is updated. Their resting orders fill when a trade or the
    book passes their price.
    """

    def __init__(self, exchange: Exchange, market: SimulatedMarket) -> None:
        self._exchange = exchange
        self._market = market

    def trade(
        self,
        taker: Side,
        price: int,
        quantity: int,
        time_ms: int,
        number: int | None = None,
        resting_since_ms: int | None = None,
    ) -> bool:
        """Publish a trade and fill the resting orders that it reached; return whether there were any.

        A late trade doesn't reach orders that rest only since after `resting_since_ms`.
        """
        self._market.trade(price, quantity, time_ms, buyer_is_maker=taker is Side.SELL, number=number)
        self._market.flush_aggregate()
        reached = self._fills_of_trade(taker.other, price, quantity, resting_since_ms)
        for order, filled in reached:
            self._exchange.matcher.fill_resting(self._market, order, filled)
        return bool(reached)

    def uncross(self) -> None:
        """Fill users' orders that the book has moved through, as far as it holds."""
        book = self._market.book
        while (bid := book.bids.best()) is not None and (ask := book.asks.best()) is not None and bid >= ask:
            below, above = book.bids.level(bid), book.asks.level(ask)
            if below.queue and above.liquidity:
                self._fill_crossed(Side.SELL, ask, above.liquidity, below.queue[0])
            elif above.queue and below.liquidity:
                self._fill_crossed(Side.BUY, bid, below.liquidity, above.queue[0])
            else:
                book.set_liquidity(Side.BUY, bid, 0)
                if below.queue:
                    raise RuntimeError(f"two users' orders of {self._market.spec.symbol} cross at {bid}")

    def _fills_of_trade(self, side: Side, price: int, quantity: int, since_ms: int | None) -> list[tuple[Order, int]]:
        """Return the resting orders of `side` that a trade at `price` fills, with the quantities.

        An order at a better price is filled entirely, one at the same price after the quantity ahead of it.
        """
        reached: list[tuple[Order, int]] = []
        resting = self._market.book.side(side)
        for level_price, level in resting:
            if not resting.reaches(level_price, price):
                break
            past, used = level_price != price, 0
            for entry in level.queue:
                if since_ms is not None and entry.order.working_ms > since_ms:
                    continue
                filled = entry.left + entry.hidden if past else min(entry.left, quantity - entry.ahead - used)
                entry.ahead = max(0, entry.ahead - quantity)
                if filled > 0:
                    used += filled
                    reached.append((entry.order, filled))
        return reached

    def _fill_crossed(self, side: Side, price: int, held: int, resting: RestingOrder) -> None:
        """Fill a resting order from the external level that crosses it."""
        filled = min(resting.left, held)
        self._market.book.set_liquidity(side, price, held - filled)
        self._exchange.matcher.fill_resting(self._market, resting.order, filled)
