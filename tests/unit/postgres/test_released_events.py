"""Events that version 0.1 has stored can be read by this one."""

import json
from pathlib import Path
from typing import get_args

from domain.model.alerts import FiredAlert
from domain.model.events import Subject
from domain.model.orders import Order, OrderEvent, OrderStatus
from domain.model.report_schedules import ScheduledReport
from domain.model.trading_state import Halt
from infra.postgres.rows.events import decode_subject, encode_subject
from resolvers import events

STORED = Path(__file__).parents[2] / "support" / "events_of_0_1.jsonl"
"""One of each kind as version 0.1 wrote it, with every field set that could get lost."""


def stored_subjects() -> list[Subject]:
    rows = [json.loads(line) for line in STORED.read_text().splitlines()]
    found = [decode_subject(row["subject_type"], json.dumps(row["payload"]).encode()) for row in rows]
    return [subject for subject in found if subject is not None]


def test_every_kind_of_event_is_read() -> None:
    assert {type(subject) for subject in stored_subjects()} == set(get_args(Subject)) - {
        FiredAlert,
        Halt,
        ScheduledReport,
    }  # which have come since


def test_what_was_read_is_the_same_when_it_is_stored_again() -> None:
    for subject in stored_subjects():
        assert decode_subject(*encode_subject(subject)) == subject


def test_the_order_is_read_with_its_state() -> None:
    event = next(subject for subject in stored_subjects() if isinstance(subject, OrderEvent))
    assert isinstance(event.order, Order)
    assert (event.order.status, event.order.revision) == (OrderStatus.DENIED, 3)
    assert [denial.code.value for denial in event.order.denials] == ["PRICE_COLLAR"]


def test_every_kind_of_event_is_shown_as_a_state() -> None:
    shown = {OrderEvent: Order}
    assert {shown.get(kind, kind) for kind in get_args(Subject)} == set(get_args(events.State))
