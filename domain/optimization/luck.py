"""How likely it is that the best of many trials is luck: the deflated Sharpe ratio.

Of many strategies without any skill the best one still has a high Sharpe ratio, the higher the more there are. The
deflated Sharpe ratio is the probability that the true Sharpe ratio of the chosen one is above what the best of that
many would have by luck; it also counts how long the sample is, and that returns aren't normal. D. H. Bailey and
M. López de Prado, The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest Overfitting and Non-Normality,
Journal of Portfolio Management 40 (5), 2014, https://ssrn.com/abstract=2460551
"""

import math
import statistics
from collections.abc import Sequence

from domain.model.optimizations import ReturnMoments
from domain.performance.metrics import MINIMUM_RETURNS
from domain.performance.returns import NEGLIGIBLE

EULER_MASCHERONI = 0.5772156649015329
_NORMAL = statistics.NormalDist()


def return_moments(returns: Sequence[float]) -> ReturnMoments | None:
    """Return the moments of daily returns; None if there are too few, or all are equal."""
    if len(returns) < MINIMUM_RETURNS:
        return None
    mean, deviation = statistics.fmean(returns), statistics.stdev(returns)
    if deviation <= NEGLIGIBLE:
        return None
    spread = statistics.pstdev(returns)
    scaled = [(value - mean) / spread for value in returns]
    return ReturnMoments(
        days=len(returns),
        sharpe=mean / deviation,
        skewness=statistics.fmean(value**3 for value in scaled),
        kurtosis=statistics.fmean(value**4 for value in scaled),
    )


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """Return the highest Sharpe ratio that `trials` independent strategies without skill are expected to have.

    `variance` is that of their Sharpe ratios, which are in the same unit: neither or both annualised.
    """
    if trials <= 1:
        return 0.0
    quantiles = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER_MASCHERONI) * quantiles[0] + EULER_MASCHERONI * quantiles[1])


def deflated_sharpe(best: ReturnMoments, trials: int, variance: float) -> float:
    """Return the probability, from 0 to 1, that the true Sharpe ratio is above what luck alone leads to.

    `variance` is that of the Sharpe ratios of all `trials`, per day as that of `best`.
    """
    by_luck = expected_maximum_sharpe(trials, variance)
    # By the inequality of Pearson the kurtosis is at least 1 + skewness², so that this is never negative.
    doubt = 1 - best.skewness * best.sharpe + (best.kurtosis - 1) / 4 * best.sharpe**2
    if doubt <= NEGLIGIBLE:
        return 1.0 if best.sharpe > by_luck else 0.0
    return _NORMAL.cdf((best.sharpe - by_luck) * math.sqrt(best.days - 1) / math.sqrt(doubt))


def luck_probability(best: ReturnMoments, trials: int, variance: float) -> float:
    """Return the probability that the best of `trials` is luck; `variance` as in `deflated_sharpe`."""
    return 1 - deflated_sharpe(best, trials, variance)
