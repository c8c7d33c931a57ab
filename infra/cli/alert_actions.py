"""What `r3edge alert` does, in the database of an engine that runs or doesn't."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.alerts.service import AlertChanges, AlertRequest, AlertService
from domain.core.changes import UNCHANGED
from domain.core.csv_rows import Cell, csv_text
from domain.core.money import plain
from domain.core.pagination import KeysetPage
from domain.market_data.catalogue import MarketCatalogue
from domain.model.alert_rules import AlertRepeat, AlertRule
from domain.ports.lists import NoFilter, Owner
from domain.ports.unit_of_work import UnitOfWork
from infra.cli.alert_conditions import ConditionOptions, condition_request
from infra.cli.arguments import BadArgument
from infra.cli.channel_names import found_channel_ids
from infra.cli.named_objects import chosen
from infra.cli.user_scope import UserScope, open_user_scope
from infra.settings import Settings
from resolvers.ids import encode_id, uuid_in

_PURPOSE: Final = "r3edge alert"
MAX_RULES: Final = 1_000
"""So many of the newest rules are listed, and found by their names."""
_COLUMNS: Final = (
    "id", "name", "status", "condition", "repeat", "cooldown_seconds", "channels", "fired_count", "last_fired_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """What a rule looks at, where, and whom it tells; None for what isn't given."""

    condition: ConditionOptions
    account: str | None = None
    session: str | None = None
    each_time: bool | None = None
    cooldown_seconds: int | None = None
    channels: Sequence[str] | None = None


class AlertCommands:
    """Reads and changes the rules of the user with that email, or of the only one."""

    def __init__(self, settings: Settings, email: str | None) -> None:
        self._settings = settings
        self._email = email

    async def list_all(self) -> str:
        """Return the rules as CSV, the newest first."""
        async with (
            open_user_scope(self._settings, _PURPOSE, self._email) as scope,
            scope.database.read_only() as reading,
        ):
            channels = await reading.channels.list_of_user(scope.user.id)
            names = {channel.id: channel.name for channel in channels}
            rules = await _rules(reading, scope.user.id)
        return csv_text([_COLUMNS, *(_line(rule, names) for rule in rules)])

    async def create(self, name: str, options: RuleOptions) -> AlertRule:
        """Store a rule, which is looked at from now on; raises `BadArgument`, and as `AlertService.create`."""
        async with self._open() as (scope, service):
            async with scope.database.read_only() as reading:
                condition = condition_request(options.condition, *await _places(reading, scope, options))
                channels = await found_channel_ids(reading, scope.user.id, options.channels or ())
            if condition is None:
                raise BadArgument("say what the rule looks at, such as --market sandbox:BTC/USDT --price-above 70000")
            repeat = AlertRepeat.EACH_TIME if options.each_time else AlertRepeat.ONCE
            request = AlertRequest(name, condition, repeat, options.cooldown_seconds or 0, channels)
            return await service.create(scope.user.id, request, None)

    async def update(
        self, name: str, options: RuleOptions, *, new_name: str | None = None, enabled: bool | None = None
    ) -> AlertRule:
        """Change what is given of a rule, which is looked at as if it were new; raises as `create`."""
        async with self._open() as (scope, service):
            async with scope.database.read_only() as reading:
                rule = await _found(reading, scope.user.id, name)
                condition = condition_request(options.condition, *await _places(reading, scope, options))
                channels = (
                    UNCHANGED
                    if options.channels is None
                    else await found_channel_ids(
                        reading, scope.user.id, [one for one in options.channels if one != "all"]
                    )
                )
            changes = AlertChanges(
                UNCHANGED if new_name is None else new_name,
                UNCHANGED if condition is None else condition,
                UNCHANGED if options.each_time is None else _repeat(each_time=options.each_time),
                UNCHANGED if options.cooldown_seconds is None else options.cooldown_seconds,
                channels,
                UNCHANGED if enabled is None else enabled,
            )
            return await service.update(scope.user.id, rule.id, changes)

    async def delete(self, name: str) -> AlertRule:
        """Delete a rule, at once."""
        async with self._open() as (scope, service):
            async with scope.database.read_only() as reading:
                rule = await _found(reading, scope.user.id, name)
            return await service.delete(scope.user.id, rule.id)

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[tuple[UserScope, AlertService]]:
        async with open_user_scope(self._settings, _PURPOSE, self._email) as scope:
            catalogue = MarketCatalogue(scope.database)
            await catalogue.refresh()
            yield scope, AlertService(scope.database, catalogue.get, scope.bus, scope.clock, scope.ids)


def condition_words(rule: AlertRule) -> str:
    """Return what a rule looks at in one line, such as `PRICE sandbox:BTC/USDT ABOVE 65000`."""
    parts = (
        rule.condition.value,
        None if rule.market is None else str(rule.market),
        None if rule.timeframe is None else rule.timeframe.value,
        rule.rule,
        None if rule.direction is None else rule.direction.value,
        None if rule.level is None else plain(rule.level),
        None if rule.hysteresis_percent is None else f"hysteresis {plain(rule.hysteresis_percent)} %",
        None if rule.after_seconds is None else f"after {rule.after_seconds} s",
        " ".join(rule.event_kinds) or None,
        None if rule.account_id is None else encode_id("Account", rule.account_id),
        None if rule.trading_session_id is None else encode_id("TradingSession", rule.trading_session_id),
    )
    return " ".join(part for part in parts if part is not None)


def _repeat(*, each_time: bool) -> AlertRepeat:
    return AlertRepeat.EACH_TIME if each_time else AlertRepeat.ONCE


def _line(rule: AlertRule, channels: dict[UUID, str]) -> tuple[Cell, ...]:
    return (
        encode_id("AlertRule", rule.id),
        rule.name,
        rule.status.value,
        condition_words(rule),
        rule.repeat.value,
        Decimal(rule.cooldown_seconds),
        " ".join(channels.get(each, "") for each in rule.channel_ids),
        Decimal(rule.fired_count),
        rule.last_fired_at,
    )


async def _rules(reading: UnitOfWork, user_id: UUID) -> list[AlertRule]:
    return (await reading.lists.alert_rules.pages(Owner.USER, [user_id], KeysetPage(MAX_RULES), NoFilter()))[user_id]


async def _found(reading: UnitOfWork, user_id: UUID, name: str) -> AlertRule:
    asked_id = uuid_in(name, "AlertRule")
    if asked_id is not None and (rule := await reading.alert_rules.get(user_id, asked_id)) is not None:
        return rule
    return chosen("alert rule", "AlertRule", await _rules(reading, user_id), name)


async def _places(reading: UnitOfWork, scope: UserScope, options: RuleOptions) -> tuple[UUID | None, UUID | None]:
    """Return the ids of the account and of the trading session that the options name."""
    account_id, session_id = None, None
    if options.account is not None:
        accounts = await reading.accounts.list_page(scope.user.id, KeysetPage(MAX_RULES))
        account_id = chosen("account", "Account", accounts, options.account).id
    if options.session is not None:
        session_id = uuid_in(options.session, "TradingSession")
        if session_id is None:
            raise BadArgument(f"--session is {options.session!r}; give the id of a trading session from the API")
    return account_id, session_id
