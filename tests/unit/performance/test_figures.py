"""Every figure of daily returns beside what quantstats and empyrical compute from the same returns."""

import math
import random
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from domain.model.markets import MarketSymbol
from domain.model.reports import BenchmarkPrices, EquityPoint, PricePoint, ReportResult
from domain.model.statistics import Figure, FigureGroup, FigureUnit
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.statistics.catalogue import CATALOGUES, figures

DAY = timedelta(days=1)
START = datetime(2023, 11, 15, tzinfo=UTC)
BTC = MarketSymbol.parse("sandbox:BTC/USDT")
YEAR = {"annualization": 365}


def walk(days: int, seed: int, drift: float = 0.001, flat: float = 0.0) -> list[float]:
    """Return daily equities of which a part `flat` doesn't change."""
    chance, equities = random.Random(seed), [10_000.0]
    for _ in range(days):
        change = 0.0 if chance.random() < flat else chance.gauss(drift, 0.03)
        equities.append(round(equities[-1] * (1 + change), 4))
    return equities


def result_of(equities: list[float], benchmark: list[float] | None = None) -> ReportResult:
    points = tuple(EquityPoint(START + day * DAY, Decimal(str(equity)), 0.0) for day, equity in enumerate(equities))
    prices = None
    if benchmark is not None:
        quotes = tuple(PricePoint(START + day * DAY, Decimal(str(price))) for day, price in enumerate(benchmark))
        prices = BenchmarkPrices(BTC, quotes)
    computed = metrics(MetricsInput("USDT", points, [], points[0].equity, Decimal(0), Decimal(0), {}))
    return ReportResult(computed, points, (), prices)


CURVES = {
    "two years and a half": (walk(900, 3), walk(900, 4)),
    "mostly flat": (walk(400, 5, flat=0.6), walk(400, 6)),
    "a fall": (walk(200, 7, drift=-0.01), walk(200, 8)),
    "eleven days": (walk(11, 9), walk(11, 10)),
}


class Case:
    """A curve and a benchmark, as figures of ours and as series of pandas."""

    def __init__(self, equities: list[float], prices: list[float]) -> None:
        pandas = pytest.importorskip("pandas")
        self.result = result_of(equities, prices)
        self.figures = {figure.name: figure for figure in figures(self.result)}
        days = pandas.date_range(START.date(), periods=len(equities) - 1)
        self.returns, self.benchmark = (
            pandas.Series(np.diff(values) / np.array(values[:-1]), index=days) for values in (equities, prices)
        )

    def value(self, name: str) -> float | None:
        figure = self.figures[name]
        assert not isinstance(figure.value, Decimal)
        is_percent = figure.unit is FigureUnit.PERCENT and figure.value is not None
        return figure.value / 100 if is_percent and figure.value is not None else figure.value


@pytest.fixture(scope="module", params=CURVES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(*CURVES[request.param])


def same(ours: float | None, theirs: Any) -> None:
    if ours is None:
        assert not math.isfinite(float(theirs))
    else:
        assert ours == pytest.approx(float(theirs), rel=1e-9, abs=1e-12)


@pytest.fixture(scope="module")
def stats() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("quantstats", reason="quantstats is in the dependency group `peers`")
        from quantstats import stats  # noqa: PLC0415  # it takes some seconds

        return stats  # type: ignore[no-any-return]


Theirs = Callable[[ModuleType, Case], Any]
QUANTSTATS: dict[str, Theirs] = {
    "averageDay": lambda _, c: c.returns.mean(),
    "expectedDay": lambda q, c: q.expected_return(c.returns, prepare_returns=False),
    "expectedMonth": lambda q, c: q.expected_return(c.returns, aggregate="ME", prepare_returns=False),
    "expectedYear": lambda q, c: q.expected_return(c.returns, aggregate="YE", prepare_returns=False),
    "bestDay": lambda q, c: q.best(c.returns, prepare_returns=False),
    "worstDay": lambda q, c: q.worst(c.returns, prepare_returns=False),
    "bestMonth": lambda q, c: q.best(c.returns, aggregate="ME", prepare_returns=False),
    "worstMonth": lambda q, c: q.worst(c.returns, aggregate="ME", prepare_returns=False),
    "bestYear": lambda q, c: q.best(c.returns, aggregate="YE", prepare_returns=False),
    "worstYear": lambda q, c: q.worst(c.returns, aggregate="YE", prepare_returns=False),
    "averageUpDay": lambda q, c: q.avg_win(c.returns, prepare_returns=False),
    "averageDownDay": lambda q, c: q.avg_loss(c.returns, prepare_returns=False),
    "averageUpMonth": lambda q, c: q.avg_win(c.returns, aggregate="ME", prepare_returns=False),
    "averageDownMonth": lambda q, c: q.avg_loss(c.returns, aggregate="ME", prepare_returns=False),
    "winDays": lambda q, c: q.win_rate(c.returns, prepare_returns=False),
    "winMonths": lambda q, c: q.win_rate(c.returns, aggregate="ME", prepare_returns=False),
    "winQuarters": lambda q, c: q.win_rate(c.returns, aggregate="QE", prepare_returns=False),
    "winYears": lambda q, c: q.win_rate(c.returns, aggregate="YE", prepare_returns=False),
    "longestUpDays": lambda q, c: q.consecutive_wins(c.returns, prepare_returns=False),
    "longestDownDays": lambda q, c: q.consecutive_losses(c.returns, prepare_returns=False),
    "monthToDate": lambda q, c: q.comp(c.returns[c.returns.index >= c.returns.index[-1].replace(day=1)]),
    "yearToDate": lambda q, c: q.comp(c.returns[c.returns.index >= c.returns.index[-1].replace(month=1, day=1)]),
    "skew": lambda q, c: q.skew(c.returns, prepare_returns=False),
    "kurtosis": lambda q, c: q.kurtosis(c.returns, prepare_returns=False),
    "annualVariance": lambda q, c: q.volatility(c.returns, 365, prepare_returns=False) ** 2,
    "valueAtRisk95": lambda q, c: q.value_at_risk(c.returns, prepare_returns=False),
    "valueAtRisk99": lambda q, c: q.value_at_risk(c.returns, confidence=0.99, prepare_returns=False),
    "expectedShortfall95": lambda q, c: q.conditional_value_at_risk(c.returns, prepare_returns=False),
    "tailRatio": lambda q, c: q.tail_ratio(c.returns, prepare_returns=False),
    "outlierWinRatio": lambda q, c: q.outlier_win_ratio(c.returns, prepare_returns=False),
    "outlierLossRatio": lambda q, c: q.outlier_loss_ratio(c.returns, prepare_returns=False),
    "riskOfRuin": lambda q, c: q.risk_of_ruin(c.returns, prepare_returns=False),
    "ulcerIndex": lambda q, c: q.ulcer_index(c.returns),
    "painIndex": lambda q, c: -q.to_drawdown_series(c.returns).mean(),
    "probabilisticSharpe": lambda q, c: q.probabilistic_sharpe_ratio(c.returns),
    "smartSharpe": lambda q, c: q.smart_sharpe(c.returns, periods=365),
    "smartSortino": lambda q, c: q.smart_sortino(c.returns, periods=365),
    "adjustedSortino": lambda q, c: q.adjusted_sortino(c.returns, periods=365),
    "smartAdjustedSortino": lambda q, c: q.adjusted_sortino(c.returns, periods=365, smart=True),
    "riskReturn": lambda q, c: q.risk_return_ratio(c.returns, prepare_returns=False),
    "gainToPain": lambda q, c: q.gain_to_pain_ratio(c.returns),
    "gainToPainMonthly": lambda q, c: q.gain_to_pain_ratio(c.returns, resolution="ME"),
    "payoffOfDays": lambda q, c: q.payoff_ratio(c.returns, prepare_returns=False),
    "profitRatioOfDays": lambda q, c: q.profit_ratio(c.returns, prepare_returns=False),
    "profitFactorOfDays": lambda q, c: q.profit_factor(c.returns, prepare_returns=False),
    "commonSense": lambda q, c: q.common_sense_ratio(c.returns, prepare_returns=False),
    "cpcIndex": lambda q, c: q.cpc_index(c.returns, prepare_returns=False),
    "kelly": lambda q, c: q.kelly_criterion(c.returns, prepare_returns=False),
    "recoveryFactor": lambda q, c: q.recovery_factor(c.returns, prepare_returns=False),
    "ulcerPerformance": lambda q, c: q.ulcer_performance_index(c.returns),
    "serenity": lambda q, c: q.serenity_index(c.returns),
    "riskAdjustedReturn": lambda q, c: q.cagr(c.returns, periods=365) / (c.returns != 0).mean(),
    "benchmarkReturn": lambda q, c: q.comp(c.benchmark),
    "excessReturn": lambda q, c: q.comp(c.returns) - q.comp(c.benchmark),
    "benchmarkVolatility": lambda q, c: q.volatility(c.benchmark, 365, prepare_returns=False),
    "benchmarkSharpe": lambda q, c: q.sharpe(c.benchmark, periods=365),
    "benchmarkMaxDrawdown": lambda q, c: -q.max_drawdown(c.benchmark),
    "beta": lambda q, c: q.greeks(c.returns, c.benchmark, 365, prepare_returns=False)["beta"],
    "alpha": lambda q, c: q.greeks(c.returns, c.benchmark, 365, prepare_returns=False)["alpha"],
    "correlation": lambda _, c: c.returns.corr(c.benchmark),
    "rSquared": lambda q, c: q.r_squared(c.returns, c.benchmark, prepare_returns=False),
    "informationRatio": lambda q, c: q.information_ratio(c.returns, c.benchmark, prepare_returns=False),
    "treynor": lambda q, c: q.treynor_ratio(c.returns, c.benchmark, 365),
}


@pytest.mark.parametrize("name", QUANTSTATS)
def test_a_figure_is_that_of_quantstats(name: str, case: Case, stats: ModuleType) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = QUANTSTATS[name](stats, case)
    same(case.value(name), theirs)


def capture(empyrical: ModuleType, case: Case, days: Any) -> Any:
    """Return empyrical's capture, whose own function knows no year of 365 days."""
    own, market = (empyrical.annual_return(each[days], **YEAR) for each in (case.returns, case.benchmark))
    return own / market


EMPYRICAL: dict[str, Theirs] = {
    "downsideDeviation": lambda e, c: e.downside_risk(c.returns, **YEAR),
    "historicalValueAtRisk95": lambda e, c: e.value_at_risk(c.returns),
    "historicalExpectedShortfall95": lambda e, c: e.conditional_value_at_risk(c.returns),
    "tailRatio": lambda e, c: e.tail_ratio(c.returns),
    "stability": lambda e, c: e.stability_of_timeseries(c.returns),
    "beta": lambda e, c: e.beta(c.returns, c.benchmark),
    "informationRatio": lambda e, c: e.excess_sharpe(c.returns, c.benchmark),
    "trackingError": lambda _, c: (c.returns - c.benchmark).std() * 365**0.5,
    "upCapture": lambda e, c: capture(e, c, c.benchmark > 0),
    "downCapture": lambda e, c: capture(e, c, c.benchmark < 0),
}


@pytest.mark.parametrize("name", EMPYRICAL)
def test_a_figure_is_that_of_empyrical(name: str, case: Case) -> None:
    empyrical = pytest.importorskip("empyrical")
    same(case.value(name), EMPYRICAL[name](empyrical, case))


BY_HAND = {
    "daysUp", "daysFlat", "daysDown", "last90Days", "last365Days", "activeDays", "averageDrawdown",
    "averageDrawdownDays", "drawdownRecoveryDays", "highestEquity", "lowestEquity",
}  # fmt: skip


def test_every_figure_of_daily_returns_is_compared_or_counted_by_hand() -> None:
    known = QUANTSTATS.keys() | EMPYRICAL.keys() | BY_HAND
    others = [catalogue for catalogue in CATALOGUES if catalogue.group is not FigureGroup.TRADE]
    assert {definition.name for catalogue in others for definition in catalogue.definitions} == known


def by_name(result: ReportResult) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures(result)}


def test_days_and_drawdowns_are_counted() -> None:
    equities = [100, 110, 99, 99, 104.5, 110, 121, 60.5, 90.75, 121, 130, 120, 120]
    found = {name: figure.value for name, figure in by_name(result_of([float(each) for each in equities])).items()}
    assert (found["daysUp"], found["daysFlat"], found["daysDown"]) == (7, 2, 3)
    assert found["activeDays"] == pytest.approx(10 / 12 * 100)
    # 110 to 99 and back is 10 % in 4 days, 121 to 60.5 is 50 % in 3, 130 to 120 is 7.69 % and not over after 2.
    assert found["averageDrawdown"] == pytest.approx(-(10 + 50 + 100 / 13) / 3)
    assert found["averageDrawdownDays"] == pytest.approx((4 + 3 + 2) / 3)
    assert found["drawdownRecoveryDays"] == pytest.approx(2)
    assert (found["highestEquity"], found["lowestEquity"]) == (Decimal(130), Decimal("60.5"))


def test_the_return_of_recent_days_needs_as_many_days() -> None:
    equities = walk(400, 12)
    found = by_name(result_of(equities))
    assert found["last90Days"].value == pytest.approx((equities[-1] / equities[-91] - 1) * 100)
    assert found["last365Days"].value == pytest.approx((equities[-1] / equities[-366] - 1) * 100)
    assert by_name(result_of(equities[:60]))["last90Days"].value is None


def test_a_period_that_is_too_short_has_no_figures_of_daily_returns() -> None:
    found = figures(result_of(walk(9, 13), walk(9, 14)))
    computed = {figure.name for figure in found if figure.value is not None and figure.group is not FigureGroup.TRADE}
    drawdowns = {"averageDrawdown", "averageDrawdownDays", "drawdownRecoveryDays", "highestEquity", "lowestEquity"}
    assert computed <= drawdowns


def test_a_flat_curve_has_no_figure_that_divides_by_nothing() -> None:
    found = by_name(result_of([100.0] * 40, [50.0] * 40))
    assert found["daysFlat"].value == 39
    for name in ("skew", "kurtosis", "tailRatio", "beta", "treynor", "recoveryFactor", "smartSharpe", "stability"):
        assert found[name].value is None


def test_the_benchmark_is_compared_on_the_days_of_the_report_alone() -> None:
    result = result_of(walk(30, 15), walk(30, 16))
    assert result.benchmark is not None
    before = PricePoint(START - 3 * DAY, Decimal(1))
    after = PricePoint(START + 50 * DAY, Decimal(1_000_000))
    longer = BenchmarkPrices(BTC, (before, *result.benchmark.prices, after))
    wider = ReportResult(result.metrics, result.equity_curve, (), longer)
    assert by_name(wider)["benchmarkReturn"] == by_name(result)["benchmarkReturn"]


def test_every_figure_says_what_it_is() -> None:
    for figure in figures(result_of(walk(30, 15), walk(30, 16))):
        assert figure.definition.endswith(".")
        assert figure.label
