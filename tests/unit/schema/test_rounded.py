from dataclasses import dataclass
from decimal import Decimal

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.accounts.subscriptions import AccountEquity
from schema.common.rounded import RoundedField, rounded_field
from schema.common.scalars import SCALARS
from schema.orders.types import OrderFacts
from schema.positions.types import PositionFacts
from schema.reports.metrics import PerformanceMetrics
from schema.reports.types import EquityPoint, RoundTrip


@strawberry.type
class Shown:
    computed: Decimal | None = rounded_field(description="Out of a division.")
    reported: Decimal = strawberry.field(description="By the venue.")


@dataclass(frozen=True)
class Stored:
    computed: Decimal | None
    reported: Decimal


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Shown)
    def amounts(self, known: bool) -> object:
        long = Decimal("61579.159259008148321643")
        return Stored(long if known else None, long)


@pytest.mark.parametrize(("known", "shown"), [("true", "61579.15925901"), ("false", None)])
def test_a_computed_amount_is_rounded_and_a_reported_one_is_not(known: str, shown: str | None) -> None:
    schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    result = schema.execute_sync(f"{{ amounts(known: {known}) {{ computed reported }} }}")
    assert (result.errors, result.data) == (
        None, {"amounts": {"computed": shown, "reported": "61579.159259008148321643"}},
    )  # fmt: skip


EXACT = {
    OrderFacts: {
        *("quantity", "price", "stop_price", "trail_percent", "trail_absolute"),
        *("filled_quantity", "remaining_quantity", "arrival_price"),
    },
    PositionFacts: {"quantity", "dust", "missing"},
    RoundTrip: {"quantity"},
}
"""The decimals that users and venues report, and their sums, by type."""


@pytest.mark.parametrize("kind", [PerformanceMetrics, EquityPoint, RoundTrip, PositionFacts, OrderFacts, AccountEquity])
def test_every_amount_is_either_reported_or_rounded(kind: type) -> None:
    fields = kind.__strawberry_definition__.fields  # type: ignore[attr-defined]
    amounts = [
        field for field in fields if field.base_resolver is None and "Decimal" in str(field.type_annotation.annotation)
    ]
    assert {field.python_name for field in amounts if not isinstance(field, RoundedField)} == EXACT.get(kind, set())
