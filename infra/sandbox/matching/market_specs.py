"""The markets that the sandbox lists, with the filters of the real ones and figures for their synthetic flow.

Filters: Binance's `exchangeInfo` (BTCUSDT, ETHUSDT, SOLUSDT, ETHBTC), written out here, so nothing is fetched.
Flow: BTC/USDT was measured on 346 s of Binance's own stream of 2024-08-08 (see `MEASURED`); the others keep its shape,
scaled to their price and turnover.
"""

from dataclasses import dataclass

from infra.sandbox.fixed_point import SCALE, parse_units
from infra.sandbox.orders import SelfTrade

STANDARD_FEE = 100_000
"""0.1 %, in units of 1e-8: Binance's fee of makers and takers."""


@dataclass(frozen=True)
class FlowFigures:
    """The targets of a market's synthetic flow; sizes in base coins, returns in basis points."""

    taker_orders_per_second: float
    taker_median: float
    taker_sigma: float
    level_median: float
    level_sigma: float
    best_level_median: float
    return_bps_per_second: float
    levels_a_side: int
    changes_per_step: int
    mean_distance_bps: float
    daily_volume: float


MEASURED = FlowFigures(
    taker_orders_per_second=9.4,  # 3,239 taker orders in 346 s
    taker_median=0.0035,  # median taker order; 90 % below 0.1, 99 % below 1.2: a log-normal of sigma 2.6
    taker_sigma=2.6,
    level_median=0.004,  # the 1,000 levels of the snapshot: median 0.003, 90 % below 0.4, 99 % below 1.5
    level_sigma=3.0,
    best_level_median=1.2,  # bookTicker: quartiles 0.18, 1.2, 2.9
    return_bps_per_second=1.18,  # standard deviation of one-second returns of the middle price
    levels_a_side=600,  # 100 levels within 4.6 bps, 300 within 14, 1,000 within 34
    changes_per_step=18,  # 16.5 bid and 19.4 ask levels change in each 100 ms frame, half of them near the touch
    mean_distance_bps=14.0,
    daily_volume=50_000.0,  # 212 BTC in 346 s
)


@dataclass(frozen=True)
class MarketSpec:
    """One listed market: its assets, its filters in units of 1e-8, and its synthetic figures.

    A limit of 0 doesn't apply. Trailing distances are in basis points, `..._minutes` how long prices are averaged.
    """

    symbol: str
    base: str
    quote: str
    tick: int
    min_price: int
    max_price: int
    step: int
    min_quantity: int
    max_quantity: int
    market_max_quantity: int
    min_notional: int
    max_notional: int
    first_price: int
    flow: FlowFigures
    max_orders: int = 200
    max_stop_orders: int = 5
    max_iceberg_orders: int = 5
    max_iceberg_parts: int = 100
    max_lists: int = 20
    max_amends: int = 10
    max_position: int = 0
    market_min_quantity: int = 0
    market_step: int = 0
    bid_up: int = 5 * SCALE
    bid_down: int = SCALE // 5
    ask_up: int = 5 * SCALE
    ask_down: int = SCALE // 5
    percent_minutes: int = 5
    min_applies_to_market: bool = True
    max_applies_to_market: bool = False
    notional_minutes: int = 5
    min_trailing_above: int = 10
    max_trailing_above: int = 2000
    min_trailing_below: int = 10
    max_trailing_below: int = 2000
    self_trade_modes: tuple[SelfTrade, ...] = tuple(SelfTrade)
    maker_fee: int = STANDARD_FEE
    taker_fee: int = STANDARD_FEE


def _scaled(size: float, rate: float, volatility: float, best: float, daily: float) -> FlowFigures:
    """Return the measured shape with sizes times `size`, takers times `rate` and returns times `volatility`."""
    return FlowFigures(
        taker_orders_per_second=MEASURED.taker_orders_per_second * rate,
        taker_median=MEASURED.taker_median * size,
        taker_sigma=MEASURED.taker_sigma,
        level_median=MEASURED.level_median * size,
        level_sigma=MEASURED.level_sigma,
        best_level_median=best,
        return_bps_per_second=MEASURED.return_bps_per_second * volatility,
        levels_a_side=400,
        changes_per_step=10,
        mean_distance_bps=MEASURED.mean_distance_bps * 1.5,
        daily_volume=daily,
    )


def scaled_flow(price: int) -> FlowFigures:
    """Return a thin flow for a market of this price: a tenth of the measured value, in as many coins as can be kept."""
    size = min(0.1 * 60_000 * SCALE / price, 10_000.0)
    return FlowFigures(
        taker_orders_per_second=MEASURED.taker_orders_per_second * 0.2,
        taker_median=MEASURED.taker_median * size,
        taker_sigma=MEASURED.taker_sigma * 0.6,
        level_median=MEASURED.level_median * size,
        level_sigma=MEASURED.level_sigma * 0.6,
        best_level_median=MEASURED.best_level_median * size,
        return_bps_per_second=MEASURED.return_bps_per_second * 1.5,
        levels_a_side=60,
        changes_per_step=4,
        mean_distance_bps=MEASURED.mean_distance_bps * 3,
        daily_volume=MEASURED.daily_volume * size,
    )


_U = parse_units
MARKETS: dict[str, MarketSpec] = {
    spec.symbol: spec
    for spec in (
        MarketSpec("BTCUSDT", "BTC", "USDT", _U("0.01"), _U("0.01"), _U("1000000"), _U("0.00001"), _U("0.00001"),
                   _U("9000"), _U("100.05381873"), _U("5"), _U("9000000"), _U("61837.63"), MEASURED),
        MarketSpec("ETHUSDT", "ETH", "USDT", _U("0.01"), _U("0.01"), _U("1000000"), _U("0.0001"), _U("0.0001"),
                   _U("9000"), _U("1600.51202668"), _U("5"), _U("9000000"), _U("2683.45"),
                   _scaled(20, 0.7, 1.2, 12, 700_000)),
        MarketSpec("SOLUSDT", "SOL", "USDT", _U("0.01"), _U("0.01"), _U("10000"), _U("0.001"), _U("0.001"),
                   _U("90000"), _U("52005.8128492"), _U("5"), _U("9000000"), _U("163.52"),
                   _scaled(300, 0.5, 1.5, 60, 5_500_000)),
        MarketSpec("ETHBTC", "ETH", "BTC", _U("0.00001"), _U("0.00001"), _U("922327"), _U("0.0001"), _U("0.0001"),
                   _U("100000"), _U("873.90727776"), _U("0.0001"), _U("9000000"), _U("0.0434"),
                   _scaled(20, 0.2, 0.7, 15, 150_000)),
    )
}  # fmt: skip
ASSETS: tuple[str, ...] = tuple(dict.fromkeys(asset for spec in MARKETS.values() for asset in (spec.base, spec.quote)))
