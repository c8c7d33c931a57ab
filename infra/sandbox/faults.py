"""Faults on demand, so that a client's recovery can be tested against a venue that really misbehaves."""

from dataclasses import dataclass, field

import msgspec

from infra.sandbox.api.binance_json import Json


class FaultPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What `POST /admin/misbehave` takes; counts are of the next requests or events, 0 for none."""

    swallow_orders: int = 0
    """New orders that are accepted, whose connection is then cut without an answer."""
    hang_orders: int = 0
    """New orders that are accepted and never answered; the connection stays open."""
    drop_orders: int = 0
    """New orders whose connection is cut before anything is done."""
    swallow_cancels: int = 0
    """Cancels that are carried out and never answered: their connection is cut."""
    delay_ms: int = 0
    """How long the next `delay_count` answers wait before they are sent."""
    delay_count: int = 0
    delay_orders_ms: int = 0
    """How long the next `delay_orders_count` new orders wait before they are looked at."""
    delay_orders_count: int = 0
    answer_status: int = 0
    """The HTTP status (418, 429, 5xx) of the next `answer_count` requests, which aren't carried out."""
    answer_count: int = 0
    repeat_fills: int = 0
    """Fill events that are told twice."""
    reorder_fills: int = 0
    """Fill events that are told after the event that follows them."""
    mute_user_events: int = 0
    """User events that are never told."""
    drop_market_streams: bool = False
    """Cut all market stream connections now."""
    drop_user_streams: bool = False
    """Cut all WebSocket API connections now."""
    silence_market_streams: bool | None = None
    """Stop (true) or go on (false) publishing market data while connections stay open."""
    refuse_sockets: int = 0
    """WebSocket connections that are refused."""
    falsify_minutes: int = 0
    """Minutes of each market, the forming one first, that candles on request tell with twice the volume and a higher
    high than was traded, and so the longer candles that they are part of."""
    hide_minutes: int = 0
    """Minutes of each market, the forming one first, that one-minute candles on request leave out."""
    drift_ms: int | None = None
    """How far the venue's clock is off from now on."""


@dataclass
class FaultInjector:
    """What is left of the faults that were asked for."""

    counts: dict[str, int] = field(default_factory=dict)
    delay_ms: int = 0
    delay_orders_ms: int = 0
    answer_status: int = 503
    silent: bool = False

    def instruct(self, told: FaultPlan) -> None:
        """Add the faults of `told` to those still to come."""
        for name in _COUNTED:
            if count := getattr(told, name):
                self.counts[name] = self.counts.get(name, 0) + count
        self.delay_ms = told.delay_ms or self.delay_ms
        self.delay_orders_ms = told.delay_orders_ms or self.delay_orders_ms
        self.answer_status = told.answer_status or self.answer_status
        self.silent = self.silent if told.silence_market_streams is None else told.silence_market_streams

    def take(self, name: str) -> bool:
        """Use up one fault of the kind `name`; tell whether there was one."""
        left = self.counts.get(name, 0)
        if left:
            self.counts[name] = left - 1
        return left > 0

    def view(self) -> Json:
        """Return what is still to come."""
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
