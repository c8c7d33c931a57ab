"""What a definition may say that can't be traded yet: it can be stored, and no trading session can run it."""

from domain.core.errors import ErrorCode
from domain.model.definitions import StrategyDefinition
from domain.strategies.errors import DefinitionError

_SHORT = "Nothing can be sold short on a spot market, and there are no others yet; use rules for long alone."
_TRAILING = "A trailing stop can't be traded yet; use stopLoss."


def unsupported(definition: StrategyDefinition) -> list[DefinitionError]:
    """Return an UNSUPPORTED error for each part of the definition that no trading session can carry out yet."""
    found = [
        ("enterShort", definition.enter_short, _SHORT),
        ("exitShort", definition.exit_short, _SHORT),
        ("trailingStop", definition.trailing_stop, _TRAILING),
    ]
    return [
        DefinitionError(message, (name,), code=ErrorCode.UNSUPPORTED)
        for name, part, message in found
        if part is not None
    ]
