"""The public schema: Strawberry types, inputs, enums and the three roots, in one folder for each area."""

# Strawberry must know an enum before the first type that mentions it.
import schema.accounts.enums
import schema.alerts.enums
import schema.analytics.enums
import schema.common.enums
import schema.engine.enums
import schema.events.enums
import schema.jobs.enums
import schema.markets.enums
import schema.notifications.enums
import schema.optimizations.enums
import schema.orders.enums
import schema.plans.enums
import schema.positions.enums
import schema.reports.enums
import schema.trading.enums
import schema.users.enums  # noqa: F401
from schema.common.engine_schema import EngineSchema


def build_schema() -> EngineSchema:
    """Return the schema with its three roots; its printed form is `schema/schema.graphql`."""
    from schema.roots import SCHEMA  # noqa: PLC0415  # a module of this package, so not importable from its first line

    return SCHEMA
