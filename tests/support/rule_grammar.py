"""Random definitions over the whole rule language, and candles to evaluate them on."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from domain.indicators.candle_arrays import CandleArrays, SeriesKey
from domain.model.definitions import NamedPart, Sizing, StrategyDefinition, StrategyParameter
from domain.model.markets import Timeframe
from tests.support.candles import MIDNIGHT, random_candles, timed

SIZING = Sizing(quote_amount=Decimal(500))
FOUR_HOURS = SeriesKey(timeframe=Timeframe.H4)
OTHER_MARKET = SeriesKey("BTC/USDT")
OTHER_DAYS = SeriesKey("BTC/USDT", Timeframe.D1)
OTHERS = (FOUR_HOURS, OTHER_MARKET, OTHER_DAYS)

LEAVES = [
    *["close", "open", "high", "low", "volume", "hl2", "hlc3", "ohlc4", "hour", "weekday", "minute", "n", "0", "2.5"],
    *["change(close)", "rsi(2)", "cci(5)", "mom(3)", "macd(close, 3, 5, 2).hist", "bbands(close, 4, 2, 2).upper"],
    *["atr(3)", "change(obv(), 3)", "cdldoji()", "sqrt(change(close))", "log(open - close)", "1 / change(close)"],
    *[
        "volume % n",
        "willr(5)",
        "stoch(4).k",
        "vwap()",
        "supertrend(3, 1).trend",
        "keltner(4, 3).lower",
        "donchian(5).upper",
    ],
    *["ichimoku(3, 5, 9, 4).span_a", "ichimoku(3, 5, 9, 4).base", "trend()", "trend().volatility", "trend().strength"],
    *['tf("4h").close', 'tf("4h").sma(hl2, 3)', 'shift(tf("4h").high, 2)', 'sma(tf("4h").close, n)', 'tf("4h").vwap()'],
    *['market("BTC/USDT").close', 'market("BTC/USDT").macd(close, 3, 5, 2).hist', 'tf("1d").market("BTC/USDT").rsi(2)'],
]
NUMBER_CALLS = [
    *[
        "sma({} + 0 * close, 4)",
        "ema({} + 0 * close, n)",
        "highest({} + 0 * close, n)",
        "shift({}, 2)",
        "change({}, n)",
    ],
    *["abs({})", "-{}", "linearreg({} + 0 * close, 5)", "minimum({}, close)", "maximum({}, 0, open)", "lowest({}, 3)"],
]
CONDITION_CALLS = ["rising({})", "falling({}, 2)", "{} > close", "{} != shift({}, 1)"]

PAIRS = st.sampled_from("+-*/")


def _numbers(leaves: list[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(
            st.tuples(inner, PAIRS, inner).map(lambda three: f"({' '.join(three)})"),
            st.tuples(st.sampled_from(NUMBER_CALLS), inner).map(lambda two: two[0].format(two[1])),
            st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} if {three[1]} > 0 else {three[2]})"),
            st.tuples(inner, inner).map(lambda two: f"value_when({two[0]} > close, {two[1]}, 6)"),
            inner.map(lambda one: f"bars_since({one} > shift({one}, 1), 7)"),
        ),
        max_leaves=3,
    )


def _conditions(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.one_of(
            st.tuples(numbers, st.sampled_from([">", ">=", "<", "<=", "==", "!="]), numbers).map(" ".join),
            st.tuples(st.sampled_from(["above", "below"]), numbers, numbers).map(
                lambda three: f"crosses_{three[0]}({three[1]}, {three[2]})"
            ),
            st.tuples(st.sampled_from(CONDITION_CALLS), numbers).map(lambda two: two[0].format(two[1], two[1])),
        ),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda three: f"({''.join(three)})"),
            inner.map(lambda rule: f"not ({rule})"),
            st.tuples(inner, inner, inner).map(lambda three: f"({three[0]} if {three[1]} else {three[2]})"),
        ),
        max_leaves=3,
    )


def conditions(*, with_position: bool = False) -> st.SearchStrategy[str]:
    """Return rules, of definitions with the parameter `n` and the parts `part` (a number) and `state` (a condition)."""
    named = [*LEAVES, "part", "bars_since(state, 5)", "(1 if state else part)"]
    if not with_position:
        return _conditions(_numbers(named))
    of_position = [f"position.{name}" for name in ("bars", "profit_percent", "entry_price")]
    pointwise = st.tuples(st.sampled_from(of_position), PAIRS, st.sampled_from(named)).map(" ".join)
    numbers = st.one_of(st.sampled_from(of_position), pointwise, pointwise.map(lambda text: f"abs({text})"))
    compared = st.tuples(numbers, st.sampled_from([">", "<=", "=="]), numbers).map(" ".join)
    return st.one_of(
        compared,
        compared.map(lambda text: f"not ({text})"),
        st.tuples(compared, st.sampled_from([" and ", " or "]), _conditions(_numbers(named))).map("".join),
        st.tuples(compared, compared, compared).map(lambda three: f"({three[0]}) if {three[1]} else ({three[2]})"),
    )


def definitions(*, with_position: bool = False) -> st.SearchStrategy[StrategyDefinition]:
    """Return definitions whose rule `enter_long` is over the whole language."""
    return st.builds(
        _definition, conditions(with_position=with_position), _numbers(LEAVES), _conditions(_numbers(LEAVES))
    )


def _definition(rule: str, part: str, state: str) -> StrategyDefinition:
    parameters = (StrategyParameter("n", Decimal(3), Decimal(2), Decimal(50)),)
    let = (NamedPart("part", part), NamedPart("state", state))
    return StrategyDefinition(sizing=SIZING, parameters=parameters, enter_long=rule, let=let)


def hourly_candles(count: int, seed: int, *, tick: float = 0.0) -> CandleArrays:
    """Return so many candles of an hour, with other candles whose history is long enough for any definition."""
    others = {
        key: timed(
            random_candles(count + 1_500, seed + 7 * place, volatility=0.01, tick=tick),
            key.timeframe or Timeframe.H1,
            MIDNIGHT + (key.timeframe or Timeframe.H1).seconds,
        )
        for place, key in enumerate(OTHERS, 1)
    }
    own = timed(random_candles(count, seed, volatility=0.01, tick=tick), Timeframe.H1, MIDNIGHT + 3_600)
    return replace(own, others=others)


def cut_at(candles: CandleArrays, count: int) -> CandleArrays:
    """Return what was known when the candle of that number had closed: the own candles up to it, the others closed."""
    known = candles.first(count)
    assert known.opened_at is not None
    now = int(known.closed_at[-1])
    closed = {key: other.first(int((other.closed_at <= now).sum())) for key, other in candles.others.items()}
    return replace(known, others=closed)
