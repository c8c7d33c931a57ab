"""Who may see and do what, as tables, and documents that ask for everything that the schema has."""

from collections.abc import Iterator
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

from schema import build_schema

SCHEMA: Final = build_schema().graphql_schema

PUBLIC_NODES: Final = {"Engine", "Venue", "Market"}
PRIVATE_NODES: Final = {
    "Account", "AccountTransfer", "Activity", "AlertRule", "ApiKey", "Backtest", "ChannelDelivery", "DataExport",
    "Fill", "Job", "LinkedIdentity", "LoginSession", "NotificationChannel", "Optimization", "Order", "PlanChange",
    "Position",
    "Report", "ReportSchedule", "Signal", "SignalWebhook", "Strategy", "StrategyVersion", "TradingSession", "User",
}  # fmt: skip

OPERATOR_NODES: Final = {"Invitation", "ManagedUser"}
"""What operators alone may see: what belongs to no user, and what they manage of all."""

QUERIES: Final = {
    "node": "by id", "nodes": "by id", "viewer": "private", "engine": "public", "venues": "public",
    "market": "public", "markets": "public", "quoteCurrencies": "public",
    "indicators": "public", "strategyTemplates": "public",
    "strategyValidate": "public", "invitations": "operators", "plans": "operators",
    "administration": "operators", "orderPreview": "preview", "orderAmendPreview": "preview",
}  # fmt: skip

PREVIEWS: Final = {"orderPreview": ("TRADE", "Account"), "orderAmendPreview": ("TRADE", "Order")}
"""The scope that a preview of a mutation needs, and the type of the object that its id names."""

VIEWER: Final = {
    "id", "email", "emailVerifiedAt", "twoFactorEnabledAt", "recoveryCodesLeft", "dataExport", "displayName",
    "timeZone", "locale", "reportCurrency", "notifications", "createdAt", "role", "plan", "planUsage", "planChanges",
    "tradingState", "eventCursor", "apiKeys", "loginSessions", "accounts", "strategies", "tradingSessions", "orders",
    "fills", "positions", "jobs", "reports", "backtests", "optimizations", "strategyRecommendations", "activity",
    "halt", "halts", "profitSummary", "portfolio", "taxExport", "notificationChannels", "linkedIdentities",
    "hasPassword", "alertRules", "reportSchedules",
}  # fmt: skip
"""What hangs below the viewer: each is the viewer's own."""

MUTATIONS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "userRegister": ("anybody", ()),
    "userLogin": ("anybody", ()),
    "oidcStart": ("anybody", ()),
    "oidcSignIn": ("anybody", ()),
    "oidcLink": ("ADMIN", ()),
    "oidcUnlink": ("ADMIN", ("LinkedIdentity",)),
    "loginSessionConfirm": ("ADMIN", ()),
    "userLogout": ("READ", ()),
    "userUpdate": ("ADMIN", ()),
    "userErase": ("ADMIN", ("User",)),
    "userDisable": ("ADMIN", ("User",)),
    "userEnable": ("ADMIN", ("User",)),
    "userTradingStop": ("ADMIN", ("User",)),
    "userRoleChange": ("ADMIN", ("User",)),
    "userPasswordReset": ("ADMIN", ("User",)),
    "userTwoFactorReset": ("ADMIN", ("User",)),
    "userSignOut": ("ADMIN", ("User",)),
    "userInvite": ("ADMIN", ()),
    "invitationWithdraw": ("ADMIN", ()),
    "userDataExport": ("ADMIN", ()),
    "planCreate": ("ADMIN", ()),
    "planUpdate": ("ADMIN", ()),
    "planArchive": ("ADMIN", ()),
    "userPlanChange": ("ADMIN", ()),
    "userPlanChangeCancel": ("ADMIN", ("PlanChange",)),
    "twoFactorSetup": ("ADMIN", ()),
    "twoFactorEnable": ("ADMIN", ()),
    "twoFactorDisable": ("ADMIN", ()),
    "recoveryCodesReplace": ("ADMIN", ()),
    "emailVerificationSend": ("ADMIN", ()),
    "emailChange": ("ADMIN", ()),
    "emailVerify": ("ADMIN", ()),
    "passwordResetRequest": ("anybody", ()),
    "passwordReset": ("anybody", ()),
    "apiKeyCreate": ("ADMIN", ()),
    "apiKeyRevoke": ("ADMIN", ("ApiKey",)),
    "loginSessionsRevoke": ("ADMIN", ()),
    "loginSessionRevoke": ("ADMIN", ("LoginSession",)),
    "accountCreate": ("ADMIN", ()),
    "accountUpdate": ("ADMIN", ("Account",)),
    "accountArchive": ("ADMIN", ("Account",)),
    "accountCredentialsReplace": ("ADMIN", ("Account",)),
    "paperDeposit": ("ADMIN", ("Account",)),
    "accountTransferRecord": ("ADMIN", ("Account",)),
    "accountTransferUpdate": ("ADMIN", ("AccountTransfer",)),
    "strategyCreate": ("TRADE", ()),
    "strategyUpdate": ("TRADE", ("Strategy",)),
    "strategyArchive": ("TRADE", ("Strategy",)),
    "tradingSessionStart": ("TRADE", ("StrategyVersion", "Account")),
    "tradingSessionPause": ("TRADE", ("TradingSession",)),
    "tradingSessionResume": ("TRADE", ("TradingSession",)),
    "tradingSessionStop": ("TRADE", ("TradingSession",)),
    "signalSubmit": ("TRADE", ("TradingSession",)),
    "signalWebhookCreate": ("ADMIN", ("TradingSession",)),
    "signalWebhookRotate": ("ADMIN", ("SignalWebhook",)),
    "signalWebhookRevoke": ("ADMIN", ("SignalWebhook",)),
    "tradingHalt": ("TRADE", ("Account", "TradingSession", "User")),
    "tradingResume": ("TRADE", ("Account", "TradingSession", "User")),
    "orderPlace": ("TRADE", ("Account",)),
    "orderAmend": ("TRADE", ("Order",)),
    "positionProtect": ("TRADE", ("Position",)),
    "positionClose": ("TRADE", ("Position",)),
    "positionTag": ("TRADE", ("Position",)),
    "orderCancel": ("TRADE", ("Order",)),
    "ordersCancel": ("TRADE", ("Account",)),
    "backtestRun": ("READ", ("StrategyVersion",)),
    "optimizationRun": ("READ", ("StrategyVersion",)),
    "alertCreate": ("TRADE", ()),
    "alertUpdate": ("TRADE", ("AlertRule",)),
    "alertDelete": ("TRADE", ("AlertRule",)),
    "notificationChannelCreate": ("ADMIN", ()),
    "notificationChannelUpdate": ("ADMIN", ("NotificationChannel",)),
    "notificationChannelDelete": ("ADMIN", ("NotificationChannel",)),
    "notificationChannelSecretRotate": ("ADMIN", ("NotificationChannel",)),
    "notificationChannelTest": ("ADMIN", ("NotificationChannel",)),
    "engineNodeDrain": ("ADMIN", ()),
    "engineNodeResume": ("ADMIN", ()),
    "jobCancel": ("READ", ("Job",)),
    "reportGenerate": ("READ", ("Account", "TradingSession", "Strategy", "Backtest")),
    "reportScheduleCreate": ("TRADE", ("Account", "TradingSession", "Strategy", "Backtest")),
    "reportScheduleUpdate": ("TRADE", ("ReportSchedule",)),
    "reportScheduleDelete": ("TRADE", ("ReportSchedule",)),
}
"""The scope that a mutation needs, and the types of the objects that its ids may name."""

LOGIN_ONLY: Final = {
    "userErase",
    "userRoleChange",
    "userPasswordReset",
    "userTwoFactorReset",
    "userDataExport",
    "apiKeyCreate",
    "emailChange",
    "emailVerify",
    "twoFactorSetup",
    "twoFactorEnable",
    "twoFactorDisable",
    "recoveryCodesReplace",
    "signalWebhookCreate",
    "signalWebhookRotate",
    "notificationChannelCreate",
    "notificationChannelSecretRotate",
    "oidcLink",
    "oidcUnlink",
    "loginSessionConfirm",
}
"""What no API key may, whatever its scope."""

OPERATOR_ONLY: Final = {
    "userInvite", "invitationWithdraw", "planCreate", "planUpdate", "planArchive", "userPlanChange",
    "userPlanChangeCancel",
    "userDisable", "userEnable", "userTradingStop", "userRoleChange", "userPasswordReset",
    "userTwoFactorReset", "userSignOut", "engineNodeDrain", "engineNodeResume",
}  # fmt: skip
"""What nobody but an operator may."""

SUBSCRIPTIONS: Final = {
    "marketDepth": "public", "ticker": "public", "trades": "public", "candles": "public", "tickers": "public",
    "marketFeeds": "public", "orderEvents": "private", "events": "private", "jobProgress": "private",
    "positionUpdates": "private", "accountEquity": "private", "tradingSessionMetrics": "private",
}  # fmt: skip

SCOPES: Final = ("READ", "TRADE", "ADMIN")
DEPTH: Final = 1

_SAMPLES: Final = {
    "ID": "bm9ib2R5OjE", "Int": 1, "Float": 1.5, "Boolean": True, "String": "text", "Decimal": "1",
    "DateTime": "2026-01-01T00:00:00Z", "MarketSymbol": "sandbox:BTC/USDT", "Sequence": "1",
}  # fmt: skip
_NAMED: Final = {
    "email": "somebody.new@example.com", "password": "correct horse battery", "venue": "sandbox", "kind": "PAPER",
    "idempotencyKey": "key", "to": "2026-01-02T00:00:00Z", "enterLong": "close > 1", "currency": "USDT",
    "scopes": ["READ"],
}  # fmt: skip
_NESTED: Final = {"definition": {"enterLong": "close > 1", "sizing": {"quoteAmount": "100"}}}
"""What inputs are filled with whose types alone would not do."""


def fields_of(type_name: str) -> dict[str, GraphQLField]:
    """Return the fields of an object or interface type of the schema."""
    type_ = SCHEMA.type_map[type_name]
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    return type_.fields


def selection(type_: GraphQLNamedType, depth: int = DEPTH) -> str:
    """Return a selection of all that can be asked of a type without further ids, so many levels of objects deep."""
    if isinstance(type_, GraphQLUnionType):
        return " ".join(
            ["__typename", *(f"... on {member.name} {{ {selection(member, depth)} }}" for member in type_.types)]
        )
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    parts = ["__typename"]
    if isinstance(type_, GraphQLInterfaceType) and depth:
        parts += [
            f"... on {possible.name} {{ {selection(possible, depth - 1)} }}"
            for possible in SCHEMA.get_possible_types(type_)
        ]
        return " ".join(parts)
    for name, field in type_.fields.items():
        parts += calls(f"{type_.name}_{name}", name, field, depth)
    return " ".join(parts)


def calls(alias: str, name: str, field: GraphQLField, depth: int) -> list[str]:
    """Return how a field is asked for, under an alias; nothing where there is nothing to select at this depth."""
    type_ = get_named_type(field.type)
    arguments = [f"{key}: {literal(key, one.type)}" for key, one in field.args.items() if is_required_argument(one)]
    if type_.name.endswith("Connection"):
        arguments.append("first: 5")
    call = f"{alias}: {name}" + (f"({', '.join(arguments)})" if arguments else "")
    if is_leaf_type(type_):
        return [call]
    if type_.name in PUBLIC_NODES:
        return [f"{call} {{ id }}"]
    if depth <= 0 and type_.name != "PageInfo":
        return [f"{call} {{ id }}"] if "id" in getattr(type_, "fields", {}) else []
    below = depth if type_.name.endswith(("Connection", "Edge")) else depth - 1
    return [f"{call} {{ {selection(type_, below)} }}"]


def literal(name: str, type_: GraphQLInputType) -> str:
    """Return a value of the type, as it is written in a document."""
    return written(sample(name, type_, {}), type_)


def written(value: Any, type_: GraphQLInputType) -> str:
    """Write a value as GraphQL does: enums and the keys of objects have no quotation marks."""
    inner, named = get_nullable_type(type_), get_named_type(type_)
    if is_list_type(inner):
        return f"[{', '.join(written(item, inner.of_type) for item in value)}]"  # type: ignore[union-attr]
    if isinstance(named, GraphQLInputObjectType):
        return f"{{{', '.join(f'{key}: {written(one, named.fields[key].type)}' for key, one in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(named, GraphQLEnumType) or isinstance(value, int) else f'"{value}"'


def sample(name: str, type_: GraphQLInputType, ids: dict[str, str]) -> Any:
    """Return a value for an argument or input field; `ids` are used where they fit its name."""
    inner, named = get_nullable_type(type_), get_named_type(type_)
    if name in _NESTED:
        return _NESTED[name]
    if is_list_type(inner) and name not in _NAMED:
        return [sample(name, inner.of_type, ids)]  # type: ignore[union-attr]
    if isinstance(named, GraphQLInputObjectType):
        return _object(named, ids)
    known = _NAMED.get(name)
    if isinstance(named, GraphQLEnumType) and not isinstance(known, list) and known not in named.values:
        return next(iter(named.values))
    return ids.get(name) or known or _SAMPLES[named.name]


def _object(type_: GraphQLInputObjectType, ids: dict[str, str]) -> dict[str, Any]:
    fields = type_.fields
    if type_.extensions["strawberry-definition"].is_one_of:
        name = next((name for name in ids if name in fields), next(iter(fields)))
        return {name: sample(name, fields[name].type, ids)}
    names = {name for name, field in fields.items() if is_required_input_field(field) or name in ids}
    if type_.name == "AccountCreateInput":
        names.add("balances")
    return {name: sample(name, fields[name].type, ids) for name in fields if name in names}


def mutation(name: str, ids: dict[str, str]) -> str:
    """Return a document that calls a mutation on these ids (by the names of arguments and input fields)."""
    return f"mutation {{ {_call('Mutation', name, ids)} {{ {_selected('Mutation', name)} }} }}"


def preview(name: str, ids: dict[str, str]) -> str:
    """Return a document that asks what a mutation would do to these ids."""
    return f"{{ {_call('Query', name, ids)} {{ errors {{ code }} {_selected('Query', name)} }} }}"


def _call(root: str, name: str, ids: dict[str, str]) -> str:
    def given(key: str, one: GraphQLArgument) -> str:
        return f"{key}: {written(sample(key, one.type, ids), one.type)}"

    arguments = ", ".join(given(key, one) for key, one in fields_of(root)[name].args.items())
    return f"{name}({arguments})" if arguments else name


def _selected(root: str, name: str) -> str:
    return selection(get_named_type(fields_of(root)[name].type), 1)


def leaves(data: Any) -> Iterator[str]:
    """Yield every text and number in an answer."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key != "__typename":
                yield from leaves(value)
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value)
    elif isinstance(data, str | int | float) and not isinstance(data, bool):
        yield str(data)
