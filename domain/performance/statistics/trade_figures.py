"""Figures of the round trips: what freqtrade and LEAN print of trades, beside the metrics."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import numpy as np

from domain.core.money import EXACT, ZERO, divide
from domain.model.reports import RoundTrip
from domain.model.statistics import FigureGroup, FigureUnit
from domain.performance.statistics.definition import FigureCatalogue
from domain.performance.statistics.return_figures import mean
from domain.performance.statistics.risk_figures import deviation
from domain.performance.statistics.sample import Floats, Sample

TRADES = FigureCatalogue(FigureGroup.TRADE)
_PERCENT, _SECONDS, _AMOUNT = FigureUnit.PERCENT, FigureUnit.SECONDS, FigureUnit.AMOUNT
_DAY_SECONDS = 86_400
_BASIS = 10_000


@TRADES.figure("tradesPerDay", "Round trips a day")
def trades_per_day(of: Sample) -> float | None:
    """The closed round trips over the days of the period (freqtrade: Total/Daily Avg Trades)."""
    seconds = (of.curve[-1].at - of.curve[0].at).total_seconds() if of.curve else 0.0
    return len(of.trips) / (seconds / _DAY_SECONDS) if seconds else None


@TRADES.figure("grossProfit", "Sum of profits", _AMOUNT)
def gross_profit(of: Sample) -> Decimal | None:
    """The sum of the profits of the winning round trips (LEAN: Total Profit)."""
    return _sum(trip.profit for trip in of.trips if trip.profit > 0) if of.trips else None


@TRADES.figure("grossLoss", "Sum of losses", _AMOUNT)
def gross_loss(of: Sample) -> Decimal | None:
    """The sum of the losses of the losing round trips, negative (LEAN: Total Loss)."""
    return _sum(trip.profit for trip in of.trips if trip.profit < 0) if of.trips else None


@TRADES.figure("averageStake", "Average stake", _AMOUNT)
def average_stake(of: Sample) -> Decimal | None:
    """The mean cost of the entries, in the quote currency (freqtrade: Avg. stake amount); null over several quotes."""
    quotes = {trip.market.symbol.rpartition("/")[2] for trip in of.trips if trip.market is not None}
    if len(quotes) != 1:
        return None
    return divide(_sum(EXACT.multiply(t.quantity, t.entry_price) for t in of.trips), Decimal(len(of.trips)))


@TRADES.figure("lossRate", "Lost round trips", _PERCENT)
def loss_rate(of: Sample) -> float | None:
    """The losing round trips in percent of all (LEAN: Loss Rate)."""
    return float((of.profits < 0).mean()) if len(of.profits) else None


@TRADES.figure("payoff", "Payoff ratio")
def payoff(of: Sample) -> float | None:
    """The average profit over the average loss of round trips (LEAN: Profit-Loss Ratio)."""
    return _payoff(of)


@TRADES.figure("expectancyRatio", "Expectancy ratio")
def expectancy_ratio(of: Sample) -> float | None:
    """(1 + payoff) x w - 1, with w the part of winners (freqtrade: Expectancy (Ratio))."""
    ratio = _payoff(of)
    return None if ratio is None else (1 + ratio) * float((of.profits > 0).mean()) - 1


@TRADES.figure("averageTradePercent", "Average round trip", _PERCENT)
def average_percent(of: Sample) -> float | None:
    """The mean profit in percent of the entry's cost (backtesting.py: Avg. Trade, which takes the geometric mean)."""
    return mean(_percents(of))


@TRADES.figure("averageWinPercent", "Average winner", _PERCENT)
def average_win_percent(of: Sample) -> float | None:
    """The mean profit of the winners, in percent of the entry's cost (LEAN: Average Win)."""
    values = _percents(of)
    return mean(values[values > 0])


@TRADES.figure("averageLossPercent", "Average loser", _PERCENT)
def average_loss_percent(of: Sample) -> float | None:
    """The mean loss of the losers, in percent of the entry's cost (LEAN: Average Loss)."""
    values = _percents(of)
    return mean(values[values < 0])


@TRADES.figure("bestTradePercent", "Best round trip", _PERCENT)
def best_percent(of: Sample) -> float | None:
    """The highest profit in percent of the entry's cost (freqtrade: Best trade)."""
    values = _percents(of)
    return values.max() if len(values) else None


@TRADES.figure("worstTradePercent", "Worst round trip", _PERCENT)
def worst_percent(of: Sample) -> float | None:
    """The lowest profit in percent of the entry's cost (freqtrade: Worst trade)."""
    values = _percents(of)
    return values.min() if len(values) else None


@TRADES.figure("tradeDeviation", "Deviation of profits", _AMOUNT)
def trade_deviation(of: Sample) -> Decimal | None:
    """The sample standard deviation of the profits of round trips (LEAN: Profit-Loss Standard Deviation)."""
    spread = deviation(of.profits)
    return None if spread is None else Decimal(repr(spread))


@TRADES.figure("tradeSharpe", "Sharpe ratio of round trips")
def trade_sharpe(of: Sample) -> float | None:
    """The mean profit of round trips over their deviation (LEAN: TradeStatistics.SharpeRatio)."""
    spread = deviation(of.profits)
    return None if spread is None else float(of.profits.mean()) / spread


@TRADES.figure("tradeSortino", "Sortino ratio of round trips")
def trade_sortino(of: Sample) -> float | None:
    """The mean profit over the root of the mean square of the losses, profits as zero (Sortino and Price 1994)."""
    downside = float(np.sqrt(np.mean(np.minimum(of.profits, 0) ** 2))) if len(of.profits) else 0.0
    return float(of.profits.mean()) / downside if downside else None


@TRADES.figure("profitToMaxDrawdown", "Profit to greatest drawdown")
def profit_to_drawdown(of: Sample) -> float | None:
    """The sum of all round trips over the greatest fall of that sum (LEAN: Profit To Max Drawdown Ratio)."""
    if not len(of.profits):
        return None
    sums = np.concatenate(([0.0], np.cumsum(of.profits)))
    fall = float((np.maximum.accumulate(sums) - sums).max())
    return float(sums[-1]) / fall if fall else None


@TRADES.figure("medianDuration", "Median duration", _SECONDS)
def median_duration(of: Sample) -> float | None:
    """The median time for which a round trip was open (LEAN: Median Trade Duration)."""
    return float(np.median(of.durations)) if len(of.durations) else None


@TRADES.figure("averageDurationOfWinners", "Average duration of winners", _SECONDS)
def winners_duration(of: Sample) -> float | None:
    """The mean time for which a winner was open (freqtrade: Avg. Duration Winners)."""
    return mean(of.durations[of.profits > 0])


@TRADES.figure("averageDurationOfLosers", "Average duration of losers", _SECONDS)
def losers_duration(of: Sample) -> float | None:
    """The mean time for which a loser was open (freqtrade: Avg. Duration Loser)."""
    return mean(of.durations[of.profits < 0])


@TRADES.figure("longestDuration", "Longest duration", _SECONDS)
def longest_duration(of: Sample) -> float | None:
    """The longest time for which a round trip was open (backtesting.py: Max. Trade Duration)."""
    return float(of.durations.max()) if len(of.durations) else None


@TRADES.figure("averageAdverseExcursion", "Average adverse excursion", _PERCENT)
def average_adverse(of: Sample) -> float | None:
    """The mean of the greatest losses while open, in percent of the entry price (Sweeney 1996; LEAN: Average MAE)."""
    return mean(_excursions(of, lambda trip: trip.max_adverse_excursion))


@TRADES.figure("averageFavorableExcursion", "Average favourable excursion", _PERCENT)
def average_favorable(of: Sample) -> float | None:
    """The mean of the greatest profits while open, in percent of the entry price (Sweeney 1996; LEAN: Average MFE)."""
    return mean(_excursions(of, lambda trip: trip.max_favorable_excursion))


@TRADES.figure("greatestAdverseExcursion", "Greatest adverse excursion", _PERCENT)
def greatest_adverse(of: Sample) -> float | None:
    """The greatest loss of a round trip while open, in percent of the entry price (LEAN: Largest MAE)."""
    values = _excursions(of, lambda trip: trip.max_adverse_excursion)
    return values.max() if len(values) else None


@TRADES.figure("greatestFavorableExcursion", "Greatest favourable excursion", _PERCENT)
def greatest_favorable(of: Sample) -> float | None:
    """The greatest profit of a round trip while open, in percent of the entry price (LEAN: Largest MFE)."""
    values = _excursions(of, lambda trip: trip.max_favorable_excursion)
    return values.max() if len(values) else None


@TRADES.figure("feesOfProfit", "Fees of the profits", _PERCENT)
def fees_of_profit(of: Sample) -> float | None:
    """The fees of the round trips in percent of their profit before fees; null if that was a loss."""
    fees = float(_sum(trip.fees for trip in of.trips))
    before = float(of.profits.sum()) + fees
    return fees / before if before > 0 else None


@TRADES.figure("slippageOfTurnover", "Slippage, basis points")
def slippage_of_turnover(of: Sample) -> float | None:
    """The slippage in hundredths of a percent of all that was bought and sold (Perold 1988: one part of shortfall)."""
    turnover, slippage = of.metrics.turnover, of.metrics.slippage
    return float(slippage / turnover) * _BASIS if turnover and slippage is not None else None


@TRADES.figure("turnoverPerDay", "Turnover a day", _PERCENT)
def turnover_per_day(of: Sample) -> float | None:
    """What was bought and sold over the mean equity and the days (LEAN: Portfolio Turnover)."""
    if not of.curve or of.curve[-1].at <= of.curve[0].at:
        return None
    equity = float(np.mean([float(point.equity) for point in of.curve]))
    days = (of.curve[-1].at - of.curve[0].at).total_seconds() / _DAY_SECONDS
    return float(of.metrics.turnover) / equity / days if equity > 0 else None


def _payoff(of: Sample) -> float | None:
    gain, loss = mean(of.profits[of.profits > 0]), mean(of.profits[of.profits < 0])
    return None if gain is None or loss is None else gain / -loss


def _percents(of: Sample) -> Floats:
    return np.array([trip.profit_percent / 100 for trip in of.trips if trip.profit_percent is not None])


def _excursions(of: Sample, excursion: Callable[[RoundTrip], float | None]) -> Floats:
    return np.array([value / 100 for trip in of.trips if (value := excursion(trip)) is not None])


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
