"""The stored form of a definition: JSON with decimals as strings."""

from functools import cache

import msgspec

from domain.model.definitions import StrategyDefinition


def encode_definition(definition: StrategyDefinition) -> bytes:
    """Return the definition as UTF-8 JSON, keys as the fields are named, in the fields' order."""
    return msgspec.json.encode(definition)


def decode_definition(data: bytes | str) -> StrategyDefinition:
    """Return what `encode_definition` wrote; raise msgspec.ValidationError on anything else."""
    return _decoder().decode(data)


@cache
def _decoder() -> msgspec.json.Decoder[StrategyDefinition]:
    return msgspec.json.Decoder(StrategyDefinition)
