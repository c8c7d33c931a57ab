"""Rows of COPY's CSV become the sorted rows of a file, in whichever order the database sends them."""

from hypothesis import given
from hypothesis import strategies as st

from infra.postgres.archive.table_file import parse_rows
from infra.postgres.archive.tables import CANDLES, TRADES

CANDLE_LINES = [f"{timeframe},{at},1,3,0.5,2,10" for timeframe in ("H1", "M1") for at in (-60, 0, 60_000_000)]
TRADE_LINES = [f'{at},"{id_}",1.5,2,BUY' for at in (0, 1) for id_ in ("9", "10", "B1", "a1", "100", "ä00")]


@given(st.permutations(CANDLE_LINES))
def test_candles_are_sorted_by_timeframe_and_time(lines: list[str]) -> None:
    rows = parse_rows(CANDLES, "\n".join(lines).encode(), "sandbox:BTC/USDT", [0, 0, 1, 0, 0])
    expected = parse_rows(CANDLES, "\n".join(CANDLE_LINES).encode(), "sandbox:BTC/USDT", [0, 0, 1, 0, 0])
    assert rows.equals(expected)
    assert rows["timeframe"].to_pylist() == ["H1"] * 3 + ["M1"] * 3
    assert [at.timestamp() for at in rows["open_time"].to_pylist()] == [-0.00006, 0, 60] * 2


@given(st.permutations(TRADE_LINES))
def test_trades_of_one_time_are_sorted_by_the_length_of_their_ids_and_then_by_characters(lines: list[str]) -> None:
    rows = parse_rows(TRADES, "\n".join(lines).encode(), "sandbox:BTC/USDT", [0, 1, 0, 0])
    assert rows["venue_trade_id"].to_pylist() == ["9", "10", "B1", "a1", "100", "ä00"] * 2
