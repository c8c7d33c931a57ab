"""Every field of every update: what isn't given stays, null takes it away or is refused, and none is forgotten."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from domain.model.trading import AccountTransfer, TransferKind
from domain.model.users import UserRole
from resolvers.ids import encode_id
from tests.support.api import SCHEMA, Api

DOCUMENTS = {
    "UserUpdateInput": """mutation($input: UserUpdateInput!) { changed: userUpdate(input: $input) {
      user { displayName timeZone locale reportCurrency notifications { signIn } } errors { code path } } }""",
    "AccountUpdateInput": """mutation($id: ID!, $input: AccountUpdateInput!) {
      changed: accountUpdate(id: $id, input: $input) { account { name risk {
        maxOrderNotional maxPositionNotional maxOpenOrders maxOrdersPerMinute maxDailyLoss maxDrawdownPercent
        priceCollarPercent coolDownLosses coolDownMinutes dailyResetHour } } errors { code path } } }""",
    "StrategyUpdateInput": """mutation($id: ID!, $input: StrategyUpdateInput!) {
      changed: strategyUpdate(id: $id, input: $input) {
        strategy { name description version { number } } errors { code path } } }""",
    "AccountTransferUpdateInput": """mutation($id: ID!, $input: AccountTransferUpdateInput!) {
      changed: accountTransferUpdate(id: $id, input: $input) {
        transfer { kind at note } errors { code path } } }""",
    "AlertUpdateInput": """mutation($id: ID!, $input: AlertUpdateInput!) {
      changed: alertUpdate(id: $id, input: $input) {
        alertRule { name repeat cooldownSeconds status channels { id } } errors { code path } } }""",
    "NotificationChannelUpdateInput": """mutation($id: ID!, $input: NotificationChannelUpdateInput!) {
      changed: notificationChannelUpdate(id: $id, input: $input) {
        notificationChannel { name eventKinds target status quietHours { from to } maxPerHour }
        errors { code path } } }""",
    "ReportScheduleUpdateInput": """mutation($id: ID!, $input: ReportScheduleUpdateInput!) {
      changed: reportScheduleUpdate(id: $id, input: $input) {
        reportSchedule { name cadence hour status benchmark { symbol } channels { id } } errors { code path } } }""",
    "PlanUpdateInput": """mutation($input: PlanUpdateInput!) {
      changed: planUpdate(input: $input) { plan { name maxMarkets default } errors { code path } } }""",
}
CREATE_SCHEDULE = """mutation($input: ReportScheduleCreateInput!) { reportScheduleCreate(input: $input) {
  reportSchedule { id } errors { code message } } }"""
CREATE_CHANNEL = """mutation($input: NotificationChannelCreateInput!) { notificationChannelCreate(input: $input) {
  notificationChannel { id } errors { code message } } }"""
CREATE_ALERT = """mutation($input: AlertCreateInput!) { alertCreate(input: $input) {
  alertRule { id } errors { code message } } }"""
CREATE_STRATEGY = """mutation($input: StrategyCreateInput!) { strategyCreate(input: $input) {
  strategy { id } errors { code message } } }"""
DEFINITION = {"enterLong": "close > 1", "sizing": {"quoteAmount": "10"}}

CLEARED = {
    "UserUpdateInput.displayName": "Ada",
    "UserUpdateInput.reportCurrency": "EUR",
    "StrategyUpdateInput.description": "what it does",
    "AccountTransferUpdateInput.note": "from my bank",
    "NotificationChannelUpdateInput.quietHours": {"from": "22:00", "to": "07:00"},
    "NotificationChannelUpdateInput.maxPerHour": 7,
    "ReportScheduleUpdateInput.benchmark": "sandbox:BTC/USDT",
}
"""What null takes away, and a value to begin with."""

OBJECTS = {"ReportScheduleUpdateInput.benchmark": {"symbol": "sandbox:BTC/USDT"}}
"""What is named by an id and answered as an object."""

REFUSED = {
    "UserUpdateInput.password",
    "UserUpdateInput.timeZone",
    "UserUpdateInput.locale",
    "UserUpdateInput.notifications",
    "AccountUpdateInput.name",
    "AccountUpdateInput.risk",
    "StrategyUpdateInput.name",
    "StrategyUpdateInput.definition",
    "AccountTransferUpdateInput.kind",
    "AccountTransferUpdateInput.at",
    "AlertUpdateInput.name",
    "AlertUpdateInput.condition",
    "AlertUpdateInput.repeat",
    "AlertUpdateInput.cooldownSeconds",
    "AlertUpdateInput.enabled",
    "NotificationChannelUpdateInput.name",
    "NotificationChannelUpdateInput.eventKinds",
    "NotificationChannelUpdateInput.url",
    "NotificationChannelUpdateInput.chat",
    "NotificationChannelUpdateInput.botToken",
    "NotificationChannelUpdateInput.enabled",
    "ReportScheduleUpdateInput.name",
    "ReportScheduleUpdateInput.recurrence",
    "ReportScheduleUpdateInput.enabled",
}
"""What is never null in the object."""

EMPTIED = {"AlertUpdateInput.channels", "ReportScheduleUpdateInput.channels"}
"""Lists that null empties."""

NAMES = {"PlanUpdateInput.name"}
"""What names the object, and is required."""

CONDITIONS = {"UserUpdateInput.currentPassword", "StrategyUpdateInput.expectedVersion", "PlanUpdateInput.limits"}
"""What isn't a value of the object, but a condition or a group of changes: null and nothing are the same."""

SWITCHES = {"UserUpdateInput.revokeApiKeys", "UserUpdateInput.revokeSignalWebhooks", "PlanUpdateInput.default"}
"""What is no value of the object either, but something to be done with the change: true or false, never null."""


def inputs() -> Iterator[tuple[str, GraphQLInputObjectType]]:
    for name, kind in SCHEMA.graphql_schema.type_map.items():
        if name.endswith("UpdateInput") and isinstance(kind, GraphQLInputObjectType):
            yield name, kind


def limits() -> list[str]:
    kind = SCHEMA.graphql_schema.type_map["RiskLimitsInput"]
    assert isinstance(kind, GraphQLInputObjectType)
    return list(kind.fields)


async def channel(api: Api) -> str:
    given = {"kind": "TELEGRAM", "name": "chat", "chat": "42", "botToken": "123456:" + "a" * 35}
    return (await api.run(CREATE_CHANNEL, input=given))["notificationChannelCreate"]["notificationChannel"]["id"]


async def entered_transfer(api: Api) -> str:
    """Return a deposit that was entered by hand."""
    harness, now = api.harness, datetime.now(UTC)
    transfer = AccountTransfer(
        harness.ids.next_id(), harness.user.id, harness.account.id, TransferKind.DEPOSIT, "USDT", Decimal(1),
        now, "entry:one",
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(transfer)
    return encode_id("AccountTransfer", transfer.id)


async def subject(api: Api, input_name: str) -> str | None:
    """Return the id of something to update; None for the viewer, and for a plan, which has a name."""
    match input_name:
        case "AccountUpdateInput":
            return api.account
        case "PlanUpdateInput":
            async with api.harness.database.transaction() as transaction:
                await transaction.users.set_role(api.harness.user.email, UserRole.OPERATOR)
            return None
        case "AccountTransferUpdateInput":
            return await entered_transfer(api)
        case "AlertUpdateInput":
            given = {"name": "doubts", "condition": {"orderInDoubt": {"account": api.account}}}
            answer = (await api.run(CREATE_ALERT, input=given))["alertCreate"]["alertRule"]
        case "ReportScheduleUpdateInput":
            given = {"name": "daily", "scope": {"account": api.account}, "recurrence": {"daily": {"hour": 7}}}
            answer = (await api.run(CREATE_SCHEDULE, input=given))["reportScheduleCreate"]["reportSchedule"]
        case "NotificationChannelUpdateInput":
            return await channel(api)
        case "StrategyUpdateInput":
            given = {"name": "one", "definition": DEFINITION}
            answer = (await api.run(CREATE_STRATEGY, input=given))["strategyCreate"]["strategy"]
        case _:
            return None
    return str(answer["id"])


async def update(api: Api, input_name: str, id: str | None, **values: Any) -> dict[str, Any]:
    if input_name == "PlanUpdateInput":
        values["name"] = "standard"
    variables = {"input": values} if id is None else {"id": id, "input": values}
    return (await api.run(DOCUMENTS[input_name], **variables))["changed"]


async def changed(api: Api, input_name: str, id: str | None, **values: Any) -> dict[str, Any]:
    """Return the object after an update that must succeed."""
    payload = await update(api, input_name, id, **values)
    assert payload.pop("errors") == []
    (found,) = payload.values()
    return found


def test_every_field_of_every_update_is_tried_here() -> None:
    fields = {f"{name}.{field}" for name, kind in inputs() for field in kind.fields}
    assert fields == set(CLEARED) | REFUSED | EMPTIED | NAMES | CONDITIONS | SWITCHES
    assert {name for name, _ in inputs()} == set(DOCUMENTS)
    risk = SCHEMA.graphql_schema.type_map["AccountUpdateInput"].fields["risk"]  # type: ignore[attr-defined]
    assert str(get_named_type(risk.type)) == "RiskLimitsInput"


def test_a_switch_is_never_null_and_off_by_default() -> None:
    switches = {
        f"{name}.{key}": (str(field.type), field.default_value)
        for name, kind in inputs()
        for key, field in kind.fields.items()
        if str(get_named_type(field.type)) == "Boolean" and f"{name}.{key}" not in REFUSED
    }
    assert switches == dict.fromkeys(SWITCHES, ("Boolean!", False))


def test_no_field_of_an_input_has_null_as_its_default() -> None:
    assert " = null" not in SCHEMA.as_str()


@pytest.mark.parametrize("field", sorted(CLEARED))
async def test_null_removes_a_value_and_a_missing_field_keeps_it(api: Api, field: str) -> None:
    input_name, name = field.split(".")
    key = await subject(api, input_name)
    shown = OBJECTS.get(field, CLEARED[field])
    assert (await changed(api, input_name, key, **{name: CLEARED[field]}))[name] == shown
    assert (await changed(api, input_name, key))[name] == shown
    assert (await changed(api, input_name, key, **{name: None}))[name] is None


@pytest.mark.parametrize("field", sorted(EMPTIED))
async def test_null_empties_a_list_and_a_missing_field_keeps_it(api: Api, field: str) -> None:
    input_name, name = field.split(".")
    key, one = await subject(api, input_name), await channel(api)
    assert (await changed(api, input_name, key, **{name: [one]}))[name] == [{"id": one}]
    assert (await changed(api, input_name, key))[name] == [{"id": one}]
    assert (await changed(api, input_name, key, **{name: None}))[name] == []


@pytest.mark.parametrize("field", sorted(REFUSED))
async def test_null_is_refused_for_what_is_never_null_and_changes_nothing(api: Api, field: str) -> None:
    input_name, name = field.split(".")
    key = await subject(api, input_name)
    before = await changed(api, input_name, key)
    payload = await update(api, input_name, key, **{name: None})
    assert payload["errors"] == [{"code": "INVALID", "path": ["input", name]}]
    assert await changed(api, input_name, key) == before


async def test_all_invalid_nulls_are_reported_at_once(api: Api) -> None:
    payload = await update(api, "AccountUpdateInput", api.account, name=None, risk=None)
    assert [error["path"][1] for error in payload["errors"]] == ["name", "risk"]


async def test_a_limit_that_is_not_given_stays_and_null_takes_it_away(api: Api) -> None:
    every = dict.fromkeys(limits(), 7)
    shown = {name: 7 if isinstance(value, int) else "7" for name, value in (await _risk(api, **every)).items()}
    for name in limits():
        assert await _risk(api, **{name: None}) == shown | {name: None}
        other = 9 if shown[name] == 7 else "9"
        assert await _risk(api, **{name: 9}) == shown | {name: other}
        assert await _risk(api, **{name: 7}) == shown
    assert await _risk(api) == shown


async def test_a_bad_limit_changes_none(api: Api) -> None:
    before = await _risk(api, maxOpenOrders=3, maxDailyLoss=100)
    payload = await update(api, "AccountUpdateInput", api.account, risk={"maxOpenOrders": 4, "maxDailyLoss": "-1"})
    assert payload["errors"] == [{"code": "INVALID", "path": ["input", "risk", "maxDailyLoss"]}]
    assert await _risk(api) == before


async def test_a_change_of_a_strategys_definition_answers_the_version_that_it_made(api: Api) -> None:
    document = """mutation($id: ID!, $input: StrategyUpdateInput!) { strategyUpdate(id: $id, input: $input) {
      version { id number definition { enterLong } strategy { name } } errors { code } } }"""
    key = await subject(api, "StrategyUpdateInput")

    async def made(**values: Any) -> Any:
        return (await api.run(document, id=key, input=values))["strategyUpdate"]["version"]

    second = await made(name="two", definition={**DEFINITION, "enterLong": "close > 2"})
    assert (second["number"], second["definition"], second["strategy"]) == (
        2,
        {"enterLong": "close > 2"},
        {"name": "two"},
    )
    assert await made(name="three") is None
    assert await made(definition=DEFINITION, expectedVersion=1) is None
    assert (await made(definition=DEFINITION))["number"] == 3


async def test_a_literal_and_a_variable_that_is_not_given_mean_the_same(api: Api) -> None:
    await _risk(api, maxOpenOrders=3)
    document = """mutation($id: ID!, $notional: Decimal, $orders: Int) {
      accountUpdate(id: $id, input: {risk: {maxOrderNotional: $notional, maxOpenOrders: $orders}}) {
        account { risk { maxOrderNotional maxOpenOrders } } errors { code } } }"""
    kept = (await api.run(document, id=api.account, notional="8"))["accountUpdate"]["account"]["risk"]
    assert kept == {"maxOrderNotional": "8", "maxOpenOrders": 3}
    cleared = (await api.run(document, id=api.account, notional=None))["accountUpdate"]["account"]["risk"]
    assert cleared == {"maxOrderNotional": None, "maxOpenOrders": 3}


async def _risk(api: Api, **given: object) -> dict[str, Any]:
    """Return the account's shown after an update of those given."""
    return (await changed(api, "AccountUpdateInput", api.account, risk=given))["risk"]
