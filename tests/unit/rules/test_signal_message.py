"""What a webhook makes of a message: TradingView's words, clear errors, and never anything but one of the two."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.core.errors import ErrorCode, InputError
from domain.model.markets import MarketSymbol
from domain.model.trading import SignalAction
from domain.rules.signal_message import MAX_REASON_LENGTH, SignalMessage, market_of, parse_message

ENTER, EXIT = SignalAction.ENTER_LONG, SignalAction.EXIT_LONG
BTC = MarketSymbol.parse("binance:BTC/USDT")
NAMES = ("action", "market_position", "ticker", "symbol", "id", "time", "price", "order_id", "comment")

FROM_A_STRATEGY = """{"action": "buy", "market_position": "long", "ticker": "BTCUSDT", "price": "61890.5",
 "time": "2026-11-30T12:00:00Z", "order_id": "Long Entry", "comment": "crossed
the average", "contracts": 0.5, "exchange": "BINANCE"}"""
"""With a line break in a text, which JSON forbids and TradingView fills in all the same."""


def read(fields: dict[str, object]) -> SignalMessage:
    return parse_message(json.dumps(fields).encode())


def refused(body: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_message(body)
    return caught.value


def test_a_message_of_a_strategy_is_read_whole_and_has_its_reason() -> None:
    message = parse_message(FROM_A_STRATEGY.encode())
    assert (message.action, message.ticker, message.id) == (ENTER, "BTCUSDT", None)
    assert message.reason == "crossed the average, order Long Entry, price 61890.5, time 2026-11-30T12:00:00Z"


@pytest.mark.parametrize("action", ["buy", "BUY", " Buy ", "long", "enter_long", "Enter Long", "enter-long"])
def test_an_entry(action: str) -> None:
    assert read({"action": action}).action is ENTER


@pytest.mark.parametrize("action", ["sell", "Close", "exit", "flat", "exit_long", "close long"])
def test_an_exit(action: str) -> None:
    assert read({"action": action}).action is EXIT


@pytest.mark.parametrize(
    ("order", "position", "action"),
    [
        ("buy", "long", ENTER),
        ("sell", "flat", EXIT),
        ("buy", "flat", EXIT),  # a short position was covered: nothing is to be bought
        ("sell", "short", EXIT),
        ("buy", "short", EXIT),
        (None, "LONG", ENTER),
        (None, "flat", EXIT),
        (None, "short", EXIT),
    ],
)
def test_the_position_after_the_order_decides(order: str | None, position: str, action: SignalAction) -> None:
    assert read({"action": order, "market_position": position}).action is action


def test_a_partial_exit_is_not_made_a_whole_one() -> None:
    error = refused(b'{"action": "sell", "market_position": "long"}')
    assert (error.code, error.path) == (ErrorCode.UNSUPPORTED, ("market_position",))


@pytest.mark.parametrize("action", ["short", "SHORT", "enter_short", "cover", "exit_short"])
def test_short_selling_is_unsupported(action: str) -> None:
    for body in (action.encode(), json.dumps({"action": action}).encode()):
        assert (refused(body).code, refused(body).path) == (ErrorCode.UNSUPPORTED, ("action",))


@pytest.mark.parametrize(
    ("text", "action", "ticker", "reason"),
    [
        ("buy", ENTER, None, ""),
        ("close BTCUSDT", EXIT, "BTCUSDT", ""),
        ("  SELL   BINANCE:BTCUSDT  the stop was hit \n", EXIT, "BINANCE:BTCUSDT", "the stop was hit"),
        ("\ufeffbuy", ENTER, None, ""),
        ("buy\tBTCUSDT", ENTER, "BTCUSDT", ""),
        ("buy\nBTCUSDT", ENTER, "BTCUSDT", ""),
    ],
)
def test_a_line_of_text(text: str, action: SignalAction, ticker: str | None, reason: str) -> None:
    message = parse_message(text.encode())
    assert (message.action, message.ticker, message.reason) == (action, ticker, reason)


@pytest.mark.parametrize(
    ("body", "path", "part"),
    [
        (b"", None, "empty"),
        (b" \n ", None, "empty"),
        (b"\xff\xfebuy", None, "UTF-8"),
        (b"bye", ("action",), "'bye' is no action"),
        (b"BTCUSDT Crossing 61,000", ("action",), "'BTCUSDT' is no action"),
        (b"order buy @ 1 filled on BTCUSDT. New strategy position is 1", ("action",), "'order' is no action"),
        (b'{"action": "byu"}', ("action",), "did you mean buy?"),
        (b'"buy"', ("action",), "no action"),
        (b"[1]", ("action",), "no action"),
        (b"{}", ("action",), "no `action`"),
        (b'{"action": null}', ("action",), "no `action`"),
        (b'{"action": " "}', ("action",), "no `action`"),
        (b'{"action": true}', ("action",), "text or a number"),
        (b'{"action": ["buy"]}', ("action",), "text or a number"),
        (b'{"action": "{{strategy.order.action}}"}', ("action",), "wasn't filled in"),
        (b"{{strategy.order.action}} {{ticker}}", ("action",), "fills in the placeholders"),
        (b'{"action": "buy", "price": "{{close}}"}', ("price",), "wasn't filled in"),
        (b'{"market_position": "up"}', ("market_position",), "long, short or flat"),
        (b'{"action": "buy", "id": {}}', ("id",), "text or a number"),
        (b'{"action": "buy", "id": "' + b"x" * 129 + b'"}', ("id",), "129"),
        (b'{"action": "buy", "id": "a\\u0000"}', ("id",), "printable"),
        (b'{"action": "buy", "id": "\\ud800"}', ("id",), "printable"),
        (b'{"action": "buy", "action": "sell"}', None, "'action' twice"),
        (b'{"action": "buy", "ticker": "A", "symbol": "B"}', ("symbol",), "differ"),
        (b'{"action": "buy"', None, "line 1, column"),
        (b'{"action": "buy"} sell', None, "JSON"),
        (b'{"a":' * 2_000, None, "nested too deeply"),
    ],
)
def test_what_is_no_message_is_refused_with_the_field_and_what_would_be_right(
    body: bytes, path: tuple[str, ...] | None, part: str
) -> None:
    error = refused(body)
    assert (error.code, error.path) == (ErrorCode.INVALID, path)
    assert part in error.message


def test_numbers_are_kept_as_they_are_written() -> None:
    message = parse_message(b'{"action": "buy", "price": 61890.50, "time": 1e400, "id": ' + b"7" * 128 + b"}")
    assert (message.price, message.time, message.id) == ("61890.50", "1e400", "7" * 128)
    assert parse_message(b'{"action": "buy", "price": NaN}').price == "NaN"


@pytest.mark.parametrize("ticker", ["BTCUSDT", "btcusdt", "BTC/USDT", "BTC-USDT", "BINANCE:BTCUSDT", "KRAKEN:XBTUSDT"])
def test_a_ticker_of_the_market_passes_whatever_the_exchange(ticker: str) -> None:
    market_of(SignalMessage(ENTER, ticker), [BTC])
    market_of(SignalMessage(ENTER), [BTC])


@pytest.mark.parametrize("ticker", ["ETHUSDT", "BTCUSD", "BTCUSDT.P", "BTC", "USDTBTC", ":", "BINANCE:", "the"])
def test_a_ticker_of_another_market_is_refused(ticker: str) -> None:
    with pytest.raises(InputError, match="trades BTC/USDT") as caught:
        market_of(SignalMessage(ENTER, ticker), [BTC])
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID, ("ticker",))


def test_a_long_comment_is_shortened_to_what_a_reason_may_have() -> None:
    assert len(read({"action": "buy", "comment": "x" * 4_000}).reason) == MAX_REASON_LENGTH


values = st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["buy", "close", "long"])
messages = st.dictionaries(
    st.sampled_from(NAMES) | st.text(), values | st.lists(values) | st.dictionaries(st.text(), values)
)


@given(
    st.binary()
    | messages.map(lambda fields: json.dumps(fields).encode())
    | st.text().map(lambda text: f"buy {text}".encode())
)
@example(b"{" * 100_000)
@example(b"buy \xc2\x80\xe2\x80\xae")
def test_any_bytes_are_a_message_or_an_error_that_can_be_shown(body: bytes) -> None:
    try:
        message = parse_message(body)
        market_of(message, [BTC])
    except InputError as error:
        assert error.message.isprintable()  # noqa: PT017  # any outcome but these two fails
        assert len(error.message) < 400  # noqa: PT017
    else:
        assert message.reason.isprintable()
        assert len(message.reason) <= MAX_REASON_LENGTH
        message.reason.encode()


def test_a_ticker_chooses_its_market_among_several() -> None:
    markets = [MarketSymbol("binance", symbol) for symbol in ("BTC/USDT", "ETH/USDT", "ETH/BTC")]
    for ticker, symbol in (("BINANCE:ETHBTC", "ETH/BTC"), ("eth-usdt", "ETH/USDT"), ("XBTUSDT", "BTC/USDT")):
        assert market_of(SignalMessage(ENTER, ticker), markets).symbol == symbol


@pytest.mark.parametrize("ticker", ["SOLUSDT", "ETH", "USDTETH", None])
def test_a_ticker_that_names_none_of_several_markets_is_refused_with_those_that_there_are(ticker: str | None) -> None:
    markets = [MarketSymbol("binance", symbol) for symbol in ("BTC/USDT", "ETH/USDT")]
    with pytest.raises(InputError, match="BTC/USDT, ETH/USDT") as caught:
        market_of(SignalMessage(ENTER, ticker), markets)
    assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID, ("ticker",))


def test_a_ticker_that_may_be_several_markets_is_refused_unless_it_is_written_as_one_of_them() -> None:
    markets = [MarketSymbol("kraken", symbol) for symbol in ("AB/CUSD", "ABC/USD", "BTC/USD", "XBT/USD")]
    for ticker, several in (("ABCUSD", "AB/CUSD or ABC/USD"), ("KRAKEN:XBT-USD", "BTC/USD or XBT/USD")):
        with pytest.raises(InputError, match=several) as caught:
            market_of(SignalMessage(ENTER, ticker), markets)
        assert (caught.value.code, caught.value.path) == (ErrorCode.INVALID, ("ticker",))
    for symbol in ("abc/usd", "KRAKEN:AB/CUSD", "XBT/USD"):
        assert market_of(SignalMessage(ENTER, symbol), markets).symbol == symbol.rpartition(":")[2].upper()
