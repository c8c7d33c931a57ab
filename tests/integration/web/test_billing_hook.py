"""A billing system's events: only those that it signed, each once, in the order of their times."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.core.errors import ErrorCode, InputError
from domain.core.pagination import KeysetPage
from domain.model.plans import Plan, PlanChangeStatus
from domain.model.users import User
from domain.users.billing import BillingEvent, BillingService
from domain.users.plans import PlanRequest, PlanService
from domain.users.request_rates import RequestRates
from infra.clock import TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.outgoing.webhook import signature
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.web.billing_hook import BILLING_PATH, MAX_EVENT_BYTES, BillingHookRoute
from resolvers.ids import encode_id
from tests.support.clocks import AdjustableClock
from tests.support.demo_schema import DemoBackend, demo_app
from tests.support.postgres import patient_database
from tests.support.serving import Served, serving
from tests.support.users import stored_user

SECRET, EARLIER, FOREIGN = (f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in range(3))
EMAIL = "ada@example.com"


class Billing:
    """A billing system, the engine's webhook, and a user."""

    def __init__(self, served: Served, database: PostgresDatabase, user: User, clock: AdjustableClock) -> None:
        self.served = served
        self.database = database
        self.user = user
        self.clock = clock
        self.plans = PlanService(database, clock, TimeOrderedIds())
        self._last = 0

    def event(self, plan: object = "pro", seconds: float = 0, **data: object) -> dict[str, Any]:
        """Return an event that occurred so many seconds from now."""
        occurred = datetime.now(UTC) + timedelta(seconds=seconds)
        return {
            "type": "plan.changed",
            "timestamp": occurred.isoformat(),
            "data": {"user": EMAIL, "plan": plan, **data},
        }

    async def send(
        self,
        event: object,
        event_id: str | None = None,
        *,
        secret: str = SECRET,
        sent_at: int | None = None,
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> httpx.Response:
        """Send an event, signed."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._last += 1
        event_id = event_id or f"evt_{self._last}"
        sent_at = int(time.time()) if sent_at is None else sent_at
        signed = {
            "webhook-id": event_id,
            "webhook-timestamp": str(sent_at),
            "webhook-signature": signature(secret, event_id, sent_at, body),
            **(headers or {}),
        }
        async with self.served.client() as client:
            return await client.request(method, BILLING_PATH, content=body, headers=signed)

    async def applied(self, event: object, event_id: str | None = None) -> str:
        """Send an event that must be taken; return the status of what it decided."""
        answer = await self.send(event, event_id)
        assert answer.status_code == 200, answer.text
        return answer.json()["planChange"]["status"]

    async def plan(self) -> str:
        """Return the name of the user's plan."""
        async with self.database.read_only() as reading:
            return (await reading.plans.of_user(self.user.id)).name

    async def count(self) -> int:
        """Return how many decisions about the user are stored."""
        async with self.database.read_only() as reading:
            return len(await reading.plans.changes(self.user.id, 100))


@pytest.fixture
async def billing(pool: Pool, backend: DemoBackend) -> AsyncIterator[Billing]:
    clock = AdjustableClock()
    database = patient_database(pool, EmbeddedBus(), clock)
    user = await stored_user(database, email=EMAIL)
    rates = RequestRates(EmbeddedCache(clock), clock)
    service = BillingService(database, clock, TimeOrderedIds(), verifies_emails=False)
    route = BillingHookRoute(service, rates, clock, [SECRET, EARLIER])
    async with serving(demo_app(backend, routes=[route])) as served:
        found = Billing(served, database, user, clock)
        for name in ("pro", "basic"):
            await found.plans.create(None, Plan(name))
        yield found
    await database.close()


async def test_a_signed_event_gives_the_user_a_plan_and_is_in_the_activity(billing: Billing) -> None:
    answer = await billing.send(billing.event())
    assert answer.status_code == 200
    change = answer.json()["planChange"]
    assert (change["plan"], change["status"], change["user"]) == (
        "pro", "IN_FORCE", encode_id("User", billing.user.id),
    )  # fmt: skip
    assert await billing.plan() == "pro"
    async with billing.database.read_only() as reading:
        (activity,) = await reading.users.activity(billing.user.id, KeysetPage(5))
    assert (activity.action, activity.author.value) == ("userPlanChange", "BILLING")
    assert await billing.applied(billing.event(None, user=encode_id("User", billing.user.id))) == "IN_FORCE"
    assert await billing.applied(billing.event("basic", user=str(billing.user.id))) == "IN_FORCE"
    assert await billing.plan() == "basic"


async def test_an_event_from_a_time_on_takes_effect_then(billing: Billing) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    assert await billing.applied(billing.event(effectiveAt=later)) == "SCHEDULED"
    assert await billing.plan() == "standard"


async def test_an_earlier_secret_is_accepted_too_and_a_foreign_one_is_not(billing: Billing) -> None:
    assert (await billing.send(billing.event(), secret=EARLIER)).status_code == 200
    refused = await billing.send(billing.event("basic"), secret=FOREIGN)
    assert refused.status_code == 401
    assert refused.json()["errors"][0]["code"] == "UNAUTHENTICATED"
    assert await billing.plan() == "pro"


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-id": "another"},
        {"webhook-id": ""},
        {"webhook-id": "x" * 201},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "now"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA v0,BBBB"},
        {"webhook-signature": "v1," + "A" * 4_000},
    ],
)
async def test_what_is_not_signed_as_it_came_is_refused(billing: Billing, headers: dict[str, str]) -> None:
    assert (await billing.send(billing.event(), headers=headers)).status_code == 401
    assert await billing.count() == 0


async def test_another_body_under_the_same_signature_is_refused(billing: Billing) -> None:
    sent_at, true = int(time.time()), json.dumps(billing.event("basic")).encode()
    forged = {"webhook-signature": signature(SECRET, "evt", sent_at, true)}
    assert (await billing.send(billing.event("pro"), "evt", sent_at=sent_at, headers=forged)).status_code == 401


async def test_a_request_that_was_recorded_is_refused_later_and_changes_nothing_at_once(billing: Billing) -> None:
    event, sent_at = billing.event(), int(time.time())
    assert (await billing.send(event, "evt", sent_at=sent_at)).json()["repeated"] is False
    assert (await billing.send(event, "evt", sent_at=sent_at)).json()["repeated"] is True
    for age in (-400, 400):
        answer = await billing.send(event, "evt", sent_at=sent_at + age)
        assert answer.status_code == 401, "another attempt has a time of its own"
    assert await billing.count() == 1


async def test_an_event_that_comes_several_times_at_once_counts_once(billing: Billing) -> None:
    event = billing.event()
    answers = await asyncio.gather(*(billing.send(event, "evt") for _ in range(8)))
    assert sorted(answer.json()["repeated"] for answer in answers) == [False] + [True] * 7
    assert await billing.count() == 1


async def test_another_event_under_an_id_that_was_used_is_a_conflict(billing: Billing) -> None:
    await billing.applied(billing.event(), "evt")
    answer = await billing.send(billing.event("basic"), "evt")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "CONFLICT")
    other = await stored_user(billing.database, email="bob@example.com")
    answer = await billing.send(billing.event("basic", user=str(other.id)), "evt")
    assert answer.status_code == 409
    assert await billing.plan() == "pro"


async def test_events_that_arrive_out_of_order_end_as_in_order(billing: Billing) -> None:
    newest, middle, oldest = billing.event("pro", -1), billing.event("basic", -2), billing.event(None, -3)
    assert await billing.applied(newest) == "IN_FORCE"
    assert [await billing.applied(event) for event in (oldest, middle)] == ["REPLACED", "REPLACED"]
    assert await billing.plan() == "pro"


async def test_an_operator_s_decision_counts_although_the_billing_clock_is_ahead(billing: Billing) -> None:
    assert await billing.applied(billing.event("pro", 200)) == "IN_FORCE"
    await billing.plans.change(None, billing.user.id, PlanRequest("basic"))
    assert await billing.plan() == "basic"
    assert await billing.applied(billing.event("pro", 100)) == "REPLACED"


async def test_a_clock_that_is_far_ahead_is_refused_and_one_that_is_behind_is_history(billing: Billing) -> None:
    answer = await billing.send(billing.event("pro", 400))
    assert (answer.status_code, answer.json()["errors"][0]["path"]) == (400, ["timestamp"])
    assert "set the clock" in answer.json()["errors"][0]["message"]
    assert await billing.applied(billing.event("pro", -86_400)) == "IN_FORCE"


async def test_what_is_no_event_is_refused_and_of_another_type_is_ignored(billing: Billing) -> None:
    assert (await billing.send({"type": "invoice.paid"})).json() == {"ignored": True}
    bad: list[object] = [
        b"", b"[]", b"{", b"\xff", b"[" * 9_000, {"type": "plan.changed"},
        {**billing.event(), "timestamp": "2026-01-01T00:00:00"},
        {**billing.event(), "data": {"user": EMAIL}}, billing.event(7), billing.event(effectiveAt="soon"),
        billing.event(effectiveAt="9000-01-01T00:00:00Z"), billing.event(user="nonsense"),
        billing.event(user="a\0@example.com"),
    ]  # fmt: skip
    for event in bad:
        answer = await billing.send(event)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "INVALID"), event
    for event, path in (
        (billing.event("none"), ["data", "plan"]),
        (billing.event("a\0"), ["data", "plan"]),
        (billing.event(user="nobody@example.com"), ["data", "user"]),
        (billing.event(user="00000000-0000-0000-0000-000000000000"), ["data", "user"]),
    ):
        answer = await billing.send(event)
        assert (answer.status_code, answer.json()["errors"][0]["path"]) == (404, path)
    assert await billing.count() == 0


async def test_an_event_for_a_user_who_registers_later_is_taken_when_it_comes_again(billing: Billing) -> None:
    event = billing.event(user="new@example.com")
    assert (await billing.send(event, "evt")).status_code == 404
    new = await stored_user(billing.database, email="new@example.com")
    assert await billing.applied(event, "evt") == "IN_FORCE"
    async with billing.database.read_only() as reading:
        assert (await reading.plans.of_user(new.id)).name == "pro"


async def test_where_emails_are_verified_an_event_by_email_waits_for_the_proof_and_one_by_id_does_not(
    billing: Billing,
) -> None:
    service = BillingService(billing.database, billing.clock, TimeOrderedIds(), verifies_emails=True)
    now = billing.clock.now()

    async def apply(event_id: str, user: UUID | str) -> PlanChangeStatus:
        event = BillingEvent(event_id, now, user, "pro", None, event_id.encode())
        return (await service.apply(event)).change.status

    with pytest.raises(InputError, match="verified") as refused:
        await apply("one", EMAIL)
    assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("data", "user"))
    assert await billing.plan() == "standard"
    assert await apply("two", billing.user.id) is PlanChangeStatus.IN_FORCE
    async with billing.database.transaction() as transaction:
        await transaction.users.set_email(billing.user.id, EMAIL, now)
    assert await apply("one", EMAIL.upper()) is PlanChangeStatus.IN_FORCE


async def test_what_is_too_large_and_other_methods_are_refused(billing: Billing) -> None:
    assert (await billing.send(b"x" * (MAX_EVENT_BYTES + 1))).status_code == 413
    get = await billing.send(billing.event(), method="GET")
    assert (get.status_code, get.headers["allow"]) == (405, "POST")


async def test_a_flood_from_one_address_is_refused_before_it_is_read(billing: Billing, backend: DemoBackend) -> None:
    clock = billing.clock
    rates, service = (
        RequestRates(EmbeddedCache(clock), clock),
        BillingService(billing.database, clock, TimeOrderedIds(), verifies_emails=False),
    )
    route = BillingHookRoute(service, rates, clock, [SECRET], per_minute=3)
    async with serving(demo_app(backend, routes=[route])) as billing.served:
        answers = [await billing.send(b"", secret=FOREIGN) for _ in range(7)]  # another minute may begin meanwhile
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert refused[0].json()["errors"][0]["code"] == "RATE_LIMITED"
    assert 1 <= int(refused[0].headers["retry-after"]) <= 60
