"""Strategies, their versions and definitions."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import strategies as domain
from domain.model.orders import OrderType, TimeInForce
from domain.model.protection import ProtectAt
from domain.ports.trading_sessions import TradingSessionFilter
from domain.strategies.errors import DefinitionError
from resolvers import strategies, trading
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import OrderBy, connection_field
from schema.common.errors import UserError, error_type
from schema.common.filters import session_filter
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy


@strawberry.type(
    description="A named number that the rules use. A trading session can set another value than its default."
)
class StrategyParameter:
    name: str = strawberry.field(description="The name by which the rules use the parameter.")
    default: Decimal = strawberry.field(description="The value that is used if a trading session sets none.")
    min: Decimal | None = strawberry.field(
        description="The least value that a trading session may set. Null if there is no lower bound."
    )
    max: Decimal | None = strawberry.field(
        description="The greatest value that a trading session may set. Null if there is no upper bound."
    )
    step: Decimal | None = strawberry.field(
        description="The step between the values that a search over parameters tries. Null if none is set."
    )


@strawberry.type(description="A part of the rules with a name, which the rules and the parts after it can use.")
class NamedPart:
    name: str = strawberry.field(description="The name by which the rules use the part.")
    expression: str = strawberry.field(description="A number or a condition in the rule language.")


@strawberry.type(description="A distance from the price of an entry. Exactly one of the three fields is set.")
class ExitDistance:
    percent: Decimal | None = strawberry.field(description="The distance in percent of the entry price.")
    atr_multiple: Decimal | None = strawberry.field(
        description="The distance as a multiple of ATR(14), the average true range at the entry's candle."
    )
    absolute: Decimal | None = strawberry.field(
        description="The distance as a difference of prices, in quote currency for one unit of the base currency."
    )


@strawberry.type(description="The size of an entry. Exactly one of the four fields is set.")
class Sizing:
    quote_amount: Decimal | None = strawberry.field(description="The value of the entry, in quote currency.")
    equity_percent: Decimal | None = strawberry.field(
        description="The value of the entry, in percent of the account's equity."
    )
    risk_percent: Decimal | None = strawberry.field(
        description="The loss if the stop-loss is hit, in percent of the account's equity."
    )
    volatility_percent: Decimal | None = strawberry.field(
        description=(
            "The change of the position's value if the price moves by one ATR(14), in percent of the account's equity."
        )
    )


@strawberry.type(description="The kind of order with which positions are entered.")
class OrderStyle:
    type: OrderType = strawberry.field(description="MARKET or LIMIT.")
    offset_bps: Decimal | None = strawberry.field(
        description=(
            "How far below the best bid a LIMIT order is placed, in basis points (hundredths of a percent). Null "
            "means 0, or a MARKET order."
        )
    )
    time_in_force: TimeInForce | None = strawberry.field(
        description="How long a LIMIT order rests. Null means GTC, or a MARKET order."
    )
    post_only: bool = strawberry.field(
        description="True if a LIMIT order is to be rejected instead of taking liquidity."
    )
    give_up_after_seconds: int | None = strawberry.field(
        description=(
            "The time after which the engine cancels a LIMIT order that is not filled, in seconds. Null if it is not "
            "cancelled."
        )
    )


@strawberry.type(
    description="A further entry into an open position. All the conditions that are set must hold for it to be made."
)
class EntryAdd:
    below: ExitDistance | None = strawberry.field(
        description="How far the price must be below the last entry's, with ATR(14) at the newest closed candle. Null "
        "if it may be anywhere."
    )
    above: ExitDistance | None = strawberry.field(
        description="How far the price must be above the last entry's, with ATR(14) at the newest closed candle. Null "
        "if it may be anywhere."
    )
    rule: str | None = strawberry.field(
        description="A rule that must be true on a closed candle while the position is open. Null if there is none."
    )
    on_entry_signal: bool = strawberry.field(
        description="Whether `enterLong` must be true again, or ENTER_LONG be submitted again."
    )
    size_factor: Decimal = strawberry.field(description="Its size compared with that of the first entry.")
    count: int = strawberry.field(description="How often it is made in one position.")


@strawberry.type(description="A partial take-profit.")
class ExitTarget:
    distance: ExitDistance = strawberry.field(
        description="How far above the entry price the part is sold. The entry price is the average of all entries."
    )
    share_percent: Decimal = strawberry.field(description="How much of all that was bought is sold, in percent.")


@strawberry.type(description="A strategy as data: its rules, exits, size and kind of order.")
class StrategyDefinition:
    parameters: list[StrategyParameter] = strawberry.field(description="The parameters that the rules use.")
    let: list[NamedPart] = strawberry.field(description="The named parts of the rules, in order.")
    enter_long: str | None = strawberry.field(
        description="The rule that buys to open a position. Null if the strategy never does."
    )
    exit_long: str | None = strawberry.field(
        description="The rule that sells what was bought. Null if the strategy has none; the other exits still apply."
    )
    enter_short: str | None = strawberry.field(
        description=(
            "The rule that sells short. Not supported yet: it can be stored, but `strategyValidate` and "
            "`tradingSessionStart` return UNSUPPORTED."
        )
    )
    exit_short: str | None = strawberry.field(
        description=(
            "The rule that buys back what was sold short. Not supported yet: it can be stored, but `strategyValidate` "
            "and `tradingSessionStart` return UNSUPPORTED."
        )
    )
    stop_loss: ExitDistance | None = strawberry.field(
        description="How far below the entry price the position is closed with a loss. Null if there is no stop-loss."
    )
    take_profit: ExitDistance | None = strawberry.field(
        description="How far above the entry price the position is closed with a profit. Null if there is no "
        "take-profit."
    )
    trailing_stop: ExitDistance | None = strawberry.field(
        description=(
            "How far below the best price since the entry the position is closed. It follows that price up and never "
            "moves down. Null if there is no trailing stop."
        )
    )
    max_holding_bars: int | None = strawberry.field(
        description="The number of closed candles after which the position is closed. Null if there is no such limit."
    )
    sizing: Sizing = strawberry.field(
        description="The size of an entry. If there are `adds`, it is that of all entries of a position together."
    )
    order: OrderStyle = strawberry.field(description="The kind of order with which positions are entered.")
    adds: list[EntryAdd] = strawberry.field(description="Further entries into an open position.")
    targets: list[ExitTarget] = strawberry.field(description="Partial take-profits, each of which is reached once.")
    warm_up_tolerance: Decimal | None = strawberry.field(
        description=(
            "The fraction of an indicator's value that may depend on where its history begins. Null means 0.000000001."
        )
    )
    protect_at: ProtectAt = strawberry.field(description="Where `stopLoss`, `takeProfit` and `trailingStop` are kept.")


@error_type(DefinitionError)
@strawberry.type(
    description=(
        "An error in a strategy definition. `start` and `end` are character offsets into the rule that `path` names. "
        "Both are null if the error is not in a rule."
    )
)
class StrategyDefinitionError(UserError):
    start: int | None = strawberry.field(description="The offset of the first character of the error, counted from 0.")
    end: int | None = strawberry.field(description="The offset of the first character after the error.")
    suggestion: str | None = strawberry.field(
        description="A text that would be valid in place of the error. Null if there is no similar one."
    )


@strawberry.type
class StrategySessionList:
    """The trading sessions that run a strategy or one of its versions."""

    @connection_field(
        lazy("trading.types", "TradingSessionConnection") | None,
        nested=True,
        description="The trading sessions that run this strategy or version.",
        filter=session_filter,
    )
    async def trading_sessions(
        parent: strawberry.Parent[domain.Strategy | domain.StrategyVersion],
        info: Info,
        page: PageArguments,
        filter: TradingSessionFilter,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        return await trading.trading_sessions(info.context, parent, page, filter, order_by)


@strawberry.type(
    description="The number of closed candles that a function needs by itself before its first right value."
)
class FunctionWarmUp:
    function: str = strawberry.field(description="The name of the function, with the values of its parameters.")
    candles: int = strawberry.field(
        description="The number of candles. A greater `warmUpTolerance` makes it smaller, if the function is recursive."
    )


@strawberry.type(description="The result of validating a strategy definition.")
class StrategyValidation:
    valid: bool = strawberry.field(description="True if the definition can run, so that `errors` is empty.")
    lookback: int | None = strawberry.field(
        description="The number of closed candles that are needed before the first signal. Null if there are errors."
    )
    errors: list[StrategyDefinitionError] = strawberry.field(
        description="All errors of the definition, including parts that are not supported yet."
    )
    warm_ups: list[FunctionWarmUp] = strawberry.field(
        description=(
            "The warm-up of each TA-Lib function that the rules use, the longest first. Empty if there are errors."
        )
    )


@strawberry.type(description="A well-known strategy as a definition, to start from.")
class StrategyTemplate:
    name: str = strawberry.field(description="The name of the template, such as `ema_cross`. It never changes.")
    title: str = strawberry.field(description="The name that people know the strategy by.")
    description: str = strawberry.field(description="How the strategy trades, and on which kind of market.")
    source: str = strawberry.field(description="The book or the article that the strategy comes from.")
    differences: str | None = strawberry.field(
        description="What the template does otherwise than its source. Null if there is nothing to say."
    )
    definition: StrategyDefinition = strawberry.field(
        description="The definition. It is valid and can be given to `strategyCreate`, changed or as it is."
    )
    package: str | None = strawberry.field(
        description="The installed Python package that the template comes in. Null for the engine's own templates."
    )


@strawberry.type(description="A version of a strategy. It never changes.")
class StrategyVersion(Node, StrategySessionList):
    is_type_of = instance_of(domain.StrategyVersion)

    number: int = strawberry.field(description="The number of the version. It counts from 1.")
    created_at: datetime = strawberry.field(description="When the version was created.")
    definition: StrategyDefinition = strawberry.field(description="The definition of this version.")

    @strawberry.field(graphql_type=lazy("strategies.types", "Strategy"), description="The strategy of this version.")
    async def strategy(parent: strawberry.Parent[domain.StrategyVersion], info: Info) -> object:
        return await strategies.strategy(info.context, parent)


StrategyVersionConnection = connection(StrategyVersion, "strategy versions")


@strawberry.type(description="A named strategy. Each change of its definition creates a new version.")
class Strategy(Node, StrategySessionList):
    is_type_of = instance_of(domain.Strategy)

    name: str = strawberry.field(description="The name that the user gave the strategy.")
    description: str | None = strawberry.field(
        description="The user's description of the strategy. Null if there is none."
    )
    created_at: datetime = strawberry.field(description="When the strategy was created.")
    archived_at: datetime | None = strawberry.field(
        description="When the strategy was archived. Null if it isn't archived."
    )

    @strawberry.field(graphql_type=StrategyVersion, description="The newest version.")
    async def version(parent: strawberry.Parent[domain.Strategy], info: Info) -> object:
        return await strategies.latest_version(info.context, parent)

    @connection_field(StrategyVersionConnection, description="All versions. By default the newest comes first.")
    async def versions(
        parent: strawberry.Parent[domain.Strategy],
        info: Info,
        page: PageArguments,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        return await strategies.versions(info.context, parent, page, order_by)


StrategyConnection = connection(Strategy, "strategies")
