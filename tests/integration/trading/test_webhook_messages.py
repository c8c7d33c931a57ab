"""Messages to a webhook of a trading session: each becomes a signal once, and none after the end of its secret."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import pytest

from domain.core.errors import ErrorCode, Forbidden, InputError, RateLimited
from domain.core.pagination import KeysetPage
from domain.model.trading import Signal, SignalWebhook, TradingSession, TradingSessionStatus
from domain.model.users import ALL_SCOPES, Identity
from domain.trading import webhook_messages
from domain.trading.halts import HaltRequest
from domain.trading.signal_webhooks import MAXIMUM_WEBHOOKS, SignalWebhookService
from domain.trading.webhook_messages import UnknownWebhook, WebhookReceiver
from domain.users.tokens import credential_hash
from infra.embedded.cache import EmbeddedCache
from infra.security import RandomTokens
from tests.support.trading import ETH
from tests.support.trading_node import NEVER, TradingNode, strategy
from tests.support.users import CREDENTIAL, store_credential
from tests.support.waiting import PATIENCE_SECONDS

ADDRESS = "52.89.214.238"


@dataclass
class Hooks:
    """The services of webhooks on a trading node, and what a test asks of them."""

    node: TradingNode
    service: SignalWebhookService
    receiver: WebhookReceiver

    @property
    def identity(self) -> Identity:
        """The node's user, signed in."""
        return Identity(self.node.user, CREDENTIAL, ALL_SCOPES, None, is_login_session=True)

    async def session(self) -> TradingSession:
        """Return a session whose own rules never become true."""
        return await self.node.session(await self.node.account(), strategy(enter_long=NEVER))

    async def create(self, session: TradingSession, name: str = "alert") -> tuple[SignalWebhook, str]:
        """Return a new webhook and its secret."""
        return await self.service.create(self.identity, session.id, name)

    async def send(self, secret: str, message: str | dict[str, object]) -> Signal:
        """Send a message; return the signal once it has been acted on."""
        body = message if isinstance(message, str) else json.dumps(message)
        signal = await self.receiver.receive(secret, body.encode(), ADDRESS)
        return await self.receiver.outcome(signal, PATIENCE_SECONDS)

    async def refused(self, secret: str, message: str | dict[str, object]) -> ErrorCode:
        """Send a message that must be refused; return the code."""
        with pytest.raises(InputError) as caught:
            await self.send(secret, message)
        return caught.value.code

    async def stored(self, webhook: SignalWebhook) -> SignalWebhook:
        """Return the webhook as it is stored."""
        async with self.node.database.read_only() as reading:
            found = await reading.signal_webhooks.get(self.node.user.id, webhook.id)
        assert found is not None
        return found

    async def actions(self) -> list[str]:
        """Return what the user did with webhooks and signals, oldest first."""
        async with self.node.database.read_only() as reading:
            found = await reading.users.activity(self.node.user.id, KeysetPage(limit=100))
        return [activity.action for activity in reversed(found) if activity.subject_type == "SignalWebhook"]


@pytest.fixture
async def hooks(node: TradingNode) -> Hooks:
    await store_credential(node.database, node.user)
    cache = EmbeddedCache(node.clock)
    receiver = WebhookReceiver(node.database, node.submitted, cache, node.clock, node.ids)
    return Hooks(node, SignalWebhookService(node.database, RandomTokens(), node.clock, node.ids), receiver)


async def test_an_alert_buys_and_another_sells_and_all_of_it_is_recorded(node: TradingNode, hooks: Hooks) -> None:
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    entered = await hooks.send(secret, {"action": "buy", "ticker": "BINANCE:BTCUSDT", "comment": "my alert"})
    assert (entered.action, entered.missed, entered.reason) == ("ENTER_LONG", False, "my alert")
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert (await hooks.send(secret, "close BTCUSDT")).reason == "webhook alert"
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]
    used = await hooks.stored(webhook)
    assert (used.signal_count, used.refused_count, used.last_error) == (2, 0, None)
    assert used.last_used_at is not None
    assert await hooks.actions() == ["signalWebhookCreate", "signalSubmit", "signalSubmit"]


@pytest.mark.parametrize("message", ["buy", {"action": "buy", "id": "1"}, {"action": "buy", "time": "12:00:00Z"}])
async def test_a_message_that_is_delivered_many_times_at_once_trades_once(
    node: TradingNode, hooks: Hooks, message: str | dict[str, object]
) -> None:
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    signals = await asyncio.gather(*(hooks.send(secret, message) for _ in range(12)))
    assert len({signal.id for signal in signals}) == 1
    assert (await hooks.stored(webhook)).signal_count == 1
    await node.until_summarised(session, "ENTRY FILLED")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED"]


async def test_an_entry_is_no_repeated_one_after_another_message_or_some_time(
    node: TradingNode, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await hooks.session()
    _, secret = await hooks.create(session)
    first = await hooks.send(secret, "buy")
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await hooks.send(secret, "close")
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    second = await hooks.send(secret, "buy")
    assert second.id != first.id
    monkeypatch.setattr(webhook_messages, "REPEATED_WITHIN", timedelta())
    assert (await hooks.send(secret, "buy")).id not in {first.id, second.id}


async def test_a_repeated_exit_without_an_id_is_an_exit_of_its_own(node: TradingNode, hooks: Hooks) -> None:
    session = await hooks.session()
    _, secret = await hooks.create(session)
    message = {"action": "close", "time": "12:00:00Z"}
    assert (await hooks.send(secret, message)).missed
    await hooks.send(secret, "buy")
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert not (await hooks.send(secret, message)).missed
    await node.until_position(session, lambda now: now.closed_at, "it sells")


@pytest.mark.parametrize("change", [{"action": "close"}, {"comment": "other"}, {"price": 2}, {"time": "13:00:00Z"}])
async def test_an_id_with_other_content_is_a_conflict_and_changes_nothing(
    hooks: Hooks, change: dict[str, object]
) -> None:
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    message = {"action": "buy", "id": "1", "price": 1, "time": "12:00:00Z"}
    first = await hooks.send(secret, message)
    assert await hooks.refused(secret, {**message, **change}) is ErrorCode.CONFLICT
    assert (await hooks.send(secret, message)).id == first.id
    _, other = await hooks.create(session, "another webhook, whose ids are its own")
    assert (await hooks.send(other, {**message, **change})).id != first.id
    refused = await hooks.stored(webhook)
    assert (refused.signal_count, refused.refused_count) == (1, 1)
    assert refused.last_error == "The id '1' came with another message before; each message needs an id of its own."


async def test_a_paused_a_halted_and_a_stopped_session_record_the_signal_with_its_reason(
    node: TradingNode, hooks: Hooks
) -> None:
    session = await hooks.session()
    _, secret = await hooks.create(session)
    await node.trading_sessions.pause(node.user.id, session.id)
    paused = await hooks.send(secret, {"action": "buy", "comment": "paused"})
    assert (paused.missed, paused.reason) == (True, "paused — missed: the trading session is PAUSED")
    await node.trading_sessions.resume(node.user.id, session.id)
    await node.halts.set_halt_of_trading_session(node.user.id, session.id, HaltRequest())
    await hooks.send(secret, {"action": "buy", "comment": "halted"})
    await node.until_summarised(session, "ENTRY DENIED TRADING_HALTED")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    await node.until(session, lambda now: now.status is TradingSessionStatus.STOPPED, "it stops")
    for action in ("buy", "close"):
        stopped = await hooks.send(secret, {"action": action, "comment": "late"})
        assert (stopped.missed, stopped.waiting) == (True, False)
        assert stopped.reason == "late — missed: the trading session is STOPPED"
    assert await node.summary(session) == [
        "ENTER_LONG missed", "ENTER_LONG", "ENTER_LONG missed", "EXIT_LONG missed", "ENTRY DENIED TRADING_HALTED",
    ]  # fmt: skip


async def test_a_message_that_is_none_is_refused_and_its_owner_can_read_why(node: TradingNode, hooks: Hooks) -> None:
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    assert await hooks.refused(secret, "bye") is ErrorCode.INVALID
    assert await hooks.refused(secret, "short") is ErrorCode.UNSUPPORTED
    assert await hooks.refused(secret, "buy ETHUSDT") is ErrorCode.INVALID
    refused = await hooks.stored(webhook)
    assert (refused.signal_count, refused.refused_count) == (0, 3)
    assert refused.last_error is not None
    assert "'ETHUSDT', and the trading session trades BTC/USDT" in refused.last_error
    assert refused.last_error_at is not None
    assert await node.signals(session) == []


async def test_an_old_secret_and_a_revoked_one_are_as_unknown_as_any_other(node: TradingNode, hooks: Hooks) -> None:
    session = await hooks.session()
    webhook, first = await hooks.create(session)
    _, second = await hooks.service.rotate(hooks.identity, webhook.id)
    with pytest.raises(UnknownWebhook):
        await hooks.send(first, "buy")
    assert (await hooks.send(second, "close")).missed
    await hooks.service.revoke(node.user.id, webhook.id)
    for secret in (second, first, "", "r3w_", "x" * 10_000, "\0"):
        with pytest.raises(UnknownWebhook):
            await hooks.send(secret, "close")
    with pytest.raises(InputError, match="no such webhook"):
        await hooks.service.revoke(node.user.id, webhook.id)
    assert await hooks.actions() == [
        "signalWebhookCreate", "signalWebhookRotate", "signalSubmit", "signalWebhookRevoke",
    ]  # fmt: skip


@pytest.mark.parametrize("end", [lambda hooks, webhook: hooks.service.revoke(hooks.node.user.id, webhook.id),
                                 lambda hooks, webhook: hooks.service.rotate(hooks.identity, webhook.id)])  # fmt: skip
async def test_a_secret_that_ends_while_a_message_is_read_submits_nothing(
    hooks: Hooks, end: Callable[[Hooks, SignalWebhook], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    find_price = hooks.node.submitted.price

    async def end_and_find_price(*arguments: object) -> object:
        await end(hooks, webhook)
        return await find_price(*arguments)

    monkeypatch.setattr(hooks.node.submitted, "price", end_and_find_price)
    with pytest.raises(UnknownWebhook):
        await hooks.send(secret, "buy")
    assert await hooks.node.signals(session) == []


async def test_a_flood_of_entries_and_of_nonsense_keeps_no_exit_out_and_guessing_is_slowed_down(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_messages, "MESSAGES_PER_MINUTE", 3)
    monkeypatch.setattr(webhook_messages, "UNKNOWN_PER_MINUTE", 3)
    session = await hooks.session()
    webhook, secret = await hooks.create(session)
    for message in ("buy", "bye"):
        for _ in range(3):
            with suppress(InputError):
                await hooks.send(secret, message)
        with pytest.raises(RateLimited, match="More than 3"):
            await hooks.send(secret, message)
    for number in range(3):
        with pytest.raises(UnknownWebhook):
            await hooks.send(f"r3w_{number}", "buy")
    with pytest.raises(RateLimited):
        await hooks.send("r3w_4", "buy")
    await hooks.send(secret, "close")  # the address guesses, and knows one all the same
    assert (await hooks.stored(webhook)).refused_count == 3


async def test_only_ones_own_running_session_gets_a_webhook_and_only_by_a_login(
    node: TradingNode, hooks: Hooks
) -> None:
    session = await hooks.session()
    for name in ("", "x" * 101, "a\0"):
        with pytest.raises(InputError, match="1 to 100 printable"):
            await hooks.create(session, name)
    stranger = replace(hooks.identity, user=await node.another_user())
    webhook, secret = await hooks.create(session)
    with pytest.raises(InputError, match="no such trading session"):
        await hooks.service.create(stranger, session.id, "theirs")
    with pytest.raises(InputError, match="no such webhook"):
        await hooks.service.rotate(stranger, webhook.id)
    with pytest.raises(InputError, match="no such webhook"):
        await hooks.service.revoke(stranger.user.id, webhook.id)
    key = replace(hooks.identity, is_login_session=False)
    with pytest.raises(Forbidden):
        await hooks.service.create(key, session.id, "by a key")
    with pytest.raises(Forbidden):
        await hooks.service.rotate(key, webhook.id)
    for number in range(MAXIMUM_WEBHOOKS - 1):
        await hooks.create(session, f"number {number}")
    with pytest.raises(InputError) as caught:
        await hooks.create(session)
    assert caught.value.code is ErrorCode.LIMIT_REACHED
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    await node.until(session, lambda now: now.status is TradingSessionStatus.STOPPED, "it stops")
    with pytest.raises(InputError) as caught:
        await hooks.create(session)
    assert caught.value.code is ErrorCode.CONFLICT
    assert secret not in repr(await hooks.stored(webhook))
    assert repr(credential_hash(secret)) not in repr(await hooks.stored(webhook))


async def test_an_entry_that_a_later_message_has_overtaken_is_missed_and_an_exit_never_is(hooks: Hooks) -> None:
    session = await hooks.session()
    _, secret = await hooks.create(session)

    async def missed_reason(action: str, time: str) -> str | None:
        signal = await hooks.send(secret, {"action": action, "time": time, "comment": action})
        return signal.reason if signal.missed else None

    latest = hooks.node.clock.now().replace(microsecond=0)
    earlier = latest - timedelta(seconds=5)
    assert await missed_reason("close", utc(latest)) is not None  # there is nothing to close
    overtaken = await missed_reason("buy", utc(earlier))
    assert overtaken == f"buy, time {utc(earlier)} — missed: a message of {latest:%H:%M:%S} UTC came before it"
    assert await missed_reason("buy", latest.astimezone(timezone(timedelta(hours=1))).isoformat()) is None
    await hooks.node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert await missed_reason("close", utc(earlier)) is None
    await hooks.node.until_position(session, lambda now: now.closed_at, "it sells")
    for time in (
        "yesterday",
        "2020-01-01T11:00:00",
        "1",
        "9999-12-31T23:59:59-23:59",
    ):  # no times that could be compared
        assert await missed_reason("close", time) is not None
    assert await missed_reason("buy", utc(latest + timedelta(seconds=1))) is None


async def test_an_entry_that_is_delivered_hours_late_is_missed_and_an_exit_is_not(hooks: Hooks) -> None:
    session = await hooks.session()
    _, secret = await hooks.create(session)
    long_ago = utc(hooks.node.clock.now() - timedelta(hours=2))
    late = await hooks.send(secret, {"action": "buy", "time": long_ago})
    assert (late.missed, late.reason) == (True, f"time {long_ago} — missed: its time is more than 120 s ago")
    assert not (await hooks.send(secret, {"action": "buy", "time": utc(hooks.node.clock.now())})).missed
    await hooks.node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert not (await hooks.send(secret, {"action": "close", "time": long_ago})).missed
    await hooks.node.until_position(session, lambda now: now.closed_at, "it sells")


def utc(at: datetime) -> str:
    """Return the time as TradingView writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


async def test_a_ticker_chooses_among_the_markets_of_a_session_and_another_is_refused(
    node: TradingNode, hooks: Hooks
) -> None:
    await node.feed.add_market(ETH)
    session = await node.session(await node.account(), strategy(enter_long=NEVER), other_markets=(ETH,))
    webhook, secret = await hooks.create(session)
    entered = await hooks.send(secret, {"action": "buy", "ticker": "BINANCE:ETHUSDT"})
    assert (entered.market, entered.missed) == (ETH, False)
    await node.until_position(session, lambda now: now.market == ETH and now.quantity > 0, "it buys what was named")
    for message in ({"action": "buy", "ticker": "SOLUSDT"}, {"action": "buy"}):
        assert await hooks.refused(secret, message) is ErrorCode.INVALID
    stored = await hooks.stored(webhook)
    assert (stored.signal_count, stored.refused_count) == (1, 2)
    assert "BTC/USDT, ETH/USDT" in (stored.last_error or "")
    assert [order.market for order in await node.orders_of(session)] == [ETH]
