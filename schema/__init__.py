"""The public schema: Strawberry types, inputs, enums and the three roots."""

import strawberry

import schema.enums
import schema.trading_enums  # noqa: F401  # before the first type that uses one


def build_schema() -> strawberry.Schema:
    """Return the schema with its three roots; its printed form is `schema/schema.graphql`."""
    from schema.roots import SCHEMA  # noqa: PLC0415  # a module of this package, so not importable from its first line

    return SCHEMA
