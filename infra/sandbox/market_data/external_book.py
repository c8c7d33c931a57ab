"""Users' orders laid over a book and trades that come from elsewhere: a recording, or a live venue."""

from infra.sandbox.matching.book import Resting
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.orders import Order, Side
from infra.sandbox.simulation.market import Market


class ExternalBook:
    """One market whose house is somebody else's book.

    What users take from a level stays taken until that level is told anew; their resting orders fill when trades pass
    their price, or when the book does.
    """

    def __init__(self, exchange: Exchange, market: Market) -> None:
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
        """Publish a trade, and fill the resting orders that it reached; tell whether there were any.

        One that is told late reaches none that rests only since after `resting_since_ms`.
        """
        self._market.trade(price, quantity, time_ms, buyer_is_maker=taker is Side.SELL, number=number)
        self._market.end_taker()
        reached = self._reached(taker.other, price, quantity, resting_since_ms)
        for order, filled in reached:
            self._exchange.matcher.house_passes(self._market, order, filled)
        return bool(reached)

    def uncross(self) -> None:
        """Fill users' orders that the book has moved through, as far as it holds."""
        book = self._market.book
        while (bid := book.bids.best()) is not None and (ask := book.asks.best()) is not None and bid >= ask:
            below, above = book.bids.level(bid), book.asks.level(ask)
            if below.queue and above.house:
                self._pass(Side.SELL, ask, above.house, below.queue[0])
            elif above.queue and below.house:
                self._pass(Side.BUY, bid, below.house, above.queue[0])
            else:
                book.set_house(Side.BUY, bid, 0)
                if below.queue:
                    raise RuntimeError(f"two users' orders of {self._market.spec.symbol} cross at {bid}")

    def _reached(self, side: Side, price: int, quantity: int, since_ms: int | None) -> list[tuple[Order, int]]:
        """Return the resting orders of `side` that a trade at `price` fills, and how much of each.

        One that it went past is filled whole; one at the very price once what stood before it has been traded.
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
                filled = entry.left if past else min(entry.left, quantity - entry.ahead - used)
                entry.ahead = max(0, entry.ahead - quantity)
                if filled > 0:
                    used += filled
                    reached.append((entry.order, filled))
        return reached

    def _pass(self, house: Side, price: int, held: int, resting: Resting) -> None:
        """Fill a resting order from the house's level that crosses it."""
        filled = min(resting.left, held)
        self._market.book.set_house(house, price, held - filled)
        self._exchange.matcher.house_passes(self._market, resting.order, filled)
