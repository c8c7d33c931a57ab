"""What the log says of each kind of event: a name that stays, ids as fields, and no word that a user wrote."""

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import graphql
import pytest

from domain.model.events import NewEvent, Subject, UserEventKind
from domain.model.jobs import JobStatus
from domain.model.orders import OrderEvent, OrderEventKind, OrderStatus, RiskCode, RiskDenial
from domain.model.trading import TradingSession, TradingSessionStatus
from domain.model.users import Activity
from infra.postgres.rows.event_lines import (
    ACTIVITY_LINES,
    JOB_LINES,
    ORDER_LINES,
    TRADING_SESSION_LINES,
    EventLine,
    event_line,
)
from schema import build_schema
from tests.support.events import every_subject
from tests.support.orders import an_order

USER = UUID(int=2)
NOW = datetime(2026, 11, 5, tzinfo=UTC)
LOGGED_BY_THEIR_STEPS = {"orderPlace", "orderAmend", "orderCancel", "ordersCancel", "positionClose"}
DONE_BY_COMMANDS = {"userPromote"}
"""What `r3edge` does, and no mutation."""

OF_NOBODY = {"oidcStart"}
"""What a client that isn't signed in begins, of whom nothing is known yet."""


def line(subject: Subject | None, message: str | None = None) -> EventLine:
    return event_line(NewEvent(USER, NOW, UserEventKind.ALERT, subject, message))


def test_every_mutation_has_a_line() -> None:
    mutation = graphql.build_schema(build_schema().as_str()).mutation_type
    assert mutation is not None
    assert set(mutation.fields) - LOGGED_BY_THEIR_STEPS - OF_NOBODY == set(ACTIVITY_LINES) - DONE_BY_COMMANDS


def test_every_step_has_a_line() -> None:
    assert set(ORDER_LINES) == set(OrderEventKind) - {OrderEventKind.SNAPSHOT}
    assert set(TRADING_SESSION_LINES) == set(TradingSessionStatus)
    assert set(JOB_LINES) == set(JobStatus)


@pytest.mark.parametrize("subject", every_subject(USER), ids=lambda subject: type(subject).__name__)
def test_every_subject_has_a_line_with_an_id(subject: Subject | None) -> None:
    logged = line(subject)
    assert logged.name != "alert_recorded" or subject is None
    assert subject is None or any(name.endswith("_id") and value for name, value in logged.fields.items())


def test_a_denied_order_is_reported_with_its_codes() -> None:
    denials = (RiskDenial(RiskCode.NOT_RECONCILED, "Not yet."), RiskDenial(RiskCode.STALE_MARKET_DATA, "Old."))
    order = an_order(status=OrderStatus.DENIED, denials=denials)
    logged = line(OrderEvent(OrderEventKind.DENIED, order))
    assert (logged.name, logged.fields["denials"]) == ("order_denied", "NOT_RECONCILED,STALE_MARKET_DATA")
    assert (logged.fields["order_id"], logged.fields["client_order_id"]) == (order.id, "r3-1")


@pytest.mark.parametrize("kind", [OrderEventKind.IN_DOUBT, OrderEventKind.REJECTED, OrderEventKind.CANCEL_REJECTED])
def test_what_an_operator_should_look_at_is_a_warning(kind: OrderEventKind) -> None:
    assert line(OrderEvent(kind, an_order())).level == logging.WARNING


def test_a_session_that_waits_differs_from_one_that_begins() -> None:
    (session,) = (subject for subject in every_subject(USER) if isinstance(subject, TradingSession))
    starting = replace(session, status=TradingSessionStatus.STARTING, status_reason=None)
    waiting = replace(starting, status_reason="100 candles are missing")
    assert line(starting, "STARTING").name == "trading_session_started"
    assert line(waiting, "STARTING").name == "trading_session_waiting"
    assert line(replace(starting, status=TradingSessionStatus.STOPPED), "STOPPED").name == "trading_session_stopped"
    assert line(starting, "HALTED").level == logging.DEBUG  # trading_halted has told it


@pytest.mark.parametrize("action", [*ACTIVITY_LINES, "somethingNew"])
def test_no_word_of_a_user_is_logged_of_what_they_did(action: str) -> None:
    logged = line(Activity(UUID(int=1), USER, NOW, action, "Strategy", "7", "a word of the user"))
    assert logged.fields["strategy_id"] == "7"
    if action != "paperDeposit":  # its detail is the amount, which the engine writes
        assert "a word of the user" not in json.dumps(dict(logged.fields))
