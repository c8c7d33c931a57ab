"""The authorisation matrix: a victim with an object of every type, others who ask for them, and their answers."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from graphql import ExecutionResult, get_named_type, is_required_argument

from domain.model.notifications import ChannelDelivery, DeliveryStatus
from domain.model.oidc import LinkedIdentity
from domain.model.orders import OrderStatus
from domain.model.plans import STANDARD_PLAN, PlanChange, PlanChangeSource
from domain.model.trading import AccountTransfer, TransferKind
from domain.model.users import ApiScope, LoginSession, User, UserRole
from domain.users.authentication import Authenticator
from infra.embedded.cache import EmbeddedCache
from resolvers.context import RequestContext
from resolvers.ids import decode_id, encode_id
from resolvers.services import ENGINE_KEY
from schema.common.errors import public_error
from tests.support import authorisation as rules
from tests.support.api import SCHEMA, Api
from tests.support.orders import BTC, a_market
from tests.support.reporting import report_worker
from tests.support.trading import new_account, new_strategy, new_version

PASSWORD, ADDRESS = "correct horse battery", "192.0.2.9"
MARK = "zyxwvuts"
"""Stands in every text of the victim's, and is too long for a random token to hold it."""

_REFUSED_WITHIN_SECONDS = 10.0
"""A stream that isn't refused waits for ever; a refusal needs no time to speak of on however slow a machine."""

_SCHEDULE = f'{{name: "{MARK} daily", scope: {{everything: true}}, recurrence: {{daily: {{hour: 7}}}}}}'
_BACKTEST = (
    f'{{market: "{BTC}", timeframe: H1, from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z", '
    f'initialEquity: "93571.13579", definition: {{enterLong: "close > 93.95723", sizing: {{quoteAmount: "100"}}}}}}'
)
_OPTIMIZATION = (
    f'{{trials: 7, seed: 935713, backtest: {{market: "{BTC}", timeframe: H1, from: "2026-01-01T00:00:00Z", '
    f'to: "2026-02-01T00:00:00Z", initialEquity: "93571.13579", definition: {{enterLong: "sma(close, n) > 93.95723", '
    f'parameters: [{{name: "n", default: "5", min: "2", max: "9"}}], sizing: {{quoteAmount: "100"}}}}}}}}'
)
_IDENTIFYING = re.compile(r"\d\.\d{4,}|\d{6,}|\d{4}-\d\d-\d\dT.*\.\d{3}")
"""Amounts, counts and times that nobody else has by chance."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass
class Role:
    """Who asks; `scope` is the most that the credential may, None where there is none that is good."""

    name: str
    scope: str | None
    context: Callable[[], RequestContext]
    is_operator: bool = False

    @property
    def is_signed_in(self) -> bool:
        """Whether it acts by a login session."""
        identity = self.context().identity
        return identity is not None and identity.is_login_session


@dataclass
class Matrix:
    """What is tried against one engine, and all that went wrong."""

    api: Api
    victim: User
    roles: list[Role]
    own_ids: dict[str, str]
    """Ids of things that those who ask have themselves, by the names of inputs."""

    invitation: str
    """The global id of an invitation."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    """The victim's global ids by type."""

    markers: set[str] = field(default_factory=set)
    cursors: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    cells: int = 0

    async def run(self, *, to_the_first: bool = False) -> list[str]:
        """Try everything, or go on to the first finding, and return what went wrong."""
        before = await self.fingerprint()
        for role in self.roles:
            for part in (
                self._nodes,
                self._viewer,
                self._administration,
                self._public,
                self._previews,
                self._mutations,
                self._subscriptions,
            ):
                await part(role)
                if to_the_first and self.findings:
                    return self.findings
        changed = [table for table, rows in (await self.fingerprint()).items() if rows != before[table]]
        self.findings += [f"the victim's rows of {table} changed" for table in changed]
        return self.findings

    # ---- asking

    async def answer(self, role: Role, document: str, **variables: Any) -> dict[str, Any]:
        """Return the answer to the role; anything of the victim's in it is a finding."""
        self.cells += 1
        result = await SCHEMA.execute(document, variables, role.context())
        return self._seen(
            role, document, {"data": result.data, "errors": [public_error(e) for e in result.errors or ()]}
        )

    def _seen(self, role: Role, document: str, result: dict[str, Any]) -> dict[str, Any]:
        leaked = self._leaks(result, document)
        if leaked:
            self.findings.append(f"{role.name} receives {sorted(leaked)[:3]} from {document[:80]}")
        codes = {error["extensions"]["code"] for error in result["errors"]}
        if "INTERNAL" in codes:
            self.findings.append(f"{role.name} makes an internal error by {document[:200]}")
        return result

    def _leaks(self, result: dict[str, Any], document: str) -> set[str]:
        values = set(rules.leaves(result["data"])) | {error["message"] for error in result["errors"]}
        text = json.dumps(result["errors"])
        found = values & self.markers | {marker for marker in self.markers if marker in text and marker not in document}
        return {value for value in found if value not in document} | {value for value in values if MARK in value}

    # ---- what is tried

    async def _nodes(self, role: Role) -> None:
        for type_name, ids in self.ids.items():
            fragment = f"... on {type_name} {{ {rules.selection(rules.SCHEMA.type_map[type_name], 0)} }}"
            many = await self.answer(role, f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {fragment} }} }}", ids=ids)
            one = await self.answer(role, f"query($id: ID!) {{ node(id: $id) {{ {fragment} }} }}", id=ids[0])
            found = [node for node in [*many["data"]["nodes"], one["data"]["node"]] if node is not None]
            if found:
                self.findings.append(f"{role.name} finds the victim's {type_name}")

        invitation = rules.selection(rules.SCHEMA.type_map["Invitation"], 0)
        document = f"query($id: ID!) {{ node(id: $id) {{ ... on Invitation {{ {invitation} }} }} }}"
        found = await self.answer(role, document, id=self.invitation)
        if (found["data"]["node"] is not None) != role.is_operator:
            self.findings.append(f"{role.name} gets {found} for an invitation, which operators alone may see")

    async def _viewer(self, role: Role) -> None:
        user = rules.SCHEMA.type_map["User"]
        result = await self.answer(role, f"{{ viewer {{ {rules.selection(user)} }} }}")
        if (result["data"]["viewer"] is None) != (role.scope is None):
            self.findings.append(f"{role.name} is taken for somebody else")
        for name, definition in rules.fields_of("User").items():
            for argument in {"account", "tradingSession", "strategy"} & definition.args.keys():
                foreign = self.ids[argument[0].upper() + argument[1:]][0]
                document = f"query($id: ID!) {{ viewer {{ {name}({argument}: $id, first: 5) {{ nodes {{ id }} }} }} }}"
                result = await self.answer(role, document, id=foreign)
                if result["data"] and result["data"]["viewer"] and result["data"]["viewer"][name]["nodes"]:
                    self.findings.append(f"{role.name} lists {name} by the victim's {argument}")
            if "after" in definition.args:
                for cursor in self.cursors:
                    document = f"query($c: String) {{ viewer {{ {name}(after: $c) {{ nodes {{ id }} }} }} }}"
                    await self.answer(role, document, c=cursor)

    async def _administration(self, role: Role) -> None:
        """See that operators alone find users, by a list or an id, and find no more of them than that."""
        id_ = encode_id("ManagedUser", self.victim.id)
        depth = rules.DEPTH + 1
        (field,) = rules.calls("administration", "administration", rules.fields_of("Query")["administration"], depth)
        by_id = f"node(id: $id) {{ ... on ManagedUser {{ {rules.selection(rules.SCHEMA.type_map['ManagedUser'])} }} }}"
        for document in (f"{{ {field} }}", f"query($id: ID!) {{ {by_id} }}"):
            self.cells += 1
            result = await SCHEMA.execute(document, {"id": id_}, role.context())
            shown = {"data": result.data, "errors": [public_error(error) for error in result.errors or ()]}
            found = any(value is not None for value in (shown["data"] or {}).values())
            if found != role.is_operator:
                self.findings.append(f"{role.name} {'finds' if found else 'misses'} users by {document[:60]}")
            # Who it is, when they registered and did something, and which plan they have, is what operators see.
            seen = {value for value in self._leaks(shown, document) if not _MOMENT.fullmatch(value)}
            open_to_them = {id_, self.victim.email, f"{MARK} name", f"{MARK} plan"}
            if leaked := seen - {*open_to_them, *self.ids["Activity"], *self.ids["PlanChange"]}:
                self.findings.append(f"{role.name} receives {sorted(leaked)[:3]} of a user by {document[:60]}")

    async def _public(self, role: Role) -> None:
        for name, kind in rules.QUERIES.items():
            if kind not in {"public", "operators"} or name == "administration":  # which `_administration` asks for
                continue
            (call,) = rules.calls(name, name, rules.fields_of("Query")[name], 1)
            result = await self.answer(role, f"{{ {call} }}")
            if kind == "operators" and (result["data"][name] is not None) != role.is_operator:
                self.findings.append(f"{role.name} gets {result} from {name}, which is for operators alone")

    async def _previews(self, role: Role) -> None:
        """See that what a mutation would do is only told to who may do it, and nothing of what is the victim's."""
        for name, (scope, type_name) in rules.PREVIEWS.items():
            foreign = self.ids[type_name][0]
            document = rules.preview(name, {type_name[0].lower() + type_name[1:]: foreign, "id": foreign})
            result = await self.answer(role, document)
            codes = [error["extensions"]["code"] for error in result["errors"]]
            if role.scope is None or rules.SCOPES.index(role.scope) < rules.SCOPES.index(scope):
                expected = ["UNAUTHENTICATED" if role.scope is None else "FORBIDDEN"]
                if codes != expected:
                    self.findings.append(f"{role.name} gets {codes} and not {expected} from {name}")
                continue
            answer = result["data"][name]
            if [error["code"] for error in answer["errors"]] != ["NOT_FOUND"] or answer["OrderPreview_estimate"]:
                self.findings.append(f"{role.name} learns of the victim's {type_name} by {name}: {answer}")

    async def _mutations(self, role: Role) -> None:
        for name, (scope, types) in rules.MUTATIONS.items():
            if scope == "anybody":
                continue
            for ids in self._targets(types):
                if role.is_operator and name in rules.OPERATOR_ONLY:
                    continue  # an operator may
                if role.is_operator and ids.get("id", "") in {*self.ids["User"], encode_id("Engine", ENGINE_KEY)}:
                    continue  # an operator may halt anybody, and the engine
                await self._revive(role)
                result = await self.answer(role, rules.mutation(name, ids))
                self._check_mutation(role, name, scope, result, is_foreign=bool(ids))

    async def _revive(self, role: Role) -> None:
        """Undo what a role has ended for itself, and for others of its user: a mutation asks again who acts."""
        identity = role.context().identity
        if role.scope is None or identity is None:
            return
        for table in ("login_sessions", "api_keys"):
            query = f"UPDATE {table} SET revoked_at = NULL WHERE id = $1"
            await self.api.harness.pool.execute(query, identity.credential_id)

    def _targets(self, types: tuple[str, ...]) -> list[dict[str, str]]:
        """Return what the ids of a mutation may be filled with: each of them the victim's, the others one's own."""
        if not types:
            return [{}]
        own = {name: one for name, one in self.own_ids.items() if name[0].upper() + name[1:] in types}
        found = []
        for type_name in types:
            foreign = self.ids[type_name][0]
            name = type_name[0].lower() + type_name[1:]
            # The foreign one first: inputs that take one of several take it.
            found.append({name: foreign, **{key: one for key, one in own.items() if key != name}, "id": foreign})
        return [*found, {"id": encode_id("Engine", ENGINE_KEY)}] if "User" in types else found

    def _check_mutation(self, role: Role, name: str, scope: str, result: dict[str, Any], *, is_foreign: bool) -> None:
        codes = [error["extensions"]["code"] for error in result["errors"]]
        payload = result["data"][name] if result["data"] else None
        if role.scope is None:
            expected = "UNAUTHENTICATED"
        elif (
            rules.SCOPES.index(role.scope) < rules.SCOPES.index(scope)
            or (name in rules.LOGIN_ONLY and not role.is_signed_in)
            or (name in rules.OPERATOR_ONLY and not role.is_operator)
        ):
            expected = "FORBIDDEN"
        else:
            if not is_foreign and {"FORBIDDEN", "UNAUTHENTICATED"} & set(codes):
                self.findings.append(f"{role.name} may not {name}, which needs {scope}: {codes}")
            elif is_foreign and payload is not None and not _errors(payload):
                self.findings.append(f"{role.name} does {name} to what is the victim's")
            return
        if codes != [expected]:
            self.findings.append(f"{role.name} gets {codes or payload} and not {expected} from {name}")

    async def _subscriptions(self, role: Role) -> None:
        for name in (name for name, kind in rules.SUBSCRIPTIONS.items() if kind == "private"):
            arguments = rules.fields_of("Subscription")[name].args
            for key in (key for key, one in arguments.items() if get_named_type(one.type).name == "ID"):
                foreign = self.ids["Job" if key == "id" else key[0].upper() + key[1:]][0]
                await self._expect_refusal(role, f'subscription {{ {name}({key}: "{foreign}") {{ __typename }} }}')
            for cursor in self.cursors if "after" in arguments else ():
                await self._expect_refusal(role, f'subscription {{ {name}(after: "{cursor}") {{ __typename }} }}')
            if role.scope is None and not any(is_required_argument(argument) for argument in arguments.values()):
                await self._expect_refusal(role, f"subscription {{ {name} {{ __typename }} }}")
        if role.scope is not None and not self.findings:  # who was let in where nobody may be gets no further
            await self._live(role)

    async def _expect_refusal(self, role: Role, document: str) -> None:
        self.cells += 1
        results = await SCHEMA.subscribe(document, {}, role.context())
        if not isinstance(results, ExecutionResult):
            async with aclosing(results) as stream:
                try:
                    async with asyncio.timeout(_REFUSED_WITHIN_SECONDS):
                        results = await anext(stream)
                except TimeoutError:
                    self.findings.append(f"{role.name} may wait for events of {document[:80]}")
                    return
        errors = [public_error(error) for error in results.errors or ()]
        self._seen(role, document, {"data": results.data, "errors": errors})
        if not errors:
            self.findings.append(f"{role.name} is not refused {document[:80]}")

    async def _live(self, role: Role) -> None:
        """See that the first event after the own cursor is the role's own, though the victim's come before it."""
        head = "{ viewer { eventCursor } }"
        start = (await self.answer(role, head))["data"]["viewer"]["eventCursor"]
        rename = "mutation($n: String!) { userUpdate(input: {displayName: $n}) { errors { code } } }"
        for name, context in ((f"{MARK} name", self.api.context(self.victim)), ("other", self._full(role))):
            named = await SCHEMA.execute(rename, {"n": name}, context)
            assert not named.errors, named.errors
        document = "subscription($c: String) { events(after: $c) { cursor } }"
        results = await SCHEMA.subscribe(document, {"c": start}, role.context())
        assert not isinstance(results, ExecutionResult)
        async with aclosing(results) as stream:
            event = await anext(stream)
        own = (await self.answer(role, head))["data"]["viewer"]["eventCursor"]
        if event.errors or event.data["events"]["cursor"] != own:
            self.findings.append(f"{role.name} receives an event of the victim's")

    def _full(self, role: Role) -> RequestContext:
        identity = role.context().identity
        assert identity is not None
        return self.api.context(identity.user)

    # ---- the victim

    async def look(self) -> None:
        """Read all that is the victim's as the victim, and remember what no other user may receive."""
        context = self.api.context(self.victim)
        viewer = rules.selection(rules.SCHEMA.type_map["User"])
        result = await self.api.run(f"{{ viewer {{ {viewer} }} }}", context)
        values = set(rules.leaves(result))
        self._collect(values)
        for type_name, ids in tuple(self.ids.items()):
            fragment = f"... on {type_name} {{ {rules.selection(rules.SCHEMA.type_map[type_name])} }}"
            result = await self.api.run(
                f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {fragment} }} }}", context, ids=ids
            )
            assert all(result["nodes"]), f"the victim can't read the own {type_name}"
            values |= set(rules.leaves(result))
            self._collect(set(rules.leaves(result)))
        own_ids = {id_ for ids in self.ids.values() for id_ in ids}
        limits_of_all = {str(limit) for limit in asdict(STANDARD_PLAN).values()}
        self.markers = own_ids | {
            value for value in values - limits_of_all if MARK in value or _IDENTIFYING.search(value)
        }
        cursors = await self.api.run("{ viewer { eventCursor orders(first: 1) { pageInfo { endCursor } } } }", context)
        self.cursors = [cursors["viewer"]["eventCursor"], cursors["viewer"]["orders"]["pageInfo"]["endCursor"]]

    def _collect(self, values: set[str]) -> None:
        for value in values:
            parts = decode_id(value) if len(value) > 12 else None
            if parts is not None and parts[0] in rules.PRIVATE_NODES and value not in self.ids.get(parts[0], []):
                self.ids.setdefault(parts[0], []).append(value)

    async def fingerprint(self) -> dict[str, str]:
        """Return all of the victim's rows by table, but what is written when the matrix itself lets the victim act."""
        pool, found = self.api.harness.pool, {}
        tables = await pool.fetch(
            "SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND column_name = 'user_id' AND table_name NOT IN ('user_event_heads', 'activities') "
            "AND table_name NOT LIKE 'user_events%'"
        )
        for table in (row["name"] for row in tables):
            query = (
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t WHERE user_id = $1"
            )
            found[table] = await pool.fetchval(query, self.victim.id)
        return found


def _errors(payload: dict[str, Any]) -> list[Any]:
    return next(value for name, value in payload.items() if name.endswith("_errors"))


async def seeded(api: Api) -> Matrix:
    """Give the harness's user something of everything, and all roles somebody who has it."""
    harness, victim = api.harness, api.harness.user
    await harness.start()
    for number in range(2):
        resting = await harness.limit(f"{MARK}-limit-{number}", price="91.73", quantity=Decimal("1.15973"))
        assert resting.status is OrderStatus.OPEN
    filled = await harness.place(f"{MARK}-market", quantity=Decimal("2.71937"))
    await harness.until(filled.id, OrderStatus.FILLED)
    session = await api.session()
    now = datetime.now(UTC)
    transfer_of = (harness.ids.next_id(), victim.id, harness.account.id, TransferKind.DEPOSIT, "USDT")
    in_an_hour = now + timedelta(hours=1)
    async with harness.database.transaction() as transaction:
        await transaction.transfers.add(AccountTransfer(*transfer_of, Decimal("777.13579"), now, f"{MARK}-1"))
        signal = api._world().signal(trading_session_id=session.id, price=Decimal("93.95723"), reason=f"{MARK} reason")
        await transaction.trading_sessions.add_signal(signal)
        login_session = LoginSession(harness.ids.next_id(), victim.id, now, now, in_an_hour)
        await transaction.users.add_login_session(login_session, b"hash of the victim's token")
        change = PlanChange(harness.ids.next_id(), victim.id, None, now, now, PlanChangeSource.OPERATOR, f"{MARK} plan")
        await transaction.plans.add_change(change)
        identity = LinkedIdentity(
            harness.ids.next_id(), victim.id, "example", "https://login.example.com", f"{MARK}-subject", None, now
        )
        assert await transaction.oidc.add(identity)
    context = api.context(victim)
    for call in (
        f'apiKeyCreate(input: {{name: "{MARK} key", scopes: [READ]}})',
        f'userUpdate(input: {{displayName: "{MARK} name"}})',
        f'signalWebhookCreate(input: {{tradingSession: "{encode_id("TradingSession", session.id)}", name: "{MARK}"}})',
        f'reportGenerate(input: {{scope: {{account: "{api.account}"}}}})',
        f'notificationChannelCreate(input: {{kind: WEBHOOK, name: "{MARK} hook", url: "https://{MARK}.example/hook"}})',
        f'alertCreate(input: {{name: "{MARK} alert", condition: {{orderInDoubt: {{account: "{api.account}"}}}}}})',
        f"reportScheduleCreate(input: {_SCHEDULE})",
        "userDataExport",
        f"backtestRun(input: {_BACKTEST})",
        f"optimizationRun(input: {_OPTIMIZATION})",
    ):
        await api.run(f"mutation {{ {call} {{ errors {{ code }} }} }}", context)
    async with harness.database.transaction() as transaction:
        (channel,) = await transaction.channels.list_of_user(victim.id)
        delivery = ChannelDelivery(
            harness.ids.next_id(), channel.id, victim.id, f"{MARK}-1", now, DeliveryStatus.RETRYING, 1, error=MARK
        )
        await transaction.channels.log_delivery(delivery)
    assert await report_worker(api.database, lambda: {BTC: a_market()}).work_once()
    await harness.kill()  # it writes when it is done reconciling, say
    roles = await _roles(api)
    invited = await api.services.invitations.invite_by_machine("invited@example.com", UserRole.USER, None)
    invitation = encode_id("Invitation", invited.invitation.id)
    matrix = Matrix(api, victim, roles, await _own_ids(api, roles), invitation)
    await matrix.look()
    # What a mutation is tried on is the first of its type: an order that could be cancelled, not one that is filled.
    matrix.ids["Order"].sort(key=lambda order_id: order_id != encode_id("Order", resting.id))
    return matrix


async def _own_ids(api: Api, roles: list[Role]) -> dict[str, str]:
    """Give the other user an account and a strategy, so that one foreign id stands alone among own ones."""
    (identity,) = [role.context().identity for role in roles if role.name == "another user"]
    assert identity is not None
    now = datetime.now(UTC)
    account = new_account(identity.user.id, created_at=now)
    strategy = new_strategy(identity.user.id, created_at=now)
    version = new_version(strategy, created_at=now)
    async with api.database.transaction() as transaction:
        await transaction.accounts.add(account, b"sealed")
        await transaction.strategies.add(strategy, version)
    return {"account": encode_id("Account", account.id), "strategyVersion": encode_id("StrategyVersion", version.id)}


async def _roles(api: Api) -> list[Role]:
    """Return all roles that must receive nothing, each recognised by a real credential."""
    authenticator = Authenticator(api.database, EmbeddedCache(api.harness.clock), api.harness.bus, api.harness.clock)
    users, keys = api.services.users, api.services.api_keys

    async def role(name: str, token: str, scope: str | None, *, is_operator: bool = False) -> Role:
        identity = await authenticator.identify(token)
        assert (identity is None) == (scope is None)
        return Role(name, scope, lambda: RequestContext(api.services, identity, ADDRESS), is_operator=is_operator)

    other = await users.register("other@example.com", PASSWORD, None, ADDRESS)
    identity = await authenticator.identify(other.token)
    assert identity is not None
    ended = await users.login("other@example.com", PASSWORD, ADDRESS)
    ended_identity = await authenticator.identify(ended.token)
    assert ended_identity is not None
    operator = await users.register("operator@example.com", PASSWORD, None, ADDRESS)
    async with api.database.transaction() as transaction:
        await transaction.users.set_role("operator@example.com", UserRole.OPERATOR)
    await users.logout(ended_identity)
    await authenticator.revoke([ended_identity.credential_id])
    roles = [
        await role("a stranger", "", None),
        await role("a made-up token", "r3s_" + "a" * 43, None),
        await role("an ended token", ended.token, None),
        await role("another user", other.token, "ADMIN"),
        await role("an operator", operator.token, "ADMIN", is_operator=True),
    ]
    for scope in rules.SCOPES:
        _, secret = await keys.create(identity, scope, frozenset({ApiScope(scope)}), None)
        roles.append(await role(f"another user's {scope} key", secret, scope))
    return roles
