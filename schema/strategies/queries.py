"""The templates, and validating a definition, in the query root."""

from typing import Annotated

import strawberry

from resolvers import strategies
from schema.common.errors import user_error
from schema.common.types import Info
from schema.strategies.inputs import StrategyDefinitionInput
from schema.strategies.types import StrategyTemplate, StrategyValidation


@strawberry.type
class StrategyQuery:
    @strawberry.field(
        graphql_type=list[StrategyTemplate],
        description=(
            "Well-known strategies to start from: those that follow trends, then breakouts, then reversals, then those "
            "of installed packages."
        ),
    )
    def strategy_templates(self, info: Info) -> object:
        return strategies.templates(info.context)

    @strawberry.field(description="Validate a strategy definition without storing it.")
    def strategy_validate(
        self,
        definition: Annotated[StrategyDefinitionInput, strawberry.argument(description="The definition to validate.")],
    ) -> StrategyValidation:
        result = strategies.validate(definition.to_domain())
        errors = [user_error(error) for error in result.errors]
        return StrategyValidation(
            valid=result.valid,
            lookback=result.lookback,
            errors=errors,  # type: ignore[arg-type]  # a DefinitionError is shown as nothing else
            warm_ups=list(result.warm_ups),  # type: ignore[arg-type]  # read by attribute
        )
