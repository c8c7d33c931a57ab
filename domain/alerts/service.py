"""Creates, changes and deletes users' alert rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.alerts.candle_rules import compile_rule
from domain.alerts.evaluator import RULES_TOPIC
from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.validation import normalise_name
from domain.events.idempotency import reserve
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.events import UserEventKind
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.plans import Entitlement
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.entitlements import require_room
from domain.users.identity_lock import lock_user

MAX_COOLDOWN: Final = 30 * 86_400
MAX_AFTER: Final = 86_400
_HUNDRED: Final = Decimal(100)
_PLACES: Final = {
    AlertCondition.PRICE: "price",
    AlertCondition.INDICATOR: "indicator",
    AlertCondition.EQUITY: "equity",
    AlertCondition.DRAWDOWN: "drawdown",
    AlertCondition.FEED: "feed",
    AlertCondition.TRADING_SESSION_FAILED: "tradingSessionFailed",
    AlertCondition.ORDER_IN_DOUBT: "orderInDoubt",
    AlertCondition.EVENT: "event",
}


@dataclass(frozen=True, slots=True)
class ConditionRequest:
    """What an alert rule is to look at; the names are those of `AlertRule`."""

    condition: AlertCondition
    market: MarketSymbol | None = None
    timeframe: Timeframe | None = None
    rule: str | None = None
    direction: AlertDirection | None = None
    level: Decimal | None = None
    hysteresis_percent: Decimal | None = None
    account_id: UUID | None = None
    trading_session_id: UUID | None = None
    event_kinds: tuple[UserEventKind, ...] = ()
    after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class AlertRequest:
    """The alert rule to create, as its user describes it."""

    name: str
    condition: ConditionRequest
    repeat: AlertRepeat = AlertRepeat.ONCE
    cooldown_seconds: int = 0
    channel_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Changes of an alert rule; a field that isn't given stays as it is."""

    name: str | Unchanged | None = UNCHANGED
    condition: ConditionRequest | Unchanged | None = UNCHANGED
    repeat: AlertRepeat | Unchanged | None = UNCHANGED
    cooldown_seconds: int | Unchanged | None = UNCHANGED
    channel_ids: tuple[UUID, ...] | Unchanged | None = UNCHANGED
    enabled: bool | Unchanged | None = UNCHANGED


class AlertService:
    """Manages the alert rules of users."""

    def __init__(
        self,
        database: Database,
        find_market: Callable[[MarketSymbol], Market | None],
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
    ) -> None:
        self._database = database
        self._find_market = find_market
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def create(self, user_id: UUID, request: AlertRequest, idempotency_key: str | None) -> AlertRule:
        """Store an alert rule, which is looked at from now on.

        Raises `InputErrors` with all that is wrong, STRATEGY_INVALID with places in the rule, NOT_FOUND for what isn't
        the user's, LIMIT_REACHED, and CONFLICT for the idempotency key.
        """
        self._validate(request)
        now, asked = self._clock.now(), request.condition
        rule = AlertRule(
            id=self._ids.next_id(),
            user_id=user_id,
            name=normalise_name(request.name, "name"),
            condition=asked.condition,
            repeat=request.repeat,
            cooldown_seconds=request.cooldown_seconds,
            status=AlertRuleStatus.ACTIVE,
            created_at=now,
            channel_ids=tuple(dict.fromkeys(request.channel_ids)),
        )
        rule = _with_condition(rule, asked)
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            if idempotency_key is not None:
                known = await reserve(
                    transaction, self._clock, user_id, "alertCreate", idempotency_key, request, rule.id
                )
                if known is not None:
                    return await _owned(transaction, user_id, known)
            await require_room(transaction, user_id, Entitlement.ALERT_RULES)
            await _check_owned(transaction, rule)
            sequence, _ = await transaction.events.head(user_id)
            rule = replace(rule, sequence=sequence)
            await transaction.alert_rules.add(rule)
            await self._record(transaction, rule, "alertCreate")
        await self._bus.publish(RULES_TOPIC, user_id.bytes)
        return rule

    async def update(self, user_id: UUID, rule_id: UUID, changes: AlertChanges) -> AlertRule:
        """Change a rule, or enable it again; it is looked at again from now on. Raises as `create`, and NOT_FOUND."""
        reject_nulls(
            name=changes.name,
            condition=changes.condition,
            repeat=changes.repeat,
            cooldownSeconds=changes.cooldown_seconds,
            enabled=changes.enabled,
        )
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            rule = await _owned(transaction, user_id, rule_id)
            changed = self._changed(rule, changes)
            await _check_owned(transaction, changed)
            sequence, _ = await transaction.events.head(user_id)
            changed = replace(changed, revision=rule.revision + 1, sequence=sequence, is_armed=None)
            await transaction.alert_rules.save(changed)
            await self._record(transaction, changed, "alertUpdate")
        await self._bus.publish(RULES_TOPIC, user_id.bytes)
        return changed

    async def delete(self, user_id: UUID, rule_id: UUID) -> AlertRule:
        """Delete a rule, at once; raises NOT_FOUND."""
        async with self._database.transaction() as transaction:
            rule = await _owned(transaction, user_id, rule_id)
            await transaction.alert_rules.delete(rule_id)
            await self._record(transaction, rule, "alertDelete")
        await self._bus.publish(RULES_TOPIC, user_id.bytes)
        return rule

    def _changed(self, rule: AlertRule, changes: AlertChanges) -> AlertRule:
        channels = value_or_current(changes.channel_ids, rule.channel_ids)
        asked = AlertRequest(
            value_or_current(changes.name, rule.name) or rule.name,
            value_or_current(changes.condition, _condition_of(rule)) or _condition_of(rule),
            value_or_current(changes.repeat, rule.repeat) or rule.repeat,
            value_or_current(changes.cooldown_seconds, rule.cooldown_seconds) or 0,
            channels or (),
        )
        if asked.condition.condition is not rule.condition:
            other = asked.condition.condition.value
            message = f"The rule looks at {rule.condition.value}; make another one for {other}."
            raise InputError(ErrorCode.INVALID, message, ("input", "condition"))
        self._validate(asked)
        status = rule.status
        if isinstance(changes.enabled, bool):
            status = AlertRuleStatus.ACTIVE if changes.enabled else AlertRuleStatus.DISABLED
        changed = replace(
            rule,
            name=normalise_name(asked.name, "name"),
            repeat=asked.repeat,
            cooldown_seconds=asked.cooldown_seconds,
            channel_ids=tuple(dict.fromkeys(asked.channel_ids)),
            status=status,
        )
        return _with_condition(changed, asked.condition)

    def _validate(self, request: AlertRequest) -> None:
        asked, place = request.condition, _PLACES[request.condition.condition]
        errors = [*_number_errors(asked, place)]
        if not 0 <= request.cooldown_seconds <= MAX_COOLDOWN:
            message = f"cooldownSeconds is {request.cooldown_seconds}; it must be from 0 to {MAX_COOLDOWN:,} (30 days)."
            errors.append(InputError(ErrorCode.INVALID, message, ("input", "cooldownSeconds")))
        if asked.market is not None and self._find_market(asked.market) is None:
            message = f"There is no market {asked.market}."
            errors.append(InputError(ErrorCode.NOT_FOUND, message, ("input", "condition", place, "market")))
        errors += _rule_errors(asked)
        if errors:
            raise InputErrors(errors)

    async def _record(self, transaction: UnitOfWork, rule: AlertRule, action: str) -> None:
        subject, now = ("AlertRule", str(rule.id)), self._clock.now()
        await record_activity(transaction, self._ids, now, rule.user_id, action, subject, rule.name)


def _number_errors(asked: ConditionRequest, place: str) -> list[InputError]:
    errors = []

    def add(field: str, message: str) -> None:
        errors.append(InputError(ErrorCode.INVALID, message, ("input", "condition", place, field)))

    if asked.condition.has_level:
        assert asked.level is not None
        if not asked.level.is_finite() or (asked.condition is not AlertCondition.EQUITY and asked.level <= 0):
            add("level", f"level is {asked.level}; it must be greater than 0.")
        elif asked.condition is AlertCondition.DRAWDOWN and asked.level > _HUNDRED:
            add("level", f"level is {asked.level}; a drawdown is at most 100 percent.")
    hysteresis = asked.hysteresis_percent
    if hysteresis is not None and not (hysteresis.is_finite() and 0 <= hysteresis < _HUNDRED):
        add("hysteresisPercent", f"hysteresisPercent is {hysteresis}; it must be from 0 to less than 100.")
    if asked.after_seconds is not None and not 0 <= asked.after_seconds <= MAX_AFTER:
        add("afterSeconds", f"afterSeconds is {asked.after_seconds}; it must be from 0 to {MAX_AFTER:,} (a day).")
    if asked.condition is AlertCondition.EVENT and not asked.event_kinds:
        add("kinds", "kinds is empty; name at least one.")
    return errors


def _rule_errors(asked: ConditionRequest) -> Sequence[InputError]:
    if asked.rule is None or asked.timeframe is None:
        return ()
    path = ("input", "condition", "indicator", "rule")
    try:
        compiled = compile_rule(asked.rule, asked.timeframe)
    except InputErrors as found:
        return [InputError(error.code, error.message, path) for error in found.errors]
    if compiled.uses_position:
        return [
            InputError(ErrorCode.INVALID, "An alert rule has no position; leave what begins with position. out.", path)
        ]
    if compiled.sources:
        message = "An alert rule can't name the candles of other markets or timeframes yet."
        return [InputError(ErrorCode.UNSUPPORTED, message, path)]
    return ()


def _with_condition(rule: AlertRule, asked: ConditionRequest) -> AlertRule:
    return replace(
        rule,
        market=asked.market,
        timeframe=asked.timeframe,
        rule=asked.rule,
        direction=asked.direction,
        level=asked.level,
        hysteresis_percent=asked.hysteresis_percent,
        account_id=asked.account_id,
        trading_session_id=asked.trading_session_id,
        event_kinds=tuple(dict.fromkeys(asked.event_kinds)),
        after_seconds=asked.after_seconds,
    )


def _condition_of(rule: AlertRule) -> ConditionRequest:
    return ConditionRequest(
        rule.condition,
        rule.market,
        rule.timeframe,
        rule.rule,
        rule.direction,
        rule.level,
        rule.hysteresis_percent,
        rule.account_id,
        rule.trading_session_id,
        rule.event_kinds,
        rule.after_seconds,
    )


async def _owned(transaction: UnitOfWork, user_id: UUID, rule_id: UUID) -> AlertRule:
    rule = await transaction.alert_rules.get_for_update(user_id, rule_id)
    if rule is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such alert rule.", ("id",))
    return rule


async def _check_owned(transaction: UnitOfWork, rule: AlertRule) -> None:
    """Raise NOT_FOUND for an account, a trading session or a channel that isn't the user's."""
    place = ("input", "condition", _PLACES[rule.condition])
    if rule.account_id is not None and await transaction.accounts.get(rule.user_id, rule.account_id) is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such account.", (*place, "account"))
    session_id = rule.trading_session_id
    if session_id is not None and await transaction.trading_sessions.get(rule.user_id, session_id) is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such trading session.", (*place, "tradingSession"))
    for channel_id in rule.channel_ids:
        if await transaction.channels.get(rule.user_id, channel_id) is None:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such notification channel.", ("input", "channels"))
