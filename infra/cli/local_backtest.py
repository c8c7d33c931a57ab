"""What `r3edge backtest` runs, and what each trial of `r3edge optimize` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.core.money import ZERO
from domain.model.backtests import DEFAULT_SETTINGS, RunSettings
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.research.run_numbers import NumberNames, RunNumbers
from domain.risk.limit_validation import validate_limits
from domain.rules.costs import FeeCurrency, TradingCosts, fee_percents
from domain.rules.market_choice import market_choice_errors
from domain.strategies.validation import unsupported_errors
from infra.cli.arguments import BadArgument

_OPTIONS = NumberNames("--equity", "--taker-fee", "--maker-fee", "--slippage-bps", "--latency-ms")


@dataclass(frozen=True, slots=True)
class LocalBacktest:
    """What to run, on the candles that open from `start` to before `end`; fees in percent, None for the markets'."""

    definition: StrategyDefinition
    parameters: Mapping[str, Decimal]
    market: MarketSymbol
    timeframe: Timeframe
    start: datetime
    end: datetime
    equity: Decimal
    taker_fee_percent: Decimal | None = None
    maker_fee_percent: Decimal | None = None
    slippage_bps: Decimal = ZERO
    latency_milliseconds: int = 0
    fee_currency: FeeCurrency = FeeCurrency.RECEIVED
    other_markets: tuple[MarketSymbol, ...] = ()
    settings: RunSettings = DEFAULT_SETTINGS

    @property
    def markets(self) -> tuple[MarketSymbol, ...]:
        """All markets, in the order of the options."""
        return (self.market, *self.other_markets)

    def costs(self, *markets: Market) -> TradingCosts:
        """Return what trading costs: by the highest fees of the markets where none are given."""
        fees = fee_percents(self.taker_fee_percent, self.maker_fee_percent, markets)
        return TradingCosts.of_percents(fees.taker, fees.maker, self.slippage_bps, self.fee_currency)


def check_request(request: LocalBacktest) -> None:
    """Raise `BadArgument` for options that don't fit together, and for rules that no market can carry out."""
    if request.end <= request.start:
        raise BadArgument(f"--to ({request.end:%Y-%m-%d %H:%M}) must be after --from ({request.start:%Y-%m-%d %H:%M})")
    detail = request.settings.detail_timeframe
    if detail is not None and not detail.divides(request.timeframe):
        raise BadArgument(
            f"--detail-timeframe must be shorter than --timeframe ({request.timeframe.venue_name}) and divide it"
        )
    numbers = RunNumbers(
        request.equity,
        request.taker_fee_percent,
        request.maker_fee_percent,
        request.slippage_bps,
        request.latency_milliseconds,
    )
    wrong = [message for _, message in numbers.errors(_OPTIONS)]
    errors = [
        *market_choice_errors(request.markets, request.settings.max_open_positions),
        *validate_limits(request.settings.risk_limits, ("--risk-limits",)),
    ]
    if errors or wrong:
        raise BadArgument("\n".join([*wrong, *(error.message for error in errors)]))
    for error in unsupported_errors(request.definition):
        if error.path and error.path[0] in {"enterShort", "exitShort"}:
            raise BadArgument(f"{error.path[0]}: {error.message}")
