"""Binance's rate limits: request weight by address and minute, new orders by account and ten seconds.

Source: developers.binance.com/docs/binance-spot-api-docs/rest-api/limits.
"""

from infra.sandbox.errors import ExchangeError

WEIGHT_A_MINUTE = 6000
ORDERS_IN_TEN_SECONDS = 100
ORDERS_A_DAY = 200_000
REFUSALS_BEFORE_BAN = 20
BAN_SECONDS = 120
MINUTE_SECONDS = 60
ORDER_WINDOW_SECONDS = 10


class FixedWindowCounter:
    """A fixed window counter: sums by key in windows of `seconds`, as Binance counts; past windows are dropped."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._window = 0
        self._counts: dict[str, int] = {}

    def add(self, key: str, amount: int, now: float) -> int:
        """Count `amount` for `key` at `now` (monotonic seconds) and return the window's sum."""
        window = int(now // self.seconds)
        if window != self._window:
            self._window = window
            self._counts.clear()
        count = self._counts[key] = self._counts.get(key, 0) + amount
        return count

    def count(self, key: str, now: float) -> int:
        """Return the sum of `key` in the present window."""
        return self.add(key, 0, now)

    def left_seconds(self, now: float) -> int:
        """Return whole seconds until the present window ends, at least 1."""
        return max(1, int(self.seconds - now % self.seconds))


class RateLimits:
    """Binance's limits for all clients of the sandbox."""

    def __init__(self, *, unlimited: bool) -> None:
        self._unlimited = unlimited
        self._weights = FixedWindowCounter(MINUTE_SECONDS)
        self._refusals = FixedWindowCounter(MINUTE_SECONDS)
        self._orders = FixedWindowCounter(ORDER_WINDOW_SECONDS)
        self._orders_today = FixedWindowCounter(86_400)
        self._banned_until: dict[str, float] = {}

    def use_weight(self, address: str, weight: int, now: float) -> int:
        """Count a request; return the weight used this minute, or raise 429 and at length 418."""
        used = self._weights.add(address, weight, now)
        if self._unlimited:
            return used
        banned_for = self._banned_until.get(address, 0.0) - now
        if banned_for > 0:
            raise ExchangeError(-1003, "Way too much request weight used; IP banned.", 418, int(banned_for) + 1)
        if used > WEIGHT_A_MINUTE:
            self._refuse(address, now)
        return used

    def use_order(self, uid: int, now: float, count: int = 1) -> tuple[int, int]:
        """Count new orders; return those of ten seconds and of the day, or raise -1015."""
        used = self._orders.add(str(uid), count, now), self._orders_today.add(str(uid), count, now)
        if used[0] > ORDERS_IN_TEN_SECONDS and not self._unlimited:
            text = f"Too many new orders; current limit is {ORDERS_IN_TEN_SECONDS} orders per 10 SECOND."
            raise ExchangeError(-1015, text, 429, self._orders.left_seconds(now))
        return used

    def order_counts(self, uid: int, now: float) -> list[dict[str, object]]:
        """Return how many orders an account has placed in each interval, as `rateLimit/order` reports it."""
        counts = self._orders.count(str(uid), now), self._orders_today.count(str(uid), now)
        return [limit | {"count": count} for limit, count in zip(ORDER_LIMITS, counts, strict=True)]

    def _refuse(self, address: str, now: float) -> None:
        if self._refusals.add(address, 1, now) > REFUSALS_BEFORE_BAN:
            self._banned_until[address] = now + BAN_SECONDS
        text = (
            f"Too much request weight used; current limit is {WEIGHT_A_MINUTE} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        raise ExchangeError(-1003, text, 429, self._weights.left_seconds(now))


def exchange_limits() -> list[dict[str, object]]:
    """Return the limits as `exchangeInfo` lists them."""
    return [_limit("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_A_MINUTE), *ORDER_LIMITS]


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, object]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


ORDER_LIMITS = (
    _limit("ORDERS", "SECOND", ORDER_WINDOW_SECONDS, ORDERS_IN_TEN_SECONDS),
    _limit("ORDERS", "DAY", 1, ORDERS_A_DAY),
)
