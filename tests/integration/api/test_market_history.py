"""What a client reads of a market's past: candles, trades, profiles, books, indicators, trends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.model.markets import Candle, Depth, MarketSymbol, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from tests.support.api import Api

BTC = MarketSymbol("sandbox", "BTC/USDT")
MINUTE = timedelta(minutes=1)
NOON = datetime.now(UTC).replace(day=2, hour=12, minute=0, second=0, microsecond=0)
PROFILE = """query ($from: DateTime!, $to: DateTime!, $bins: Int! = 50) { market(symbol: "sandbox:BTC/USDT") {
    volumeProfile(from: $from, to: $to, bins: $bins) { from to source pointOfControl valueAreaHigh valueAreaLow
        levels { priceLow priceHigh volume buyVolume sellVolume } } } }"""
BOOKS = """query ($from: DateTime!, $to: DateTime!, $every: Int! = 60, $levels: DepthLevels! = L5) {
    market(symbol: "sandbox:BTC/USDT") { depthHistory(from: $from, to: $to, everySeconds: $every, levels: $levels) {
        market { symbol } epoch sequence venueTime sentAt bids { price quantity } asks { price quantity } } } }"""
INDICATOR = """query ($name: String!, $parameters: [ParameterInput!], $from: DateTime, $to: DateTime, $last: Int) {
    market(symbol: "sandbox:BTC/USDT") {
        indicator(name: $name, timeframe: M1, parameters: $parameters, from: $from, to: $to, last: $last) {
            name timeframe parameters { name value } times outputs { name values } } } }"""
TREND = (
    """{ market(symbol: "sandbox:BTC/USDT") { trend(timeframe: M1) { timeframe at direction strength volatility } } }"""
)
CANDLES = """query ($first: Int, $after: String, $last: Int, $before: String, $from: DateTime, $to: DateTime) {
    market(symbol: "sandbox:BTC/USDT") {
    candles(timeframe: M1, first: $first, after: $after, last: $last, before: $before, from: $from, to: $to) {
        nodes { openTime } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
COLUMNS = {
    "openTimes": "openTime", "opens": "open", "highs": "high", "lows": "low", "closes": "close", "volumes": "volume",
}  # fmt: skip
SERIES = """query ($first: Int, $after: String, $last: Int, $before: String, $from: DateTime, $to: DateTime) {
    market(symbol: "sandbox:BTC/USDT") {
    candles(timeframe: M1, first: $first, after: $after, last: $last, before: $before, from: $from, to: $to) {
        nodes { openTime open high low close volume }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
    candleSeries(timeframe: M1, first: $first, after: $after, last: $last, before: $before, from: $from, to: $to) {
        timeframe openTimes opens highs lows closes volumes market { symbol }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
TRADES = """query ($first: Int, $after: String, $last: Int, $before: String, $from: DateTime, $to: DateTime) {
    market(symbol: "sandbox:BTC/USDT") {
    trades(first: $first, after: $after, last: $last, before: $before, from: $from, to: $to) {
        nodes { venueTradeId } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def a_candle(minute: int) -> Candle:
    price = Decimal(60_000 + minute)
    return Candle(
        BTC, Timeframe.M1, NOON + minute * MINUTE, price, price + 3, price - 1, price + 1, Decimal(2), closed=True
    )


def a_trade(number: int, price: str, quantity: str, side: OrderSide, seconds: float = 0) -> Trade:
    return Trade(BTC, str(number), NOON + timedelta(seconds=seconds), Decimal(price), Decimal(quantity), side)


async def store(
    api: Api,
    *,
    candles: list[Candle] | None = None,
    trades: list[Trade] | None = None,
    depths: list[Depth] | None = None,
) -> None:
    async with api.database.transaction() as transaction:
        await transaction.market_data.upsert_candles(candles or [])
        await transaction.market_data.save_trades(trades or [])
        await transaction.market_data.save_depth(depths or [])


async def fault(api: Api, query: str, **variables: object) -> tuple[str, str]:
    """Return the message and the code of the one top-level error that there must be."""
    (error,) = (await api.answer(query, **variables))["errors"]
    return error["message"], error["extensions"]["code"]


async def profile(api: Api, **variables: object) -> dict[str, object]:
    asked = {"from": text(NOON), "to": text(NOON + 60 * MINUTE), **variables}
    return (await api.run(PROFILE, **asked))["market"]["volumeProfile"]


async def test_a_profile_of_trades_has_both_sides_and_the_value_area(api: Api) -> None:
    await store(
        api,
        trades=[
            a_trade(1, "60000.00", "0.5", OrderSide.BUY),
            a_trade(2, "60000.03", "1", OrderSide.SELL, 30),
            a_trade(3, "60000.03", "2", OrderSide.BUY, 90.5),
            a_trade(4, "60000.05", "0.25", OrderSide.SELL, 3599.9),
            a_trade(5, "70000", "9", OrderSide.SELL, 3600),
        ],
    )
    found = await profile(api, bins=3)
    assert found["source"] == "TRADES"
    assert (found["from"], found["to"]) == (text(NOON), text(NOON + 60 * MINUTE))
    assert found["levels"] == [
        {"priceLow": "60000", "priceHigh": "60000.02", "volume": "0.5", "buyVolume": "0.5", "sellVolume": "0"},
        {"priceLow": "60000.02", "priceHigh": "60000.04", "volume": "3", "buyVolume": "2", "sellVolume": "1"},
        {"priceLow": "60000.04", "priceHigh": "60000.06", "volume": "0.25", "buyVolume": "0", "sellVolume": "0.25"},
    ]
    assert found["pointOfControl"] == "60000.03"
    assert (found["valueAreaLow"], found["valueAreaHigh"]) == ("60000.02", "60000.04")


async def test_a_profile_over_many_prices_is_made_of_the_sums_and_counts_every_trade(api: Api) -> None:
    await store(
        api,
        trades=[a_trade(n, str(60_000 + n * Decimal("7.77")), "0.01", list(OrderSide)[n % 2], n) for n in range(300)],
    )
    found = await profile(api, bins=50)
    levels = found["levels"]
    assert 40 <= len(levels) <= 50
    assert all("." not in level["priceLow"] for level in levels)
    assert sum(Decimal(level["volume"]) for level in levels) == 3
    assert sum(Decimal(level["buyVolume"]) for level in levels) == Decimal("1.5")


async def test_a_profile_is_computed_from_candles_if_trades_are_missing(api: Api) -> None:
    await store(
        api, candles=[a_candle(minute) for minute in range(30)], trades=[a_trade(1, "60010", "1", OrderSide.BUY)]
    )
    found = await profile(api)
    assert found["source"] == "CANDLES"
    assert sum(Decimal(level["volume"]) for level in found["levels"]) == 60
    assert sum(Decimal(level["buyVolume"]) for level in found["levels"]) == 60


async def test_a_profile_of_nothing_is_empty(api: Api) -> None:
    found = await profile(api)
    assert (found["levels"], found["pointOfControl"], found["valueAreaHigh"]) == ([], None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"to": text(NOON)}, "`from` must be before `to`."),
        ({"bins": 0}, "`bins` is 0; it must be from 1 to 1,000."),
        ({"bins": 1001}, "`bins` is 1001; it must be from 1 to 1,000."),
        ({"bins": -1}, "`bins` is -1; it must be from 1 to 1,000."),
        ({"to": text(NOON + timedelta(days=32))}, "`from` and `to` are 32 days apart; at most 31."),
    ],
)
async def test_a_profile_that_cannot_be_made_is_refused(api: Api, changes: dict[str, object], message: str) -> None:
    asked = {"from": text(NOON), "to": text(NOON + MINUTE), **changes}
    assert await fault(api, PROFILE, **asked) == (message, "INVALID")


async def test_the_last_and_the_first_moments_of_all_time_can_be_asked_for(api: Api) -> None:
    last = {"from": "9999-12-31T23:59:30.5Z", "to": "9999-12-31T23:59:59.999999Z"}
    first = {"from": "0001-01-01T00:00:00Z", "to": "0001-01-01T00:01:30Z"}
    for asked in (last, first):
        assert (await profile(api, **asked))["levels"] == []
        assert (await api.run(BOOKS, **asked))["market"]["depthHistory"] == []


async def test_stored_books_come_back_thinned_and_cut(api: Api) -> None:
    bids = tuple(PriceLevel(Decimal(60_000 - n), Decimal(1)) for n in range(10))
    asks = tuple(PriceLevel(Decimal(60_001 + n), Decimal("0.50")) for n in range(3))
    depths = [
        Depth(BTC, "e1", n, bids, asks, NOON, NOON + timedelta(seconds=10 * n, milliseconds=7)) for n in range(12)
    ]
    await store(api, depths=depths)
    found = (await api.run(BOOKS, **{"from": text(NOON), "to": text(NOON + 10 * MINUTE)}))["market"]["depthHistory"]
    assert [book["sequence"] for book in found] == ["0", "6"]
    assert found[0]["market"] == {"symbol": "sandbox:BTC/USDT"}
    assert found[1]["sentAt"] == (NOON + timedelta(minutes=1, milliseconds=7)).strftime("%Y-%m-%dT%H:%M:%S.007000Z")
    assert [level["price"] for level in found[0]["bids"]] == ["60000", "59999", "59998", "59997", "59996"]
    assert found[0]["asks"][2] == {"price": "60003", "quantity": "0.5"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"to": text(NOON - MINUTE)}, "`from` must be before `to`."),
        ({"every": 0}, "`everySeconds` is 0; it must be at least 1."),
        (
            {"to": text(NOON + 1001 * MINUTE)},
            (
                "That could be more than 1,000 snapshots; give `everySeconds` of at least 61 or a shorter time from "
                "`from` to `to`."
            ),
        ),
    ],
)
async def test_books_that_cannot_be_given_are_refused(api: Api, changes: dict[str, object], message: str) -> None:
    asked = {"from": text(NOON), "to": text(NOON + MINUTE), **changes}
    assert await fault(api, BOOKS, **asked) == (message, "INVALID")


async def test_an_indicator_has_one_value_for_each_time(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(20)])
    parameters = [{"name": "timeperiod", "value": "3"}]
    found = (await api.run(INDICATOR, name="SMA", parameters=parameters))["market"]["indicator"]
    assert (found["name"], found["timeframe"], found["parameters"]) == ("sma", "M1", parameters)
    assert found["times"] == [text(NOON + minute * MINUTE) for minute in range(20)]
    assert found["outputs"] == [{"name": "real", "values": [None, None, *(60_000.0 + n for n in range(2, 20))]}]
    shown = {"from": text(NOON + 5 * MINUTE), "to": text(NOON + 9 * MINUTE)}
    part = (await api.run(INDICATOR, name="sma", parameters=parameters, last=2, **shown))["market"]["indicator"]
    assert part["times"] == [text(NOON + minute * MINUTE) for minute in (7, 8)]
    assert part["outputs"][0]["values"] == [60_007.0, 60_008.0]
    all_of_it = (await api.run(INDICATOR, name="sma", parameters=parameters, **shown))["market"]["indicator"]
    assert all_of_it["outputs"][0]["values"] == [60_005.0, 60_006.0, 60_007.0, 60_008.0]


async def test_an_indicator_without_stored_candles_is_null(api: Api) -> None:
    assert (await api.run(INDICATOR, name="rsi"))["market"]["indicator"] is None


@pytest.mark.parametrize(
    ("variables", "message", "code"),
    [
        ({"name": "rsy"}, "There is no indicator 'rsy'; did you mean rsi?", "NOT_FOUND"),
        (
            {"name": "rsi", "parameters": [{"name": "timeperio", "value": "14"}]},
            "rsi has no parameter 'timeperio'; did you mean timeperiod?",
            "INVALID",
        ),
        (
            {"name": "rsi", "parameters": [{"name": "timeperiod", "value": "1"}]},
            "timeperiod of rsi must be between 2 and 100000, not 1.",
            "INVALID",
        ),
        (
            {"name": "rsi", "parameters": [{"name": "timeperiod", "value": "9"}, {"name": "timeperiod", "value": "8"}]},
            "`parameters` names one more than once.",
            "INVALID",
        ),
        ({"name": "rsi", "last": 5001}, "`last` is 5001; it must be from 1 to 5,000.", "INVALID"),
        ({"name": "rsi", "last": 0}, "`last` is 0; it must be from 1 to 5,000.", "INVALID"),
        ({"name": "rsi", "last": -3}, "`last` is -3; it must be from 1 to 5,000.", "INVALID"),
        ({"name": "rsi", "from": text(NOON), "to": text(NOON)}, "`from` must be before `to`.", "INVALID"),
    ],
)
async def test_an_indicator_that_cannot_be_computed_has_an_error_with_the_reason(
    api: Api, variables: dict[str, object], message: str, code: str
) -> None:
    assert await fault(api, INDICATOR, **variables) == (message, code)


async def test_more_candles_than_an_indicator_may_show_are_refused_and_not_cut(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(5_001)])
    message, code = await fault(api, INDICATOR, name="rsi", **{"from": text(NOON)})
    assert (message.split(";")[0], code) == ("There are more than 5,000 candles from `from` on", "INVALID")
    found = (await api.run(INDICATOR, name="rsi", last=5_000))["market"]["indicator"]
    assert len(found["times"]) == len(found["outputs"][0]["values"]) == 5_000
    assert len((await api.run(INDICATOR, name="rsi"))["market"]["indicator"]["times"]) == 500


async def test_a_trend_is_null_until_there_are_candles_enough(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(400)])
    assert (await api.run(TREND))["market"]["trend"] is None
    await store(api, candles=[a_candle(minute) for minute in range(400, 500)])
    trend = (await api.run(TREND))["market"]["trend"]
    assert (trend["timeframe"], trend["at"], trend["direction"]) == ("M1", text(NOON + 500 * MINUTE), "UP")
    assert trend["strength"] > 50
    assert trend["volatility"] in {"LOW", "NORMAL", "HIGH"}


async def pages(api: Api, query: str, field: str, *, forwards: bool) -> list[list[str]]:
    """Return the pages of three, from the beginning or from the end."""
    size, cursor, place, more = (
        ("first", "after", "endCursor", "hasNextPage")
        if forwards
        else ("last", "before", "startCursor", "hasPreviousPage")
    )
    found, at = [], None
    while True:
        page = (await api.run(query, **{size: 3, cursor: at}))["market"][field]
        found.append([next(iter(node.values())) for node in page["nodes"]])
        if not page["pageInfo"][more]:
            return found
        at = page["pageInfo"][place]


async def test_candles_are_paged_both_ways(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(8)])
    times = [text(NOON + minute * MINUTE) for minute in range(8)]
    assert await pages(api, CANDLES, "candles", forwards=True) == [times[:3], times[3:6], times[6:]]
    assert await pages(api, CANDLES, "candles", forwards=False) == [times[5:], times[2:5], times[:2]]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"first": 5},
        {"last": 5},
        {"first": 0},
        {"last": 1000, "to": text(NOON + 4 * MINUTE)},
        {"first": 1000, "from": text(NOON + MINUTE), "to": text(NOON + 13 * MINUTE)},
        {"first": 3, "from": text(NOON + 6 * MINUTE)},
        {"first": 10, "from": text(NOON + 50 * MINUTE)},
    ],
)
async def test_a_series_has_the_candles_of_the_page_as_columns(api: Api, asked: dict[str, object]) -> None:
    numbers = {0: "0.00000001", 1: "100", 2: "1200.50", 7: "123456789.123456789", 9: "99999999999", 12: "1e3"}
    high = Decimal(10) ** 12
    candles = [replace(a_candle(minute), high=high, volume=Decimal(number)) for minute, number in numbers.items()]
    await store(api, candles=candles)
    market = (await api.run(SERIES, **asked))["market"]
    nodes, series = market["candles"]["nodes"], market["candleSeries"]
    assert {name: series[name] for name in COLUMNS} == {
        name: [node[key] for node in nodes] for name, key in COLUMNS.items()
    }
    assert series["pageInfo"] == market["candles"]["pageInfo"]
    assert (series["timeframe"], series["market"]) == ("M1", {"symbol": "sandbox:BTC/USDT"})


async def test_a_cursor_of_candles_goes_on_in_a_series(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(8)])
    page = (await api.run(SERIES, first=3))["market"]["candles"]["pageInfo"]
    found = (await api.run(SERIES, first=2, after=page["endCursor"]))["market"]["candleSeries"]
    assert found["openTimes"] == [text(NOON + 3 * MINUTE), text(NOON + 4 * MINUTE)]
    errors = (await api.answer(SERIES, first=1001))["errors"]
    assert {error["message"] for error in errors} == {"`first` is 1001; it must be from 0 to 1,000."}


async def test_trades_of_one_moment_are_paged_both_ways(api: Api) -> None:
    await store(api, trades=[a_trade(number, "60000", "1", OrderSide.BUY, number // 5) for number in range(8, 15)])
    ids = [str(number) for number in range(8, 15)]
    assert await pages(api, TRADES, "trades", forwards=True) == [ids[:3], ids[3:6], ids[6:]]
    assert await pages(api, TRADES, "trades", forwards=False) == [ids[4:], ids[1:4], ids[:1]]


@pytest.mark.parametrize("query", [CANDLES, TRADES])
@pytest.mark.parametrize("to", [NOON, NOON - MINUTE])
async def test_a_period_that_ends_before_it_begins_is_refused(api: Api, query: str, to: datetime) -> None:
    asked = {"from": text(NOON), "to": text(to)}
    assert await fault(api, query, **asked) == ("`from` must be before `to`.", "INVALID")


async def test_a_page_has_only_neighbours_within_its_period(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(9)])

    async def page(**asked: object) -> tuple[list[int], bool, bool, str | None]:
        found = (await api.run(CANDLES, **asked))["market"]["candles"]
        info = found["pageInfo"]
        minutes = [int(node["openTime"][14:16]) for node in found["nodes"]]
        return minutes, info["hasPreviousPage"], info["hasNextPage"], info["startCursor"]

    at = [(await page(first=1, **{"from": text(NOON + minute * MINUTE)}))[3] for minute in range(9)]
    period = {"from": text(NOON + 3 * MINUTE), "to": text(NOON + 6 * MINUTE)}
    assert (await page(**period))[:3] == ([3, 4, 5], False, False)
    assert (await page(first=2, **period))[:3] == ([3, 4], False, True)
    assert (await page(last=2, **period))[:3] == ([4, 5], True, False)
    assert (await page(after=at[1], before=at[7], **period))[:3] == ([3, 4, 5], False, False)
    assert (await page(after=at[3], before=at[5], **period))[:3] == ([4], True, True)
    assert (await page(after=at[8]))[:3] == ([], True, False)
    assert (await page(before=at[0]))[:3] == ([], False, True)
    # A page is the same whatever is stored later on its far side.
    await store(api, candles=[a_candle(minute) for minute in range(9, 12)])
    assert (await page(first=3, after=at[2]))[0] == [3, 4, 5]


async def test_a_profile_counts_its_missing_minutes(api: Api) -> None:
    profiles = """query ($from: DateTime!, $to: DateTime!) { market(symbol: "sandbox:BTC/USDT") {
        volumeProfile(from: $from, to: $to) { volume missingMinutes } } }"""
    begun = (datetime.now(UTC) - timedelta(hours=2)).replace(second=0, microsecond=0)
    minutes = [replace(a_candle(0), open_time=begun + minute * MINUTE) for minute in range(30) if minute != 7]
    async with api.database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(begun, begun + timedelta(hours=2))
    await store(api, candles=minutes)

    async def volume_of(start: float, end: float) -> dict[str, object]:
        asked = {"from": text(begun + start * MINUTE), "to": text(begun + end * MINUTE)}
        return (await api.run(profiles, **asked))["market"]["volumeProfile"]

    assert await volume_of(0, 30) == {"volume": "58", "missingMinutes": 1}
    assert await volume_of(0, 7.5) == {"volume": "14", "missingMinutes": 0}
    assert (await volume_of(29, 31))["missingMinutes"] == 1
    assert (await volume_of(60 * 24, 60 * 25))["missingMinutes"] == 0  # what is to come is not missing


async def test_an_indicator_is_computed_of_the_series_that_are_asked_for(api: Api) -> None:
    await store(api, candles=[a_candle(minute) for minute in range(20)])
    asked = """query ($inputs: [String!]) { market(symbol: "sandbox:BTC/USDT") { indicator(
        name: "sma", timeframe: M1, inputs: $inputs, parameters: [{name: "timeperiod", value: "2"}], last: 1) {
        inputs outputs { values } } } }"""
    volume = (await api.run(asked, inputs=["volume"]))["market"]["indicator"]
    assert volume == {"inputs": ["volume"], "outputs": [{"values": [2.0]}]}
    middle = (await api.run(asked, inputs=["medprice"]))["market"]["indicator"]
    assert middle == {"inputs": ["medprice"], "outputs": [{"values": [60_019.5]}]}
    message, code = await fault(api, asked, inputs=["hl2"])
    assert (message.split(".")[0], code) == ("There is no series 'hl2'", "INVALID")


async def test_the_catalogue_has_the_range_of_every_parameter(api: Api) -> None:
    found = await api.run("{ indicators { name inputs parameters { name default kind minimum maximum } } }")
    by_name = {indicator["name"]: indicator for indicator in found["indicators"]}
    assert by_name["rsi"]["parameters"] == [
        {"name": "timeperiod", "default": "14", "kind": "INTEGER", "minimum": "2", "maximum": "100000"}
    ]
    kinds = {
        parameter["name"]: (parameter["kind"], parameter["maximum"]) for parameter in by_name["bbands"]["parameters"]
    }
    assert kinds["matype"] == ("MOVING_AVERAGE", "13")
    assert kinds["nbdevup"][0] == "REAL"
    assert by_name["beta"]["inputs"] == ["high", "low"]


@pytest.mark.parametrize("query", [CANDLES, TRADES])
async def test_a_page_costs_one_statement_however_long_it_is(api: Api, query: str) -> None:
    await store(
        api, candles=[a_candle(minute) for minute in range(1_000)], trades=[a_trade(1, "1", "1", OrderSide.BUY)]
    )
    await api.run(query, first=1)  # which candles are archived is asked twice a minute
    api.database.statements.clear()
    await api.run(query, first=1_000)
    assert len(api.database.statements) == 1
