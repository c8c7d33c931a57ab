"""Templates that follow a trend: averages that cross, MACD, Supertrend, Ichimoku, momentum."""

from domain.model.definitions import StrategyDefinition
from domain.model.strategy_templates import StrategyTemplate
from domain.strategies.template_parts import RISK_ONE_PERCENT, TENTH_OF_EQUITY, number, parts, percent, ranges, whole

TREND_TEMPLATES = (
    StrategyTemplate(
        "ema_cross",
        "EMA cross with ADX",
        "Buys when a fast exponential average crosses above a slow one while the ADX shows a trend, and sells when it "
        "crosses back. Needs long moves; in a market without direction the ADX keeps it out.",
        "Crossing averages: R. D. Donchian, Donchian's Five- and 20-Day Moving Averages, reprinted in Futures 24 "
        "(13), 1995; ADX: J. W. Wilder, New Concepts in Technical Trading Systems, 1978",
        StrategyDefinition(
            parameters=(whole("fast", 12, 4, 40), whole("slow", 26, 10, 120), whole("strength", 20, 10, 40)),
            let=parts(quick="ema(close, fast)", average="ema(close, slow)"),
            enter_long="crosses_above(quick, average) and adx(14) > strength",
            exit_long="crosses_below(quick, average)",
            stop_loss=ranges("2"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Donchian took simple averages of 5 and 20 days with further rules on how far they are crossed, and sold "
            "short too. The lengths 12 and 26 are those of the MACD; that the ADX allows entries, the stop and the "
            "size are added."
        ),
    ),
    StrategyTemplate(
        "golden_cross",
        "Golden cross",
        "Holds while the average of 50 candles is above that of 200. Made for daily candles: few trades, long "
        "holdings.",
        "W. Brock, J. Lakonishok, B. LeBaron, Simple Technical Trading Rules and the Stochastic Properties of Stock "
        "Returns, Journal of Finance 47 (5), 1992",
        StrategyDefinition(
            parameters=(whole("short", 50, 10, 100), whole("long", 200, 100, 400)),
            enter_long="crosses_above(sma(close, short), sma(close, long))",
            exit_long="crosses_below(sma(close, short), sma(close, long))",
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "The paper tests averages of 1 and 50, 1 and 150, 5 and 150, 1 and 200, 2 and 200 days on the Dow Jones "
            "index, the sales short too. 50 and 200 are the pair that chartists call the golden cross. The size is "
            "added."
        ),
    ),
    StrategyTemplate(
        "macd_histogram",
        "MACD histogram",
        "Buys when the histogram of the MACD turns positive above a long average, and sells when it turns negative.",
        "G. Appel, The Moving Average Convergence-Divergence Method, 1979; the histogram: T. Aspray, 1986",
        StrategyDefinition(
            parameters=(
                whole("fast", 12, 5, 20),
                whole("slow", 26, 15, 60),
                whole("smooth", 9, 3, 20),
                whole("trend_bars", 100, 50, 200),
            ),
            let=parts(histogram="macd(close, fast, slow, smooth).hist"),
            enter_long="crosses_above(histogram, 0) and close > ema(close, trend_bars)",
            exit_long="crosses_below(histogram, 0)",
            stop_loss=ranges("2.5"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences="The average of 100 candles that allows entries, the stop and the size are added.",
    ),
    StrategyTemplate(
        "supertrend",
        "Supertrend",
        "Holds while the Supertrend line is below the price: a stop of average true ranges that only moves up, and "
        "turns when a candle closes beyond it.",
        "O. Seban, Tout le monde mérite d'être riche, Paris, in several editions since the 2000s",
        StrategyDefinition(
            parameters=(whole("period", 10, 5, 30), number("multiple", "3", "1", "6", "0.5")),
            let=parts(state="supertrend(period, multiple).trend"),
            enter_long="crosses_above(state, 0)",
            exit_long="crosses_below(state, 0)",
            sizing=TENTH_OF_EQUITY,
        ),
        differences="It buys alone, where the indicator turns short too. The size is added.",
    ),
    StrategyTemplate(
        "ichimoku",
        "Ichimoku cloud",
        "Buys when the conversion line crosses above the base line over the cloud, and sells when the price closes "
        "below the base line. The lagging line has to be above the prices of its time too.",
        "G. Hosoda (Ichimoku Sanjin), Ichimoku Kinko Hyo, 1969",
        StrategyDefinition(
            let=parts(
                conversion="ichimoku().conversion",
                base="ichimoku().base",
                cloud="maximum(ichimoku().span_a, ichimoku().span_b)",
            ),
            enter_long="crosses_above(conversion, base) and close > cloud and close > shift(close, 25)",
            exit_long="crosses_below(close, base)",
            stop_loss=ranges("3"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Of the ways in which the lines are read it takes one: the crossing of two lines above the cloud, "
            "confirmed by the lagging line. Targets by Hosoda's counts of time and waves are left out. The stop and "
            "the size are added."
        ),
    ),
    StrategyTemplate(
        "momentum",
        "Time series momentum",
        "Holds what has risen over a long period and sells it when it no longer has. Made for daily candles.",
        "T. J. Moskowitz, Y. H. Ooi, L. H. Pedersen, Time Series Momentum, Journal of Financial Economics 104 (2), "
        "2012",
        StrategyDefinition(
            parameters=(whole("period", 90, 20, 365), number("least", "0", "0", "20", "1")),
            enter_long="crosses_above(roc(close, period), least)",
            exit_long="roc(close, period) < 0",
            stop_loss=percent("15"),
            sizing=TENTH_OF_EQUITY,
        ),
        differences=(
            "The paper looks back over 12 months at 58 futures and forwards, buys or sells short once a month, and "
            "sizes by volatility. The template looks back over 90 candles at one market, buys alone, at any time, by "
            "a fixed share; its stop is added."
        ),
    ),
    StrategyTemplate(
        "parabolic_sar",
        "Parabolic SAR with directional movement",
        "Buys when the stop-and-reverse turns below the price while +DI is above -DI, and sells when it turns "
        "above it.",
        "J. W. Wilder, New Concepts in Technical Trading Systems, 1978",
        StrategyDefinition(
            parameters=(
                number("acceleration", "0.02", "0.01", "0.05", "0.01"),
                number("most", "0.2", "0.1", "0.4", "0.05"),
            ),
            let=parts(stop="sar(acceleration, most)"),
            enter_long="crosses_above(close, stop) and plus_di(14) > minus_di(14)",
            exit_long="close < stop",
            stop_loss=ranges("3"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences=(
            "Wilder's system stops and reverses at the line within the day. The template decides at closes and buys "
            "alone. The stop of three ranges and the size are added."
        ),
    ),
    StrategyTemplate(
        "commodity_channel",
        "Commodity channel index",
        "Buys when the CCI rises above 100, which few candles of a quiet market reach, and sells when it falls back.",
        "D. R. Lambert, Commodity Channel Index: Tool for Trading Cyclic Trends, Commodities, October 1980",
        StrategyDefinition(
            parameters=(whole("period", 20, 10, 60), whole("level", 100, 50, 200)),
            enter_long="crosses_above(cci(period), level)",
            exit_long="crosses_below(cci(period), level)",
            stop_loss=ranges("2"),
            sizing=RISK_ONE_PERCENT,
        ),
        differences="Lambert trades sales below -100 in the same way. The stop and the size are added.",
    ),
)
