"""Validates the further entries and the partial targets of a definition."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from domain.core.money import plain
from domain.model.definitions import EntryAdd, ExitTarget, StrategyDefinition
from domain.strategies.distances import HUNDRED, distance_errors, is_within
from domain.strategies.errors import DefinitionError

MAX_ADDS = 10
MAX_ADDS_IN_A_POSITION = 100
"""How many further entries one position may have in all."""
MAX_SIZE_FACTOR = Decimal(1_000)
MAX_TARGETS = 10


def target_errors(targets: Sequence[ExitTarget]) -> Iterator[DefinitionError]:
    """Yield what is wrong with the partial targets."""
    if len(targets) > MAX_TARGETS:
        yield DefinitionError(f"{len(targets)} targets are given; at most {MAX_TARGETS} are allowed.", ("targets",))
        return
    is_valid = True
    for index, target in enumerate(targets):
        path = ("targets", str(index))
        yield from distance_errors((*path, "distance"), target.distance, is_below=False)
        if not is_within(target.share_percent, HUNDRED):
            is_valid = False
            message = f"sharePercent is {target.share_percent}; it must be greater than 0 and at most 100."
            yield DefinitionError(message, (*path, "sharePercent"))
    total = sum((target.share_percent for target in targets), Decimal(0)) if is_valid else Decimal(0)
    if total > HUNDRED:
        message = f"The shares of all targets are {plain(total)} % of the position; they can be at most 100 %."
        yield DefinitionError(message, ("targets",))


def add_errors(definition: StrategyDefinition) -> Iterator[DefinitionError]:
    """Yield what is wrong with the further entries, their rules apart."""
    adds = definition.adds
    if len(adds) > MAX_ADDS:
        yield DefinitionError(f"{len(adds)} adds are given; at most {MAX_ADDS} are allowed.", ("adds",))
        return
    for index, add in enumerate(adds):
        yield from _errors_of_one(("adds", str(index)), add)
    count = sum(add.count for add in adds)
    if count > MAX_ADDS_IN_A_POSITION and all(1 <= add.count <= MAX_ADDS_IN_A_POSITION for add in adds):
        message = (
            f"The adds allow {count} further entries into a position; at most {MAX_ADDS_IN_A_POSITION} are possible."
        )
        yield DefinitionError(message, ("adds",))


def _errors_of_one(path: tuple[str, ...], add: EntryAdd) -> Iterator[DefinitionError]:
    if add.below is not None:
        yield from distance_errors((*path, "below"), add.below, is_below=True)
    if add.above is not None:
        yield from distance_errors((*path, "above"), add.above, is_below=False)
    if add.below is not None and add.above is not None:
        message = "below and above can't both hold; leave one of them out, or list two adds."
        yield DefinitionError(message, path)
    if add.below is None and add.above is None and add.waits_for_price:
        message = "The add has no condition; give below, above, rule or onEntrySignal."
        yield DefinitionError(message, path)
    if not is_within(add.size_factor, MAX_SIZE_FACTOR):
        message = f"sizeFactor is {add.size_factor}; it must be greater than 0 and at most {MAX_SIZE_FACTOR}."
        yield DefinitionError(message, (*path, "sizeFactor"))
    if not 1 <= add.count <= MAX_ADDS_IN_A_POSITION:
        yield DefinitionError(
            f"count is {add.count}; it must be between 1 and {MAX_ADDS_IN_A_POSITION}.", (*path, "count")
        )
