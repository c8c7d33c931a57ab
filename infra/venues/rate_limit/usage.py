"""Counts one venue's answers, for metrics, and the orders that an account may still place."""

from collections import Counter
from collections.abc import Mapping

from domain.core.clock import Clock
from domain.ports.market_data import VenueUnreachable

NO_ANSWER = 0
TOO_MANY_ORDERS = '"code":-1015'
ORDER_COUNT_HEADER = "x-mbx-order-count-"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}


class ResponseCounter:
    """The venue's answers by HTTP status; `NO_ANSWER` for requests without one."""

    def __init__(self) -> None:
        self.by_status: Counter[int] = Counter()
        self.order_limits: dict[str, int] = {}
        """How many orders the venue accepts from an account, by interval as its headers name it, such as `10s`."""

    def read_limits(self, rate_limits: object) -> int | None:
        """Read `rateLimits` of Binance's exchangeInfo; return the weight per minute, None if it isn't there."""
        weight = None
        for limit in rate_limits if isinstance(rate_limits, list) else ():
            kind, interval = (
                limit.get("rateLimitType"),
                f"{limit.get('intervalNum')}{_UNITS.get(limit.get('interval'))}",
            )
            if kind == "ORDERS":
                self.order_limits[interval] = int(limit["limit"])
            elif kind == "REQUEST_WEIGHT" and interval == "1m":
                weight = int(limit["limit"])
        return weight


class OrderCountTracker:
    """The orders that one account has placed, as the venue counts them in `x-mbx-order-count-10s` and `-1d`.

    Binance counts them by account, not by address
    (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits), in intervals of its own clock.
    """

    def __init__(self, clock: Clock, responses: ResponseCounter) -> None:
        self._clock = clock
        self._responses = responses
        self._placed: dict[str, tuple[int, float]] = {}

    def observe(self, headers: Mapping[str, str]) -> None:
        """Read the counts of an answer, its headers' names in lower case."""
        now = self._clock.monotonic()
        for name, value in headers.items():
            if name.startswith(ORDER_COUNT_HEADER) and value.isdigit():
                interval = name.removeprefix(ORDER_COUNT_HEADER)
                before, since = self._placed.get(interval, (0, now))
                # A count that hasn't grown belongs to a new interval.
                self._placed[interval] = (int(value), since if int(value) > before else now)

    def check(self) -> None:
        """Raise `VenueUnreachable` if the venue would accept no more orders of the account now."""
        now = self._clock.monotonic()
        for interval, (count, since) in self._placed.items():
            limit = self._responses.order_limits.get(interval)
            left = since + _interval_seconds(interval) - now
            if limit is not None and count >= limit and left > 0:
                raise VenueUnreachable(f"The venue takes {limit} orders of an account in {interval}.", left)


def _interval_seconds(interval: str) -> float:
    number, unit = interval[:-1], interval[-1:]
    return int(number) * _SECONDS[unit] if number.isdigit() and unit in _SECONDS else 0.0
