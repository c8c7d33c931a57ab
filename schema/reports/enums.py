"""The enums of reports."""

from domain.model import reports as domain
from domain.model.reports import PositionSide, ReportFormat
from domain.model.statistics import FigureGroup, FigureUnit
from schema.common.enums import describe_enum

describe_enum(
    PositionSide,
    "The direction of a position.",
    {"LONG": "The position was opened by buying.", "SHORT": "The position was opened by selling."},
)


describe_enum(
    domain.ReportNoteCode,
    "What a reader must know about the figures of a report.",
    {
        "PRICE_MISSING": (
            "No price was known for a currency that was held. If this lasted past the end of a day, the figures of "
            "returns are null."
        ),
        "PRICE_STALE": "Prices of a market are missing for more than a day. The last known price is used for this "
        "time.",
        "NO_MARKET": (
            "No market that is traded leads from a currency to the account's currency. Balances in this currency are "
            "left out."
        ),
        "PERIOD_TOO_SHORT": "The period has too few days for figures of daily returns.",
        "OPENING_ESTIMATED": "It is not known what came into the account and left it before the engine recorded "
        "transfers.",
        "START_UNKNOWN": "The equity at the start of the trading session is not known.",
        "MARKET_UNKNOWN": "Fills on a market that the venue no longer lists are left out.",
        "BALANCE_UNEXPLAINED": (
            "The current balance of a currency differs from the sum of its transfers and fills. The difference is "
            "left out. If it lasts, it is recorded as a transfer of kind ADJUSTMENT, with the time at which it was "
            "noticed."
        ),
        "ROUND_TRIPS_LEFT_OUT": "There are more round trips than the report keeps. The figures of `metrics` count all.",
        "BACKTEST": "A note of the backtest that the report is about, such as on missing candles.",
    },
)


describe_enum(
    ReportFormat,
    "The file formats of a report.",
    {
        "HTML": "A page with charts, for reading.",
        "CSV": "A zip archive of tables as comma-separated text, for spreadsheets.",
        "PARQUET": "A zip archive of tables with typed columns, for data analysis.",
    },
)


describe_enum(
    FigureGroup,
    "What a figure of a report is about.",
    {
        "RETURN": "The returns of days, months and years.",
        "RATIO": "Return in relation to risk.",
        "RISK": "The distribution of the daily returns.",
        "DRAWDOWN": "Falls below the highest value so far.",
        "TRADE": "The positions that were closed.",
        "BENCHMARK": "The returns beside those of the benchmark.",
    },
)

describe_enum(
    FigureUnit,
    "The unit of a figure of a report.",
    {
        "PERCENT": "The value is in percent.",
        "RATIO": "The value is a number without a unit.",
        "COUNT": "The value is a whole number.",
        "DAYS": "The value is in days.",
        "SECONDS": "The value is in seconds.",
        "AMOUNT": "The value is an amount of the report's currency.",
    },
)
