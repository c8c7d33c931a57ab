"""The input of `backtestRun`."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model.markets import MarketSymbol, Timeframe
from domain.research.backtest_service import BacktestRequest
from schema.analytics.inputs import ParameterInput
from schema.common.node import decode_uuid
from schema.strategies.inputs import StrategyDefinitionInput


@strawberry.input(description="The backtest to run. Give either `strategyVersion` or `definition`.")
class BacktestRunInput:
    market: MarketSymbol = strawberry.field(description="The market on whose candles the strategy runs.")
    timeframe: Timeframe = strawberry.field(description="The length of the candles.")
    from_: datetime = strawberry.field(
        name="from",
        description="The start of the period, inclusive. Candles before it warm up the strategy, if there are any.",
    )
    to: datetime = strawberry.field(
        description="The end of the period, exclusive: the last candle opens before it. A later time than now is now."
    )
    strategy_version: strawberry.ID | None = strawberry.field(
        default=None, description="The id of the strategy version to run."
    )
    definition: StrategyDefinitionInput | None = strawberry.field(
        default=None, description="The definition to run. It needs no strategy and is stored with the backtest."
    )
    initial_equity: Decimal = strawberry.field(
        default=Decimal(10_000), description="What there is at the start, in quote currency. It is greater than 0."
    )
    parameters: list[ParameterInput] | None = strawberry.field(
        default=None, description="Values for the strategy's parameters. Those that are not given have their default."
    )
    taker_fee_percent: Decimal | None = strawberry.field(
        default=None,
        description="The fee of orders that take liquidity, from 0 to 10 percent. By default the market's.",
    )
    maker_fee_percent: Decimal | None = strawberry.field(
        default=None, description="The fee of orders that rested, from 0 to 10 percent. By default the market's."
    )
    slippage_bps: Decimal = strawberry.field(
        default=Decimal(0),
        description="How much worse than the candle's price a MARKET order fills, in basis points, from 0 to 1,000.",
    )
    latency_milliseconds: int = strawberry.field(
        default=0,
        description=(
            "The time from a decision until its order is at the venue, at most a day. It counts in whole candles."
        ),
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the same backtest. "
            "At most 128 characters."
        ),
    )

    def to_domain(self) -> BacktestRequest:
        """Return the request. Raises NOT_FOUND for an id of another type."""
        version = self.strategy_version
        return BacktestRequest(
            strategy_version_id=(
                None if version is None else decode_uuid(version, "StrategyVersion", ("input", "strategyVersion"))
            ),
            definition=None if self.definition is None else self.definition.to_domain(),
            market=self.market,
            timeframe=self.timeframe,
            start=self.from_,
            end=self.to,
            initial_equity=self.initial_equity,
            parameters=tuple(parameter.to_domain() for parameter in self.parameters or ()),
            taker_fee_percent=self.taker_fee_percent,
            maker_fee_percent=self.maker_fee_percent,
            slippage_bps=self.slippage_bps,
            latency_milliseconds=self.latency_milliseconds,
        )
