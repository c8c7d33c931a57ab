"""What the page on TradingView gives to copy is understood, and what it says of messages is so."""

import re
from pathlib import Path

import pytest

from domain.model.markets import MarketSymbol
from domain.model.trading import SignalAction
from domain.rules.signal_message import (
    ACTIONS,
    MAX_ID_LENGTH,
    MAX_REASON_LENGTH,
    SHORT_ACTIONS,
    market_of,
    parse_message,
)
from domain.trading.signal_requests import MAX_WAITING
from domain.trading.signal_webhooks import MAXIMUM_WEBHOOKS
from domain.trading.webhook_messages import MESSAGES_PER_MINUTE, REPEATED_WITHIN, UNKNOWN_PER_MINUTE
from infra.web.signal_hooks import ANSWER_WITHIN_SECONDS, MAX_MESSAGE_BYTES

PAGE = (Path(__file__).parents[3] / "docs" / "tradingview.md").read_text()
TEXT = " ".join(PAGE.split())
FILLED_IN = {
    "ticker": "BTCUSDT", "close": "61890.5", "timenow": "2026-11-30T12:00:00Z", "strategy.order.action": "buy",
    "strategy.market_position": "long", "strategy.order.id": "Long Entry", "strategy.order.comment": "EMA 12/26",
}  # fmt: skip


def filled_in(message: str) -> str:
    return re.sub(r"\{\{(.*?)\}\}", lambda found: FILLED_IN[found[1]], message)


@pytest.mark.parametrize("message", re.findall(r"```(?:json|text)\n(.*?)```", PAGE, re.DOTALL))
def test_each_alert_message_of_the_page_buys(message: str) -> None:
    parsed = parse_message(filled_in(message).encode())
    assert parsed.action is SignalAction.ENTER_LONG
    assert parsed.reason
    market_of(parsed, [MarketSymbol.parse("sandbox:BTC/USDT")])


def test_the_page_names_every_action() -> None:
    (row,) = re.findall(r"^\| `action` \|(.*)$", PAGE, re.MULTILINE)
    enter, leave, short = re.search(r"(.*): enter\.(.*): leave\.(.*)are `UNSUPPORTED`", row).groups()  # type: ignore[union-attr]
    named = {
        action: set(re.findall(r"`(\w+)`", text)) for action, text in (("ENTER_LONG", enter), ("EXIT_LONG", leave))
    }
    assert named == {kind: {word for word, action in ACTIONS.items() if action == kind} for kind in named}
    assert set(re.findall(r"`(\w+)`", short)) == SHORT_ACTIONS


def test_the_limits_of_the_page_are_those_that_hold() -> None:
    assert f"at most {MAX_MESSAGE_BYTES:,} bytes" in TEXT
    assert f"within {ANSWER_WITHIN_SECONDS} s, before TradingView's three seconds" in TEXT
    assert f"At most {MAX_ID_LENGTH} printable" in TEXT
    assert f"at most {MAX_REASON_LENGTH} characters" in TEXT
    assert f"{MAX_WAITING} signals of the action wait" in TEXT
    assert f"up to {MAXIMUM_WEBHOOKS} webhooks" in TEXT
    assert f"within {REPEATED_WITHIN.seconds} s of it" in TEXT
    each = f"{MESSAGES_PER_MINUTE}"
    assert f"more than {each} entries, {each} exits or {each} refused messages" in TEXT
    assert f"or {UNKNOWN_PER_MINUTE} messages to addresses that are none" in TEXT
