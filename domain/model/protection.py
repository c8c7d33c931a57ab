"""The protection of a position, and the intent to close one: rows that outlive the trading session that made them."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.core.money import ZERO
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.orders import OrderRole


class ProtectAt(StrEnum):
    """Where a protection is kept: as orders at the venue, by the engine alone, or at the venue where it can be."""

    VENUE = "VENUE"
    ENGINE = "ENGINE"
    BEST = "BEST"


@dataclass(frozen=True, slots=True)
class ExitLevel:
    """Where an exit is; exactly one field is set.

    A `price` in quote per base, or a distance from the entry: `percent` of its price (2 is 2 %) or `absolute` in quote
    per base. The distance of a trailing stop is measured from the best price since the entry.
    """

    price: Decimal | None = None
    percent: Decimal | None = None
    absolute: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PartialTarget:
    """A take-profit for a part of the position: `share` of all that was bought, more than 0 and at most 1."""

    level: ExitLevel
    share: Decimal


@dataclass(frozen=True, slots=True)
class ProtectionRules:
    """What is to close a position; None or empty if nothing of the kind.

    `maximum_bars` of `timeframe` is the longest time that the position may be held, counted from the start of the bar
    in which it was opened.
    """

    stop_loss: ExitLevel | None = None
    take_profit: ExitLevel | None = None
    trailing_stop: ExitLevel | None = None
    targets: tuple[PartialTarget, ...] = ()
    maximum_bars: int | None = None
    timeframe: Timeframe | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing closes the position."""
        return self == ProtectionRules()


@dataclass(frozen=True, slots=True)
class PositionProtection:
    """The protection of a position, or of what one entry order bought of it, with its state.

    It waits for the first fill of `entry_order_id`, and grows with its fills. `quantity` is what it still protects, in
    base; None for the whole position, as a trading session's does. `entry_quantity` is the part of the entry order's
    fills that it counts already, net of fees in base. `reference_price` is the entry price that the prices below were
    computed from, in quote per base. `high_water` is the best price since the entry, for a trailing stop. Trades before
    `watched_until` (the venue's time) don't count: they are no later than the fill, or were seen. `targets_done` has
    the indices of partial targets that were reached. `venue_filled` is what its orders that rest at the venue have
    filled, as far as `quantity` counts it, and `sold_by_hand` what other sales have taken of it. `unwatched_since` is
    set while the engine can't watch the market's prices, for that reason.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    market: MarketSymbol
    rules: ProtectionRules
    created_at: datetime
    trading_session_id: UUID | None = None
    entry_order_id: UUID | None = None
    position_id: UUID | None = None
    quantity: Decimal | None = None
    entry_quantity: Decimal = ZERO
    reference_price: Decimal | None = None
    stop_loss_price: Decimal | None = None
    take_profit_price: Decimal | None = None
    high_water: Decimal | None = None
    watched_until: datetime | None = None
    exit_at: datetime | None = None
    targets_done: tuple[int, ...] = ()
    protect_at: ProtectAt = ProtectAt.ENGINE
    venue_filled: Decimal = ZERO
    sold_by_hand: Decimal = ZERO
    unwatched_since: datetime | None = None
    unwatched_reason: str | None = None
    ended_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether its entry has been filled, so that its prices are known."""
        return self.reference_price is not None and self.ended_at is None

    def changed(self, **changes: object) -> "PositionProtection":
        """Return a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class PositionIntent:
    """The intent to close a position, or a part of it, until that is done.

    `role` and `reason` are why, `since` when it was formed; without a `position_id` it means whatever the entry orders
    of then still bring. `quantity` is the part to close, in base; None for all that `protection_id` protects, or for
    the whole position. `order_id` is the order that is under way, or the last one; `tries` counts the orders, `sold`
    what those that ended have closed. `missing` is what can't be closed because the account doesn't hold it any more.
    `last_refusal` is why the last order closed nothing, `failures` how many did so one after another. `waits_for` is a
    sentence, None while nothing keeps the next order back.
    """

    id: UUID
    user_id: UUID
    account_id: UUID
    market: MarketSymbol
    role: OrderRole
    reason: str
    since: datetime
    trading_session_id: UUID | None = None
    position_id: UUID | None = None
    protection_id: UUID | None = None
    signal_id: UUID | None = None
    quantity: Decimal | None = None
    order_id: UUID | None = None
    tries: int = 0
    failures: int = 0
    sold: Decimal = ZERO
    next_try_at: datetime | None = None
    missing: Decimal = ZERO
    last_refusal: str | None = None
    waits_for: str | None = None
    ended_at: datetime | None = None

    def changed(self, **changes: object) -> "PositionIntent":
        """Return a copy with these fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
