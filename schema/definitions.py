"""Strategy definitions as the API shows and takes them."""

from decimal import Decimal

import strawberry

from domain.model import definitions as domain
from domain.model.orders import OrderType, TimeInForce
from domain.strategies.errors import DefinitionError
from schema.errors import UserError, shows_error


@strawberry.type(description="A number that the rules name.")
class StrategyParameter:
    """The schema's face of `domain.model.definitions.StrategyParameter`."""

    name: str = strawberry.field(description="How the rules name it.")
    default: Decimal = strawberry.field(description="Its value where a session sets none.")
    min: Decimal | None = strawberry.field(description="The least that it may be.")
    max: Decimal | None = strawberry.field(description="The most that it may be.")
    step: Decimal | None = strawberry.field(description="In which steps a search may set it.")


@strawberry.type(description="How far from the entry price an exit lies; one of the three is set.")
class ExitDistance:
    """The schema's face of `domain.model.definitions.ExitDistance`."""

    percent: Decimal | None = strawberry.field(description="Of the entry price.")
    atr_multiple: Decimal | None = strawberry.field(description="Of ATR(14) at the entry candle.")
    absolute: Decimal | None = strawberry.field(description="In quote currency per base.")


@strawberry.type(description="How large an entry is; one of the four is set.")
class Sizing:
    """The schema's face of `domain.model.definitions.Sizing`."""

    quote_amount: Decimal | None = strawberry.field(description="In quote currency.")
    equity_percent: Decimal | None = strawberry.field(description="Of the account's equity.")
    risk_percent: Decimal | None = strawberry.field(description="Of equity, lost when the stop-loss is hit.")
    volatility_percent: Decimal | None = strawberry.field(description="Of equity, moved by one ATR(14).")


@strawberry.type(description="How entries are ordered.")
class OrderStyle:
    """The schema's face of `domain.model.definitions.OrderStyle`."""

    type: OrderType = strawberry.field(description="MARKET or LIMIT.")
    offset_bps: Decimal | None = strawberry.field(description="How far a limit lies from the best price.")
    time_in_force: TimeInForce | None = strawberry.field(description="How long a limit order rests.")
    post_only: bool = strawberry.field(description="Whether it must not take.")
    give_up_after_seconds: int | None = strawberry.field(description="When it is cancelled by the engine.")


@strawberry.type(description="A strategy as data.")
class StrategyDefinition:
    """The schema's face of `domain.model.definitions.StrategyDefinition`."""

    parameters: list[StrategyParameter] = strawberry.field(description="The numbers that the rules name.")
    enter_long: str | None = strawberry.field(description="When to buy.")
    exit_long: str | None = strawberry.field(description="When to sell what was bought.")
    enter_short: str | None = strawberry.field(
        description="The rule that says when to sell short. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED."
    )
    exit_short: str | None = strawberry.field(
        description="The rule that says when to buy back what was sold short. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED."
    )
    stop_loss: ExitDistance | None = strawberry.field(description="Where a loss is cut.")
    take_profit: ExitDistance | None = strawberry.field(description="Where a profit is taken.")
    trailing_stop: ExitDistance | None = strawberry.field(
        description="How far behind the best price a stop follows. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED."
    )
    max_holding_bars: int | None = strawberry.field(description="After how many closed candles to exit.")
    sizing: Sizing = strawberry.field(description="How large an entry is.")
    order: OrderStyle = strawberry.field(description="How entries are ordered.")


@strawberry.input(description="A number that the rules name.")
class StrategyParameterInput:
    """A parameter as it is given."""

    name: str = strawberry.field(description="How the rules name it.")
    default: Decimal = strawberry.field(description="Its value where a session sets none.")
    min: Decimal | None = strawberry.field(default=None, description="The least that it may be.")
    max: Decimal | None = strawberry.field(default=None, description="The most that it may be.")
    step: Decimal | None = strawberry.field(default=None, description="In which steps a search may set it.")


@strawberry.input(one_of=True, description="Exactly one.")
class ExitDistanceInput:
    """A distance as it is given."""

    percent: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Of the entry price.")
    atr_multiple: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Of ATR(14).")
    absolute: Decimal | None = strawberry.field(default=strawberry.UNSET, description="In quote currency per base.")

    def to_domain(self) -> domain.ExitDistance:
        """Return the distance."""
        return domain.ExitDistance(_set(self.percent), _set(self.atr_multiple), _set(self.absolute))


@strawberry.input(one_of=True, description="Exactly one.")
class SizingInput:
    """A sizing as it is given."""

    quote_amount: Decimal | None = strawberry.field(default=strawberry.UNSET, description="In quote currency.")
    equity_percent: Decimal | None = strawberry.field(default=strawberry.UNSET, description="Of the equity.")
    risk_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Of equity, lost when the stop-loss is hit."
    )
    volatility_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="Of equity, moved by one ATR(14)."
    )

    def to_domain(self) -> domain.Sizing:
        """Return the sizing."""
        return domain.Sizing(
            _set(self.quote_amount), _set(self.equity_percent), _set(self.risk_percent), _set(self.volatility_percent)
        )


@strawberry.input(description="How entries are ordered.")
class OrderStyleInput:
    """An order style as it is given."""

    type: OrderType = strawberry.field(default=OrderType.MARKET, description="MARKET or LIMIT.")
    offset_bps: Decimal | None = strawberry.field(
        default=None, description="How far a limit lies from the best price, to the passive side."
    )
    time_in_force: TimeInForce | None = strawberry.field(default=None, description="How long a limit order rests.")
    post_only: bool | None = strawberry.field(default=None, description="Whether it must not take.")
    give_up_after_seconds: int | None = strawberry.field(
        default=None, description="When the engine cancels a limit order that still rests."
    )

    def to_domain(self) -> domain.OrderStyle:
        """Return the style."""
        return domain.OrderStyle(
            self.type, self.offset_bps, self.time_in_force, bool(self.post_only), self.give_up_after_seconds
        )


@strawberry.input(description="A strategy as data; see the rule language in the API guide.")
class StrategyDefinitionInput:
    """A definition as it is given."""

    parameters: list[StrategyParameterInput] | None = strawberry.field(
        default=None, description="The numbers that the rules name."
    )
    enter_long: str | None = strawberry.field(default=None, description="When to buy.")
    exit_long: str | None = strawberry.field(default=None, description="When to sell what was bought.")
    enter_short: str | None = strawberry.field(
        default=None,
        description="The rule that says when to sell short. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED.",
    )
    exit_short: str | None = strawberry.field(
        default=None,
        description="The rule that says when to buy back what was sold short. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED.",
    )
    stop_loss: ExitDistanceInput | None = strawberry.field(default=None, description="Where a loss is cut.")
    take_profit: ExitDistanceInput | None = strawberry.field(default=None, description="Where a profit is taken.")
    trailing_stop: ExitDistanceInput | None = strawberry.field(
        default=None,
        description="How far behind the best price a stop follows. Not supported yet: it can be stored, and "
        "`strategyValidate` and `tradingSessionStart` answer UNSUPPORTED.",
    )
    max_holding_bars: int | None = strawberry.field(default=None, description="After how many closed candles to exit.")
    sizing: SizingInput = strawberry.field(description="How large an entry is.")
    order: OrderStyleInput | None = strawberry.field(default=None, description="How entries are ordered.")

    def to_domain(self) -> domain.StrategyDefinition:
        """Return the definition, not yet validated."""
        return domain.StrategyDefinition(
            sizing=self.sizing.to_domain(),
            parameters=tuple(domain.StrategyParameter(**vars(one)) for one in self.parameters or ()),
            enter_long=self.enter_long,
            exit_long=self.exit_long,
            enter_short=self.enter_short,
            exit_short=self.exit_short,
            stop_loss=self.stop_loss.to_domain() if self.stop_loss else None,
            take_profit=self.take_profit.to_domain() if self.take_profit else None,
            trailing_stop=self.trailing_stop.to_domain() if self.trailing_stop else None,
            max_holding_bars=self.max_holding_bars,
            order=self.order.to_domain() if self.order else domain.OrderStyle(),
        )


@shows_error(DefinitionError)
@strawberry.type(description="`start` and `end` are character offsets into the rule named by `path`.")
class StrategyDefinitionError(UserError):
    """The schema's face of `domain.strategies.errors.DefinitionError`."""

    start: int | None = strawberry.field(description="The first character of the mistake.")
    end: int | None = strawberry.field(description="The first character after it.")
    suggestion: str | None = strawberry.field(description="What would be right in its place, where one is near.")


def _set(value: Decimal | None) -> Decimal | None:
    return None if value is strawberry.UNSET else value
