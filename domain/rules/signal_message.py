"""Reads the messages that others send to the webhook of a trading session, in the words of TradingView's alerts.

Source: https://www.tradingview.com/support/solutions/43000529348 (webhooks) and 43000531021 (placeholders).
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from domain.core.errors import ErrorCode, InputError
from domain.core.text import closest_match
from domain.model.markets import MarketSymbol
from domain.model.trading import SignalAction

MAX_ID_LENGTH: Final = 128
MAX_REASON_LENGTH: Final = 500

_ENTER, _EXIT = SignalAction.ENTER_LONG, SignalAction.EXIT_LONG
ACTIONS: Final = {
    **dict.fromkeys(("buy", "long", "enter_long"), _ENTER),
    **dict.fromkeys(("sell", "close", "exit", "flat", "exit_long", "close_long"), _EXIT),
}
SHORT_ACTIONS: Final = frozenset({"short", "enter_short", "cover", "exit_short", "close_short"})
_POSITIONS: Final = ("long", "short", "flat")
_EXPECTED: Final = "buy or long to enter, sell, close, exit or flat to leave"
_PLACEHOLDER: Final = re.compile(r"\{\{[^{}]*\}\}")
_SEPARATORS: Final = str.maketrans("", "", "/-_ ")
_SHOWN_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """A message that was understood; all but `action` is as it was sent, None if it wasn't."""

    action: SignalAction
    ticker: str | None = None
    id: str | None = None
    time: str | None = None
    price: str | None = None
    order_id: str | None = None
    comment: str | None = None

    @property
    def sent_at(self) -> datetime | None:
        """The time in the message; None if it isn't ISO 8601 with a time zone, as TradingView writes it."""
        try:
            at = datetime.fromisoformat(self.time or "")
            return None if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    @property
    def reason(self) -> str:
        """The reason of its signal: the comment and what else was sent, shortened to what a reason may have."""
        named = {"order": self.order_id, "price": self.price, "time": self.time, "id": self.id}
        parts = [self.comment, *(f"{name} {value}" for name, value in named.items() if value is not None)]
        text = _printable(", ".join(part for part in parts if part))
        return text if len(text) <= MAX_REASON_LENGTH else f"{text[: MAX_REASON_LENGTH - 1]}…"


def parse_message(body: bytes) -> SignalMessage:
    """Return the message in the body of a request, which is a JSON object or a line of text.

    Raises `InputError` (INVALID, UNSUPPORTED) that names what is wrong and what would be right.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        _reject(f"The message isn't UTF-8 text: byte {error.start + 1} is wrong.")
    if not text:
        _reject(f"The message is empty; send {_EXPECTED}.")
    is_object = text.startswith("{") and not text.startswith("{{")  # those of a placeholder
    return _from_object(_parse_object(text)) if is_object else _from_text(text)


def market_of(message: SignalMessage, markets: Sequence[MarketSymbol]) -> MarketSymbol:
    """Return which of a trading session's markets the message is for: the one of its ticker, or the only one.

    A ticker, such as BTCUSDT or KRAKEN:XBTUSDT, names base and quote. The exchange before the colon doesn't count: a
    chart of one venue may give the signals for another. Raises INVALID if none of the markets is meant, or if several
    may be: written with its slash, AB/CUSD is no ABC/USD.
    """
    traded = ", ".join(market.symbol for market in markets)
    if message.ticker is None:
        if len(markets) > 1:
            _reject(
                f"The trading session trades {traded}; name one of them by a ticker, as in {{{{ticker}}}}.", "ticker"
            )
        return markets[0]
    symbol = message.ticker.rpartition(":")[2].strip()
    name = _plain_name(symbol)
    meant = [market for market in markets if _plain_name(market.symbol) == name]
    exact = [market for market in meant if market.symbol.upper() == symbol.upper()]
    if len(meant) > 1 and not exact:
        several = " or ".join(market.symbol for market in meant)
        _reject(f"The ticker {_shown(message.ticker)} may be {several}; write it as one of them.", "ticker")
    if not meant:
        hint = "; leave the ticker out to take the alerts of any chart." if len(markets) == 1 else "."
        _reject(f"The ticker is {_shown(message.ticker)}, and the trading session trades {traded}{hint}", "ticker")
    return (exact or meant)[0]


def _plain_name(text: str) -> str:
    return text.upper().translate(_SEPARATORS).replace("XBT", "BTC")


def _parse_object(text: str) -> Mapping[str, object]:
    try:
        found = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        _reject(f"The message begins as JSON and isn't: {error.msg} at line {error.lineno}, column {error.colno}.")
    except RecursionError:
        _reject("The message is JSON that is nested too deeply; send one object of texts and numbers.")
    assert isinstance(found, dict)  # it begins with a brace
    return found


def _without_repeated_names(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            _reject(f"The message has {_shown(name)} twice; send it once.")
        found[name] = value
    return found


# Numbers stay as they are written, since they are only shown, and a text may hold a line break as it is.
_DECODER: Final = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=str, strict=False, object_pairs_hook=_without_repeated_names
)


def _from_object(fields: Mapping[str, object]) -> SignalMessage:
    ticker, symbol = _text(fields, "ticker"), _text(fields, "symbol")
    if ticker is not None and symbol is not None and ticker != symbol:
        _reject("`ticker` and `symbol` differ; send one of them.", "symbol")
    return SignalMessage(
        action=_action(_text(fields, "action"), _text(fields, "market_position")),
        ticker=ticker or symbol,
        id=_id(_text(fields, "id")),
        time=_text(fields, "time"),
        price=_text(fields, "price"),
        order_id=_text(fields, "order_id"),
        comment=_text(fields, "comment"),
    )


def _from_text(text: str) -> SignalMessage:
    word, ticker, comment, *_ = [*text.split(None, 2), None, None]
    return SignalMessage(_action(word, None), ticker=ticker, comment=comment)


def _text(fields: Mapping[str, object], name: str) -> str | None:
    """Return the field's text; None if it is absent, null or blank."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        _reject(f"`{name}` must be a text or a number.", name)
    found = _PLACEHOLDER.search(value)
    if found is not None:
        _reject(
            f"`{name}` has the placeholder {_shown(found[0])}, which wasn't filled in: TradingView fills in those of "
            "`strategy` in alerts of strategies alone.",
            name,
        )
    return value.strip() or None


def _action(action: str | None, market_position: str | None) -> SignalAction:
    """Return what the strategy's position asks for after its order; without a position, what the action says."""
    asked = None if action is None else _action_named(action)
    if market_position is None:
        if asked is None:
            _reject(f"The message has no `action`; send {_EXPECTED}.", "action")
        return asked
    position = market_position.lower()
    if position not in _POSITIONS:
        _reject(f"`market_position` is {_shown(market_position)}; it must be long, short or flat.", "market_position")
    if position != "long":
        return _EXIT
    if asked is _EXIT:
        message = (
            "The order sells a part of the position, and a signal closes all of it: use `targets` of the strategy."
        )
        raise InputError(ErrorCode.UNSUPPORTED, message, ("market_position",))
    return _ENTER


def _action_named(text: str) -> SignalAction:
    name = text.lower().replace("-", "_").replace(" ", "_")
    if name in ACTIONS:
        return ACTIONS[name]
    if name in SHORT_ACTIONS:
        message = f"{_shown(text)} isn't possible on a spot market; send {_EXPECTED}."
        raise InputError(ErrorCode.UNSUPPORTED, message, ("action",))
    nearest = closest_match(name, ACTIONS)
    if "{{" in text:
        hint = ": TradingView fills in the placeholders of `strategy` in alerts of strategies alone."
    else:
        hint = f"; did you mean {nearest}?" if nearest else f"; send {_EXPECTED}."
    return _reject(f"{_shown(text)} is no action{hint}", "action")


def _id(text: str | None) -> str | None:
    if text is not None and (len(text) > MAX_ID_LENGTH or not text.isprintable()):
        _reject(f"`id` must have at most {MAX_ID_LENGTH} printable characters, and has {len(text)}.", "id")
    return text


def _printable(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _shown(text: str) -> str:
    """Return a text of the sender's in quotation marks, shortened and printable."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return repr(_printable(shown))


def _reject(message: str, field: str | None = None) -> NoReturn:
    raise InputError(ErrorCode.INVALID, message, None if field is None else (field,))
