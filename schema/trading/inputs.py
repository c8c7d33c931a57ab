"""The inputs of the mutations of trading sessions."""

import strawberry

from domain.model.markets import MarketSymbol, Timeframe
from domain.model.trading import SignalAction
from domain.trading.signal_requests import SignalRequest
from domain.trading.trading_sessions import TradingSessionRequest
from schema.accounts.inputs import RiskLimitsInput
from schema.analytics.inputs import ParameterInput
from schema.common.markets import chosen_markets
from schema.common.node import decode_uuid
from schema.strategies.inputs import SizingInput


@strawberry.input(description="The trading session to start.")
class TradingSessionStartInput:
    strategy_version: strawberry.ID = strawberry.field(description="The id of the strategy version to run.")
    account: strawberry.ID = strawberry.field(description="The id of the account on which to trade.")
    timeframe: Timeframe = strawberry.field(description="The length of the candles on which the strategy runs.")
    market: MarketSymbol | None = strawberry.field(
        default=None,
        description="The market to trade. It must be a market of the account's venue. Give either this or `markets`.",
    )
    markets: list[MarketSymbol] | None = strawberry.field(
        default=None,
        description=(
            "The markets to trade, from 1 to 50, all of the account's venue. The strategy runs on each of them, with a "
            "position of its own; size, risk limits and balances are those of the session as a whole."
        ),
    )
    max_open_positions: int | None = strawberry.field(
        default=None,
        description=(
            "How many of the markets may have a position or an entry order at once. An entry beyond that is a signal "
            "that is `missed`. By default all of them may."
        ),
    )
    parameters: list[ParameterInput] | None = strawberry.field(
        default=None, description="Values for the strategy's parameters. Those that are not given have their default."
    )
    sizing: SizingInput | None = strawberry.field(
        default=None, description="The size of entries. By default that of the strategy's definition."
    )
    risk: RiskLimitsInput | None = strawberry.field(
        default=None,
        description="Risk limits of the session. They apply together with those of the account. By default none is "
        "set.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the trading "
            "session of the "
            "first request. At most 128 characters."
        ),
    )

    def to_domain(self) -> TradingSessionRequest:
        """Return the request. Raises NOT_FOUND for an id of another type, and INVALID without a market."""
        markets = chosen_markets(self.market, self.markets)
        return TradingSessionRequest(
            strategy_version_id=decode_uuid(self.strategy_version, "StrategyVersion", ("input", "strategyVersion")),
            account_id=decode_uuid(self.account, "Account", ("input", "account")),
            market=markets[0],
            timeframe=self.timeframe,
            parameters=tuple(parameter.to_domain() for parameter in self.parameters or ()),
            sizing=self.sizing.to_domain() if self.sizing else None,
            risk=self.risk.to_domain() if self.risk else None,
            other_markets=tuple(markets[1:]),
            max_open_positions=self.max_open_positions,
        )


@strawberry.input(description="How to stop a trading session.")
class TradingSessionStopInput:
    close_position: bool = strawberry.field(
        default=False,
        description="True to close the session's position at the market. With false, the position stays open.",
    )


@strawberry.input(description="The signal to submit, and the trading session that is to act on it.")
class SignalSubmitInput:
    trading_session: strawberry.ID = strawberry.field(description="The id of the trading session.")
    action: SignalAction = strawberry.field(
        description="The action to take. ENTER_SHORT and EXIT_SHORT are refused with UNSUPPORTED on a spot market."
    )
    market: MarketSymbol | None = strawberry.field(
        default=None,
        description="The market that the signal is for. It must be given if the trading session trades several.",
    )
    reason: str | None = strawberry.field(
        default=None, description="Why the signal is given, for `Signal.reason`. At most 500 characters."
    )
    idempotency_key: str = strawberry.field(
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the signal of the "
            "first request. At most 128 characters."
        )
    )

    def to_domain(self) -> SignalRequest:
        """Return the request. Raises NOT_FOUND for an id of another type."""
        return SignalRequest(
            decode_uuid(self.trading_session, "TradingSession", ("input", "tradingSession")),
            self.action,
            self.reason,
            self.market,
        )


@strawberry.input(description="The webhook to create, and the trading session that is to act on its signals.")
class SignalWebhookCreateInput:
    trading_session: strawberry.ID = strawberry.field(description="The id of the trading session.")
    name: str = strawberry.field(
        description="The name of the webhook, of 1 to 100 printable characters, such as the name of the alert."
    )
