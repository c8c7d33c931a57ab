"""What a strategy is: rules, parameters, exits, sizing and order style, as data."""

from dataclasses import dataclass, fields
from decimal import Decimal

from domain.model.orders import OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class StrategyParameter:
    """A number that the rules name; `min`, `max` and `step` bound what a session or a search may set it to."""

    name: str
    default: Decimal
    min: Decimal | None = None
    max: Decimal | None = None
    step: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ExitDistance:
    """How far from the entry price an exit lies; exactly one is set.

    `percent` of the entry price (2 is 2 %), `atr_multiple` of ATR(14) at the entry candle, or `absolute` in quote
    per base.
    """

    percent: Decimal | None = None
    atr_multiple: Decimal | None = None
    absolute: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large an entry is; exactly one is set.

    `quote_amount` in quote currency; `equity_percent` of the account's equity; `risk_percent` of equity lost when the
    stop-loss is hit; `volatility_percent` of equity moved by one ATR(14).
    """

    quote_amount: Decimal | None = None
    equity_percent: Decimal | None = None
    risk_percent: Decimal | None = None
    volatility_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderStyle:
    """How entries are ordered; `offset_bps` moves a limit away from the best price, to the passive side."""

    type: OrderType = OrderType.MARKET
    offset_bps: Decimal | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool = False
    give_up_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class StrategyDefinition:
    """A strategy as data: the rules in the language of `domain.strategies.parser`, None where never.

    Without any rule it trades on signals from outside alone. `max_holding_bars` counts closed candles.
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

    @property
    def needs_atr(self) -> bool:
        """Whether an exit or the sizing is measured in ATR(14)."""
        exits = (self.stop_loss, self.take_profit, self.trailing_stop)
        by_exit = any(exit_ is not None and exit_.atr_multiple is not None for exit_ in exits)
        return by_exit or self.sizing.volatility_percent is not None


def chosen(choice: ExitDistance | Sizing) -> tuple[str, ...]:
    """Return the names of the fields that are set; a valid choice has exactly one."""
    return tuple(field.name for field in fields(choice) if getattr(choice, field.name) is not None)
