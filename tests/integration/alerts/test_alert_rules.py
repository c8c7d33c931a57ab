"""Alert rules over a real hub, log and database: what fires becomes an event once, on whichever node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from domain.alerts import evaluator
from domain.alerts.evaluator import LEASE, RULES_TOPIC, AlertEvaluator
from domain.alerts.event_rules import EventRules
from domain.alerts.rule_book import AlertDependencies, EvaluatorOptions, RuleBook
from domain.alerts.service import AlertChanges, AlertRequest, AlertService, ConditionRequest
from domain.core.background import BackgroundTasks
from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.events.leases import LeaseHandle, acquire_lease
from domain.market_data import codec
from domain.market_data.hub import MarketDataHub
from domain.market_data.topics import candles_topic, status_topic, trades_topic
from domain.model.alert_rules import LEAST_PAUSE, AlertDirection, AlertRepeat, AlertRuleStatus
from domain.model.alerts import AlertCondition, FiredAlert
from domain.model.equity import StoredEquity
from domain.model.events import NewEvent, UserEvent, UserEventKind
from domain.model.markets import Candle, FeedState, FeedStatus, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.users import User
from domain.ports.leases import Lease
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import AdjustableClock
from tests.support.orders import BTC, a_market
from tests.support.trading import new_account
from tests.support.users import stored_user
from tests.support.waiting import eventually, read_until

ON_ALERTS = ConditionRequest(AlertCondition.EVENT, event_kinds=(UserEventKind.ALERT,))
ABOVE = ConditionRequest(AlertCondition.PRICE, BTC, direction=AlertDirection.ABOVE, level=Decimal(100))
QUICK = EvaluatorOptions(claim_seconds=0.05, poll_seconds=0.02, equity_seconds=0.02, reload_seconds=0.2)
IDS = TimeOrderedIds()


@dataclass
class Alerting:
    """A node that evaluates rules, and the market that it listens to."""

    database: PostgresDatabase
    bus: EmbeddedBus
    hub: MarketDataHub
    user: User
    clock: AdjustableClock
    options: EvaluatorOptions = QUICK
    trades: int = 0

    @property
    def service(self) -> AlertService:
        """What manages rules."""
        return AlertService(
            self.database, lambda symbol: a_market() if symbol == BTC else None, self.bus, self.clock, IDS
        )

    async def create(self, condition: ConditionRequest = ABOVE, **changes: Any) -> Any:
        """Create a rule."""
        request = replace(AlertRequest("dear", condition, AlertRepeat.EACH_TIME), **changes)
        return await self.service.create(self.user.id, request, None)

    async def trade(self, *prices: int) -> None:
        """Publish trades, once somebody listens to the market."""
        await read_until(self._listeners, bool, "the market is followed")
        now, trades = datetime.now(UTC), []
        for price in prices:
            self.trades += 1
            trades.append(Trade(BTC, str(self.trades), now, Decimal(price), Decimal(1), OrderSide.BUY))
        await self.bus.publish(trades_topic(BTC), codec.encode_trades(trades))

    async def cross(self) -> None:
        """Publish trades that cross the level and are back at once."""
        for price in (101, 99):
            await self.trade(price)

    def later(self) -> None:
        """Let the time pass that a rule leaves between two alerts."""
        self.clock.ahead += timedelta(seconds=LEAST_PAUSE)

    async def _listeners(self) -> bool:
        state = self.hub.followed.get(BTC)
        return state is not None and bool(state.trade_queues)

    async def alerts(self, count: int) -> list[UserEvent]:
        """Return the alerts of rules in the log, once there are so many."""
        return await read_until(self.read_alerts, lambda found: len(found) >= count, f"{count} alerts")

    async def read_alerts(self) -> list[UserEvent]:
        """Return the alerts of rules in the log."""
        async with self.database.read_only() as reading:
            events = await reading.events.read_after(self.user.id, 0, None, 1_000)
        return [event for event in events if isinstance(event.subject, FiredAlert)]

    async def arm(self, *rules: Any) -> None:
        """Publish a price below the level until all rules are looked at, and may fire."""

        async def are_armed() -> bool:
            await self.trade(99)
            async with self.database.read_only() as reading:
                found = [await reading.alert_rules.get(self.user.id, rule.id) for rule in rules]
            return all(rule is not None and rule.is_armed for rule in found)

        await read_until(are_armed, bool, "the rules are armed")

    async def until_armed(self, rule_id: Any, armed: bool) -> None:
        """Wait until it is stored whether the rule may fire."""

        async def read() -> Any:
            async with self.database.read_only() as reading:
                return await reading.alert_rules.get(self.user.id, rule_id)

        await read_until(read, lambda rule: rule.is_armed is armed, f"armed: {armed}")

    @asynccontextmanager
    async def evaluator(self, holder: str = "node:1") -> AsyncIterator[None]:
        """Run what evaluates rules while the block runs."""
        async with BackgroundTasks() as tasks:
            tasks.start(AlertEvaluator(self.dependencies(holder)).run())
            yield

    def dependencies(self, holder: str) -> AlertDependencies:
        """Return what the evaluation of rules on a node works with."""
        return AlertDependencies(self.database, self.hub, self.bus, self.clock, holder, self.options)


@pytest.fixture
async def alerting(database: PostgresDatabase) -> AsyncIterator[Alerting]:
    bus, clock = EmbeddedBus(), AdjustableClock()
    hub = MarketDataHub(bus, EmbeddedCache(clock), database, SystemClock())
    yield Alerting(database, bus, hub, await stored_user(database), clock)
    await hub.close()
    await bus.close()


async def test_a_price_that_crosses_its_level_becomes_an_event_of_the_log(alerting: Alerting) -> None:
    async with alerting.evaluator():
        rule = await alerting.create()
        await alerting.arm(rule)
        await alerting.trade(101)
        (event,) = await alerting.alerts(1)
    assert event.kind is UserEventKind.ALERT
    assert event.message == "dear: sandbox:BTC/USDT is above 100, at 101."
    assert isinstance(event.subject, FiredAlert)
    assert event.subject.id == rule.id


async def test_a_rule_that_alerts_once_is_fired_after_that_until_it_is_enabled(alerting: Alerting) -> None:
    async with alerting.evaluator():
        rule = await alerting.create(repeat=AlertRepeat.ONCE)
        await alerting.arm(rule)
        await alerting.trade(101)
        await alerting.alerts(1)
        async with alerting.database.read_only() as reading:
            stored = await reading.alert_rules.get(alerting.user.id, rule.id)
        assert stored is not None
        assert (stored.status, stored.fired_count) == (AlertRuleStatus.FIRED, 1)
        await alerting.service.update(alerting.user.id, rule.id, AlertChanges(enabled=True))
        await alerting.arm(rule)
        await alerting.trade(101)
        assert len(await alerting.alerts(2)) == 2


async def test_a_restart_fires_nothing_for_what_was_so_before(alerting: Alerting) -> None:
    rule = await alerting.create()
    async with alerting.evaluator():
        await alerting.arm(rule)
        await alerting.trade(101)
        await alerting.alerts(1)
        await alerting.until_armed(rule.id, armed=False)
    async with alerting.evaluator("node:2"):
        await alerting.trade(102)
        await alerting.arm(rule)
    assert len(await alerting.read_alerts()) == 1
    alerting.later()
    async with alerting.evaluator("node:3"):
        await alerting.trade(103)
        assert len(await alerting.alerts(2)) == 2, "it crossed while nobody looked, and is still there"


async def test_two_nodes_alert_once(alerting: Alerting) -> None:
    rule = await alerting.create()
    async with alerting.evaluator("node:1"), alerting.evaluator("node:2"):
        await alerting.arm(rule)
        for number in range(5):
            await alerting.trade(101)
            await alerting.alerts(number + 1)
            alerting.later()
            await alerting.arm(rule)
        mark = await alerting.create(name="mark")
        await alerting.arm(mark)
        await alerting.trade(101)
        await read_until(
            alerting.read_alerts, lambda found: any("mark" in str(one.message) for one in found), "the second rule"
        )
    found = [one for one in await alerting.read_alerts() if str(one.message).startswith("dear")]
    assert len(found) == 6


async def test_a_rule_that_is_disabled_or_deleted_fires_no_more(alerting: Alerting) -> None:
    async with alerting.evaluator():
        disabled, deleted = await alerting.create(name="disabled"), await alerting.create(name="deleted")
        await alerting.arm(disabled, deleted, await alerting.create(name="kept"))
        await alerting.service.update(alerting.user.id, disabled.id, AlertChanges(enabled=False))
        await alerting.service.delete(alerting.user.id, deleted.id)
        await alerting.trade(101)
        await alerting.alerts(1)
    assert {str(event.message).split(":")[0] for event in await alerting.read_alerts()} == {"kept"}


async def test_the_rules_of_a_disabled_user_rest(alerting: Alerting, pool: Pool) -> None:
    await alerting.create()
    await pool.execute("UPDATE users SET disabled_at = now() WHERE id = $1", alerting.user.id)
    async with alerting.database.read_only() as reading:
        assert await reading.alert_rules.list_active() == []


def _held(lease: LeaseHandle) -> Lease:
    assert lease.current is not None
    return lease.current


def minute(start: datetime, number: int, close: int) -> Candle:
    price = Decimal(close)
    open_time = start + number * Timeframe.M1.duration
    return Candle(BTC, Timeframe.M1, open_time, price, price, price, price, Decimal(1), closed=True)


async def test_a_condition_of_the_rule_language_fires_on_a_closed_candle(alerting: Alerting) -> None:
    text = "close > sma(close, 3)"
    # Read once: the minute may change while the test runs.
    start = Timeframe.M1.open_time(datetime.now(UTC)) - timedelta(minutes=10)
    condition = ConditionRequest(AlertCondition.INDICATOR, BTC, timeframe=Timeframe.M1, rule=text)
    rule = await alerting.create(condition)
    async with alerting.database.transaction() as transaction:
        await transaction.market_data.upsert_candles([minute(start, number, 100) for number in range(8)])

    async def listens() -> bool:
        state = alerting.hub.followed.get(BTC)
        return state is not None and bool(state.closed_candle_queues[Timeframe.M1])

    async with alerting.evaluator():
        await read_until(listens, bool, "the candles are followed")
        await alerting.bus.publish(candles_topic(BTC), codec.encode_candles([minute(start, 8, 90)]))
        await alerting.until_armed(rule.id, armed=True)
        await alerting.bus.publish(candles_topic(BTC), codec.encode_candles([minute(start, 9, 120)]))
        (event,) = await alerting.alerts(1)
    assert event.message == f"dear: {text} on sandbox:BTC/USDT."


async def test_events_of_chosen_kinds_and_doubts_fire_once_each_also_after_a_restart(alerting: Alerting) -> None:
    condition = ConditionRequest(AlertCondition.EVENT, event_kinds=(UserEventKind.ALERT,))
    await alerting.create(condition)

    async def happens(text: str) -> None:
        alerting.clock.ahead += timedelta(seconds=1)
        async with alerting.database.transaction() as transaction:
            at = alerting.clock.now()
            transaction.events.append([NewEvent(alerting.user.id, at, UserEventKind.ALERT, None, text)])

    async with alerting.evaluator():
        await happens("one")
        await alerting.alerts(1)
    await happens("two")
    async with alerting.evaluator("node:2"):
        await alerting.alerts(2)
        await happens("three")
        found = await alerting.alerts(3)
    assert [event.message for event in found] == [f"dear: ALERT {text}." for text in ("one", "two", "three")]


async def test_equity_and_drawdown_fire_as_their_points_come(alerting: Alerting) -> None:
    account = new_account(alerting.user.id)
    async with alerting.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
    equity = ConditionRequest(
        AlertCondition.EQUITY, account_id=account.id, direction=AlertDirection.BELOW, level=Decimal(900)
    )
    drawdown = ConditionRequest(
        AlertCondition.DRAWDOWN, account_id=account.id, direction=AlertDirection.ABOVE, level=Decimal(10)
    )
    rules = [await alerting.create(equity, name="equity"), await alerting.create(drawdown, name="drawdown")]

    async def point(worth: int, growth: float) -> None:
        at, thousand = datetime.now(UTC), Decimal(1_000)
        stored = StoredEquity(account.id, account.id, at, Decimal(worth), thousand, Decimal(0), growth, 1.0)
        async with alerting.database.transaction() as transaction:
            await transaction.equity.save(stored, {})

    async with alerting.evaluator():
        await point(1_000, 1.0)
        for rule in rules:
            await alerting.until_armed(rule.id, armed=True)
        await point(850, 0.85)
        found = await alerting.alerts(2)
    assert sorted(str(event.message) for event in found) == [
        "drawdown: The drawdown is above 10 %, at 15 %.",
        "equity: The equity is below 900, at 850.",
    ]


async def test_a_feed_that_goes_silent_fires(alerting: Alerting) -> None:
    rule = await alerting.create(ConditionRequest(AlertCondition.FEED, BTC, after_seconds=0))

    async def publish(state: FeedState) -> None:
        await alerting.bus.publish(status_topic(BTC), codec.encode_status(FeedStatus(BTC, state, datetime.now(UTC))))

    async def follows() -> bool:
        return alerting.hub.followed.get(BTC) is not None

    async with alerting.evaluator():
        await read_until(follows, bool, "the feed is followed")
        await publish(FeedState.LIVE)
        await alerting.until_armed(rule.id, armed=True)
        await publish(FeedState.STALE)
        (event,) = await alerting.alerts(1)
    assert "isn't live: STALE since" in str(event.message)


async def test_rules_follow_no_more_markets_than_clients_may(
    alerting: Alerting, caplog: pytest.LogCaptureFixture
) -> None:
    """One market for users and one for others: rules on a second market wait, whatever they look at."""
    clock = alerting.clock
    alerting.hub = MarketDataHub(alerting.bus, EmbeddedCache(clock), alerting.database, clock, max_feeds_per_venue=2)
    eth = replace(BTC, symbol="ETH/USDT")
    known = AlertService(alerting.database, lambda symbol: replace(a_market(), symbol=symbol), alerting.bus, clock, IDS)
    first = await alerting.create()
    try:
        async with alerting.evaluator():
            await alerting.arm(first)
            for condition in (
                replace(ABOVE, market=eth),
                ConditionRequest(AlertCondition.FEED, eth, after_seconds=0),
                ConditionRequest(AlertCondition.INDICATOR, eth, Timeframe.M1, "close > open"),
            ):
                await known.create(alerting.user.id, AlertRequest("more", condition), None)
            await eventually(lambda: caplog.text.count(f"the alert rules on {eth} wait") == 3, "they are refused")
            assert alerting.hub.followed.get(eth) is None
            await alerting.trade(101)
            await alerting.alerts(1)
    finally:
        await alerting.hub.close()


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (replace(ABOVE, level=Decimal(0)), ErrorCode.INVALID),
        (replace(ABOVE, level=Decimal("NaN")), ErrorCode.INVALID),
        (replace(ABOVE, hysteresis_percent=Decimal(100)), ErrorCode.INVALID),
        (replace(ABOVE, market=replace(BTC, symbol="NO/SUCH")), ErrorCode.NOT_FOUND),
        (ConditionRequest(AlertCondition.EVENT), ErrorCode.INVALID),
        (ConditionRequest(AlertCondition.FEED, BTC, after_seconds=-1), ErrorCode.INVALID),
        (ConditionRequest(AlertCondition.INDICATOR, BTC, Timeframe.M1, "close >"), ErrorCode.STRATEGY_INVALID),
        (ConditionRequest(AlertCondition.INDICATOR, BTC, Timeframe.M1, "close"), ErrorCode.STRATEGY_INVALID),
        (ConditionRequest(AlertCondition.INDICATOR, BTC, Timeframe.M1, "position.bars > 1"), ErrorCode.INVALID),
        (ConditionRequest(AlertCondition.EQUITY, account_id=BTC and IDS.next_id(), direction=AlertDirection.ABOVE,
                          level=Decimal(1)), ErrorCode.NOT_FOUND),
    ],
)  # fmt: skip
async def test_what_no_rule_can_look_at_is_refused(
    alerting: Alerting, condition: ConditionRequest, code: ErrorCode
) -> None:
    with pytest.raises((InputErrors, InputError)) as error:
        await alerting.create(condition)
    raised = error.value
    errors = raised.errors if isinstance(raised, InputErrors) else (raised,)
    assert {one.code for one in errors} == {code}


async def test_one_more_rule_than_the_plan_allows_is_refused(alerting: Alerting, pool: Pool) -> None:
    await pool.execute("UPDATE plans SET max_alert_rules = 1")
    await alerting.create()
    with pytest.raises(InputError, match="allows 1 alert rules") as error:
        await alerting.create()
    assert error.value.code is ErrorCode.LIMIT_REACHED


async def test_of_a_flood_of_alerts_a_user_gets_so_many_and_then_how_many_were_held_back(alerting: Alerting) -> None:
    alerting.options = replace(QUICK, alerts_per_minute=2)

    async def a_minute_later() -> list[UserEvent]:
        alerting.clock.ahead += timedelta(minutes=1)
        return await alerting.read_alerts()

    async with alerting.evaluator():
        rules = [await alerting.create(name=str(number)) for number in range(5)]
        once = await alerting.create(name="once", repeat=AlertRepeat.ONCE)
        await alerting.arm(*rules, once)
        await alerting.trade(101)
        await alerting.alerts(3)
        found = await read_until(a_minute_later, lambda alerts: len(alerts) >= 4, "the word on the others")
    *alerts, notice = (str(event.message) for event in found)
    assert len(alerts) == 3
    assert [text.startswith("once: ") for text in alerts].count(True) == 1
    assert notice.startswith("3 alerts of your rules were held back")


async def test_many_rules_on_many_events_are_taken_in_small_transactions(alerting: Alerting) -> None:
    alerting.options = replace(QUICK, event_matches=4)
    condition = ConditionRequest(AlertCondition.EVENT, event_kinds=(UserEventKind.ALERT,))
    rules = [await alerting.create(condition, name=name) for name in ("one", "two")]
    now = alerting.clock.now()
    async with alerting.database.transaction() as transaction:
        transaction.events.append(
            [
                NewEvent(alerting.user.id, now + timedelta(seconds=number), UserEventKind.ALERT, None, str(number))
                for number in range(5)
            ]
        )
    dependencies = alerting.dependencies("node:1")
    lease = await acquire_lease(alerting.database, alerting.clock, *LEASE, dependencies.holder)
    assert lease is not None
    book = RuleBook(dependencies)
    book.replace(rules)
    rules_on_events = EventRules(dependencies, book, lambda: _held(lease))
    count = polls = 0
    while count < 10:
        await rules_on_events.poll()
        before, count, polls = count, len(await alerting.read_alerts()), polls + 1
        assert count - before <= 4
        assert polls < 20
    await lease.release()


async def test_many_rules_that_fire_at_once_are_all_committed(alerting: Alerting) -> None:
    async with alerting.evaluator():
        rules = [await alerting.create(name=str(number)) for number in range(40)]
        await alerting.arm(*rules)
        await alerting.trade(101)
        found = await alerting.alerts(40)
    assert len({str(event.message).split(":")[0] for event in found}) == 40


def event(user: User, at: datetime, text: str) -> NewEvent:
    return NewEvent(user.id, at, UserEventKind.ALERT, None, text)


async def test_every_alert_of_one_commit_counts(alerting: Alerting) -> None:
    rule = await alerting.create(ON_ALERTS)
    now = alerting.clock.now()
    async with alerting.database.transaction() as transaction:
        transaction.events.append(
            [event(alerting.user, now + timedelta(seconds=number), str(number)) for number in range(3)]
        )
    async with alerting.evaluator():
        await alerting.alerts(3)
    async with alerting.database.read_only() as reading:
        stored = await reading.alert_rules.get(alerting.user.id, rule.id)
    assert stored is not None
    assert stored.fired_count == 3


async def test_an_alert_that_a_node_did_not_commit_before_it_died_is_the_next_one_s(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node looks at what is armed, and stores it, while the alert waits."""
    refused = asyncio.Event()
    savings = 0
    save_arming = AlertEvaluator._save_arming

    async def fails(*_arguments: object) -> None:
        refused.set()
        raise Unavailable("The database can't be reached.")

    async def counts(node: AlertEvaluator, book: RuleBook, lease: LeaseHandle) -> None:
        nonlocal savings
        await save_arming(node, book, lease)
        savings += refused.is_set()

    rule = await alerting.create()
    with monkeypatch.context() as patched:
        patched.setattr(AlertEvaluator, "_commit", fails)
        patched.setattr(AlertEvaluator, "_save_arming", counts)
        async with alerting.evaluator():
            await alerting.arm(rule)
            await alerting.trade(101)
            await eventually(lambda: savings >= 2, "what is armed is stored while the alert waits")
    assert await alerting.read_alerts() == []
    async with alerting.evaluator("node:2"):
        await alerting.trade(102)
        (found,) = await alerting.alerts(1)
    assert found.message == "dear: sandbox:BTC/USDT is above 100, at 102."


async def test_an_alert_outlives_a_short_outage_of_the_database(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price is back when the database is, so that nobody would notice the crossing any more."""
    monkeypatch.setattr(evaluator, "acquire_lease", partial(acquire_lease, lease_seconds=600))
    monkeypatch.setattr(evaluator, "RENEW_SECONDS", QUICK.poll_seconds)
    refusals = 0

    def away(*_arguments: object, **_options: object) -> None:
        nonlocal refusals
        refusals += 1
        raise Unavailable("The database can't be reached.")

    rule = await alerting.create()
    on_events = await alerting.create(ON_ALERTS, name="event")
    async with alerting.evaluator():
        await alerting.arm(rule)
        with monkeypatch.context() as patched:
            patched.setattr(alerting.database, "transaction", away)
            patched.setattr(alerting.database, "read_only", away)
            await alerting.bus.publish(RULES_TOPIC, alerting.user.id.bytes)
            await alerting.cross()
            await eventually(lambda: refusals >= 20, "all parts have met the outage")
        (found,) = await alerting.alerts(1)
        assert found.message == "dear: sandbox:BTC/USDT is above 100, at 101."
        async with alerting.database.transaction() as transaction:
            transaction.events.append([event(alerting.user, alerting.clock.now(), "after the outage")])
        found = (await alerting.alerts(2))[1]
    assert isinstance(found.subject, FiredAlert)
    assert found.subject.id == on_events.id


async def test_events_of_one_user_that_cannot_be_read_keep_nobody_else_s_alerts(
    alerting: Alerting, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(alerting, user=await stored_user(alerting.database))
    for node in (alerting, other):
        await node.create(ON_ALERTS)
        async with node.database.transaction() as transaction:
            transaction.events.append([event(node.user, node.clock.now(), "one")])
    await pool.execute("UPDATE user_events SET kind = 'OF_A_NEWER_VERSION' WHERE user_id = $1", alerting.user.id)
    async with alerting.evaluator():
        await other.alerts(1)
        await eventually(lambda: "OF_A_NEWER_VERSION" in caplog.text, "the fault is in the log")
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_rule_of_a_kind_that_this_version_does_not_know_keeps_no_other_from_being_read(
    alerting: Alerting, pool: Pool
) -> None:
    newer, known = await alerting.create(), await alerting.create()
    await pool.execute("UPDATE alert_rules SET condition = 'OF_A_NEWER_VERSION' WHERE id = $1", newer.id)
    async with alerting.database.read_only() as reading:
        assert [rule.id for rule in await reading.alert_rules.list_active()] == [known.id]
