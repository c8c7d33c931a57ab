from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.model.order_transitions import ABSENCES_TO_REJECT, IllegalTransition
from domain.model.orders import Order, OrderEventKind, OrderStatus, OrderType, RejectCode, RiskCode, RiskDenial
from domain.rules import order_lifecycle as lifecycle
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import Transition, apply_fill, apply_report, confirm_absent, fill_from_report
from tests.support.orders import NOW, a_book, an_order, fill_report, order_report

S, K = OrderStatus, OrderEventKind
LATER = NOW + timedelta(seconds=1)


def filled(order: Order, trade_id: str, quantity: str, price: str = "100") -> Transition:
    report = fill_report(trade_id, quantity, price)
    return apply_fill(order, fill_from_report(order, report, UUID(int=5)), report.venue_order_id, LATER)


def kinds(transition: Transition) -> list[OrderEventKind]:
    return [event.kind for event in transition.events]


def rejected_by_absence() -> Order:
    order = an_order(status=S.IN_DOUBT)
    for _ in range(ABSENCES_TO_REJECT):
        order = confirm_absent(order, LATER).order
    return order


class TestSending:
    def test_submitting_sets_the_time_and_makes_an_event(self) -> None:
        transition = lifecycle.submit(an_order(), LATER)
        assert (transition.order.status, transition.order.submitted_at, transition.order.revision) == (
            S.SUBMITTED,
            LATER,
            2,
        )
        assert kinds(transition) == [K.SUBMITTED]

    def test_a_denial_keeps_every_reason(self) -> None:
        denials = (RiskDenial(RiskCode.PRICE_COLLAR, "a"), RiskDenial(RiskCode.ORDER_RATE, "b"))
        transition = lifecycle.deny(an_order(), denials, LATER)
        assert transition.order.status is S.DENIED
        assert transition.order.denials == denials
        assert transition.events[0].reason == "a; b"

    def test_what_was_never_submitted_cannot_be_in_doubt(self) -> None:
        with pytest.raises(IllegalTransition):
            lifecycle.mark_in_doubt(an_order(), LATER, "?")

    def test_an_accepted_order_is_open_under_the_venues_id(self) -> None:
        transition = apply_report(an_order(status=S.SUBMITTED), order_report(an_order(), S.OPEN), LATER)
        assert (transition.order.status, transition.order.venue_order_id) == (S.OPEN, "v-1")
        assert kinds(transition) == [K.ACCEPTED]

    @pytest.mark.parametrize("status", [S.OPEN, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED])
    def test_a_refusal_does_not_undo_what_the_venue_reported_before(self, status: OrderStatus) -> None:
        order = an_order(status=status)
        assert lifecycle.reject(order, LATER, "no").order is order


class TestFills:
    def test_fills_make_up_quantity_cost_and_average(self) -> None:
        first = filled(an_order(status=S.OPEN), "1", "0.25", "90")
        second = filled(first.order, "2", "0.75", "110")
        assert first.order.status is S.PARTIALLY_FILLED
        assert second.order.status is S.FILLED
        assert second.order.filled_quantity == 1
        assert second.order.average_price == Decimal(105)

    def test_a_fill_that_overtakes_the_answer_accepts_the_order_first(self) -> None:
        transition = filled(an_order(status=S.SUBMITTED), "1", "0.5")
        assert kinds(transition) == [K.ACCEPTED, K.FILL]
        assert transition.order.venue_order_id == "v-1"

    def test_a_status_alone_never_fills(self) -> None:
        transition = apply_report(an_order(status=S.OPEN), order_report(an_order(), S.FILLED, 1), LATER)
        assert transition.order.status is S.OPEN
        assert lifecycle.is_missing_fills(transition.order, order_report(an_order(), S.FILLED, 1))

    def test_a_venue_that_calls_less_done_is_believed_once_its_fills_are_here(self) -> None:
        order = filled(an_order(status=S.OPEN), "1", "0.999").order
        transition = apply_report(order, order_report(order, S.FILLED, Decimal("0.999")), LATER)
        assert transition.order.status is S.FILLED
        assert kinds(transition) == [K.RECONCILED]

    @pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED])
    def test_late_fills_count_and_complete_an_ended_order(self, status: OrderStatus) -> None:
        first = filled(an_order(status=status), "1", "0.4")
        assert (first.order.status, first.order.filled_quantity) == (status, Decimal("0.4"))
        assert filled(first.order, "2", "0.6").order.status is S.FILLED

    def test_a_fill_during_a_cancel_does_not_forget_the_cancel(self) -> None:
        transition = filled(an_order(status=S.PENDING_CANCEL), "1", "0.4")
        assert transition.order.status is S.PENDING_CANCEL
        assert transition.order.filled_quantity == Decimal("0.4")

    def test_what_a_venue_fills_too_much_is_counted_with_a_reason(self) -> None:
        transition = filled(an_order(status=S.OPEN), "1", "1.5")
        assert (transition.order.status, transition.order.filled_quantity) == (S.FILLED, Decimal("1.5"))
        assert transition.events[0].reason == "the venue filled more than was asked for"

    def test_a_fill_of_an_order_that_the_venue_had_rejected_is_counted_and_takes_the_rejection_back(self) -> None:
        rejected = lifecycle.reject(an_order(status=S.SUBMITTED), LATER, "insufficient balance").order
        transition = filled(rejected, "1", "0.5")
        assert kinds(transition) == [K.RECONCILED, K.FILL]
        assert transition.events[0].reason == "the venue has the order, which it had rejected"
        assert transition.order.status is S.PARTIALLY_FILLED
        assert (transition.order.reject_reason, transition.order.reject_code) == (None, None)

    @pytest.mark.parametrize("status", [S.PENDING, S.DENIED])
    def test_what_was_never_at_the_venue_has_no_fills(self, status: OrderStatus) -> None:
        with pytest.raises(IllegalTransition):
            filled(an_order(status=status), "1", "0.5")


class TestEnds:
    @pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED])
    def test_an_ioc_that_fills_in_part_ends_with_the_venues_status(self, status: OrderStatus) -> None:
        order = filled(an_order(status=S.SUBMITTED, type=OrderType.MARKET), "1", "0.5").order
        transition = apply_report(order, order_report(order, status, Decimal("0.5")), LATER)
        assert transition.order.status is status
        assert kinds(transition) == [OrderEventKind(status)]

    @pytest.mark.parametrize("after_seconds", [0, 1])
    def test_a_cancel_by_the_engine_for_time_is_an_expiry(self, after_seconds: int) -> None:
        asked = NOW + timedelta(seconds=after_seconds)
        order = an_order(status=S.PENDING_CANCEL, expires_at=NOW, cancel_requested_at=asked)
        assert apply_report(order, order_report(order, S.CANCELED), LATER).order.status is S.EXPIRED

    def test_a_cancel_before_its_time_is_a_cancel(self) -> None:
        order = an_order(status=S.PENDING_CANCEL, expires_at=LATER, cancel_requested_at=NOW)
        assert apply_report(order, order_report(order, S.CANCELED), LATER).order.status is S.CANCELED

    def test_a_stop_refused_when_it_triggers_has_expired(self) -> None:
        order = an_order(status=S.OPEN, type=OrderType.STOP)
        assert apply_report(order, order_report(order, S.REJECTED), LATER).order.status is S.EXPIRED

    @pytest.mark.parametrize("status", [S.FILLED, S.CANCELED, S.EXPIRED])
    @pytest.mark.parametrize("old", [S.OPEN, S.PARTIALLY_FILLED, S.CANCELED, S.EXPIRED, S.REJECTED])
    def test_an_old_message_never_moves_an_ended_order(self, status: OrderStatus, old: OrderStatus) -> None:
        order = an_order(status=status, filled_quantity=Decimal("0.5"))
        assert apply_report(order, order_report(order, old, Decimal("0.25")), LATER).order is order

    @pytest.mark.parametrize("status", [S.PENDING, S.DENIED])
    def test_an_order_the_venue_should_not_have_is_not_taken_over(self, status: OrderStatus) -> None:
        with pytest.raises(IllegalTransition):
            apply_report(an_order(status=status), order_report(an_order(), S.OPEN), LATER)


def a_stop(status: OrderStatus) -> Order:
    return an_order(status=status, type=OrderType.STOP_LIMIT, stop_price=Decimal(90))


class TestTriggers:
    def test_a_stop_that_went_off_is_reported_once(self) -> None:
        resting = a_stop(S.OPEN)
        report = replace(order_report(resting, S.OPEN), triggered=True)
        transition = apply_report(resting, report, LATER)
        assert kinds(transition) == [K.TRIGGERED]
        assert (transition.order.status, transition.order.triggered_at) == (S.OPEN, LATER)
        assert apply_report(transition.order, report, LATER).events == ()
        assert kinds(filled(transition.order, "1", "1")) == [K.FILL]

    def test_a_fill_proves_that_the_stop_went_off(self) -> None:
        assert kinds(filled(a_stop(S.OPEN), "1", "1")) == [K.TRIGGERED, K.FILL]

    def test_a_stop_that_went_off_before_it_was_confirmed_is_accepted_first(self) -> None:
        order = a_stop(S.IN_DOUBT)
        report = replace(order_report(order, S.OPEN), triggered=True)
        assert kinds(apply_report(order, report, LATER)) == [K.ACCEPTED, K.TRIGGERED]

    @pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED])
    def test_a_stop_that_went_off_and_ended_unseen_says_both(self, status: OrderStatus) -> None:
        order = a_stop(S.OPEN)
        transition = apply_report(order, replace(order_report(order, status), triggered=True), LATER)
        assert kinds(transition) == [K.TRIGGERED, K(status.value)]

    def test_an_order_without_a_stop_price_has_no_trigger(self) -> None:
        order = an_order(status=S.OPEN)
        assert apply_report(order, replace(order_report(order, S.OPEN), triggered=True), LATER).events == ()
        assert filled(order, "1", "1").order.triggered_at is None


class TestCancels:
    def test_a_refused_cancel_returns_the_order_to_what_it_was(self) -> None:
        partly = filled(an_order(status=S.OPEN), "1", "0.5").order
        asked = lifecycle.request_cancel(partly, LATER).order
        assert asked.status is S.PENDING_CANCEL
        assert asked.cancel_requested_at == LATER
        transition = lifecycle.reject_cancel(asked, LATER, "too late")
        assert (transition.order.status, transition.order.cancel_requested_at) == (S.PARTIALLY_FILLED, None)
        assert kinds(transition) == [K.CANCEL_REJECTED]

    def test_an_old_open_does_not_end_a_cancel_under_way(self) -> None:
        order = an_order(status=S.PENDING_CANCEL)
        assert apply_report(order, order_report(order, S.OPEN), LATER).order is order

    @pytest.mark.parametrize("status", [S.CANCELED, S.FILLED])
    def test_a_refusal_that_comes_after_the_end_changes_nothing(self, status: OrderStatus) -> None:
        order = an_order(status=status)
        assert lifecycle.reject_cancel(order, LATER, "unknown order").order is order


class TestAbsence:
    def test_the_third_clean_absence_rejects_and_none_before(self) -> None:
        order = an_order(status=S.IN_DOUBT)
        for number in range(1, ABSENCES_TO_REJECT):
            transition = confirm_absent(order, LATER)
            order = transition.order
            assert (order.status, order.absences, transition.events) == (S.IN_DOUBT, number, ())
        transition = confirm_absent(order, LATER)
        assert transition.order.status is S.REJECTED
        assert transition.order.reject_reason == "the venue never received the order"
        assert transition.order.reject_code is RejectCode.NOT_RECEIVED

    @pytest.mark.parametrize("status", [S.OPEN, S.PENDING_CANCEL])
    def test_an_order_that_the_venue_had_and_lost_is_cancelled(self, status: OrderStatus) -> None:
        order = an_order(status=status, venue_order_id="v-1", absences=ABSENCES_TO_REJECT - 1)
        assert confirm_absent(order, LATER).order.status is S.CANCELED

    def test_a_found_order_resets_its_absences(self) -> None:
        order = an_order(status=S.IN_DOUBT, absences=2)
        assert apply_report(order, order_report(order, S.OPEN), LATER).order.absences == 0

    @pytest.mark.parametrize(
        ("status", "expected"),
        [(S.OPEN, [K.RECONCILED]), (S.CANCELED, [K.RECONCILED, K.CANCELED]), (S.EXPIRED, [K.RECONCILED, K.EXPIRED])],
    )
    def test_a_rejection_by_absence_is_taken_back_when_the_venue_reports(
        self, status: OrderStatus, expected: list[OrderEventKind]
    ) -> None:
        order = rejected_by_absence()
        transition = apply_report(order, order_report(order, status), LATER)
        assert kinds(transition) == expected
        assert (transition.order.reject_reason, transition.order.reject_code) == (None, None)

    def test_a_fill_takes_a_rejection_by_absence_back(self) -> None:
        transition = filled(rejected_by_absence(), "1", "1")
        assert kinds(transition) == [K.RECONCILED, K.FILL]
        assert transition.order.status is S.FILLED

    @pytest.mark.parametrize("status", [S.FILLED, S.CANCELED, S.PENDING])
    def test_absence_of_an_order_that_is_not_at_the_venue_changes_nothing(self, status: OrderStatus) -> None:
        order = an_order(status=status)
        assert confirm_absent(order, LATER).order is order

    def test_absence_of_an_order_that_the_engine_holds_changes_nothing(self) -> None:
        order = an_order(type=OrderType.TRAILING_STOP, status=S.OPEN, absences=ABSENCES_TO_REJECT - 1)
        assert order.is_held
        assert confirm_absent(order, LATER).order is order


class TestArrivalPrice:
    def test_slippage_is_measured_from_the_middle_of_the_book(self) -> None:
        assert arrival_price(an_order(), a_book(bid="99", ask="100")) == Decimal("99.5")

    def test_slippage_of_an_order_with_a_stop_price_is_measured_from_that(self) -> None:
        for type_ in (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT):
            assert arrival_price(an_order(type=type_, stop_price=Decimal(103)), a_book()) == 103

    def test_without_both_sides_of_a_book_there_is_nothing_to_measure_from(self) -> None:
        assert arrival_price(an_order(), None) is None
        assert arrival_price(an_order(), replace(a_book(), asks=())) is None


class TestTriggeredTrailingStops:
    def sent(self) -> Order:
        return an_order(type=OrderType.TRAILING_STOP, status=S.IN_DOUBT, triggered_at=NOW, submitted_at=NOW)

    def held_again(self) -> Order:
        order = self.sent()
        for _ in range(ABSENCES_TO_REJECT):
            order = confirm_absent(order, LATER).order
        return order

    def test_one_that_the_venue_never_received_is_held_again(self) -> None:
        order = self.held_again()
        assert (order.is_held, order.triggered_at, order.submitted_at, order.absences) == (True, NOW, None, 0)

    def test_one_that_is_to_be_cancelled_ends(self) -> None:
        order = replace(self.sent(), cancel_requested_at=NOW)
        for _ in range(ABSENCES_TO_REJECT):
            order = confirm_absent(order, LATER).order
        assert order.status is S.REJECTED

    def test_one_that_the_venue_has_after_all_is_not_held_any_more(self) -> None:
        order = self.held_again()
        transition = apply_report(order, order_report(order, S.OPEN), LATER)
        assert (transition.order.status, transition.order.is_held) == (S.OPEN, False)
        assert kinds(transition) == [K.RECONCILED]
