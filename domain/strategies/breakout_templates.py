"""Templates that buy when prices leave a range: Turtle, Keltner, ATR channel, opening range, squeeze."""

from domain.model.definitions import EntryAdd, StrategyDefinition
from domain.model.strategy_templates import StrategyTemplate
from domain.strategies.template_parts import RISK_ONE_PERCENT, number, parts, percent, ranges, whole

BREAKOUT_TEMPLATES = (
    StrategyTemplate(
        "turtle",
        "Turtle (Donchian channel)",
        "Buys when a candle closes above the highest high of 20, again after each half average true range up to "
        "four entries in all, and sells below the lowest low of 10, with a stop of two ranges. The Turtles' first "
        "system; its filter by the last trade's result is left out.",
        "R. D. Donchian, four-week rule, 1960s; C. M. Faith, Way of the Turtle, 2007, and The Original Turtle "
        "Trading Rules, 2003",
        StrategyDefinition(
            parameters=(whole("entry", 20, 10, 60), whole("leave", 10, 5, 30)),
            enter_long="close > shift(donchian(entry).upper)",
            exit_long="close < shift(donchian(leave).lower)",
            stop_loss=ranges("2"),
            adds=(EntryAdd(above=ranges("0.5"), count=3),),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "The Turtles' first system, without its sales short and without its filter by the result of the last "
            "breakout. They bought within the day, at the breakout; the template buys after the close. They took 2 % "
            "of risk with each entry, and raised the stop of all with each; here it is 1 %, and the stop is two "
            "ranges below the average price."
        ),
    ),
    StrategyTemplate(
        "keltner_breakout",
        "Keltner channel breakout",
        "Buys when a candle closes above the upper channel line, and sells when it closes below the middle.",
        "C. W. Keltner, How to Make Money in Commodities, 1960; the form with an exponential average and true "
        "ranges: L. B. Raschke, 1980s",
        StrategyDefinition(
            parameters=(whole("period", 20, 10, 60), number("multiple", "2", "1", "4", "0.25")),
            let=parts(upper="keltner(period, 10, multiple).upper", middle="keltner(period, 10, multiple).middle"),
            enter_long="crosses_above(close, upper) and rising(middle)",
            exit_long="close < middle",
            stop_loss=ranges("2"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Keltner took 10 days of the typical price and of the range, without a factor, and was always in the "
            "market, long or short. The exit at the middle, that the middle has to rise, the stop and the size are "
            "added."
        ),
    ),
    StrategyTemplate(
        "atr_channel",
        "ATR channel breakout",
        "Buys when a candle closes many average true ranges above a very long average, and sells when it is back "
        "there. Made for daily candles.",
        "C. M. Faith, Way of the Turtle, 2007, chapter 10",
        StrategyDefinition(
            parameters=(whole("period", 350, 100, 400), number("multiple", "7", "2", "10", "0.5")),
            let=parts(average="sma(close, period)"),
            enter_long="crosses_above(close, average + multiple * atr(20))",
            exit_long="close < average",
            stop_loss=ranges("4"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Without its sales short, three ranges below the average. The book has no stop but the average; the one "
            "of four ranges is added."
        ),
    ),
    StrategyTemplate(
        "opening_range",
        "Opening range breakout",
        "Takes the high of the day's first candles, from midnight in UTC, buys when a later one closes above it, "
        "and sells late in the day. Made for candles of 5 minutes to an hour.",
        "T. Crabel, Day Trading with Short Term Price Patterns and Opening Range Breakout, 1990",
        StrategyDefinition(
            parameters=(whole("range_bars", 4, 1, 24), whole("last_hour", 22, 12, 23)),
            let=parts(
                bar_of_day="bars_since(hour == 0 and minute == 0, 300)",
                opening_high="value_when(bar_of_day == range_bars - 1, highest(high, range_bars), 300)",
            ),
            enter_long="bar_of_day >= range_bars and hour < last_hour and crosses_above(close, opening_high)",
            exit_long="hour >= last_hour",
            stop_loss=percent("2"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Crabel enters by a stop order, up or down, the average of ten days' smallest move from the open away "
            "from the opening range, best after days of a small range. The template has neither this distance nor "
            "the filter by ranges, decides at closes, buys alone, and takes midnight in UTC for the open of a market "
            "that has none."
        ),
    ),
    StrategyTemplate(
        "squeeze",
        "Bollinger squeeze",
        "Waits until the Bollinger bands were inside the Keltner channel, a sign of a quiet market, and buys when "
        "they come out while momentum is up and rising. Sells when it falls.",
        "J. F. Carter, Mastering the Trade, 2005; J. Bollinger, Bollinger on Bollinger Bands, 2001, on quiet markets",
        StrategyDefinition(
            parameters=(whole("period", 20, 10, 40), number("width", "1.5", "1", "2.5", "0.25")),
            let=parts(
                quiet="bbands(close, period, 2, 2).upper < keltner(period, period, width).upper",
                pace="linearreg(close - sma(close, period), period)",
            ),
            enter_long="not quiet and bars_since(quiet, 50) <= 3 and pace > 0 and rising(pace)",
            exit_long="falling(pace, 2)",
            stop_loss=ranges("2"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "For the momentum it takes a regression line of the distance from the average, as the open form of the "
            "indicator does, not Carter's own. The stop and the size are added."
        ),
    ),
)
