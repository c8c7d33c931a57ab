"""Templates that buy weakness and sell the recovery: RSI(2), Bollinger, VWAP, averaging in, a grid and others."""

from decimal import Decimal

from domain.model.definitions import EntryAdd, ExitTarget, StrategyDefinition
from domain.model.strategy_templates import StrategyTemplate
from domain.strategies.template_parts import RISK_ONE_PERCENT, TENTH_OF_EQUITY, number, parts, percent, ranges, whole

REVERSION_TEMPLATES = (
    StrategyTemplate(
        "rsi2",
        "RSI(2) reversal",
        "Buys a sharp fall within a long rise: an RSI of two candles near zero above the average of 200. Sells "
        "when the price is back above the average of five.",
        "L. Connors, C. Alvarez, Short Term Trading Strategies That Work, 2008, chapter 9",
        StrategyDefinition(
            parameters=(whole("level", 10, 1, 30), whole("trend_bars", 200, 50, 300), whole("leave", 5, 3, 20)),
            enter_long="close > sma(close, trend_bars) and rsi(2) < level",
            exit_long="close > sma(close, leave)",
            stop_loss=percent("8"),
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "The book buys index funds below 5, at the close, and without a stop. Here it is below 10 and at the "
            "next open; the stop of 8 % is added as a last resort."
        ),
    ),
    StrategyTemplate(
        "bollinger_reversion",
        "Bollinger reversion with trend filter",
        "Buys when a candle closes back above the lower band while the long average rises, and sells at the middle "
        "band.",
        "J. Bollinger, Bollinger on Bollinger Bands, 2001",
        StrategyDefinition(
            parameters=(
                whole("period", 20, 10, 60),
                number("width", "2", "1", "3.5", "0.25"),
                whole("trend_bars", 200, 50, 300),
            ),
            let=parts(
                lower="bbands(close, period, width, width).lower", middle="bbands(close, period, width, width).middle"
            ),
            enter_long="crosses_above(close, lower) and rising(sma(close, trend_bars), 5)",
            exit_long="close >= middle",
            stop_loss=ranges("2.5"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Bollinger says that a touch of a band is no signal by itself and confirms it by indicators of volume. "
            "The template asks for a close back within the bands and a rising long average instead. The stop and the "
            "size are added."
        ),
    ),
    StrategyTemplate(
        "stochastic",
        "Stochastic",
        "Buys when %K crosses above %D below 20, and sells when it crosses back above 80, or after 30 candles.",
        "G. C. Lane, Lane's Stochastics, Technical Analysis of Stocks & Commodities 2 (3), 1984",
        StrategyDefinition(
            parameters=(whole("period", 14, 5, 30), whole("level", 20, 5, 40), whole("top", 80, 60, 95)),
            let=parts(k="stoch(period, 3, sma, 3, sma).k", d="stoch(period, 3, sma, 3, sma).d"),
            enter_long="crosses_above(k, d) and k < level + 5 and lowest(d, 3) < level",
            exit_long="crosses_below(k, d) and k > top - 5",
            stop_loss=ranges("2.5"),
            max_holding_bars=30,
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "For Lane the signal is a divergence between %D and the price. The template takes the crossing of the "
            "lines beyond 20 and 80 alone, as most who use it do. The longest holding time, the stop and the size "
            "are added."
        ),
    ),
    StrategyTemplate(
        "vwap_reversion",
        "VWAP reversion",
        "Buys when the price is far below the day's average price by volume in a market without direction, and "
        "sells when it is back. Made for candles of up to an hour.",
        "The average: S. A. Berkowitz, D. E. Logue, E. A. Noser, The Total Cost of Transactions on the NYSE, Journal "
        "of Finance 43 (1), 1988",
        StrategyDefinition(
            parameters=(number("distance", "1.5", "0.5", "4", "0.25"),),
            let=parts(average="vwap()"),
            enter_long="crosses_below(close, average - distance * atr(14)) and trend() >= 0",
            exit_long="close >= average",
            stop_loss=ranges("3"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "The paper measures by the average what an execution cost; that prices come back to it is a rule of "
            "traders without a known author."
        ),
    ),
    StrategyTemplate(
        "double_sevens",
        "Double sevens",
        "Buys the lowest close of seven candles above the average of 200, and sells the highest close of seven.",
        "L. Connors, C. Alvarez, Short Term Trading Strategies That Work, 2008, chapter 10",
        StrategyDefinition(
            parameters=(whole("bars", 7, 3, 20), whole("trend_bars", 200, 50, 300)),
            enter_long="close > sma(close, trend_bars) and close == lowest(close, bars)",
            exit_long="close == highest(close, bars)",
            stop_loss=percent("8"),
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "The book trades index funds at the close and without a stop. Here it is at the next open; the stop of 8 "
            "% is added as a last resort."
        ),
    ),
    StrategyTemplate(
        "averaging_in",
        "Averaging in (DCA) with safety orders",
        "Buys a small part when the RSI shows a fall, and more of it, each time larger, for every two percent that "
        "the price goes lower. Sells all of it a little above the average price. It wins often and little: the "
        "stop-loss is what keeps one long fall from taking it all.",
        "B. Graham, The Intelligent Investor, 1949, on dollar-cost averaging; safety orders: the DCA bots of "
        "3Commas, since 2017",
        StrategyDefinition(
            parameters=(whole("period", 14, 5, 30), whole("level", 35, 10, 50)),
            enter_long="rsi(close, period) < level",
            take_profit=percent("1.5"),
            stop_loss=percent("15"),
            adds=(EntryAdd(below=percent("2"), size_factor=Decimal("1.5"), count=5),),
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "Graham's investor buys for the same amount at fixed times, whatever the price, and holds. The bots buy "
            "more as the price falls and sell all above the average price, mostly without a stop; the one of 15 % is "
            "added."
        ),
    ),
    StrategyTemplate(
        "grid",
        "Grid",
        "Divides prices by lines that lie one percent apart, buys a part whenever a candle closes below the next lower "
        "one, and sells half of them one percent above their average price and the rest at two. Then it begins again. "
        "Made for markets without direction; out of the grid's lower end it goes with a loss. All parts are sold by "
        "their average price, not each one line above its own.",
        "A. Taranto, S. Khan, Gambler's Ruin Problem and Bi-directional Grid Constrained Trading and Investment "
        "Strategies, Investment Management and Financial Innovations 17 (3), 2020",
        StrategyDefinition(
            parameters=(number("spacing", "1", "0.25", "5", "0.25"),),
            let=parts(
                height="log(close) / log(1 + spacing / 100)",
                line="height - height % 1",
                falls="line < shift(line)",
            ),
            enter_long="falls",
            targets=(ExitTarget(percent("1"), Decimal(50)),),
            take_profit=percent("2"),
            stop_loss=percent("10"),
            adds=(EntryAdd(rule="falls", below=percent("0.25"), count=9),),
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "The paper's grid buys and sells short at each line, and closes each part one line further; it shows "
            "that this wins for a while and ruins the account almost surely in the end. The template buys alone, "
            "sells by the average price, and has a stop."
        ),
    ),
)
