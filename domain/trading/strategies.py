"""Creates strategies for users, changes them by new versions, and archives them."""

from dataclasses import dataclass, replace
from uuid import UUID

from domain.core.changes import UNCHANGED, Unchanged, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.core.validation import is_encodable, normalise_name
from domain.events.idempotency import reserve
from domain.model.definitions import StrategyDefinition
from domain.model.strategies import Strategy, StrategyVersion
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.strategies.validation import LANGUAGE_VERSION, DefinitionError, validate
from domain.users.activity import record_activity

MAXIMUM_DESCRIPTION_LENGTH = 2_000


@dataclass(frozen=True, slots=True)
class StrategyRequest:
    """The strategy to create, as its user describes it."""

    name: str
    description: str | None
    definition: StrategyDefinition


class StrategyService:
    """Creates, changes and archives strategies."""

    def __init__(self, database: Database, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def create(self, user_id: UUID, request: StrategyRequest, idempotency_key: str | None) -> Strategy:
        """Store a strategy with its first version.

        Raises `InputErrors` (STRATEGY_INVALID, with positions in the rules) and CONFLICT for the idempotency key.
        """
        _check_definition(request.definition)
        _check_description(request.description)
        now = self._clock.now()
        name = normalise_name(request.name, "name")
        strategy = Strategy(self._ids.next_id(), user_id, name, request.description, now)
        async with self._database.transaction() as transaction:
            if idempotency_key is not None:
                known = await reserve(
                    transaction, self._clock, user_id, "strategyCreate", idempotency_key, request, strategy.id
                )
                if known is not None:
                    return await self._get_owned(transaction, user_id, known)
            version = self._version(strategy, request.definition)
            await transaction.strategies.add(strategy, version)
            await self._record(transaction, strategy, "strategyCreate")
        return strategy

    async def update(
        self,
        user_id: UUID,
        strategy_id: UUID,
        name: str | Unchanged | None = UNCHANGED,
        description: str | Unchanged | None = UNCHANGED,
        definition: StrategyDefinition | Unchanged | None = UNCHANGED,
        expected_version: int | None = None,
    ) -> Strategy:
        """Change name or description in place, and the definition by a new version.

        Raises NOT_FOUND, STRATEGY_INVALID, and CONFLICT if the newest version isn't the expected one.
        """
        reject_nulls(name=name, definition=definition)
        if isinstance(definition, StrategyDefinition):
            _check_definition(definition)
        if isinstance(description, str):
            _check_description(description)
        async with self._database.transaction() as transaction:
            strategy = await self._get_owned(transaction, user_id, strategy_id)
            _check_version(strategy, expected_version)
            if isinstance(name, str):
                strategy = replace(strategy, name=normalise_name(name, "name"))
            strategy = replace(strategy, description=value_or_current(description, strategy.description))
            if isinstance(definition, StrategyDefinition):
                strategy = replace(strategy, current_version=strategy.current_version + 1)
                await transaction.strategies.add_version(self._version(strategy, definition))
            await transaction.strategies.update(strategy)
            await self._record(transaction, strategy, "strategyUpdate")
        return strategy

    async def archive(self, user_id: UUID, strategy_id: UUID) -> Strategy:
        """Archive a strategy; trading sessions that run it continue. Raises NOT_FOUND."""
        async with self._database.transaction() as transaction:
            strategy = await transaction.strategies.archive(user_id, strategy_id, self._clock.now())
            if strategy is None:
                raise InputError(ErrorCode.NOT_FOUND, "You have no such strategy.", ("id",))
            await self._record(transaction, strategy, "strategyArchive")
        return strategy

    def _version(self, strategy: Strategy, definition: StrategyDefinition) -> StrategyVersion:
        return StrategyVersion(
            id=self._ids.next_id(),
            strategy_id=strategy.id,
            user_id=strategy.user_id,
            number=strategy.current_version,
            created_at=self._clock.now(),
            definition=definition,
            language_version=LANGUAGE_VERSION,
        )

    async def _get_owned(self, transaction: UnitOfWork, user_id: UUID, strategy_id: UUID) -> Strategy:
        strategy = await transaction.strategies.get_for_update(user_id, strategy_id)
        if strategy is None:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such strategy.", ("id",))
        return strategy

    async def _record(self, transaction: UnitOfWork, strategy: Strategy, action: str) -> None:
        subject = ("Strategy", str(strategy.id))
        now = self._clock.now()
        await record_activity(transaction, self._ids, now, strategy.user_id, action, subject, strategy.name)


def _check_definition(definition: StrategyDefinition) -> None:
    result = validate(definition)
    if result.errors:
        raise InputErrors([_under_input(error) for error in result.errors])


def _under_input(error: DefinitionError) -> DefinitionError:
    """Return the error with its path as it is in the input of the mutation."""
    return error.under(("input", "definition"))


def _check_description(description: str | None) -> None:
    if description is not None and len(description) > MAXIMUM_DESCRIPTION_LENGTH:
        message = f"The description has {len(description)} characters and may have {MAXIMUM_DESCRIPTION_LENGTH}."
        raise InputError(ErrorCode.INVALID, message, ("input", "description"))
    if description is not None and ("\0" in description or not is_encodable(description)):
        message = "The description has a character in it that is no text (U+0000, or half of a surrogate pair)."
        raise InputError(ErrorCode.INVALID, message, ("input", "description"))


def _check_version(strategy: Strategy, expected: int | None) -> None:
    if expected is not None and expected != strategy.current_version:
        raise InputError(
            ErrorCode.CONFLICT,
            f"The newest version is {strategy.current_version}, not {expected}: somebody changed it in between.",
            ("input", "expectedVersion"),
        )
