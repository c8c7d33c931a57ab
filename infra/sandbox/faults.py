"""Fault injection: a test has the exchange fail as it asks, and so tests a client's recovery against a real venue."""

from dataclasses import dataclass, field

import msgspec

from infra.sandbox.candles import Candle


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What `POST /admin/misbehave` takes; counts are of the next requests or events, 0 for none."""

    clear: bool = False
    """Forget the counted faults that are still to come, before these are added."""
    swallow_orders: int = 0
    """New orders that are accepted, and whose connection is then aborted without an answer."""
    hang_orders: int = 0
    """New orders that are accepted and never answered; the connection stays open."""
    drop_orders: int = 0
    """New orders whose connection is aborted before anything is done."""
    swallow_cancels: int = 0
    """Cancels that are carried out and never answered: their connection is aborted."""
    delay_ms: int = 0
    """How long the next `delay_count` answers wait before they are sent."""
    delay_count: int = 0
    delay_orders_ms: int = 0
    """How long the next `delay_orders_count` new orders wait before they are processed."""
    delay_orders_count: int = 0
    answer_status: int = 0
    """The HTTP status (418, 429, 5xx) of the next `answer_count` requests, which aren't carried out."""
    answer_count: int = 0
    answer_retry_after_seconds: int = 0
    """How long the client is to make no request after such a 418 or 429: 1 s unless that is given."""
    repeat_fills: int = 0
    """Fill events that are sent twice."""
    reorder_fills: int = 0
    """Fill events that are sent after the event that follows them."""
    mute_user_events: int = 0
    """User events that are never sent."""
    drop_market_streams: bool = False
    """Abort all market stream connections now."""
    drop_user_streams: bool = False
    """Abort all WebSocket API connections now."""
    silence_market_streams: bool | None = None
    """Stop (true) or resume (false) publishing market data while connections stay open."""
    refuse_sockets: int = 0
    """WebSocket connections that are rejected."""
    falsify_minutes: int = 0
    """Minutes of each market, the forming one first, that candles on request show with twice the volume and a higher
    high than was traded; longer candles include them."""
    hide_minutes: int = 0
    """Minutes of each market, the forming one first, that one-minute candles on request omit."""
    drift_ms: int | None = None
    """The error of the venue's clock from now on."""


@dataclass
class CandleFaults:
    """How many of the minutes that close next are falsified or hidden, and the open times of the hidden ones.

    Both concern only candles on request; what is published as trades is always right.
    """

    to_falsify: int = 0
    to_hide: int = 0
    hidden_ms: set[int] = field(default_factory=set)

    def add(self, falsify: int, hide: int) -> None:
        """Falsify or hide so many more minutes, the forming one first."""
        self.to_falsify += falsify
        self.to_hide += hide

    def apply(self, closed: Candle) -> Candle:
        """Return the candle to store for a minute that has just closed."""
        if self.to_hide:
            self.to_hide -= 1
            self.hidden_ms.add(closed.open_ms)
        if not self.to_falsify:
            return closed
        self.to_falsify -= 1
        return closed._replace(high=closed.high + closed.high // 100, volume=2 * closed.volume, quote=2 * closed.quote)


@dataclass
class FaultInjector:
    """The requested faults that are still to come."""

    counts: dict[str, int] = field(default_factory=dict)
    delay_ms: int = 0
    delay_orders_ms: int = 0
    answer_status: int = 503
    answer_retry_after_seconds: int = 1
    silent: bool = False

    def add(self, plan: FaultPlan) -> None:
        """Add the faults of `plan` to those still to come."""
        if plan.clear:
            self.counts.clear()
        for name in _COUNTED:
            if count := getattr(plan, name):
                self.counts[name] = self.counts.get(name, 0) + count
        self.delay_ms = plan.delay_ms or self.delay_ms
        self.delay_orders_ms = plan.delay_orders_ms or self.delay_orders_ms
        self.answer_status = plan.answer_status or self.answer_status
        self.answer_retry_after_seconds = plan.answer_retry_after_seconds or self.answer_retry_after_seconds
        self.silent = self.silent if plan.silence_market_streams is None else plan.silence_market_streams

    def consume(self, name: str) -> bool:
        """Use up one fault called `name`; return whether there was one."""
        left = self.counts.get(name, 0)
        if left:
            self.counts[name] = left - 1
        return left > 0

    def pending(self) -> dict[str, object]:
        """Return the faults that are still to come, as the administrative API answers them."""
        left = {name: count for name, count in self.counts.items() if count}
        return {"pending": left, "silent": self.silent}


_COUNTED = (
    "swallow_orders",
    "hang_orders",
    "drop_orders",
    "swallow_cancels",
    "delay_count",
    "delay_orders_count",
    "answer_count",
    "repeat_fills",
    "reorder_fills",
    "mute_user_events",
    "refuse_sockets",
)
