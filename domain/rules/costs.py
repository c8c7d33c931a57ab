"""The costs of trading in a backtest: fees, and how much worse than the candle's price an order fills."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.order_side import OrderSide

_BASIS_POINTS = 10_000
_HUNDRED = Decimal(100)


class FeeCurrency(StrEnum):
    """What fees are taken from: what a fill brings, as Binance does (base of a BUY), or always the quote currency."""

    RECEIVED = "RECEIVED"
    QUOTE = "QUOTE"


@dataclass(frozen=True, slots=True)
class TradingCosts:
    """Fees are fractions (0.001 is 0.1 %); `slippage_bps` is in basis points of the price, against the order."""

    taker_fee: Decimal = ZERO
    maker_fee: Decimal = ZERO
    slippage_bps: Decimal = ZERO
    fee_currency: FeeCurrency = FeeCurrency.RECEIVED
    _slippage: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_slippage", EXACT.divide(self.slippage_bps, Decimal(_BASIS_POINTS)).as_integer_ratio()
        )

    @classmethod
    def of_percents(
        cls,
        taker_fee: Decimal,
        maker_fee: Decimal,
        slippage_bps: Decimal,
        fee_currency: FeeCurrency = FeeCurrency.RECEIVED,
    ) -> "TradingCosts":
        """Return the costs whose fees are given in percent."""
        return cls(EXACT.divide(taker_fee, _HUNDRED), EXACT.divide(maker_fee, _HUNDRED), slippage_bps, fee_currency)

    @classmethod
    def of_market(cls, market: Market, slippage_bps: Decimal = ZERO) -> "TradingCosts":
        """Return the costs with a market's fees, where unknown ones are none."""
        return cls(market.taker_fee or ZERO, market.maker_fee or ZERO, slippage_bps)

    def applied_to(self, market: Market) -> Market:
        """Return the market with these fees; entries are sized by the taker's, so it is never below the maker's."""
        return replace(market, taker_fee=max(self.taker_fee, self.maker_fee), maker_fee=self.maker_fee)

    def slipped(self, ticks: int, side: OrderSide) -> int:
        """Return the price, in ticks, of a market order where the candle has `ticks`: rounded against the order."""
        numerator, denominator = self._slippage
        if not numerator:
            return ticks
        slippage = -(-ticks * numerator // denominator)
        return ticks + slippage if side is OrderSide.BUY else max(ticks - slippage, 1)


@dataclass(frozen=True, slots=True)
class FeePercents:
    """The fees of orders that take liquidity, and of those that rested, in percent."""

    taker: Decimal
    maker: Decimal


def fee_percents(taker: Decimal | None, maker: Decimal | None, markets: Sequence[Market]) -> FeePercents:
    """Return the fees that are given, where none is the highest of the markets; one that is unknown is none."""
    highest_taker = max(((market.taker_fee or ZERO) for market in markets), default=ZERO)
    highest_maker = max(((market.maker_fee or ZERO) for market in markets), default=ZERO)
    return FeePercents(
        EXACT.multiply(highest_taker, _HUNDRED) if taker is None else taker,
        EXACT.multiply(highest_maker, _HUNDRED) if maker is None else maker,
    )
