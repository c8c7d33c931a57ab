"""The waiting times of the order protocol."""

import math
from dataclasses import dataclass

from domain.execution.feed_warmup import BOOK_WAIT_SECONDS
from domain.model.orders import Order, OrderType


@dataclass(frozen=True, slots=True)
class OrderTimings:
    """The times of the order protocol, all in seconds.

    `maximum_lease_age` is the time since the lease's last renewal up to which requests are sent. An answer "no such
    order" counts only `absence_after` the send: the venue's receive window of 2.5 s, and 2 s more. `book_wait` is
    how long an order waits for the first book of its market. Every `checkpoint_interval` the time up to which the
    account agrees with its venue is stored, and its balances are asked for; those of an account that doesn't trade
    every `resting_refresh_interval`. Balances that don't cover an order are asked for again if they are older than
    `balance_refresh_interval`, and the order waits at most `balance_wait` for them. An order that is older than its
    `maximum_age` isn't sent; but a new order waits up to its `maximum_wait` while the account isn't reconciled, as
    after it has moved to another node, and may be sent until then. `unreconciled_wait` spans the end of a dead
    node's lease and the start of another executor; `unreconciled_market_wait` is less, since an order without a
    price of its own takes whatever the price is by then. An amendment is given up at `maximum_amendment_age`. At
    most `maximum_requests` new orders that may add risk are sent at once. An order that has been in doubt for
    `doubt_alert_after` raises an alert; after `doubt_limit` a trade whose order the venue doesn't find no longer
    keeps it in doubt. Foreign orders are reported once no more were noticed for `foreign_alert_delay`, at most
    every `foreign_alert_interval`. An order by hand waits at most `coins_wait` for coins that orders at the venue
    keep for a protection. What waits for the price of a market raises an alert if none has come for
    `unwatched_after`.
    """

    poll_interval: float = 0.25
    maximum_lease_age: float = 3.0
    absence_after: float = 4.5
    first_query_delay: float = 0.1
    longest_query_delay: float = 15.0
    in_flight_delay: float = 0.02
    unreconciled_wait: float = 10.0
    unreconciled_market_wait: float = 5.0
    maximum_amendment_age: float = 10.0
    maximum_market_order_age: float = 2.0
    maximum_order_age: float = 5.0
    maximum_requests: int = 32
    doubt_alert_after: float = 30.0
    doubt_limit: float = 45.0
    foreign_alert_delay: float = 1.0
    foreign_alert_interval: float = 60.0
    book_wait: float = BOOK_WAIT_SECONDS
    retry_delay: float = 0.25
    longest_retry_delay: float = 10.0
    checkpoint_interval: float = 60.0
    resting_refresh_interval: float = 1_800.0
    balance_refresh_interval: float = 0.5
    balance_wait: float = 1.5
    coins_wait: float = 1.5
    unwatched_after: float = 60.0

    def maximum_age(self, order: Order) -> float:
        """Return how many seconds after it was placed the order may be sent; no limit for an exit or an amendment."""
        if order.reduce_only or order.replaces_id is not None:
            return math.inf
        return self.maximum_market_order_age if order.type is OrderType.MARKET else self.maximum_order_age

    def maximum_wait(self, order: Order) -> float:
        """Return how many seconds after it was placed a new order waits at most for the account to be reconciled."""
        is_at_market = order.type is OrderType.MARKET
        return min(self.unreconciled_market_wait, self.unreconciled_wait) if is_at_market else self.unreconciled_wait
