"""What was asked of one venue by this process, for metrics, and how many orders an account may still place."""

from collections import Counter
from collections.abc import Mapping

from domain.core.clock import Clock
from domain.ports.market_data import VenueUnreachable

NO_ANSWER = 0
TOO_MANY_ORDERS = '"code":-1015'
ORDER_COUNT = "x-mbx-order-count-"
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}


class ResponseCounter:
    """Answers of the venue by their HTTP status; `NO_ANSWER` for requests that got none."""

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.order_limits: dict[str, int] = {}
        """How many orders the venue takes of an account, by the interval as its headers name it, such as `10s`."""

    def learn_limits(self, told: object) -> int | None:
        """Take `rateLimits` of Binance's exchangeInfo; return the weight a minute where it is told."""
        weight = None
        for each in told if isinstance(told, list) else ():
            kind, interval = each.get("rateLimitType"), f"{each.get('intervalNum')}{_UNITS.get(each.get('interval'))}"
            if kind == "ORDERS":
                self.order_limits[interval] = int(each["limit"])
            elif kind == "REQUEST_WEIGHT" and interval == "1m":
                weight = int(each["limit"])
        return weight


class OrderCountTracker:
    """The orders that one account has placed, as the venue counts them in `x-mbx-order-count-10s` and `-1d`.

    Binance counts them by account, not by address
    (https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits), in intervals of its own clock.
    """

    def __init__(self, clock: Clock, traffic: ResponseCounter) -> None:
        self._clock = clock
        self._traffic = traffic
        self._placed: dict[str, tuple[int, float]] = {}

    def observe(self, headers: Mapping[str, str]) -> None:
        """Learn from an answer, its headers' names in lower case."""
        now = self._clock.monotonic()
        for name, told in headers.items():
            if name.startswith(ORDER_COUNT) and told.isdigit():
                interval = name.removeprefix(ORDER_COUNT)
                before, since = self._placed.get(interval, (0, now))
                # A count that hasn't grown is of a new interval.
                self._placed[interval] = (int(told), since if int(told) > before else now)

    def check(self) -> None:
        """Raise `VenueUnreachable` where the venue would take no more orders of the account now."""
        now = self._clock.monotonic()
        for interval, (count, since) in self._placed.items():
            limit = self._traffic.order_limits.get(interval)
            left = since + _length(interval) - now
            if limit is not None and count >= limit and left > 0:
                raise VenueUnreachable(f"The venue takes {limit} orders of an account in {interval}.", left)


def _length(interval: str) -> float:
    number, unit = interval[:-1], interval[-1:]
    return int(number) * _SECONDS[unit] if number.isdigit() and unit in _SECONDS else 0.0
