"""The inputs of the mutations of strategies."""

from decimal import Decimal

import strawberry

from domain.model import definitions as domain
from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ProtectAt


@strawberry.input(
    description="A named number that the rules use. A trading session can set another value than its default."
)
class StrategyParameterInput:
    name: str = strawberry.field(
        description=(
            "The name by which the rules use the parameter: at most 40 ASCII letters, digits and `_`, and it "
            "must not start with a digit."
        )
    )
    default: Decimal = strawberry.field(description="The value that is used if a trading session sets none.")
    min: Decimal | None = strawberry.field(
        default=None, description="The least value that a trading session may set. By default there is no lower bound."
    )
    max: Decimal | None = strawberry.field(
        default=None,
        description="The greatest value that a trading session may set. By default there is no upper bound.",
    )
    step: Decimal | None = strawberry.field(
        default=None, description="The step between the values that a search over parameters tries."
    )


@strawberry.input(description="A part of the rules with a name, which the rules and the parts after it can use.")
class NamedPartInput:
    name: str = strawberry.field(
        description=(
            "The name by which the rules use the part: at most 40 ASCII letters, digits and `_`, and it must not start "
            "with a digit."
        )
    )
    expression: str = strawberry.field(
        description="A number or a condition in the rule language, of at most 2,000 characters."
    )


@strawberry.input(
    one_of=True, description="A distance from the price of an entry. Give exactly one of the three fields."
)
class ExitDistanceInput:
    percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The distance in percent of the entry price. It must be more than 0 and, for a stop, less than "
        "100.",
    )
    atr_multiple: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The distance as a multiple of ATR(14), the average true range at the entry's candle. It must be more "
            "than 0."
        ),
    )
    absolute: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The distance as a difference of prices, in quote currency for one unit of the base currency. It must be "
            "more than 0."
        ),
    )

    def to_domain(self) -> domain.ExitDistance:
        return domain.ExitDistance(_set(self.percent), _set(self.atr_multiple), _set(self.absolute))


@strawberry.input(one_of=True, description="The size of an entry. Give exactly one of the four fields.")
class SizingInput:
    quote_amount: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="The value of the entry, in quote currency. It must be more than 0."
    )
    equity_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="The value of the entry, in percent of the account's equity: more than 0, at most 100.",
    )
    risk_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The loss if the stop-loss is hit, in percent of the account's equity: more than 0, at most 100. The "
            "strategy must have a `stopLoss`."
        ),
    )
    volatility_percent: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description=(
            "The change of the position's value if the price moves by one ATR(14), in percent of the account's "
            "equity: more than 0, at most 100."
        ),
    )

    def to_domain(self) -> domain.Sizing:
        return domain.Sizing(
            _set(self.quote_amount), _set(self.equity_percent), _set(self.risk_percent), _set(self.volatility_percent)
        )


@strawberry.input(description="The kind of order with which positions are entered.")
class OrderStyleInput:
    type: OrderType = strawberry.field(
        default=OrderType.MARKET, description="MARKET or LIMIT. The other fields are only valid with LIMIT."
    )
    offset_bps: Decimal | None = strawberry.field(
        default=None,
        description=(
            "How far below the best bid a LIMIT order is placed, in basis points (hundredths of a percent): from 0 to "
            "less than 10,000. The default is 0."
        ),
    )
    time_in_force: TimeInForce | None = strawberry.field(
        default=None, description="How long a LIMIT order rests. The default is GTC. GTD requires `giveUpAfterSeconds`."
    )
    post_only: bool | None = strawberry.field(
        default=None,
        description="Reject instead of taking liquidity (LIMIT only, and not with IOC or FOK). The default is false.",
    )
    give_up_after_seconds: int | None = strawberry.field(
        default=None,
        description=(
            "The time after which the engine cancels a LIMIT order that is not filled, in seconds: from 1 to 604,800 "
            "(7 days). By default it is not cancelled."
        ),
    )

    def to_domain(self) -> domain.OrderStyle:
        return domain.OrderStyle(
            self.type, self.offset_bps, self.time_in_force, bool(self.post_only), self.give_up_after_seconds
        )


@strawberry.input(
    description=(
        "A further entry into an open position, to average in or to pyramid. All the conditions that are given must "
        "hold, and at least one is needed. A price alone is watched on every trade; `rule` and `onEntrySignal` are "
        "decided on when a candle has closed or a signal was submitted. None is made while the session is paused or "
        "halted, while an entry order is open or while the position is being closed."
    )
)
class EntryAddInput:
    below: ExitDistanceInput | None = strawberry.field(
        default=None,
        description="How far the price must be below the last entry's, with ATR(14) at the newest closed candle. Not "
        "together with `above`.",
    )
    above: ExitDistanceInput | None = strawberry.field(
        default=None,
        description="How far the price must be above the last entry's, with ATR(14) at the newest closed candle. Not "
        "together with `below`.",
    )
    rule: str | None = strawberry.field(
        default=None, description="A rule that must be true on a closed candle while the position is open."
    )
    on_entry_signal: bool = strawberry.field(
        default=False,
        description="True if `enterLong` must be true again, or ENTER_LONG be submitted again. The default is false.",
    )
    size_factor: Decimal = strawberry.field(
        default=Decimal(1),
        description=(
            "Its size compared with that of the first entry, more than 0 and at most 1,000. `sizing` is the size of "
            "all entries together: with one further entry of factor 2 the first has a third of it. The default is 1."
        ),
    )
    count: int = strawberry.field(
        default=1,
        description=(
            "How often it is made in one position, from 1 to 100. Each counts once it was signalled, whatever becomes "
            "of its order. The default is 1."
        ),
    )

    def to_domain(self) -> domain.EntryAdd:
        return domain.EntryAdd(
            below=self.below.to_domain() if self.below else None,
            above=self.above.to_domain() if self.above else None,
            rule=self.rule,
            on_entry_signal=self.on_entry_signal,
            size_factor=self.size_factor,
            count=self.count,
        )


@strawberry.input(description="A partial take-profit.")
class ExitTargetInput:
    distance: ExitDistanceInput = strawberry.field(
        description="How far above the entry price the part is sold. The entry price is the average of all entries."
    )
    share_percent: Decimal = strawberry.field(
        description="How much of all that was bought is sold, in percent: more than 0, and at most 100 in all targets."
    )

    def to_domain(self) -> domain.ExitTarget:
        return domain.ExitTarget(self.distance.to_domain(), self.share_percent)


@strawberry.input(
    description=(
        "A strategy as data: its rules, exits, size and kind of order. `docs/strategies.md` describes the rule "
        "language. A strategy without rules trades only on signals that are sent to it."
    )
)
class StrategyDefinitionInput:
    parameters: list[StrategyParameterInput] | None = strawberry.field(
        default=None, description="The parameters that the rules use, at most 32."
    )
    let: list[NamedPartInput] | None = strawberry.field(
        default=None, description="The named parts of the rules, in order: at most 32, of 8,000 characters together."
    )
    enter_long: str | None = strawberry.field(default=None, description="The rule that buys to open a position.")
    exit_long: str | None = strawberry.field(default=None, description="The rule that sells what was bought.")
    enter_short: str | None = strawberry.field(
        default=None,
        description=(
            "The rule that sells short. Not supported yet: it can be stored, but `strategyValidate` and "
            "`tradingSessionStart` return UNSUPPORTED."
        ),
    )
    exit_short: str | None = strawberry.field(
        default=None,
        description=(
            "The rule that buys back what was sold short. Not supported yet: it can be stored, but `strategyValidate` "
            "and `tradingSessionStart` return UNSUPPORTED."
        ),
    )
    stop_loss: ExitDistanceInput | None = strawberry.field(
        default=None,
        description=(
            "How far below the entry price the position is closed with a loss. An entry whose price isn't above that "
            "distance is refused."
        ),
    )
    take_profit: ExitDistanceInput | None = strawberry.field(
        default=None, description="How far above the entry price the position is closed with a profit."
    )
    trailing_stop: ExitDistanceInput | None = strawberry.field(
        default=None,
        description=(
            "How far below the best price since the entry the position is closed. It follows that price up and never "
            "moves down. An entry whose price isn't above that distance is refused."
        ),
    )
    max_holding_bars: int | None = strawberry.field(
        default=None,
        description="The number of closed candles after which the position is closed, from 1 to 1,000,000.",
    )
    sizing: SizingInput = strawberry.field(
        description="The size of an entry. If there are `adds`, it is that of all entries of a position together."
    )
    order: OrderStyleInput | None = strawberry.field(
        default=None, description="The kind of order with which positions are entered. The default is MARKET."
    )
    adds: list[EntryAddInput] | None = strawberry.field(
        default=None, description="Further entries into an open position, at most 10. By default there are none."
    )
    targets: list[ExitTargetInput] | None = strawberry.field(
        default=None,
        description=(
            "Partial take-profits, at most 10; each is reached once. What they leave is closed by the other exits. By "
            "default there are none."
        ),
    )
    warm_up_tolerance: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The fraction of an indicator's value that may depend on where its history begins, from 0.000000001 (the "
            "default) to 0.01. A greater one lets a trading session start with fewer candles."
        ),
    )
    protect_at: ProtectAt | None = strawberry.field(
        default=None,
        description=(
            "Where `stopLoss`, `takeProfit` and `trailingStop` are kept. The default is ENGINE. With VENUE, "
            "`tradingSessionStart` returns UNSUPPORTED where the venue lacks the orders that it takes."
        ),
    )

    def to_domain(self) -> domain.StrategyDefinition:
        return domain.StrategyDefinition(
            sizing=self.sizing.to_domain(),
            parameters=tuple(domain.StrategyParameter(**vars(parameter)) for parameter in self.parameters or ()),
            enter_long=self.enter_long,
            exit_long=self.exit_long,
            enter_short=self.enter_short,
            exit_short=self.exit_short,
            stop_loss=self.stop_loss.to_domain() if self.stop_loss else None,
            take_profit=self.take_profit.to_domain() if self.take_profit else None,
            trailing_stop=self.trailing_stop.to_domain() if self.trailing_stop else None,
            max_holding_bars=self.max_holding_bars,
            order=self.order.to_domain() if self.order else domain.OrderStyle(),
            adds=tuple(add.to_domain() for add in self.adds or ()),
            targets=tuple(target.to_domain() for target in self.targets or ()),
            let=tuple(domain.NamedPart(part.name, part.expression) for part in self.let or ()),
            warm_up_tolerance=self.warm_up_tolerance,
            protect_at=self.protect_at or ProtectAt.ENGINE,
        )


def _set(value: Decimal | None) -> Decimal | None:
    return None if value is strawberry.UNSET else value


@strawberry.input(description="The strategy to create.")
class StrategyCreateInput:
    name: str = strawberry.field(description="The name of the strategy, of 1 to 100 printable characters.")
    description: str | None = strawberry.field(
        default=None, description="A description of the strategy, of at most 2,000 characters."
    )
    definition: StrategyDefinitionInput = strawberry.field(description="The definition of the first version.")
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the strategy "
            "of the first "
            "request. At most 128 characters."
        ),
    )


@strawberry.input(description="The changes of a strategy. A field that isn't given keeps its value.")
class StrategyUpdateInput:
    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name of the strategy, of 1 to 100 printable characters. It can't be null.",
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new description of the strategy, of at most 2,000 characters. Null removes it.",
    )
    definition: StrategyDefinitionInput | None = strawberry.field(
        default=strawberry.UNSET, description="The definition of a new version. It can't be null."
    )
    expected_version: int | None = strawberry.field(
        default=None,
        description=(
            "The number of the newest version that you know. If there is a newer one, the result is the error "
            "CONFLICT. By default this isn't checked."
        ),
    )
