"""Lists of orders of which one's fate decides the others', with Binance's names: OCO, OTO and OTOCO."""

from dataclasses import dataclass
from enum import StrEnum

from infra.sandbox.orders import NewOrder, Order, PlacedOrder


class Contingency(StrEnum):
    """How the orders of a list depend on each other; an OTOCO is an OTO with two pending orders."""

    OCO = "OCO"
    OTO = "OTO"


class ListStatus(StrEnum):
    """Whether a list still has open orders."""

    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"


@dataclass(slots=True)
class OrderList:
    """One list, without its orders; times in milliseconds."""

    id: int
    uid: int
    symbol: str
    client_id: str
    contingency: Contingency
    created_ms: int
    updated_ms: int
    status: ListStatus = ListStatus.EXECUTING


@dataclass(frozen=True, slots=True)
class NewOrderList:
    """A client's new list: the working order of an OTO, and one pending order or the two orders of an OCO."""

    symbol: str
    client_id: str
    working: NewOrder | None
    rest: tuple[NewOrder, ...]

    @property
    def contingency(self) -> Contingency:
        """How the orders depend on each other."""
        return Contingency.OCO if self.working is None else Contingency.OTO

    @property
    def orders(self) -> tuple[NewOrder, ...]:
        """All orders, the working one first."""
        return self.rest if self.working is None else (self.working, *self.rest)


@dataclass(frozen=True, slots=True)
class ListReport:
    """A list as it was at one moment, with copies of its orders, oldest first, and whether one was given another id."""

    info: OrderList
    orders: tuple[Order, ...]
    is_renamed: bool = False


@dataclass(frozen=True, slots=True)
class PlacedList:
    """The answer to a new list: the list, and its orders with their fills so far."""

    info: OrderList
    placed: tuple[PlacedOrder, ...]


@dataclass(frozen=True, slots=True)
class CancelReport:
    """The answer to a cancel: the order, and the list that ended with it."""

    order: Order
    order_list: ListReport | None
