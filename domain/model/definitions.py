"""A strategy's definition as data: rules, parameters, exits, sizing and order style."""

from dataclasses import dataclass, fields
from decimal import Decimal

from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ProtectAt


@dataclass(frozen=True, slots=True)
class StrategyParameter:
    """A number in the rules; `min`, `max` and `step` restrict the values that a trading session or a search may set."""

    name: str
    default: Decimal
    min: Decimal | None = None
    max: Decimal | None = None
    step: Decimal | None = None


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A part of the rules with a name: a number or a condition, which the rules and the parts after it may use."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class ExitDistance:
    """The distance of an exit from the entry price; exactly one field is set.

    `percent` of the entry price (2 is 2 %), `atr_multiple` of ATR(14) at the entry candle, or `absolute` in quote
    per base.
    """

    percent: Decimal | None = None
    atr_multiple: Decimal | None = None
    absolute: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """The size of an entry; exactly one field is set.

    `quote_amount` in quote currency; `equity_percent` of the account's equity; `risk_percent` of equity lost when the
    stop-loss is hit; `volatility_percent` of equity moved by one ATR(14).
    """

    quote_amount: Decimal | None = None
    equity_percent: Decimal | None = None
    risk_percent: Decimal | None = None
    volatility_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderStyle:
    """The type of entry orders; `offset_bps` moves a limit from the best price to the passive side, in basis points."""

    type: OrderType = OrderType.MARKET
    offset_bps: Decimal | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    give_up_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class EntryAdd:
    """A further entry into an open position, made at most `count` times in each.

    All conditions that are set must hold; there is at least one. The price must be as far `below` or `above` the price
    of the last entry, `rule` must be true on a closed candle, or with `on_entry_signal` the strategy or a user signals
    an entry again. Of `sizing`, which is the size of the whole ladder, each of them has `size_factor` shares and the
    entry has one.
    """

    below: ExitDistance | None = None
    above: ExitDistance | None = None
    rule: str | None = None
    on_entry_signal: bool = False
    size_factor: Decimal = Decimal(1)
    count: int = 1

    @property
    def waits_for_price(self) -> bool:
        """Whether a price alone leads to it, at any time; otherwise it is decided on when there is a signal."""
        return self.rule is None and not self.on_entry_signal


@dataclass(frozen=True, slots=True)
class ExitTarget:
    """A partial take-profit: `share_percent` of all that was bought is sold at a distance above the entry price."""

    distance: ExitDistance
    share_percent: Decimal


@dataclass(frozen=True, slots=True)
class StrategyDefinition:
    """A strategy as data: its rules in the language of `domain.strategies.parser`, None if there is no such rule.

    Without any rule it trades on signals from outside alone. `let` are named parts of the rules, in order.
    `max_holding_bars` counts closed candles. With `adds` a position is a ladder of entries, and its entry price is the
    average of them. `warm_up_tolerance` is the fraction of an indicator's value that may
    depend on where its history begins; None is the default, 1e-9. `protect_at` is where the prices of its exits are
    kept.
    """

    sizing: Sizing
    parameters: tuple[StrategyParameter, ...] = ()
    enter_long: str | None = None
    exit_long: str | None = None
    enter_short: str | None = None
    exit_short: str | None = None
    stop_loss: ExitDistance | None = None
    take_profit: ExitDistance | None = None
    trailing_stop: ExitDistance | None = None
    max_holding_bars: int | None = None
    order: OrderStyle = OrderStyle()
    adds: tuple[EntryAdd, ...] = ()
    targets: tuple[ExitTarget, ...] = ()
    let: tuple[NamedPart, ...] = ()
    warm_up_tolerance: Decimal | None = None
    protect_at: ProtectAt = ProtectAt.ENGINE

    @property
    def exit_distances(self) -> tuple[ExitDistance, ...]:
        """The distances of all exits that there are."""
        exits = (self.stop_loss, self.take_profit, self.trailing_stop, *(target.distance for target in self.targets))
        return tuple(exit_ for exit_ in exits if exit_ is not None)

    @property
    def needs_atr(self) -> bool:
        """Whether an exit, the distance of a further entry or the sizing is measured in ATR(14)."""
        adds = (distance for add in self.adds for distance in (add.below, add.above) if distance is not None)
        by_distance = any(distance.atr_multiple is not None for distance in (*self.exit_distances, *adds))
        return by_distance or self.sizing.volatility_percent is not None


def chosen_fields(choice: ExitDistance | Sizing) -> tuple[str, ...]:
    """Return the names of the fields that are set; a valid choice has exactly one."""
    return tuple(field.name for field in fields(choice) if getattr(choice, field.name) is not None)
