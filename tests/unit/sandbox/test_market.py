from infra.sandbox.candles import INTERVALS, MINUTE_MS, Candle, group
from infra.sandbox.matching.market import ID_RESERVE, IdSequence, SimulatedMarket
from infra.sandbox.matching.market_specs import MARKETS
from infra.sandbox.matching.synthetic_history import SyntheticHistory
from infra.sandbox.state.store import Store
from tests.support.exchange import BTC, units

BIRTH_MS = 1_790_000_040_000


def open_market(store: Store, now_ms: int = BIRTH_MS) -> SimulatedMarket:
    history = SyntheticHistory(1, MARKETS[BTC], BIRTH_MS, units(60_000))
    return SimulatedMarket(MARKETS[BTC], store, history, units(60_000), now_ms)


def trade(market: SimulatedMarket, price: float, after_ms: int) -> None:
    market.trade(units(price), units("0.5"), BIRTH_MS + after_ms, buyer_is_maker=False)


def test_candles_are_what_really_traded() -> None:
    market = open_market(Store(None))
    for price, after in ((60_010, 1_000), (60_050, 2_000), (60_020, 59_000), (60_030, 61_000)):
        trade(market, price, after)
    first, second = market.candles(MINUTE_MS, BIRTH_MS, BIRTH_MS + 2 * MINUTE_MS)
    assert first[:6] == (BIRTH_MS, units(60_010), units(60_050), units(60_010), units(60_020), units("1.5"))
    assert second[:6] == (BIRTH_MS + MINUTE_MS, *[units(60_030)] * 4, units("0.5"))
    assert first.trades == 3


def test_fills_of_a_mirror_leave_no_gap_in_the_numbers_of_its_trades() -> None:
    market = open_market(Store(None))
    market.is_mirror = True
    trade(market, 60_010, 1_000)
    fills = [market.fill(units(60_010), units(1), BIRTH_MS + 1_000, buyer_is_maker=True).id for _ in range(2)]
    trade(market, 60_010, 2_000)
    first, second = (trade.id for trade in market.trades)
    assert second == first + 1
    assert len({first, second, *fills}) == 4


def test_a_minute_without_trades_is_flat() -> None:
    market = open_market(Store(None))
    trade(market, 60_010, 1_000)
    trade(market, 60_030, 5 * MINUTE_MS)
    candles = market.candles(MINUTE_MS, BIRTH_MS, BIRTH_MS + 6 * MINUTE_MS)
    assert candles[2] == Candle.flat(BIRTH_MS + 2 * MINUTE_MS, units(60_010))
    assert [candle.open_ms for candle in candles] == [BIRTH_MS + n * MINUTE_MS for n in range(6)]


def test_a_restart_goes_on_with_the_candle_that_was_forming_and_is_flat_while_it_was_down() -> None:
    store = Store(None)
    market = open_market(store)
    trade(market, 60_010, 1_000)
    market.save()
    again = open_market(store, BIRTH_MS + 2_000)
    trade(again, 60_020, 3_000)
    assert again.minute.trades == 2
    again.save()
    later = open_market(store, BIRTH_MS + 3 * MINUTE_MS)
    trade(later, 60_030, 3 * MINUTE_MS + 1)
    closes = [candle.close for candle in later.candles(MINUTE_MS, BIRTH_MS, BIRTH_MS + 4 * MINUTE_MS)]
    assert closes == [units(60_020), units(60_020), units(60_020), units(60_030)]


def test_a_longer_candle_joins_the_past_and_what_really_traded() -> None:
    market = open_market(Store(None))
    trade(market, 70_000, 1_000)
    span = INTERVALS["1h"]
    hour = market.forming(span)
    minutes = market.candles(MINUTE_MS, hour.open_ms, BIRTH_MS + MINUTE_MS)
    assert [hour] == group(minutes, span)
    assert hour.high == hour.close == units(70_000)
    assert market.candles(span, hour.open_ms - span, hour.open_ms + 1)[-1] == hour


def test_the_day_spans_twenty_four_hours_up_to_the_last_trade() -> None:
    market = open_market(Store(None))
    trade(market, 90_000, 1_000)
    day = market.day()
    assert (day.high, day.close) == (units(90_000), units(90_000))
    assert day.volume > units(1_000)


def test_trades_of_one_taker_at_one_price_make_one_aggregate() -> None:
    market = open_market(Store(None))
    for price in (60_000, 60_000, 60_001):
        trade(market, price, 1_000)
    market.flush_aggregate()
    assert [(a.quantity, a.last_id - a.first_id) for a in market.aggregates] == [(units(1), 1), (units("0.5"), 0)]


def test_numbers_never_repeat_even_when_the_last_ones_were_not_kept() -> None:
    store = Store(None)
    counter = IdSequence(store, "x")
    used = [counter.next() for _ in range(ID_RESERVE)]
    assert used == list(range(1, ID_RESERVE + 1))
    assert IdSequence(store, "x").next() > used[-1]
