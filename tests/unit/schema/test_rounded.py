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
    told: Decimal = strawberry.field(description="By the venue.")


@dataclass(frozen=True)
class Stored:
    computed: Decimal | None
    told: Decimal


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Shown)
    def amounts(self, known: bool) -> object:
        long = Decimal("61579.159259008148321643")
        return Stored(long if known else None, long)


@pytest.mark.parametrize(("known", "shown"), [("true", "61579.15925901"), ("false", None)])
def test_a_computed_amount_is_shown_rounded_and_a_told_one_as_it_is(known: str, shown: str | None) -> None:
    schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    result = schema.execute_sync(f"{{ amounts(known: {known}) {{ computed told }} }}")
    assert (result.errors, result.data) == (
        None, {"amounts": {"computed": shown, "told": "61579.159259008148321643"}},
    )  # fmt: skip


EXACT = {
    OrderFacts: {"quantity", "price", "stop_price", "filled_quantity", "remaining_quantity", "arrival_price"},
    PositionFacts: {"quantity", "dust"},
    RoundTrip: {"quantity"},
}
"""What users, venues and sums of what they told say, by type."""


@pytest.mark.parametrize("kind", [PerformanceMetrics, EquityPoint, RoundTrip, PositionFacts, OrderFacts, AccountEquity])
def test_every_amount_is_either_told_or_rounded(kind: type) -> None:
    fields = kind.__strawberry_definition__.fields  # type: ignore[attr-defined]
    amounts = [one for one in fields if one.base_resolver is None and "Decimal" in str(one.type_annotation.annotation)]
    assert {one.python_name for one in amounts if not isinstance(one, RoundedField)} == EXACT.get(kind, set())
