"""The steps of orders, and the only function that writes them: each with its events, no matter who asks for it.

A new order is written by the commands that place one (`domain.execution.commands`). Fills and what they make of
positions are written as they are counted (`domain.execution.order_update`), in the transaction of their step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from domain.model.events import NewEvent
from domain.model.orders import Order, OrderStatus
from domain.model.trading import Position
from domain.model.trading_state import TradingState
from domain.ports.idempotency import KeyReservation
from domain.ports.orders import NO_CONDITIONS, OrderChange, StepConditions
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.order_lifecycle import Transition


@dataclass(frozen=True, slots=True)
class OrderStep:
    """What one transaction makes of an order, `before` as it was known, with what its user's log tells of it.

    `trade_ids` are the venue's ids of trades that are counted, by this step or before it, and `positions` those that
    its fills have changed.
    """

    before: Order
    after: Order
    events: tuple[NewEvent, ...] = ()
    trade_ids: tuple[str, ...] = ()
    positions: tuple[Position, ...] = ()

    @classmethod
    def of(cls, before: Order, transition: Transition) -> Self:
        """Return the step that a transition of the order is, without fills."""
        return cls(before, transition.order, tuple(transition.log_events()))

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to write."""
        return self.after is not self.before

    def forbidden_by(self, states: tuple[TradingState, ...]) -> tuple[TradingState, ...]:
        """Return `states`, those of halts that forbid the step, if it sends an order that doesn't close a position."""
        is_sent = self.after.status is OrderStatus.SUBMITTED and self.before.status is not OrderStatus.SUBMITTED
        return states if is_sent and not self.after.reduces_risk else ()


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that isn't stored yet, and the key under which its user has placed it."""

    order: Order
    reservation: KeyReservation


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided about orders: a step of each, or by its id the error that kept it from being decided."""

    steps: list[OrderStep] = field(default_factory=list)
    errors: dict[UUID, Exception] = field(default_factory=dict)

    @property
    def submitted(self) -> dict[UUID, Order]:
        """The orders that are to be sent, by their ids."""
        return {step.after.id: step.after for step in self.steps if step.after.status is OrderStatus.SUBMITTED}


def write_steps(
    unit_of_work: UnitOfWork,
    steps: Iterable[OrderStep],
    conditions: StepConditions = NO_CONDITIONS,
    halts: tuple[TradingState, ...] = (TradingState.HALTED,),
) -> None:
    """Write steps of orders, all or none, at the latest at the commit and in as few statements as can be.

    That, or the transaction's next statement, raises `StaleOrder` if an order isn't stored any more as it was before,
    if one of the `conditions` doesn't hold, or if an order is to be sent that a halt in one of the states `halts`
    forbids.
    """
    changed = [step for step in steps if step.has_changed]
    if changed:
        changes = [OrderChange(step.before, step.after, step.forbidden_by(halts)) for step in changed]
        unit_of_work.orders.write(changes, conditions)
        unit_of_work.events.append([event for step in changed for event in step.events])
