"""Says in plain words why a strategy is recommended, or that nothing recommends it."""

from typing import Final

from domain.indicators.trend import TrendDirection
from domain.recommendations.ranking import Ranked, of_trend

CONVINCING: Final = 0.95
"""A probability from which on a result counts as more than luck, as is usual."""

_TRENDS = {
    TrendDirection.UP: "The market trends up.",
    TrendDirection.DOWN: "The market trends down.",
    TrendDirection.SIDEWAYS: "The market has no direction.",
}


def reason(ranked: Ranked, direction: TrendDirection) -> str:
    """Return a few sentences on the present trend, the results in it and in all, and how far these may be luck."""
    return " ".join((_TRENDS[direction], _results(ranked, direction), _verdict(ranked)))


def _results(ranked: Ranked, direction: TrendDirection) -> str:
    result, now = ranked.result, of_trend(ranked.result, direction)
    if not _has_traded(ranked):
        return f"In the last {result.candles:,} candles the strategy made no trade."
    if not now.candles:
        stretches = f"There was no such stretch in the last {result.candles:,} candles, so all of them count alike:"
    else:
        count = "one past stretch" if now.stretches == 1 else f"{now.stretches:,} past stretches"
        stretches = (
            f"In {count} of that kind, {now.candles:,} of the last {result.candles:,} candles, the strategy "
            f"{_earned(now.growth_percent)};"
        )
    whole = result.metrics.net_profit_percent
    won = sum(part.growth_percent > 0 for part in result.parts)
    return (
        f"{stretches} over all of them it {_earned(whole or 0.0)}, with a profit in {won} of {len(result.parts)} "
        f"parts{_market(ranked)}."
    )


def _market(ranked: Ranked) -> str:
    change = ranked.result.metrics.market_change_percent
    if change is None:
        return ""
    return f", while the price {'rose' if change >= 0 else 'fell'} by {abs(change):.1f} %"


def _verdict(ranked: Ranked) -> str:
    if not _has_traded(ranked):
        return "So nothing is known of it."
    if ranked.score == 0:
        return "Nothing recommends it now."
    if ranked.score < CONVINCING:
        return (
            f"That can be luck: with {_candidates(ranked)} compared, the probability that it is more is "
            f"{ranked.score:.0%}."
        )
    return f"With {_candidates(ranked)} compared, the probability that this is more than luck is {ranked.score:.0%}."


def _candidates(ranked: Ranked) -> str:
    return "one strategy" if ranked.candidates == 1 else f"{ranked.candidates:,} strategies"


def _earned(percent: float) -> str:
    if abs(percent) < 0.005:  # noqa: PLR2004  # shown as 0.00
        return "earned nothing"
    return f"{'earned' if percent > 0 else 'lost'} {abs(percent):.2f} %"


def _has_traded(ranked: Ranked) -> bool:
    return any(trend.moments is not None for trend in (ranked.result.up, ranked.result.down, ranked.result.sideways))
