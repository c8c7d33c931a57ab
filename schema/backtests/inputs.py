"""The input of `backtestRun`."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model.backtests import RunSettings
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading import NO_LIMITS
from domain.research.backtest_service import BacktestRequest
from schema.accounts.inputs import RiskLimitsInput
from schema.analytics.inputs import ParameterInput
from schema.common.markets import chosen_markets
from schema.common.node import decode_uuid
from schema.strategies.inputs import StrategyDefinitionInput


@strawberry.input(description="The backtest to run. Give either `strategyVersion` or `definition`.")
class BacktestRunInput:
    timeframe: Timeframe = strawberry.field(description="The length of the candles.")
    from_: datetime = strawberry.field(
        name="from",
        description="The start of the period, inclusive. Candles before it warm up the strategy, if there are any.",
    )
    to: datetime = strawberry.field(
        description="The end of the period, exclusive: the last candle opens before it. A later time than now is now."
    )
    market: MarketSymbol | None = strawberry.field(
        default=None,
        description="The market on whose candles the strategy runs. Give either this or `markets`.",
    )
    markets: list[MarketSymbol] | None = strawberry.field(
        default=None,
        description=(
            "The markets on whose candles the strategy runs, from 1 to 50, all of one venue and with the same quote "
            "currency. Each has a position of its own; `initialEquity` is the budget of all."
        ),
    )
    max_open_positions: int | None = strawberry.field(
        default=None,
        description=(
            "How many of the markets may have a position or an entry order at once. By default all of them may."
        ),
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
        description=(
            "The fee of orders that take liquidity, from 0 to 10 percent. By default the market's; of several the "
            "highest."
        ),
    )
    maker_fee_percent: Decimal | None = strawberry.field(
        default=None,
        description=(
            "The fee of orders that rested, from 0 to 10 percent. By default the market's; of several the highest."
        ),
    )
    slippage_bps: Decimal = strawberry.field(
        default=Decimal(0),
        description=(
            "How much worse than the candle's price an order fills that takes liquidity, in basis points, from 0 to "
            "1,000."
        ),
    )
    latency_milliseconds: int = strawberry.field(
        default=0,
        description=(
            "The time from a decision until its order is at the venue, at most a day. It counts in whole candles."
        ),
    )
    detail_timeframe: Timeframe | None = strawberry.field(
        default=None,
        description=(
            "A shorter length of candles that says in which order a candle has reached its prices. `timeframe` must be "
            "a multiple of it."
        ),
    )
    risk_limits: RiskLimitsInput | None = strawberry.field(
        default=None,
        description=(
            "Risk limits that entries must keep, as those of an account, in quote currency. By default none is set."
        ),
    )
    risk_limits_of: strawberry.ID | None = strawberry.field(
        default=None,
        description=(
            "The id of an account of yours whose risk limits entries must keep, as they are now. Its currency must be "
            "the quote currency. Not valid together with `riskLimits`."
        ),
    )
    checks: bool = strawberry.field(
        default=False,
        description=(
            "Whether `Backtest.checks` are computed: for a look ahead, for the warm-up, and for luck in the order of "
            "the round trips. They take several times as long as the backtest."
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
        """Return the request. Raises NOT_FOUND for an id of another type, and INVALID without a market."""
        version, account = self.strategy_version, self.risk_limits_of
        market, *others = chosen_markets(self.market, self.markets)
        return BacktestRequest(
            strategy_version_id=(
                None if version is None else decode_uuid(version, "StrategyVersion", ("input", "strategyVersion"))
            ),
            definition=None if self.definition is None else self.definition.to_domain(),
            market=market,
            timeframe=self.timeframe,
            start=self.from_,
            end=self.to,
            initial_equity=self.initial_equity,
            parameters=tuple(parameter.to_domain() for parameter in self.parameters or ()),
            taker_fee_percent=self.taker_fee_percent,
            maker_fee_percent=self.maker_fee_percent,
            slippage_bps=self.slippage_bps,
            latency_milliseconds=self.latency_milliseconds,
            other_markets=tuple(others),
            settings=RunSettings(
                max_open_positions=self.max_open_positions,
                detail_timeframe=self.detail_timeframe,
                risk_limits=self.risk_limits.to_domain() if self.risk_limits else NO_LIMITS,
                checks=self.checks,
            ),
            limits_of=None if account is None else decode_uuid(account, "Account", ("input", "riskLimitsOf")),
        )
