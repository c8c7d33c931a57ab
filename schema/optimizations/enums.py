"""The enums of optimizations."""

from domain.model.optimizations import OptimizationObjective
from resolvers.optimizations import TrialOrder
from schema.common.enums import describe_enum

describe_enum(
    OptimizationObjective,
    "The figure that an optimization makes as large as it can.",
    {
        "NET_PROFIT": "The net profit.",
        "SHARPE": "The Sharpe ratio. It needs 10 days of candles in sample.",
        "SORTINO": "The Sortino ratio. It needs 10 days of candles in sample.",
        "CALMAR": "The Calmar ratio. It needs a week of candles in sample.",
        "PROFIT_FACTOR": "The profit factor. It needs at least one round trip with a loss.",
    },
)

describe_enum(
    TrialOrder,
    "The order of the trials of an optimization.",
    {
        "NUMBER": "The first trial comes first.",
        "SCORE": "The trial with the highest score comes first. Trials without a score come last.",
    },
    name="OptimizationTrialOrder",
)
