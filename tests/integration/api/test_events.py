"""The event log's subscriptions: nothing missed, nothing twice, nobody else's."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import JobStatus
from domain.model.orders import Order, OrderEvent, OrderEventKind, OrderStatus
from domain.model.users import ApiScope
from domain.ports.orders import OrderChange
from domain.rules.order_lifecycle import request_cancel
from domain.trading.halts import HaltRequest
from resolvers import events
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.events import alert, every_subject
from tests.support.reporting import report_worker
from tests.support.scripted_venue import ScriptedVenue
from tests.support.trading import new_user

ORDERS = """subscription($after: String, $account: ID, $session: ID) {
  orderEvents(after: $after, account: $account, tradingSession: $session) {
    cursor sequence at kind reason order { id status revision filledQuantity account { name tradingState } }
    fill { quantity } } }"""
ALL = """subscription($after: String) { events(after: $after) { cursor sequence kind message
  subject { __typename id } fill { quantity } state { __typename ... on OrderState { id status }
    ... on PositionState { id quantity } ... on SignalState { id action } ... on JobState { id kind }
    ... on TradingSessionState { id } ... on AccountState { id tradingState }
    ... on ReportState { id from } ... on Activity { did: action } } } }"""
NOW = """subscription($after: String) { events(after: $after) { kind subject { __typename id } state {
  ... on AccountState { id tradingState current { id tradingState } } ... on OrderState { current { id } }
  ... on PositionState { current { id } } ... on SignalState { current { id } } ... on JobState { current { id } }
  ... on TradingSessionState { current { id } } ... on ReportState { current { id } } } } }"""
FILLED = """subscription($after: String) { orderEvents(after: $after) {
  order { __typename id status current { __typename id status revision } } } }"""
JOB = "subscription($id: ID!) { jobProgress(id: $id) { status progress result { __typename } } }"
HEAD = "{ viewer { eventCursor } }"
CANCEL = "mutation($id: ID!) { orderCancel(id: $id) { order { status } errors { code } } }"


async def head(api: Api) -> str:
    return (await api.run(HEAD))["viewer"]["eventCursor"]


async def begin_log(api: Api) -> None:
    async with api.harness.database.transaction() as transaction:
        transaction.events.append([alert(api.harness.user.id, "the first event")])


async def test_an_order_is_followed_from_a_cursor_to_its_fill_and_replayed_the_same(
    api: Api, venue: ScriptedVenue
) -> None:
    venue.parts = 2
    await api.harness.start()
    start = await head(api)
    async with await api.subscribe(ORDERS, after=start) as stream:
        order = await api.harness.place()
        live = [event["orderEvents"] for event in await stream.take(5)]
    assert [event["kind"] for event in live] == ["PENDING", "SUBMITTED", "ACCEPTED", "FILL", "FILL"]
    assert [event["order"]["filledQuantity"] for event in live] == ["0", "0", "0", "0.5", "1"]
    assert {event["order"]["id"] for event in live} == {encode_id("Order", order.id)}
    assert [int(event["order"]["revision"]) for event in live] == [1, 2, 3, 4, 5]
    first = int(live[0]["sequence"])
    assert [int(event["sequence"]) for event in live] == list(range(first, first + 5))
    async with await api.subscribe(ORDERS, after=start) as stream:
        assert [event["orderEvents"] for event in await stream.take(5)] == live
    async with await api.subscribe(ORDERS, after=live[2]["cursor"]) as stream:
        assert [event["orderEvents"] for event in await stream.take(2)] == live[3:]


async def test_without_a_cursor_the_open_orders_come_first_and_oldest_first(api: Api) -> None:
    resting = [api.floor_order(status=OrderStatus.OPEN) for _ in range(3)]
    await api.stored(*resting, api.floor_order(status=OrderStatus.FILLED))
    await begin_log(api)
    place = await head(api)
    async with await api.subscribe(ORDERS) as stream:
        received = [event["orderEvents"] for event in await stream.take(3)]
        moving = request_cancel(resting[0], datetime.now(UTC))
        await store_events(api, moving.order, moving.events)
        following = (await stream.next())["orderEvents"]
    assert [event["kind"] for event in received] == ["SNAPSHOT"] * 3
    assert [event["order"]["id"] for event in received] == [encode_id("Order", order.id) for order in resting]
    assert {event["cursor"] for event in received} == {place}
    assert {event["sequence"] for event in received} == {"1"}
    assert (following["kind"], following["sequence"]) == ("PENDING_CANCEL", "2")
    assert following["order"]["id"] == encode_id("Order", resting[0].id)


async def test_events_in_the_snapshot_are_not_sent_again_and_later_ones_are(api: Api) -> None:
    """Moves an order between the reading of the log's head and that of the open orders."""
    order = api.floor_order(status=OrderStatus.OPEN, revision=3)
    await api.stored(order)
    context = api.context(api.harness.user)
    streams, start = api.services.events, await api.services.events.start(api.harness.user.id, None)
    moving = request_cancel(order, datetime.now(UTC))
    await store_events(api, moving.order, moving.events)

    class Late:
        """The log, whose head was read before the order moved."""

        async def start(self, *_: object) -> object:
            return start

        def __getattr__(self, name: str) -> object:
            return getattr(streams, name)

    context.services = replace(api.services, events=Late())
    source = await events.order_events(context, None, None, None)
    snapshot = await anext(source)
    assert (snapshot.kind, snapshot.order.revision) == (OrderEventKind.SNAPSHOT, 4)
    ended = moving.order.changed(datetime.now(UTC), status=OrderStatus.CANCELED)
    await store_events(api, ended, (OrderEvent(OrderEventKind.CANCELED, ended),))
    step = await anext(source)
    assert (step.kind, step.sequence, step.order.revision) == (OrderEventKind.CANCELED, 2, 5)
    await source.aclose()


async def store_events(api: Api, order: Order, order_events: tuple[OrderEvent, ...]) -> None:
    async with api.harness.database.transaction() as transaction:
        before = await transaction.orders.get_for_update(order.id)
        assert before is not None
        transaction.orders.write([OrderChange(before, order)])
        transaction.events.append(
            [NewEvent(api.harness.user.id, datetime.now(UTC), UserEventKind.ORDER, event) for event in order_events]
        )


async def test_there_is_no_cursor_to_resume_from_until_the_snapshot_is_complete(api: Api) -> None:
    await api.stored(*(api.floor_order(status=OrderStatus.OPEN) for _ in range(2)))
    await begin_log(api)
    source = await events.order_events(api.context(api.harness.user), None, None, None)
    assert source.cursor is None
    await anext(source)
    assert source.cursor is None
    step = await anext(source)
    assert source.cursor == step.cursor == await head(api)
    await source.aclose()


async def test_events_can_be_limited_to_one_account_or_session(api: Api) -> None:
    session = await api.session()
    by_hand = api.floor_order(status=OrderStatus.OPEN)
    by_session = api.floor_order(status=OrderStatus.OPEN, trading_session_id=session.id)
    await api.stored(by_hand, by_session)
    async with await api.subscribe(ORDERS, session=encode_id("TradingSession", session.id)) as stream:
        assert (await stream.next())["orderEvents"]["order"]["id"] == encode_id("Order", by_session.id)
        for order in (by_hand, by_session):
            moving = request_cancel(order, datetime.now(UTC))
            await store_events(api, moving.order, moving.events)
        event = (await stream.next())["orderEvents"]
    assert (event["kind"], event["order"]["id"]) == ("PENDING_CANCEL", encode_id("Order", by_session.id))
    async with await api.subscribe(ORDERS, account=api.account) as stream:
        assert len(await stream.take(2)) == 2


async def test_an_account_or_session_that_is_not_ones_own_is_not_found(api: Api) -> None:
    theirs = api.context(await api.another_user())
    for given in ("x", api.account, encode_id("Account", "x"), encode_id("Order", new_user().id)):
        assert await api.refused(ORDERS, theirs, account=given) == "NOT_FOUND"
        assert await api.refused(ORDERS, theirs, session=given) == "NOT_FOUND"


async def test_a_caller_who_is_not_signed_in_receives_no_events(api: Api) -> None:
    for query, variables in ((ORDERS, {}), (ALL, {}), (JOB, {"id": "x"})):
        assert await api.refused(query, api.context(None), **variables) == "UNAUTHENTICATED"


async def test_cursors_that_cannot_be_used_are_refused(api: Api) -> None:
    stranger = api.context(await api.another_user())
    mine = await head(api)
    for query in (ORDERS, ALL):
        assert await api.refused(query, after="x") == "INVALID"
        assert await api.refused(query, stranger, after=mine) == "INVALID"


async def test_another_users_events_are_never_sent(api: Api) -> None:
    stranger = await api.another_user()
    theirs = api.context(stranger, [ApiScope.READ])
    start = (await api.run(HEAD, theirs))["viewer"]["eventCursor"]
    await begin_log(api)
    async with api.harness.database.transaction() as transaction:
        transaction.events.append([alert(stranger.id, "theirs")])
    async with await api.subscribe(ALL, theirs, after=start) as stream:
        event = (await stream.next())["events"]
    assert (event["message"], event["sequence"]) == ("theirs", "1")


async def test_every_event_in_the_log_is_sent_with_its_object(api: Api) -> None:
    user = api.harness.user
    subjects = every_subject(user.id)
    async with api.harness.database.transaction() as transaction:
        transaction.events.append(
            [NewEvent(user.id, datetime.now(UTC), UserEventKind.ACTIVITY, subject, "message") for subject in subjects]
        )
        transaction.events.append([alert(user.id, "look")])
    zero = await beginning(api)
    async with await api.subscribe(ALL, after=zero) as stream:
        received = [event["events"] for event in await stream.take(len(subjects) + 1)]
    kinds = ["Order", "Order", "Position", "Signal", "TradingSession", "Account", "Job", "Report"]
    names = [*(f"{kind}State" for kind in kinds), "Activity", None]
    assert [(event["state"] or {}).get("__typename") for event in received] == names
    assert [event["fill"] is not None for event in received] == [True, *[False] * len(subjects)]
    assert [int(event["sequence"]) for event in received] == list(range(1, len(received) + 1))
    assert (received[-1]["kind"], received[-1]["message"]) == ("ALERT", "look")


async def beginning(api: Api) -> str:
    """Return the cursor before the first event."""
    start = await api.services.events.head(api.harness.user.id)
    return events.encode_event_cursor(replace(start, sequence=0))


async def test_fields_below_an_event_are_read_at_the_time_of_the_event(api: Api) -> None:
    order = api.floor_order(status=OrderStatus.OPEN)
    await api.stored(order)
    halt = "mutation($id: ID!) { tradingHalt(id: $id, input: {cancelOrders: false}) { errors { code } } }"
    async with await api.subscribe(ORDERS) as stream:
        before = (await stream.next())["orderEvents"]["order"]["account"]["tradingState"]
        await api.run(halt, id=api.account)
        moving = request_cancel(order, datetime.now(UTC))
        await store_events(api, moving.order, moving.events)
        after = (await stream.next())["orderEvents"]["order"]["account"]["tradingState"]
    assert (before, after) == ("ACTIVE", "HALTED")


async def test_a_replayed_order_has_its_old_state_and_its_current_one(api: Api) -> None:
    await api.harness.start()
    start = await head(api)
    order = await api.harness.place()
    async with await api.subscribe(FILLED, after=start) as stream:
        received = [event["orderEvents"]["order"] for event in await stream.take(4)]
    assert [state["status"] for state in received] == ["PENDING", "SUBMITTED", "OPEN", "FILLED"]
    assert {state["__typename"] for state in received} == {"OrderState"}
    now = {"__typename": "Order", "id": encode_id("Order", order.id), "status": "FILLED", "revision": "4"}
    assert [state["current"] for state in received] == [now] * 4
    assert {state["id"] for state in received} == {now["id"]}


async def test_an_event_shows_its_subject_as_it_is_now_and_its_state_as_it_was(api: Api) -> None:
    start = await head(api)
    halt = "mutation($id: ID!) { tradingHalt(id: $id) { errors { code } } }"
    await api.run(halt, id=api.account)
    await api.run("mutation($id: ID!) { tradingResume(id: $id) { errors { code } } }", id=api.account)
    async with await api.subscribe(NOW, after=start) as stream:
        received = [event["events"] for event in await stream.take(6)]
    accounts = [event for event in received if event["kind"] == "ACCOUNT"]
    assert [event["state"]["tradingState"] for event in accounts] == ["HALTED", "ACTIVE"]
    assert [event["state"]["current"]["tradingState"] for event in accounts] == ["ACTIVE", "ACTIVE"]
    assert [event["state"]["id"] for event in accounts] == [api.account] * 2
    assert [event["subject"] for event in accounts] == [{"__typename": "Account", "id": api.account}] * 2


async def test_a_job_is_followed_to_its_end(api: Api) -> None:
    generate = """mutation($id: ID!) { reportGenerate(input: {scope: {account: $id}}) {
      report { id job { id kind status progress result { id } } } errors { code message } } }"""
    report = (await api.run(generate, id=api.account))["reportGenerate"]["report"]
    job_id = report["job"]["id"]
    assert report["job"]["result"] is None
    async with await api.subscribe(JOB, id=job_id) as stream:
        assert (await stream.next())["jobProgress"] == {"status": "QUEUED", "progress": 0.0, "result": None}
        async with api.harness.database.transaction() as transaction:
            claimed = await transaction.jobs.claim(("report",), "w", 30)
            assert claimed is not None
            job = claimed.job
            assert await transaction.jobs.renew(job.id, "w", 30, 0.5)
        assert (await stream.next())["jobProgress"] == {"status": "RUNNING", "progress": 0.5, "result": None}
        async with api.harness.database.transaction() as transaction:
            done = await transaction.jobs.finish(job.id, JobStatus.SUCCEEDED, "done", datetime.now(UTC))
            transaction.events.append([NewEvent(job.user_id, datetime.now(UTC), UserEventKind.JOB, done)])
        ended = (await stream.next())["jobProgress"]
        assert (ended["status"], ended["result"]) == ("SUCCEEDED", {"__typename": "Report"})
        assert [event async for event in stream.results] == []
    assert await api.refused(JOB, api.context(await api.another_user()), id=job_id) == "NOT_FOUND"
    assert await api.refused(JOB, id=api.account) == "NOT_FOUND"


async def test_a_reader_sees_the_quantity_of_each_fill(api: Api) -> None:
    await api.harness.start()
    start = await head(api)
    await api.harness.place(quantity=Decimal("0.3"))
    async with await api.subscribe(ORDERS, after=start) as stream:
        received = [event["orderEvents"] for event in await stream.take(4)]
    assert [event["fill"] for event in received] == [None, None, None, {"quantity": "0.3"}]


async def test_a_halt_is_an_event_with_what_it_halts_and_so_is_its_end(api: Api) -> None:
    await begin_log(api)
    start, halts, user_id = await head(api), api.services.halts, api.harness.user.id
    await halts.set_halt_of_account(user_id, api.harness.account.id, HaltRequest(reason="lunch"))
    await halts.set_halt_of_account(user_id, api.harness.account.id, None)
    document = """subscription($after: String) { events(after: $after) { kind message subject { __typename id } state {
      ... on HaltState { level by reason reduceOnly cancelOrders endedAt } } } }"""
    async with await api.subscribe(document, after=start) as stream:
        found = [event["events"] for event in await stream.take(6)]
    made, ended = (event for event in found if event["kind"] == "HALT")
    assert made["subject"] == ended["subject"] == {"__typename": "Account", "id": api.account}
    assert (made["message"], ended["message"]) == ("HALTED", "ACTIVE")
    assert made["state"] == {
        "level": "ACCOUNT", "by": "SELF", "reason": "lunch", "reduceOnly": False, "cancelOrders": True, "endedAt": None,
    }  # fmt: skip
    assert ended["state"]["endedAt"] is not None


async def test_a_job_is_cancelled_by_its_user_alone_and_stays_cancelled(api: Api) -> None:
    generate = "mutation($id: ID!) { reportGenerate(input: {scope: {account: $id}}) { report { id job { id } } } }"
    report = (await api.run(generate, id=api.account))["reportGenerate"]["report"]
    job_id = report["job"]["id"]
    cancel = "mutation($id: ID!) { jobCancel(id: $id) { job { status message result { id } } errors { code path } } }"
    refused = {"job": None, "errors": [{"code": "NOT_FOUND", "path": ["id"]}]}
    assert (await api.run(cancel, api.context(await api.another_user()), id=job_id))["jobCancel"] == refused
    for other in (api.account, report["id"], "nonsense", ""):
        assert (await api.run(cancel, id=other))["jobCancel"] == refused
    async with await api.subscribe(JOB, id=job_id) as stream:
        assert (await stream.next())["jobProgress"]["status"] == "QUEUED"
        cancelled = {"status": "CANCELED", "message": "Cancelled by its user.", "result": None}
        for _ in range(2):
            assert (await api.run(cancel, id=job_id))["jobCancel"] == {"job": cancelled, "errors": []}
        assert (await stream.next())["jobProgress"]["status"] == "CANCELED"
        assert [event async for event in stream.results] == []
    assert not await report_worker(api.harness.database).work_once()
